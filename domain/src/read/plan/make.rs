//! From the raw tree of a statement to rows: who may see each, and what of it.

use super::super::access::{Anchor, Decided, anchor};
use super::super::cursor::Cursor;
use super::super::links::row_class;
use super::super::load::{ListQuery, Reader, col, ordered, reveal};
use super::super::want::{LinkWant, Want};
use super::layout::{Laid, Layout, LinkLayout};
use super::{KeptStatement, Linked, MOST_KEPT, Row, Rows, postgres, sqlite};
use crate::access::scope::Scope;
use crate::access::{Decision, RowAccess, mutant};
use crate::error::{Error, Result};
use crate::sealing::Place;
use crate::store::Cell;
use compact_str::CompactString;
use entity::{Family, Kind};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Opens a sealed value.
pub(super) type Sealed<'o> = &'o dyn Fn(&[u8]) -> Result<CompactString>;

/// The values of one row, each taken once, in order.
pub(super) trait Fields {
    type One: Fields;
    type Many: Iterator<Item = Result<<Self as Fields>::One>>;
    fn cell(&mut self, kind: Kind) -> Result<Cell>;
    fn sealed(&mut self, open: Sealed<'_>) -> Result<Option<CompactString>>;
    fn skip(&mut self) -> Result<()>;
    fn one(&mut self) -> Result<Option<Self::One>>;
    fn many(&mut self) -> Result<Self::Many>;
}

/// One that was made before, or a new one, which stays if it may. A check that is switched off changes what is made, not the lens.
fn kept_in<T>(known: &Mutex<Vec<Arc<T>>>, same: impl Fn(&T) -> bool, may_stay: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> Arc<T> {
    let find = || known.lock().ok().and_then(|known| known.iter().find(|one| same(one)).cloned());
    if let Some(found) = find().filter(|_| !mutant::switched()) {
        return found;
    }
    let made = Arc::new(new());
    if !mutant::switched()
        && may_stay(&made)
        && let Ok(mut known) = known.lock()
    {
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.push(made.clone());
    }
    made
}

/// What a row is made under.
struct Under {
    access: Arc<RowAccess>,
    child: Option<Uuid>,
    cursor: bool,
}

impl Reader<'_> {
    /// One page of children; `want` is covered.
    pub async fn planned_list(&self, want: &Want, query: &ListQuery) -> Result<Rows> {
        let anchor = anchor(want.table);
        let needs = if mutant::off("list.needs") { &[][..] } else { &query.needs };
        let order: Vec<&'static str> = query.order.iter().map(|(name, _)| *name).collect();
        let laid = self.laid(want, if query.page.cursors { &order } else { &[] });
        let scope = anchor.scope(want.table, &self.actor.lens, needs).opening(&laid.nested);
        let scope = if query.leading { scope.opaque() } else { scope };
        let mut select = laid.select(anchor);
        select.cond_where(query.condition.clone());
        select.cond_where(query.narrowed.clone());
        ordered(&mut select, want.table, &query.order, &query.page)?;
        let raws = self.db.scoped(select, &scope).await?;
        let rows = self.rows(want, &laid.layout, anchor, &raws, query.page.cursors)?;
        Ok(Rows { looked: query.needs.clone(), ..finish(rows, query.page.size, query.page.backward, query.page.from.is_some()) })
    }

    /// One child by its key; None when it is not there for this viewer.
    pub async fn planned_object(&self, want: &Want, key: Cell) -> Result<Option<Row>> {
        let kept = self.kept(want, key.clone());
        // Made for another key of the same lens, it differs in that alone.
        let statement = match kept.key == key {
            true => kept.statement.clone(),
            false => kept.statement.with_key(&kept.key.value(), &key.value()).ok_or_else(|| Error::internal("a kept statement without its key"))?,
        };
        let raws = self.db.run_scoped(statement).await?;
        Ok(self.rows(want, &kept.laid.layout, anchor(want.table), &raws, false)?.pop())
    }

    /// The statement by key of this lens, made the first time it is asked for.
    fn kept(&self, want: &Want, key: Cell) -> Arc<KeptStatement> {
        let kept = &self.actor.lens.kept.statements;
        kept_in(kept, |kept: &KeptStatement| kept.laid.want.same(want), |kept| kept.statement.with_key(&key.value(), &key.value()).is_some(), || self.by_key(want, &key))
    }

    /// What is read of each row, laid out the first time it is wanted through this lens.
    fn laid(&self, want: &Want, order: &[&'static str]) -> Arc<Laid> {
        let new = || Laid::new(want, order, &self.actor.lens, self.db.is_postgres());
        kept_in(&self.actor.lens.kept.laid, |laid: &Laid| laid.order == order && laid.want.same(want), |_| true, new)
    }

    fn by_key(&self, want: &Want, key: &Cell) -> KeptStatement {
        let anchor = anchor(want.table);
        let laid = self.laid(want, &[]);
        let mut select = laid.select(anchor);
        select.and_where(col(want.table.columns[0].name).eq(Expr::val(key.value())));
        let needs = row_class(want.table).filter(|_| !mutant::off("node.needs"));
        let scope = if mutant::off("node.scope") { Scope::off(&self.actor.lens) } else { anchor.scope(want.table, &self.actor.lens, needs.as_slice()) };
        let scope = scope.opening(&laid.nested);
        let statement = self.db.scoped_by_key(select, &scope);
        KeptStatement { laid, statement, key: key.clone() }
    }

    fn rows(&self, want: &Want, layout: &Layout, anchor: Anchor, raws: &[QueryResult], cursor: bool) -> Result<Vec<Row>> {
        let mut decided = Decided::default();
        let mut rows = Vec::with_capacity(raws.len());
        for raw in raws {
            let row = match raw.try_as_pg_row() {
                Some(row) => self.root(want, layout, anchor, postgres::Columns::new(row), &mut decided, cursor)?,
                None => self.root(want, layout, anchor, sqlite::Columns::new(raw), &mut decided, cursor)?,
            };
            rows.extend(row);
        }
        Ok(rows)
    }

    fn root(&self, want: &Want, layout: &Layout, anchor: Anchor, mut fields: impl Fields, decided: &mut Decided, cursor: bool) -> Result<Option<Row>> {
        let keys = anchor.kinds().map(|kind| fields.cell(kind)).collect::<Result<Vec<Cell>>>()?;
        let Some(access) = self.decide(anchor, &keys, decided) else { return Ok(None) };
        self.row(want, layout, fields, Under { access, child: None, cursor }).map(Some)
    }

    fn row(&self, want: &Want, layout: &Layout, mut fields: impl Fields, under: Under) -> Result<Row> {
        let table = layout.table;
        let mut cells = vec![Cell::Denied; want.columns.len()];
        let mut cursor: Vec<Cell> = if under.cursor { vec![Cell::Null; layout.cursor.len()] } else { Vec::new() };
        let mut key = Cell::Unread;
        for (place, at) in layout.read.iter().enumerate() {
            let column = &table.columns[*at];
            let wanted = layout.places.iter().position(|p| *p == Some(place));
            let orders = if under.cursor { layout.cursor.iter().position(|p| *p == place) } else { None };
            let decision = under.access.shown(column.class);
            if place > 0 && orders.is_none() && (wanted.is_none() || decision == Decision::Deny) {
                fields.skip()?;
                continue;
            }
            let value = match column.kind {
                Kind::Sealed | Kind::SealedCode => {
                    let row = key.uuid().ok_or_else(|| Error::internal("a sealed row without an id"))?;
                    fields.sealed(&|sealed| self.keys.open_short(Place { table: table.name, column: column.name, row }, sealed))?.map_or(Cell::Null, Cell::Text)
                }
                kind => fields.cell(kind)?,
            };
            if place == 0 {
                key = value.clone();
            }
            if let Some(orders) = orders {
                cursor[orders] = if value == Cell::Null { Cell::Int(0) } else { value.clone() };
            }
            if let Some(wanted) = wanted {
                cells[wanted] = reveal(column, decision, value);
            }
        }
        let child = match table.family {
            Family::Child => key.uuid(),
            Family::OfChild => under.child,
            _ => None,
        };
        let mut links = Vec::with_capacity(want.links.len());
        for (link, laid) in want.links.iter().zip(&layout.links) {
            let allowed = mutant::off_for("link.class", link.link.class.name()) || under.access.decisions.of(link.link.class) == Decision::Show;
            links.push(match laid {
                Some(laid) if allowed => self.linked(link, laid, &mut fields, &under.access, child)?,
                Some(_) => {
                    fields.skip()?;
                    Linked::Denied
                }
                None => Linked::Denied,
            });
        }
        Ok(Row { key, child, access: under.access, cells, links, cursor: Cursor(cursor) })
    }

    /// What hangs on a child is decided as the child is; persons and accounts as the row that names them; reference data is public.
    fn linked(&self, link: &LinkWant, laid: &LinkLayout, fields: &mut impl Fields, access: &Arc<RowAccess>, child: Option<Uuid>) -> Result<Linked> {
        let access = || if laid.layout.table.family == Family::Reference { self.public.clone() } else { access.clone() };
        match laid.road {
            super::layout::Way::One { .. } => {
                let one = fields.one()?;
                let row = one.map(|fields| self.row(&link.want, &laid.layout, fields, Under { access: access(), child, cursor: false }));
                Ok(Linked::One(row.transpose()?.map(Box::new)))
            }
            super::layout::Way::Many { .. } => {
                let many = fields.many()?;
                let mut rows = Vec::new();
                for fields in many {
                    rows.push(self.row(&link.want, &laid.layout, fields?, Under { access: access(), child, cursor: link.page.cursors })?);
                }
                Ok(Linked::Many(finish(rows, link.page.size, link.page.backward, false)))
            }
        }
    }
}

/// Cuts the rows too many, turns a backward page round.
fn finish(mut rows: Vec<Row>, size: u32, backward: bool, from: bool) -> Rows {
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    if backward {
        rows.reverse();
    }
    let (has_next, has_previous) = if backward { (from, more) } else { (more, from) };
    Rows { rows, has_next, has_previous, looked: Vec::new() }
}
