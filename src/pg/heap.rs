//! Heap rows and index entries.

use std::marker::PhantomData;

use pgrx::pg_sys;

use super::memory::PassingMemory;
use super::relation::OpenRelation;
use super::table_layout::{Index, MOST_COLUMNS};
use super::version;

const MOST_KEYS: usize = pg_sys::INDEX_MAX_KEYS as usize;

/// A row's values, in the order of the table's columns.
#[derive(Clone)]
pub struct Values {
    values: [pg_sys::Datum; MOST_COLUMNS],
    nulls: [bool; MOST_COLUMNS],
    length: usize,
}

impl Default for Values {
    fn default() -> Self {
        Values {
            values: [pg_sys::Datum::null(); MOST_COLUMNS],
            nulls: [true; MOST_COLUMNS],
            length: 0,
        }
    }
}

impl Values {
    /// The next column's value; there is place for [`MOST_COLUMNS`].
    pub fn push(&mut self, value: Option<pg_sys::Datum>) {
        self.nulls[self.length] = value.is_none();
        self.values[self.length] = value.unwrap_or(pg_sys::Datum::null());
        self.length += 1;
    }

    /// The values of an index's columns, all of which are the table's.
    fn of_index(&self, index: &Index) -> ([pg_sys::Datum; MOST_KEYS], [bool; MOST_KEYS]) {
        let mut values = [pg_sys::Datum::null(); MOST_KEYS];
        let mut nulls = [true; MOST_KEYS];
        for (key, attribute) in index.attributes.iter().enumerate() {
            let column = *attribute as usize - 1;
            values[key] = self.values[column];
            nulls[key] = self.nulls[column];
        }
        (values, nulls)
    }
}

/// A row as it is stored.
pub struct Formed {
    tuple: pg_sys::HeapTuple,
}

/// Puts a row together. The values have to be of the relation's columns, as its layout says.
pub fn form(relation: &OpenRelation, values: &mut Values) -> Formed {
    // SAFETY: by the caller's promise.
    let tuple = unsafe {
        pg_sys::heap_form_tuple(
            relation.descriptor(),
            values.values.as_mut_ptr(),
            values.nulls.as_mut_ptr(),
        )
    };
    Formed { tuple }
}

impl Formed {
    /// Bytes that it takes of a page of the relation, which keeps some free for updates; of what is stored apart (TOAST), the rest.
    fn size(&self, relation: &OpenRelation) -> usize {
        const PAGE: usize = pg_sys::BLCKSZ as usize;
        // SAFETY: a row that was formed; an ordinary table's options are those.
        let (length, fill) = unsafe {
            let options = (*relation.as_ptr()).rd_options.cast::<pg_sys::StdRdOptions>();
            let fill = options.as_ref().map_or(100, |options| options.fillfactor);
            ((*self.tuple).t_len as usize, usize::try_from(fill).unwrap_or(100))
        };
        length.next_multiple_of(8).min(PAGE / 4) + PAGE * (100 - fill.min(100)) / 100
    }
}

/// Whether the row has room on the page that this process puts rows on: the table gets no longer by it. False also where it has none yet.
pub fn has_room(relation: &OpenRelation, row: &Formed) -> bool {
    // SAFETY: the relation is locked for writing, so that the page that is noted there is one of its own, as PostgreSQL itself takes it for one.
    unsafe {
        let storage = (*relation.as_ptr()).rd_smgr;
        let page = storage
            .as_ref()
            .map_or(pg_sys::InvalidBlockNumber, |storage| storage.smgr_targblock);
        if page == pg_sys::InvalidBlockNumber {
            return false;
        }
        let buffer = pg_sys::ReadBuffer(relation.as_ptr(), page);
        pg_sys::LockBuffer(buffer, version::BUFFER_LOCK_SHARE);
        let room = pg_sys::PageGetHeapFreeSpace(pg_sys::BufferGetPage(buffer));
        pg_sys::UnlockReleaseBuffer(buffer);
        room >= row.size(relation)
    }
}

