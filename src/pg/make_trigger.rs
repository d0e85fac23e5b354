//! Triggers, created and dropped by OIDs and parse trees: no name is looked up, no text is parsed and no user's code runs.

use std::ffi::{c_char, c_void};
use std::ptr;

use pgrx::{PgRelation, pg_sys};

use super::when::{When, c_string};

/// A write that a trigger is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

impl Operation {
    pub const ALL: [Operation; 3] = [Operation::Insert, Operation::Update, Operation::Delete];

    pub fn name(self) -> &'static str {
        match self {
            Operation::Insert => "insert",
            Operation::Update => "update",
            Operation::Delete => "delete",
        }
    }

    fn events(self) -> u32 {
        match self {
            Operation::Insert => pg_sys::TRIGGER_TYPE_INSERT,
            Operation::Update => pg_sys::TRIGGER_TYPE_UPDATE,
            Operation::Delete => pg_sys::TRIGGER_TYPE_DELETE,
        }
    }

    /// pg_trigger.tgtype of an AFTER trigger for each row.
    pub fn trigger_type(self) -> i32 {
        (self.events() | pg_sys::TRIGGER_TYPE_ROW) as i32
    }
}

/// An AFTER trigger for each row.
pub struct Trigger<'a> {
    pub name: &'a str,
    pub function: pg_sys::Oid,
    pub operation: Operation,
    pub arguments: &'a [&'a str],
    pub when: Option<&'a When>,
    /// pg_trigger.tgenabled.
    pub enabled: u8,
    /// The comment of a trigger that has none.
    pub comment: String,
    /// The extension that the trigger depends on: DROP EXTENSION drops the trigger too, without CASCADE.
    pub extension: pg_sys::Oid,
}

impl Trigger<'_> {
    /// Creates the trigger, or replaces the one of this name. It raises an error if the current role may not.
    pub fn create_or_replace(&self, table: &PgRelation) {
        let name = c_string(self.name);
        // SAFETY: the statement has every field that CreateTriggerFiringOn reads, in the current memory context; the condition, if any, was analysed
        // over this table's OLD and NEW; the table is open and locked.
        unsafe {
            let mut statement = pgrx::PgBox::<pg_sys::CreateTrigStmt>::alloc0();
            statement.type_ = pg_sys::NodeTag::T_CreateTrigStmt;
            statement.replace = true;
            statement.trigname = pg_sys::pstrdup(name.as_ptr());
            statement.args = self.arguments.iter().fold(ptr::null_mut(), |list, argument| {
                let argument = pg_sys::pstrdup(c_string(argument).as_ptr());
                pg_sys::lappend(list, pg_sys::makeString(argument).cast::<c_void>())
            });
            statement.row = true;
            statement.timing = pg_sys::TRIGGER_TYPE_AFTER as i16;
            statement.events = self.operation.events() as i16;
            let address = pg_sys::CreateTriggerFiringOn(
                statement.into_pg(),
                c"".as_ptr(),
                table.oid(),
                pg_sys::InvalidOid,
                pg_sys::InvalidOid,
                pg_sys::InvalidOid,
                self.function,
                pg_sys::InvalidOid,
                self.when.map_or(ptr::null_mut(), When::clause),
                false,
                false,
                self.enabled as c_char,
            );
            if let Some(when) = self.when {
                let normal = pg_sys::DependencyType::DEPENDENCY_NORMAL;
                pg_sys::recordDependencyOnExpr(&address, when.clause(), when.tables(), normal);
            }
            let extension = address_of(pg_sys::ExtensionRelationId, self.extension);
            let automatic = pg_sys::DependencyType::DEPENDENCY_AUTO_EXTENSION;
            pg_sys::recordDependencyOn(&address, &extension, automatic);
            pg_sys::CommandCounterIncrement();
            if pg_sys::GetComment(address.objectId, pg_sys::TriggerRelationId, 0).is_null() {
                let comment = c_string(&self.comment);
                pg_sys::CreateComments(address.objectId, pg_sys::TriggerRelationId, 0, comment.as_ptr());
            }
            pg_sys::CommandCounterIncrement();
        }
    }
}

/// Drops a trigger, with its copies on partitions. The caller checks whether the current role may.
pub fn drop(trigger: pg_sys::Oid) {
    // SAFETY: the address is that of a trigger; a missing one is an error.
    unsafe {
        let address = address_of(pg_sys::TriggerRelationId, trigger);
        pg_sys::performDeletion(&address, pg_sys::DropBehavior::DROP_RESTRICT, 0);
        pg_sys::CommandCounterIncrement();
    }
}

/// A default operator of a type.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    pub oid: pg_sys::Oid,
    /// Whether it is PostgreSQL's own.
    pub built_in: bool,
}

impl Operator {
    /// Returns the type's `=`; None if it has no default one. It raises an error for an unknown type.
    pub fn equality(type_oid: pg_sys::Oid) -> Option<Operator> {
        // SAFETY: look-ups in the catalogue and in the type cache, whose entries stay.
        Operator::some(unsafe {
            let base = pg_sys::getBaseType(type_oid);
            (*pg_sys::lookup_type_cache(base, pg_sys::TYPECACHE_EQ_OPR as i32)).eq_opr
        })
    }

    /// Returns the type's `>`; None if it has no default one. It raises an error for an unknown type.
    pub fn greater(type_oid: pg_sys::Oid) -> Option<Operator> {
        // SAFETY: as above.
        Operator::some(unsafe {
            let base = pg_sys::getBaseType(type_oid);
            (*pg_sys::lookup_type_cache(base, pg_sys::TYPECACHE_GT_OPR as i32)).gt_opr
        })
    }

    fn some(oid: pg_sys::Oid) -> Option<Operator> {
        (oid != pg_sys::InvalidOid).then(|| Operator {
            oid,
            built_in: oid.to_u32() < pg_sys::FirstNormalObjectId,
        })
    }
}

fn address_of(class: pg_sys::Oid, object: pg_sys::Oid) -> pg_sys::ObjectAddress {
    pg_sys::ObjectAddress {
        classId: class,
        objectId: object,
        objectSubId: 0,
    }
}
