//! The object types.

pub mod accounts;
pub mod alerts;
pub mod around;
pub mod casework;
pub mod child;
pub mod codes;
pub mod reference;
pub mod viewer;

pub use accounts::{Account, AccountConnection, AuditRecord, AuditRecordConnection, Grant, ImportBatch, ImportBatchConnection, ImportRow};
pub use alerts::{Alert, AlertConnection};
pub use around::{Benefit, Classification, Fact, Guardianship, Person, Relation};
pub use casework::{Attachment, Intervention, InterventionConnection, Visit, VisitConnection};
pub use child::{Child, ChildConnection};
pub use reference::{
    Division, DivisionChange, DivisionConnection, Organisation, OrganisationConnection, Programme, ProgrammeConnection, ProgrammeRate,
};

use crate::fields::ObjectType;
use crate::object::Object;
use async_graphql::{Interface, SimpleObject};
use domain::read::Record;
use std::sync::Arc;

/// Whether there is more, and where a page begins and ends.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether there is more after this page.
    pub has_next_page: bool,
    /// Whether there is more before this page.
    pub has_previous_page: bool,
    /// Cursor of the first object.
    pub start_cursor: Option<String>,
    /// Cursor of the last object.
    pub end_cursor: Option<String>,
}

macro_rules! nodes {
    ($($name:ident),+ $(,)?) => {
        /// Everything that has a global id and can be fetched again by it.
        #[derive(Interface)]
        #[graphql(field(name = "id", ty = "async_graphql::ID", desc = "Global id, `Type:key`."))]
        #[allow(clippy::large_enum_variant)]
        pub enum Node { $($name($name),)+ }

        pub static OBJECT_TYPES: &[&ObjectType] = &[$(<$name as Object>::TYPE,)+];

        /// Wraps a record in its type.
        pub fn node(record: Arc<Record>) -> Option<Node> {
            match record.table.type_name {
                $(stringify!($name) => Some(Node::$name($name::new(record))),)+
                _ => None,
            }
        }
    };
}

nodes!(
    Child, Classification, Person, Relation, Guardianship, Fact, Benefit, Intervention, Visit, Attachment, Division, DivisionChange,
    Organisation, Programme, ProgrammeRate, Account, Grant, AuditRecord, ImportBatch, ImportRow, Alert,
);
