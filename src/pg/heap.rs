//! Storing heap rows and index entries without an executor.

use std::marker::PhantomData;

use pgrx::pg_sys;

use super::memory::ScratchMemory;
use super::relation::OpenRelation;
use super::table_layout::{Index, MAX_COLUMNS};
use super::version;

const MAX_KEYS: usize = pg_sys::INDEX_MAX_KEYS as usize;

/// A row's values, in the order of the table's columns.
#[derive(Clone)]
pub struct Values {
    values: [pg_sys::Datum; MAX_COLUMNS],
    nulls: [bool; MAX_COLUMNS],
    length: usize,
}

impl Default for Values {
    fn default() -> Self {
        Values {
            values: [pg_sys::Datum::null(); MAX_COLUMNS],
            nulls: [true; MAX_COLUMNS],
            length: 0,
        }
    }
}

impl Values {
    /// Appends the next column's value. It panics after [`MAX_COLUMNS`].
    pub fn push(&mut self, value: Option<pg_sys::Datum>) {
        self.nulls[self.length] = value.is_none();
        self.values[self.length] = value.unwrap_or(pg_sys::Datum::null());
        self.length += 1;
    }

    /// Returns the values and nulls of the columns of an index that has no expressions.
    fn of_index(&self, index: &Index) -> ([pg_sys::Datum; MAX_KEYS], [bool; MAX_KEYS]) {
        let mut values = [pg_sys::Datum::null(); MAX_KEYS];
        let mut nulls = [true; MAX_KEYS];
        for (key, attribute) in index.attributes.iter().enumerate() {
            let column = *attribute as usize - 1;
            values[key] = self.values[column];
            nulls[key] = self.nulls[column];
        }
        (values, nulls)
    }
}

/// A row in the form in which it is stored.
pub struct Formed {
    tuple: pg_sys::HeapTuple,
}

/// Forms a row. The values have to be those of the relation's columns, as its layout says.
pub fn form(relation: &OpenRelation, values: &mut Values) -> Formed {
    // SAFETY: the row writer, the only caller, fills `values` by the layout of this relation, which is locked: a value of the column's type for
    // each column of the descriptor.
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
    /// Returns how many bytes of a page of the relation the row needs, together with those that its fillfactor keeps free. Of a row with
    /// values that are stored out of line (TOAST), no more than a quarter of a page is counted.
    fn size(&self, relation: &OpenRelation) -> usize {
        const PAGE: usize = pg_sys::BLCKSZ as usize;
        // SAFETY: the tuple was formed by form(). The options of a heap table are null or StdRdOptions.
        let (length, fill) = unsafe {
            let options = (*relation.as_ptr()).rd_options.cast::<pg_sys::StdRdOptions>();
            let fill = options.as_ref().map_or(100, |options| options.fillfactor);
            ((*self.tuple).t_len as usize, usize::try_from(fill).unwrap_or(100))
        };
        length.next_multiple_of(8).min(PAGE / 4) + PAGE * (100 - fill.min(100)) / 100
    }
}

