//! An event source, prepared for the rows of one table.

use pgrx::{PgSqlErrorCode, pg_sys};
use serde_json::Value;

use super::configuration::SourceRow;
use super::rows::Rows;
use crate::event_source::{ColumnRef, EventSource, Image, MILESTONE, Recorded, Transition};
use crate::pg::column::Column;
use crate::pg::equality::Equality;
use crate::pg::field::{KeptText, TextBuffer};
use crate::pg::json;
use crate::pg::make_trigger::Operator;
use crate::pg::memory::SessionMemory;
use crate::pg::moved_when::MovedWhen;
use crate::pg::output::Written;
use crate::pg::trigger::{Attribute, Operation, TriggerRelation};
use crate::report;

/// Maximum size of an event's data in bytes. Values beyond that are written as null.
const MAX_OBJECT: usize = 16 << 20;

/// An event source whose columns and comparisons are looked up for one table.
pub struct Source {
    pub id: i64,
    pub event_type: KeptText,
    /// Whether some webhook hears it.
    pub wanted: bool,
    /// The owner of the partition that is written, if that is not the attached table's.
    pub partition_owner: Option<pg_sys::Oid>,
    on_insert: bool,
    on_update: bool,
    on_delete: bool,
    data: Vec<Member>,
    columns: Vec<Member>,
    change: Option<Change>,
    /// The condition of an UPDATE's trigger, for rows that move to another partition.
    update_when: MovedWhen,
    pub progress: Option<Progress>,
    /// The memory that the columns point to.
    _memory: SessionMemory,
}

/// A member of a JSON object.
struct Member {
    name: String,
    /// The name with its quotes and the colon.
    key: Vec<u8>,
    value: MemberValue,
}

enum MemberValue {
    Constant(Vec<u8>),
    New(Column),
    Old { name: String, column: Column },
}

/// The change that a write has to make.
enum Change {
    /// The column has this value in the new row and had not in the old one.
    Becomes {
        name: String,
        column: Column,
        value: Equality,
    },
    /// The column is greater in the new row than in the old one, or than 0 if there is none.
    Rises { name: String, column: Column },
}

/// What a project's progress depends on.
pub struct Progress {
    pub group: String,
    pub status: String,
    pub group_column: Column,
    pub status_column: Column,
    /// The status of a completed task.
    pub done: Equality,
    /// Whether a task that changes its project fires a trigger of milestones' own, so that the event that they ride on does not note it.
    pub has_own_updates: bool,
}

impl Source {
    /// Prepares the source. It raises an error if the source does not fit the table.
    pub fn prepare(found: SourceRow, relation: TriggerRelation, wanted: bool) -> Self {
        let source = match EventSource::parse(found.row) {
            Ok(source) => source,
            Err(malformed) => pgrx::error!("{malformed}"),
        };
        let Image { data, context, exact } = source.image();
        let memory = SessionMemory::new(c"zentry_notify source");
        let builder = Builder {
            relation,
            event_type: &source.event_type,
            memory: &memory,
        };
        let data = data
            .into_iter()
            .map(|(key, recorded)| match recorded {
                Recorded::Constant(value) => Member::constant(key, &value),
                Recorded::Column(column) => builder.member(key, column),
            })
            .collect();
        let context = context
            .into_iter()
            .map(|(key, column)| builder.member(key, column));
        let exact = exact.into_iter().map(|(key, column)| builder.member(key, column));
        let columns = context
            .chain(exact.filter(Member::is_moment))
            .map(Member::exact)
            .collect();
        let change = source
            .transition
            .clone()
            .and_then(|transition| builder.change(transition));
        let progress = source.progress.map(|progress| {
            let status = builder.attribute(&progress.status);
            Progress {
                group_column: builder.column(builder.attribute(&progress.group)),
                status_column: builder.column(status),
                done: Equality::with(&progress.done, status.type_oid, status.collation),
                has_own_updates: relation.has_trigger(&format!("zentry_notify_{MILESTONE}_update")),
                group: progress.group,
                status: progress.status,
            }
        });
        Source {
            id: source.id,
            event_type: KeptText::of(&source.event_type),
            wanted,
            partition_owner: found.partition_owner,
            on_insert: found.on_insert,
            on_update: found.on_update,
            on_delete: found.on_delete,
            data,
            columns,
            change,
            update_when: MovedWhen::of(relation, &format!("zentry_notify_{}_update", source.event_type)),
            progress,
            _memory: memory,
        }
    }

    /// Returns whether the write fires the event.
    pub fn fires(&self, rows: &Rows) -> bool {
        let heard = match rows.operation {
            Operation::Insert => self.on_insert,
            Operation::Update => self.on_update,
            Operation::Delete => self.on_delete,
        };
        heard
            && (rows.operation == Operation::Delete
                || self.change.as_ref().is_none_or(|change| change.is_in(rows)))
            && rows
                .moved_from()
                .is_none_or(|old| self.update_when.holds(old, rows.row()))
    }