/// Finds a page with room for the row, or makes one: an error where the disk is full. Rows of this process go there from then on. Within a
/// subtransaction it needs no number of its own: nothing is written.
pub fn make_room(relation: &OpenRelation, row: &Formed) {
    let mut map = pg_sys::InvalidBuffer as pg_sys::Buffer;
    // SAFETY: as PostgreSQL looks for one before it stores a row. The page is locked and pinned when it comes, and that of the visibility map may be.
    unsafe {
        let buffer = version::page_for_row(relation, row.size(relation), &mut map);
        pg_sys::UnlockReleaseBuffer(buffer);
        if map != pg_sys::InvalidBuffer as pg_sys::Buffer {
            pg_sys::ReleaseBuffer(map);
        }
    }
}

/// Stores a row, and returns where.
pub fn store(relation: &OpenRelation, row: Formed) -> pg_sys::ItemPointerData {
    // SAFETY: the row is of the relation's columns, by the promise of who formed it; the relation is locked for writing.
    unsafe {
        let command = pg_sys::GetCurrentCommandId(true);
        pg_sys::heap_insert(relation.as_ptr(), row.tuple, command, 0, std::ptr::null_mut());
        let place = (*row.tuple).t_self;
        pg_sys::heap_freetuple(row.tuple);
        place
    }
}

/// Stores the row's entry in a plain index.
pub fn add_entry(
    relation: &OpenRelation,
    open: &OpenRelation,
    index: &Index,
    values: &Values,
    place: pg_sys::ItemPointerData,
) {
    let (mut values, mut nulls) = values.of_index(index);
    insert_entry(
        relation,
        open,
        index,
        index.information,
        (&mut values, &mut nulls),
        place,
    );
}

fn insert_entry(
    relation: &OpenRelation,
    open: &OpenRelation,
    index: &Index,
    information: *mut pg_sys::IndexInfo,
    (values, nulls): (&mut [pg_sys::Datum; MOST_KEYS], &mut [bool; MOST_KEYS]),
    mut place: pg_sys::ItemPointerData,
) {
    let check = match index.unique {
        true => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
        false => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO,
    };
    // SAFETY: the index is the relation's, and both are locked for writing; the values are those of its columns.
    unsafe {
        pg_sys::index_insert(
            open.as_ptr(),
            values.as_mut_ptr(),
            nulls.as_mut_ptr(),
            &raw mut place,
            relation.as_ptr(),
            check,
            false,
            information,
        );
    }
}

/// Returns the highest value in a btree on a bigint, whether its row counts or not.
pub fn highest(relation: &OpenRelation, index: &OpenRelation) -> Option<i64> {
    // SAFETY: an ordered scan of a locked index from its end; the value is read before the scan ends.
    unsafe {
        let scan = pg_sys::systable_beginscan_ordered(
            relation.as_ptr(),
            index.as_ptr(),
            &raw mut pg_sys::SnapshotAnyData,
            0,
            std::ptr::null_mut(),
        );
        let tuple = pg_sys::systable_getnext_ordered(scan, pg_sys::ScanDirection::BackwardScanDirection);
        let highest = (!tuple.is_null()).then(|| {
            let attribute = (*(*index.as_ptr()).rd_index).indkey.values.as_slice(1)[0];
            let mut is_null = false;
            let value =
                pg_sys::heap_getattr(tuple, i32::from(attribute), relation.descriptor(), &mut is_null);
            value.value() as i64
        });
        pg_sys::systable_endscan_ordered(scan);
        highest
    }
}

/// Rows that are stored together, with what their indexes evaluate.
pub struct Batch<'a> {
    relation: &'a OpenRelation,
    indexes: Vec<Evaluated<'a>>,
    state: *mut pg_sys::EState,
    /// All that it allocates, until it is done.
    _memory: PassingMemory,
    _not_send: PhantomData<*mut ()>,
}

