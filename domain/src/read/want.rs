//! What a selection asks for, in terms of tables, columns and links.

use super::cursor::PageArgs;
use super::links::Link;
use crate::access::{Decision, RowAccess};
use entity::{DataClass, Table};

#[derive(Clone, Debug)]
pub struct Want {
    pub table: &'static Table,
    /// Indexes into `table.columns`.
    pub columns: Vec<usize>,
    pub links: Vec<LinkWant>,
}

#[derive(Clone, Debug)]
pub struct LinkWant {
    /// The key under which the answer is looked up.
    pub key: String,
    pub link: &'static Link,
    pub page: PageArgs,
    pub want: Want,
}

impl Want {
    pub fn of(table: &'static Table) -> Want {
        Want { table, columns: Vec::new(), links: Vec::new() }
    }
    /// Adds a column by name; a name that is not a column is a defect a test finds.
    pub fn column(&mut self, name: &str) {
        if let Some(at) = self.table.column(name)
            && !self.columns.contains(&at)
        {
            self.columns.push(at);
        }
    }
    /// The classes that are shown of a row by what the viewer may do with it, and those in part, as sets of bits.
    pub fn disclosed(&self, access: &RowAccess) -> (u32, u32) {
        let (mut shown, mut masked) = (0_u32, 0_u32);
        for at in &self.columns {
            let class = self.table.columns[*at].class;
            match access.decisions.of(class) {
                _ if class == DataClass::Public => {}
                Decision::Show => shown |= 1 << (class as u32),
                Decision::Mask => masked |= 1 << (class as u32),
                Decision::Deny => {}
            }
        }
        (shown, masked)
    }
    /// Whether a statement for the one reads what the other wants.
    pub(crate) fn same(&self, other: &Want) -> bool {
        std::ptr::eq(self.table, other.table)
            && self.columns == other.columns
            && self.links.len() == other.links.len()
            && self.links.iter().zip(&other.links).all(|(a, b)| std::ptr::eq(a.link, b.link) && a.page == b.page && a.want.same(&b.want))
    }
    pub fn with(mut self, names: &[&str]) -> Want {
        for name in names {
            self.column(name);
        }
        self
    }
}
