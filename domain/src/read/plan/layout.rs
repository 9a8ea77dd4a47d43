//! Which values a statement reads of each row, in which order.

use super::super::access::Anchor;
use super::super::links::Road;
use super::super::load::direction;
use super::super::want::{LinkWant, Want};
use super::{postgres, sqlite};
use crate::access::{Decision, Decisions, Lens};
use crate::check;
use entity::{DataClass, Family, Table};
use sea_orm::sea_query::{Alias, Expr, Order, Query, SelectStatement};

/// A wanted row: its key, its columns, its links.
#[derive(Debug)]
pub(super) struct Layout {
    pub table: &'static Table,
    /// Indexes into the table's columns; the key is first.
    pub read: Vec<usize>,
    /// For each wanted column, its place in `read`; None where no view shows it.
    pub places: Vec<Option<usize>>,
    /// Places of the ordering columns and the key, for the cursor.
    pub cursor: Vec<usize>,
    /// For each wanted link, what it reads; None where no view follows it.
    pub links: Vec<Option<LinkLayout>>,
}

#[derive(Debug)]
pub(super) struct LinkLayout {
    pub road: Way,
    pub layout: Layout,
}

#[derive(Debug)]
pub(super) enum Way {
    /// The key there stands in this column here.
    One { local: &'static str },
    Many { foreign: &'static str, order: Vec<&'static str>, descending: bool, limit: u32 },
}

/// What is wanted through a lens, as part of a statement.
#[derive(Debug)]
pub(crate) struct Laid {
    pub want: Want,
    pub order: Vec<&'static str>,
    pub(super) layout: Layout,
    /// The tables below: each of their rows is reached by the key of one above.
    pub nested: Vec<&'static str>,
    expressions: String,
}

impl Laid {
    pub fn new(want: &Want, order: &[&'static str], lens: &Lens, postgres: bool) -> Laid {
        let layout = Layout::new(want, order, lens);
        let mut depth = 0;
        let expressions = if postgres { postgres::expressions(&layout, "t", &mut depth) } else { sqlite::expressions(&layout, "t", &mut depth, false) };
        Laid { want: want.clone(), order: order.to_vec(), nested: layout.nested(), expressions: expressions.join(", "), layout }
    }

    /// What decides on access comes first, then the row.
    pub fn select(&self, anchor: Anchor) -> SelectStatement {
        let mut select = Query::select();
        select.from_as(Alias::new(self.layout.table.name), Alias::new("t"));
        anchor.select(&mut select);
        select.expr(Expr::cust(self.expressions.clone()));
        select
    }
}

/// How many rows to ask for: few sizes, so that there are few statements. One more than a page tells whether there is more.
fn padded(size: u32) -> u32 {
    [1, 3, 5, 10, 20, 50].into_iter().find(|known| size <= *known).unwrap_or(size.max(100)) + 1
}

/// The best that any view does with a class on this table.
fn best(lens: &Lens, table: &Table, class: DataClass) -> Decision {
    if table.family == Family::Reference { Decisions::PUBLIC.of(class) } else { lens.best(class) }
}

impl Layout {
    pub fn new(want: &Want, order: &[&'static str], lens: &Lens) -> Layout {
        let table = want.table;
        let mut read = vec![0];
        let mut place = |at: usize| {
            read.iter().position(|known| *known == at).unwrap_or_else(|| {
                read.push(at);
                read.len() - 1
            })
        };
        let places = want
            .columns
            .iter()
            .map(|at| check!("read.best", best(lens, table, table.columns[*at].class) != Decision::Deny).then(|| place(*at)))
            .collect();
        let cursor = order.iter().filter_map(|name| table.column(name)).chain([0]).map(&mut place).collect();
        let links = want.links.iter().map(|link| (best(lens, table, link.link.class) != Decision::Deny).then(|| LinkLayout::new(link, lens)).flatten()).collect();
        Layout { table, read, places, cursor, links }
    }
}

impl Layout {
    fn nested(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        self.add_nested(&mut names);
        names
    }

    fn add_nested(&self, names: &mut Vec<&'static str>) {
        for link in self.links.iter().flatten() {
            if !names.contains(&link.layout.table.name) {
                names.push(link.layout.table.name);
            }
            link.layout.add_nested(names);
        }
    }
}

impl LinkLayout {
    fn new(link: &LinkWant, lens: &Lens) -> Option<LinkLayout> {
        let (road, order) = match &link.link.road {
            Road::One { local } => (Way::One { local }, Vec::new()),
            Road::Many { foreign, order } => {
                let names: Vec<&'static str> = order.iter().map(|(name, _)| *name).collect();
                let descending = direction(order, &link.page) == Order::Desc;
                let way = Way::Many { foreign, order: names.clone(), descending, limit: padded(link.page.size) };
                (way, if link.page.cursors { names } else { Vec::new() })
            }
            Road::Ancestors => return None,
        };
        Some(LinkLayout { road, layout: Layout::new(&link.want, &order, lens) })
    }
}