    /// Writes the event's data, and adds the keys whose values were cut to `cut`.
    pub fn write_data<'a>(&'a self, rows: &Rows, out: &mut TextBuffer, cut: &mut Vec<&'a str>) {
        write_object(&self.data, rows, out, cut);
    }

    /// Writes the columns that the worker needs besides.
    pub fn write_columns<'a>(&'a self, rows: &Rows, out: &mut TextBuffer, cut: &mut Vec<&'a str>) {
        write_object(&self.columns, rows, out, cut);
    }

    pub fn needs_columns(&self) -> bool {
        !self.columns.is_empty()
    }
}

impl Change {
    fn is_in(&self, rows: &Rows) -> bool {
        match self {
            Change::Becomes { name, column, value } => {
                column.equals(rows.row(), value) && !rows.old_equals(name, column, value)
            }
            Change::Rises { name, column } => {
                let old = match rows.has_old() {
                    true => rows.old_integer(name, column),
                    false => Some(0),
                };
                let new = column.integer(rows.row());
                new.zip(old).is_some_and(|(new, old)| new > old)
            }
        }
    }
}

fn write_object<'a>(members: &'a [Member], rows: &Rows, out: &mut TextBuffer, cut: &mut Vec<&'a str>) {
    let start = out.len();
    out.push_byte(b'{');
    for (place, member) in members.iter().enumerate() {
        if place > 0 {
            out.push_byte(b',');
        }
        out.push(&member.key);
        let written = match &member.value {
            MemberValue::Constant(value) => {
                out.push(value);
                Written::Whole
            }
            _ if out.len() - start > MAX_OBJECT => {
                out.push(b"null");
                Written::Cut
            }
            MemberValue::New(column) => column.write(rows.row(), out),
            MemberValue::Old { name, column } => rows.write_old(name, column, out),
        };
        if written == Written::Cut {
            cut.push(&member.name);
        }
    }
    out.push_byte(b'}');
}

impl Member {
    fn new(name: String, value: MemberValue) -> Self {
        let mut key = TextBuffer::new();
        json::write_key(&mut key, &name);
        Member {
            key: key.as_bytes().to_vec(),
            name,
            value,
        }
    }

    /// Whether it is a moment of the new row, which is written in whole seconds.
    fn is_moment(&self) -> bool {
        matches!(&self.value, MemberValue::New(column) if column.is_moment())
    }

    /// Has a moment of the new row written with its fraction of a second, for the worker alone.
    fn exact(self) -> Self {
        match self.value {
            MemberValue::New(column) => Member {
                value: MemberValue::New(column.exact()),
                ..self
            },
            _ => self,
        }
    }

    fn constant(name: String, value: &Value) -> Self {
        Member::new(name, MemberValue::Constant(value.to_string().into_bytes()))
    }
}

struct Builder<'a> {
    relation: TriggerRelation<'a>,
    event_type: &'a str,
    memory: &'a SessionMemory,
}

impl Builder<'_> {
    fn member(&self, key: String, wanted: ColumnRef) -> Member {
        let column = self.column(self.attribute(&wanted.name));
        let value = match wanted.old {
            true => MemberValue::Old {
                name: wanted.name,
                column,
            },
            false => MemberValue::New(column),
        };
        Member::new(key, value)
    }

    /// Returns the change to test here, which calls only PostgreSQL's own operators. None: the triggers test it, by a WHEN.
    fn change(&self, transition: Transition) -> Option<Change> {
        match transition {
            Transition::Becomes { column, to } => {
                let attribute = self.attribute(&column);
                let equality = Operator::equality(attribute.type_oid);
                if !equality.is_some_and(|equality| equality.built_in) {
                    return self.tested_by_triggers(&column);
                }
                Some(Change::Becomes {
                    column: self.column(attribute),
                    value: Equality::with(&to, attribute.type_oid, attribute.collation),
                    name: column,
                })
            }
            Transition::Rises { column: name, .. } => {
                let column = self.column(self.attribute(&name));
                match column.is_integer() {
                    true => Some(Change::Rises { name, column }),
                    false => self.tested_by_triggers(&name),
                }
            }
        }
    }

    /// Returns None, since the triggers test the change. It raises an error if they do not: then the column had another type when the table was
    /// attached.
    fn tested_by_triggers(&self, column: &str) -> Option<Change> {
        let has_condition = |operation: &str| {
            let trigger = format!("zentry_notify_{}_{operation}", self.event_type);
            self.relation.condition_of(&trigger).is_some()
        };
        if !has_condition("insert") && !has_condition("update") {
            report::error(
                PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                format!(
                    "column \"{column}\" of table \"{}\" has another type than when the table was attached",
                    self.relation.name()
                ),
                "",
                "",
            );
        }
        None
    }

    fn column(&self, attribute: Attribute) -> Column {
        Column::of(self.relation.oid(), attribute, self.memory)
    }

    /// Returns a column. It raises an error if there is none of that name, or if a trigger does not see it.
    fn attribute(&self, name: &str) -> Attribute {
        let Some(attribute) = self.relation.attribute(name) else {
            report::error(
                PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                format!(
                    "column \"{name}\" of table \"{}\" does not exist",
                    self.relation.name()
                ),
                "",
                "",
            )
        };
        if attribute.r#virtual {
            report::error(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                format!(
                    "column \"{name}\" of table \"{}\" is a virtual generated column, which a trigger cannot see",
                    self.relation.name()
                ),
                "",
                "",
            );
        }
        attribute
    }
}
