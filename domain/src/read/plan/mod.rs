//! One statement for a root field and everything that hangs on it: what the viewer may not see is not read.
//!
//! The statement comes back as a tree of raw values; [`make`] decides, opens and masks them row by row. What cannot be
//! planned ([`covers`]) is read link by link, by `load` and `nested`; both give the same answers.

mod layout;
mod make;
mod postgres;
mod sqlite;

use super::cursor::Cursor;
use super::links::Road;
use super::want::Want;
pub(crate) use layout::Laid;
use crate::access::RowAccess;
use crate::store::Cell;
use crate::store::Scoped;
use entity::{DataClass, Family};
use std::sync::Arc;
use uuid::Uuid;

/// A row as one viewer may see it; cells and links stand in the order in which they were wanted.
#[derive(Debug)]
pub struct Row {
    pub key: Cell,
    /// The child this row belongs to, for the audit trail.
    pub child: Option<Uuid>,
    pub access: Arc<RowAccess>,
    pub cells: Vec<Cell>,
    pub links: Vec<Linked>,
    /// Where a list goes on from here.
    pub cursor: Cursor,
}

#[derive(Debug)]
pub enum Linked {
    Denied,
    One(Option<Box<Row>>),
    Many(Rows),
}

/// One page of a list.
#[derive(Debug, Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub has_next: bool,
    pub has_previous: bool,
    /// Classes that the condition or the order looked at, for the audit trail.
    pub looked: Vec<DataClass>,
}

/// A statement by key that was made for a lens, and reads what is wanted of a row.
#[derive(Debug)]
pub(crate) struct KeptStatement {
    laid: Arc<Laid>,
    key: Cell,
    statement: Scoped,
}

/// More of them are not kept for a lens.
const MOST_KEPT: usize = 16;

/// Whether one statement can read all that is wanted of children.
pub fn covers(want: &Want) -> bool {
    want.table.family == Family::Child && links_covered(want)
}

fn links_covered(want: &Want) -> bool {
    want.links.iter().all(|link| {
        let hangs = match link.link.road {
            Road::One { .. } => matches!(link.want.table.family, Family::Reference | Family::Person) || link.want.table.name == "account",
            Road::Many { .. } => want.table.family == Family::Child && link.want.table.family == Family::OfChild && link.page.rows && !link.page.count && link.page.from.is_none(),
            Road::Ancestors => false,
        };
        hangs && links_covered(&link.want)
    })
}
