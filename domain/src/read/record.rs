//! A row as one viewer may see it.

use crate::access::{Decision, RowAccess};
use crate::store::Cell;
use entity::{DataClass, Table};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug)]
pub struct Record {
    pub table: &'static Table,
    pub(super) cells: Vec<Cell>,
    pub access: Arc<RowAccess>,
    pub related: HashMap<String, Related>,
    pub(super) key: Cell,
    /// The child this row belongs to, for the audit trail.
    pub child: Option<Uuid>,
}

#[derive(Debug)]
pub enum Related {
    Denied,
    One(Option<Arc<Record>>),
    Many(Arc<Page>),
}

/// One page of a list.
#[derive(Debug, Default)]
pub struct Page {
    pub rows: Vec<(String, Arc<Record>)>,
    pub has_next: bool,
    pub has_previous: bool,
    pub total: Option<i64>,
    /// Classes that the condition or the order looked at, for the audit trail.
    pub looked: Vec<DataClass>,
}

impl Record {
    /// The value of a column, `Cell::Denied` where the viewer may not see it.
    pub fn cell(&self, name: &str) -> &Cell {
        self.table.column(name).map_or(&Cell::Unread, |at| &self.cells[at])
    }
    pub fn key(&self) -> &Cell {
        &self.key
    }
    pub fn id(&self) -> Option<Uuid> {
        self.key.uuid()
    }
    /// What the viewer may do with a column of this row.
    pub fn decision(&self, name: &str) -> Decision {
        self.table.column(name).map_or(Decision::Deny, |at| self.access.decisions.of(self.table.columns[at].class))
    }
}