/// Whether the row fits on the page where this process inserts rows (the target block), so that the table need not grow. False if there is no such
/// page yet.
pub fn has_room(relation: &OpenRelation, row: &Formed) -> bool {
    // SAFETY: the relation is locked for writing. A truncation, which takes a stronger lock, resets the target block, so the page exists, as
    // RelationGetBufferForTuple assumes too. The buffer is released here; an error releases it with its resource owner.
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

/// Finds a page with room for the row, or extends the table by one; the page becomes the target block of this process. It raises an error if the
/// disk is full. It assigns no transaction id, since no row is written.
pub fn make_room(relation: &OpenRelation, row: &Formed) {
    let mut map = pg_sys::InvalidBuffer as pg_sys::Buffer;
    // SAFETY: the relation is a heap table, by its layout, and locked for writing. The buffer is returned locked and pinned, and that of the
    // visibility map may be pinned; both are released here.
    unsafe {
        let buffer = version::page_for_row(relation, row.size(relation), &mut map);
        pg_sys::UnlockReleaseBuffer(buffer);
        if map != pg_sys::InvalidBuffer as pg_sys::Buffer {
            pg_sys::ReleaseBuffer(map);
        }
    }
}

/// Stores a row, and returns its place.
pub fn store(relation: &OpenRelation, row: Formed) -> pg_sys::ItemPointerData {
    // SAFETY: the row was formed for this relation, which is locked for writing; it is not used after it is freed.
    unsafe {
        let command = pg_sys::GetCurrentCommandId(true);
        pg_sys::heap_insert(relation.as_ptr(), row.tuple, command, 0, std::ptr::null_mut());
        let place = (*row.tuple).t_self;
        pg_sys::heap_freetuple(row.tuple);
        place
    }
}

/// Stores a row's entry in a plain index.
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
    (values, nulls): (&mut [pg_sys::Datum; MAX_KEYS], &mut [bool; MAX_KEYS]),
    mut place: pg_sys::ItemPointerData,
) {
    let check = match index.unique {
        true => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
        false => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO,
    };
    // SAFETY: the index is one of the relation's, and both are locked for writing; `values` and `nulls` are those of the index's columns.
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

/// Returns the highest value in a btree on a bigint column that is not null, also if its row is dead or not committed.
pub fn highest(relation: &OpenRelation, index: &OpenRelation) -> Option<i64> {
    // SAFETY: a backward scan of an open btree of the relation, whose first column is a bigint, by the layout; the value is read before the scan
    // ends. SnapshotAny needs no registration.
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

/// A batch of rows that are stored together. Predicates and expressions of their indexes are evaluated.
pub struct Batch<'a> {
    relation: &'a OpenRelation,
    indexes: Vec<Evaluated<'a>>,
    state: *mut pg_sys::EState,
    /// A copy of the relation's descriptor. Slots count the uses of the relation's own one, at a cost for each row.
    descriptor: pg_sys::TupleDesc,
    /// Holds all that the batch allocates.
    _memory: ScratchMemory,
    _not_send: PhantomData<*mut ()>,
}

/// An index with its predicate, ready to be evaluated.
struct Evaluated<'a> {
    open: &'a OpenRelation,
    index: &'a Index,
    information: *mut pg_sys::IndexInfo,
    predicate: *mut pg_sys::ExprState,
}

impl<'a> Batch<'a> {
    pub fn begin(relation: &'a OpenRelation, open: &'a [OpenRelation], indexes: &'a [Index]) -> Self {
        let memory = ScratchMemory::enter(c"zentry_notify rows");
        // SAFETY: the indexes are open and of the relation; what is allocated is in `memory`, which the batch keeps.
        let (descriptor, state, indexes) = unsafe {
            let descriptor = pg_sys::CreateTupleDescCopy(relation.descriptor());
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
            (descriptor, state, evaluated.collect())
        };
        Batch {
            relation,
            indexes,
            state,
            descriptor,
            _memory: memory,
            _not_send: PhantomData,
        }
    }

    /// Stores the rows, whose values have to be those of the relation's columns, as its layout says. An index may raise an error.
    pub fn store(self, rows: &[Values]) {
        // SAFETY: as for form() and insert_entry(); the slots are of the relation's descriptor, and they and the state are in the batch's memory.
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

    /// Returns a virtual tuple of the row.
    ///
    /// # Safety
    /// The values are those of the relation's columns.
    unsafe fn slot(&self, row: &Values) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by the caller's promise; a slot has room for each column of its descriptor.
        unsafe {
            let slot = pg_sys::MakeSingleTupleTableSlot(self.descriptor, &raw const pg_sys::TTSOpsVirtual);
            for column in 0..row.length {
                *(*slot).tts_values.add(column) = row.values[column];
                *(*slot).tts_isnull.add(column) = row.nulls[column];
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            slot
        }
    }

    /// Stores the row's entry, if the index's predicate holds.
    ///
    /// # Safety
    /// `slot` holds `row`, which is stored.
    unsafe fn add_entry(&self, index: &Evaluated, slot: *mut pg_sys::TupleTableSlot, row: &Values) {
        // SAFETY: by the caller's promise; predicate and expressions belong to the batch's state, and their scan tuple is the slot.
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
            let mut values = [pg_sys::Datum::null(); MAX_KEYS];
            let mut nulls = [true; MAX_KEYS];
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
