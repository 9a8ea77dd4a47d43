//! What a selection asks for, in terms of tables, columns and links.

use super::cursor::PageArgs;
use super::links::Link;
use entity::Table;

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
    pub fn with(mut self, names: &[&str]) -> Want {
        for name in names {
            self.column(name);
        }
        self
    }
}