/// An index, and what decides whether a row is in it.
struct Evaluated<'a> {
    open: &'a OpenRelation,
    index: &'a Index,
    information: *mut pg_sys::IndexInfo,
    predicate: *mut pg_sys::ExprState,
}

impl<'a> Batch<'a> {
    pub fn begin(relation: &'a OpenRelation, open: &'a [OpenRelation], indexes: &'a [Index]) -> Self {
        let memory = PassingMemory::enter(c"zentry_notify rows");
        // SAFETY: all is in that memory, and of open indexes.
        let (state, indexes) = unsafe {
            let state = pg_sys::CreateExecutorState();
            let evaluated = indexes.iter().zip(open).map(|(index, open)| {
                let information = pg_sys::BuildIndexInfo(open.as_ptr());
                Evaluated {
                    open,
                    index,
                    information,
                    predicate: pg_sys::ExecPrepareQual((*information).ii_Predicate, state),
                }
            });
            (state, evaluated.collect())
        };
        Batch {
            relation,
            indexes,
            state,
            _memory: memory,
            _not_send: PhantomData,
        }
    }

    /// Stores the rows, whose values have to be of the relation's columns, as its layout says.
    pub fn store(self, rows: &[Values]) {
        // SAFETY: by the caller's promise; slots and state are in the batch's memory, and the relations are locked for writing.
        unsafe {
            let mut slots: Vec<_> = rows.iter().map(|row| self.slot(row)).collect();
            pg_sys::heap_multi_insert(
                self.relation.as_ptr(),
                slots.as_mut_ptr(),
                slots.len() as i32,
                pg_sys::GetCurrentCommandId(true),
                0,
                std::ptr::null_mut(),
            );
            for (slot, row) in slots.iter().zip(rows) {
                for index in &self.indexes {
                    self.add_entry(index, *slot, row);
                }
                pg_sys::ExecDropSingleTupleTableSlot(*slot);
            }
            for index in &self.indexes {
                version::end_index_inserts(index.open, index.information);
            }
            pg_sys::FreeExecutorState(self.state);
        }
    }

    /// # Safety
    /// The values are of the relation's columns.
    unsafe fn slot(&self, row: &Values) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by the caller's promise; a slot has a place for each column.
        unsafe {
            let slot = pg_sys::MakeSingleTupleTableSlot(
                self.relation.descriptor(),
                &raw const pg_sys::TTSOpsVirtual,
            );
            for column in 0..row.length {
                *(*slot).tts_values.add(column) = row.values[column];
                *(*slot).tts_isnull.add(column) = row.nulls[column];
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            slot
        }
    }

    /// # Safety
    /// The slot has the row, which is stored.
    unsafe fn add_entry(&self, index: &Evaluated, slot: *mut pg_sys::TupleTableSlot, row: &Values) {
        // SAFETY: by the caller's promise. The slot of what is evaluated is this row's.
        unsafe {
            if index.index.plain {
                let (mut values, mut nulls) = row.of_index(index.index);
                let entry = (&mut values, &mut nulls);
                insert_entry(
                    self.relation,
                    index.open,
                    index.index,
                    index.information,
                    entry,
                    (*slot).tts_tid,
                );
                return;
            }
            let context = match (*self.state).es_per_tuple_exprcontext {
                none if none.is_null() => pg_sys::MakePerTupleExprContext(self.state),
                context => context,
            };
            (*context).ecxt_scantuple = slot;
            if !index.predicate.is_null() {
                let mut is_null = false;
                let belongs = pg_sys::ExecEvalExpr(index.predicate, context, &mut is_null);
                if is_null || belongs.value() == 0 {
                    return;
                }
            }
            let mut values = [pg_sys::Datum::null(); MOST_KEYS];
            let mut nulls = [true; MOST_KEYS];
            pg_sys::FormIndexDatum(
                index.information,
                slot,
                self.state,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            let entry = (&mut values, &mut nulls);
            insert_entry(
                self.relation,
                index.open,
                index.index,
                index.information,
                entry,
                (*slot).tts_tid,
            );
        }
    }
}
