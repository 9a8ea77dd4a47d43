//! Loading rows: a page by a keyset, or rows by their keys; then everything that hangs on them.

use super::access::{Anchor, Decided, anchor};
use super::cursor::{Cursor, PageArgs};
use super::links::row_class;
use super::record::{Page, Record};
use super::want::Want;
use crate::access::scope::Scope;
use crate::access::{Actor, Decision, RowAccess, mask, mutant};
use crate::check;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::sealing::{Keyring, Place};
use crate::store::{Cell, Db, read_cell};
use entity::{Column, DataClass, Kind, Table};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use std::collections::HashMap;
use std::sync::Arc;

pub struct Reader<'a> {
    pub db: &'a Db,
    pub keys: &'a Keyring,
    pub actor: &'a Actor,
    pub clock: &'a dyn Clock,
    /// Of reference data.
    pub public: Arc<RowAccess>,
}

/// A list asked for at the root.
pub struct ListQuery {
    pub condition: Condition,
    /// Holds for every row of the page, and leads to them sooner; it says nothing of the rows there are.
    pub narrowed: Condition,
    /// Whether the condition leads to the rows by an index, so that the scope need not.
    pub leading: bool,
    /// Ordering columns, newest first where `true`; the key follows by itself.
    pub order: Vec<(&'static str, bool)>,
    /// Classes that the condition or the order looks at: rows whose viewer is not shown them are left out.
    pub needs: Vec<DataClass>,
    pub page: PageArgs,
}

impl Default for ListQuery {
    fn default() -> ListQuery {
        ListQuery {
            condition: Condition::all(),
            narrowed: Condition::all(),
            leading: false,
            order: Vec::new(),
            needs: Vec::new(),
            page: PageArgs::default(),
        }
    }
}

/// A row as read, before it is decided what the viewer sees of it.
pub(super) struct Raw {
    pub cells: Vec<Cell>,
    pub access: Arc<RowAccess>,
    pub cursor: Vec<Cell>,
}

pub(crate) fn col(name: &'static str) -> Expr {
    Expr::col((Alias::new("t"), Alias::new(name)))
}

/// The named columns of a table, under the alias that conditions go by.
pub(super) fn select_rows(table: &Table, columns: &[usize]) -> SelectStatement {
    let mut select = Query::select();
    select.from_as(Alias::new(table.name), Alias::new("t"));
    for at in columns {
        select.column((Alias::new("t"), Alias::new(table.columns[*at].name)));
    }
    select
}

/// Ordering needs a value: an absent number counts as zero.
fn order_expr(table: &Table, name: &'static str) -> Expr {
    match table.column(name).map(|at| &table.columns[at]) {
        Some(c) if c.nullable && c.kind == Kind::I64 => Expr::expr(Func::coalesce([col(name), Expr::val(0_i64)])),
        _ => col(name),
    }
}

fn order_kinds(table: &Table, order: &[(&'static str, bool)]) -> Vec<Kind> {
    let kind = |name: &str| table.column(name).map_or(Kind::Bytes, |at| table.columns[at].kind);
    order.iter().map(|(name, _)| kind(name)).chain([table.columns[0].kind]).collect()
}

/// All ordering columns go the way of the first.
pub(super) fn direction(order: &[(&'static str, bool)], page: &PageArgs) -> Order {
    let newest_first = order.first().is_some_and(|(_, desc)| *desc) != page.backward;
    if newest_first { Order::Desc } else { Order::Asc }
}

pub(super) fn order_exprs(table: &Table, order: &[(&'static str, bool)]) -> Vec<Expr> {
    order.iter().map(|(name, _)| order_expr(table, name)).chain([col(table.columns[0].name)]).collect()
}

/// From a cursor on: only what lies beyond it.
pub(super) fn keyset(select: &mut SelectStatement, table: &Table, order: &[(&'static str, bool)], page: &PageArgs) -> Result<()> {
    if let Some(text) = &page.from {
        let cursor = Cursor::decode(text, &order_kinds(table, order))?;
        let here = Expr::tuple(order_exprs(table, order));
        let there = Expr::tuple(cursor.0.iter().map(|cell| Expr::val(cell.value())));
        select.and_where(if direction(order, page) == Order::Desc { here.lt(there) } else { here.gt(there) });
    }
    Ok(())
}

/// A page and one row more: from its cursor on, in order.
pub(crate) fn ordered(select: &mut SelectStatement, table: &Table, order: &[(&'static str, bool)], page: &PageArgs) -> Result<()> {
    keyset(select, table, order, page)?;
    for expr in order_exprs(table, order) {
        select.order_by_expr(expr, direction(order, page));
    }
    select.limit(u64::from(page.size) + 1);
    Ok(())
}

/// Doubles the last value until a power of two, so that the database sees few statement texts.
pub(super) fn padded(keys: &[Cell]) -> Vec<sea_orm::Value> {
    let mut values: Vec<sea_orm::Value> = keys.iter().map(Cell::value).collect();
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

impl<'a> Reader<'a> {
    /// Columns to read: those wanted that the viewer may see at all, the key, and what links and order need.
    pub(super) fn columns(&self, want: &Want, more: &[&str]) -> Vec<usize> {
        let table = want.table;
        let mut columns = vec![0];
        let mut add = |at: usize| {
            if !columns.contains(&at) {
                columns.push(at);
            }
        };
        for at in &want.columns {
            if check!("read.best", self.best(table, table.columns[*at].class) != Decision::Deny) {
                add(*at);
            }
        }
        for link in &want.links {
            if let super::links::Road::One { local } = link.link.road
                && self.best(table, link.link.class) != Decision::Deny
                && let Some(at) = table.column(local)
            {
                add(at);
            }
        }
        // Whose child it is stands in the audit trail, whatever was selected.
        for name in more.iter().chain(&["child_id"]) {
            if let Some(at) = table.column(name) {
                add(at);
            }
        }
        columns
    }

    fn best(&self, table: &Table, class: DataClass) -> Decision {
        match anchor(table) {
            Anchor::Nothing => crate::access::Decisions::PUBLIC.of(class),
            _ => self.actor.lens.best(class),
        }
    }

    pub(super) fn read_columns(&self, row: &QueryResult, table: &Table, columns: &[usize]) -> Result<Vec<Cell>> {
        let mut cells = vec![Cell::Unread; table.columns.len()];
        for (n, at) in columns.iter().enumerate() {
            cells[*at] = read_cell(row, n, table.columns[*at].kind)?;
        }
        Ok(cells)
    }

    /// One page of a root list.
    pub async fn list(&self, want: &Want, query: &ListQuery) -> Result<Page> {
        let table = want.table;
        let anchor = anchor(table);
        let needs = if mutant::off("list.needs") { &[][..] } else { &query.needs };
        let scope = anchor.scope(table, &self.actor.lens, needs);
        let scope = if query.leading { scope.opaque() } else { scope };
        let mut page = Page::default();
        if query.page.rows {
            let order_names: Vec<&str> = query.order.iter().map(|(name, _)| *name).collect();
            let columns = self.columns(want, &order_names);
            let mut select = select_rows(table, &columns);
            anchor.select(&mut select);
            select.cond_where(query.condition.clone());
            select.cond_where(query.narrowed.clone());
            ordered(&mut select, table, &query.order, &query.page)?;
            let rows = self.db.scoped(select, &scope).await?;
            let mut decided = Decided::default();
            let mut raws = Vec::with_capacity(rows.len());
            for row in &rows {
                let cells = self.read_columns(row, table, &columns)?;
                let keys = anchor.read(row, columns.len())?;
                let Some(access) = self.decide(anchor, &keys, &mut decided) else { continue };
                let cursor = self.cursor_of(table, &cells, &order_names);
                raws.push(Raw { cells, access, cursor });
            }
            page = self.finish_page(want, raws, &query.page).await?;
        }
        if query.page.count {
            let scope = if mutant::off("count.scope") { Scope::off(&self.actor.lens) } else { scope };
            page.total = Some(self.count(table, &query.condition, anchor, &scope).await?);
        }
        page.looked.clone_from(&query.needs);
        Ok(page)
    }

    pub(super) fn cursor_of(&self, table: &Table, cells: &[Cell], order: &[&str]) -> Vec<Cell> {
        order.iter().filter_map(|name| table.column(name)).chain([0]).map(|at| if cells[at] == Cell::Null { Cell::Int(0) } else { cells[at].clone() }).collect()
    }

    async fn count(&self, table: &Table, condition: &Condition, anchor: Anchor, scope: &Scope) -> Result<i64> {
        let mut select = Query::select();
        select.expr(Expr::cust("COUNT(*)")).from_as(Alias::new(table.name), Alias::new("t")).cond_where(condition.clone());
        anchor.join_only(&mut select);
        let rows = self.db.scoped(select, scope).await?;
        rows.first().map_or(Ok(0), |row| Ok(row.try_get_by_index::<i64>(0)?))
    }

    /// Cuts the row too many, turns a backward page round, completes the rows.
    pub(super) async fn finish_page(&self, want: &Want, mut raws: Vec<Raw>, args: &PageArgs) -> Result<Page> {
        let more = raws.len() > args.size as usize;
        raws.truncate(args.size as usize);
        if args.backward {
            raws.reverse();
        }
        let cursors: Vec<String> = raws.iter().map(|raw| Cursor(raw.cursor.clone()).encode()).collect();
        let records = self.complete(want, raws).await?;
        let (has_next, has_previous) = if args.backward { (args.from.is_some(), more) } else { (more, args.from.is_some()) };
        Ok(Page { rows: cursors.into_iter().zip(records).collect(), has_next, has_previous, total: None, looked: Vec::new() })
    }

    /// One object by its key; None when it is not there for this viewer.
    pub async fn object(&self, want: &Want, key: Cell) -> Result<Option<Arc<Record>>> {
        Ok(self.objects(want, std::slice::from_ref(&key)).await?.remove(&key))
    }

    /// Objects by their keys, scoped.
    pub async fn objects(&self, want: &Want, keys: &[Cell]) -> Result<HashMap<Cell, Arc<Record>>> {
        let raws = self.raws_by_key(want, keys).await?;
        let (keys, raws): (Vec<Cell>, Vec<Raw>) = raws.into_iter().map(|raw| (raw.cells[0].clone(), raw)).unzip();
        let records = self.complete(want, raws).await?;
        Ok(keys.into_iter().zip(records).collect())
    }

    /// A row that was just added, as its writer may see it. None where that takes more than the row, or is not all there is to tell:
    /// it is then read like any other.
    pub(crate) async fn added(&self, want: &Want, cells: Vec<Cell>, access: Arc<RowAccess>) -> Result<Option<Arc<Record>>> {
        let shows = |class: DataClass| class == DataClass::Public || access.decisions.of(class) != Decision::Deny;
        let there = row_class(want.table).is_none_or(|class| access.decisions.of(class) == Decision::Show);
        let all = want.columns.iter().all(|at| shows(want.table.columns[*at].class));
        if !there || !all || !want.links.is_empty() || access.named.is_some() {
            return Ok(None);
        }
        let raw = Raw { cells, access, cursor: Vec::new() };
        Ok(self.complete(want, vec![raw]).await?.pop())
    }

    pub(super) async fn raws_by_key(&self, want: &Want, keys: &[Cell]) -> Result<Vec<Raw>> {
        let table = want.table;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let anchor = anchor(table);
        let columns = self.columns(want, &[]);
        let mut select = select_rows(table, &columns);
        anchor.select(&mut select);
        let persons = if anchor == Anchor::Person { Some(self.persons(keys).await?) } else { None };
        // Those out of reach are not read: they take as long as those that are not there.
        let reached: Option<Vec<Cell>> = persons.as_ref().filter(|_| !mutant::off("node.persons")).map(|seen| seen.keys().map(|id| Cell::Uuid(*id)).collect());
        let keys = reached.as_deref().unwrap_or(keys);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        select.and_where(col(table.columns[0].name).is_in(padded(keys)));
        let rows = match &persons {
            // Which persons may be seen was settled through their children.
            Some(_) => self.db.as_viewer(&self.actor.lens).all(&select).await?,
            None => {
                let needs = row_class(table).filter(|_| !mutant::off("node.needs"));
                let scope = if mutant::off("node.scope") { Scope::off(&self.actor.lens) } else { anchor.scope(table, &self.actor.lens, needs.as_slice()) };
                self.db.scoped(select, &scope).await?
            }
        };
        let mut decided = Decided::default();
        let mut raws = Vec::with_capacity(rows.len());
        for row in &rows {
            let cells = self.read_columns(row, table, &columns)?;
            let access = match &persons {
                Some(persons) => cells[0].uuid().and_then(|id| persons.get(&id).cloned()),
                None => self.decide(anchor, &anchor.read(row, columns.len())?, &mut decided),
            };
            if let Some(access) = access {
                raws.push(Raw { cells, access, cursor: Vec::new() });
            }
        }
        Ok(raws)
    }

    /// What the viewer sees of a row: sealed texts opened, masked texts masked, the rest denied.
    pub(super) fn shown(&self, want: &Want, raw: &Raw) -> Result<Vec<Cell>> {
        let table = want.table;
        let mut cells = vec![Cell::Unread; table.columns.len()];
        cells[0] = raw.cells[0].clone();
        for at in &want.columns {
            let column = &table.columns[*at];
            let decision = raw.access.shown(column.class);
            if decision == Decision::Deny {
                cells[*at] = Cell::Denied;
                continue;
            }
            let value = match (&raw.cells[*at], column.kind) {
                (Cell::Bytes(sealed), Kind::Sealed | Kind::SealedCode) => {
                    let row = raw.cells[0].uuid().ok_or_else(|| Error::internal("a sealed row without an id"))?;
                    Cell::Text(self.keys.open_short(Place { table: table.name, column: column.name, row }, sealed)?)
                }
                (other, _) => other.clone(),
            };
            cells[*at] = reveal(column, decision, value);
        }
        Ok(cells)
    }
}

/// A value as far as a decision lets it be seen.
pub(super) fn reveal(column: &Column, decision: Decision, value: Cell) -> Cell {
    match (decision, value) {
        (Decision::Deny, _) => Cell::Denied,
        (Decision::Show, value) => value,
        (_, Cell::Text(text)) if column.kind == Kind::Sealed => Cell::Text(mask::mask(column.name, &text).into()),
        // A mask tells that there is a text; that there is none is told as well.
        (_, Cell::Null) if column.kind == Kind::Sealed => Cell::Null,
        (_, value) if mutant::off("read.part") => value,
        // What is no text cannot be shown in part.
        _ => Cell::Denied,
    }
}
