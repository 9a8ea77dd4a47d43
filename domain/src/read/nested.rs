//! What hangs on rows already reached: each link is one statement for all of them (two with a count).

use super::access::{Anchor, Decided, anchor, child_keys};
use super::cursor::Cursor;
use super::links::Road;
use super::load::{Raw, Reader, col, direction, keyset, padded, select_rows};
use super::record::{Page, Record, Related};
use super::want::{LinkWant, Want};
use crate::access::scope::{CHILD_KEYS, Scope};
use crate::access::wall::Wall;
use crate::access::{Decision, RowAccess, mutant};
use crate::error::Result;
use crate::store::{Cell, read_cell};
use entity::codes::DivisionLevel;
use entity::{DataClass, DivisionCode, Family, Kind, Table};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query, WindowStatement};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

type BoxedRecords<'f> = Pin<Box<dyn Future<Output = Result<Vec<Arc<Record>>>> + Send + 'f>>;

impl Reader<'_> {
    /// Turns rows into records with all their links, level by level.
    pub(super) fn complete<'f>(&'f self, want: &'f Want, raws: Vec<Raw>) -> BoxedRecords<'f> {
        Box::pin(async move {
            let mut related: Vec<HashMap<String, Related>> = raws.iter().map(|_| HashMap::new()).collect();
            if !raws.is_empty() {
                for link in &want.links {
                    for (n, one) in self.follow(link, &raws).await?.into_iter().enumerate() {
                        related[n].insert(link.key.clone(), one);
                    }
                }
            }
            let child_at = want.table.column("child_id");
            raws.iter()
                .zip(related)
                .map(|(raw, related)| {
                    let child = match want.table.family {
                        Family::Child => raw.cells[0].uuid(),
                        _ => child_at.and_then(|at| raw.cells[at].uuid()),
                    };
                    let cells = self.shown(want, raw)?;
                    Ok(Arc::new(Record { table: want.table, cells, access: raw.access.clone(), related, key: raw.cells[0].clone(), child }))
                })
                .collect()
        })
    }

    async fn follow(&self, link: &LinkWant, raws: &[Raw]) -> Result<Vec<Related>> {
        let class = link.link.class;
        let allowed = |raw: &Raw| class == DataClass::Public || mutant::off_for("link.class", class.name()) || raw.access.decisions.of(class) == Decision::Show;
        match &link.link.road {
            Road::One { local } => {
                let Some(at) = link.link.from.column(local) else { return Ok(Vec::new()) };
                let keys: Vec<&Cell> = raws.iter().map(|raw| if allowed(raw) { &raw.cells[at] } else { &Cell::Denied }).collect();
                self.follow_one(link, &keys, raws).await
            }
            Road::Many { foreign, order } => self.follow_many(link, foreign, order, raws, &allowed).await,
            Road::Ancestors => self.ancestors(link, raws).await,
        }
    }

    async fn follow_one(&self, link: &LinkWant, keys: &[&Cell], raws: &[Raw]) -> Result<Vec<Related>> {
        let mut distinct: Vec<Cell> = keys.iter().filter(|k| matches!(k, Cell::Uuid(_) | Cell::Int(_))).map(|k| (*k).clone()).collect();
        distinct.sort_by_key(|k| (k.uuid(), k.int()));
        distinct.dedup();
        let table = link.want.table;
        // Persons and accounts are shown as far as the row that names them is: what is open to its viewer there is open here.
        if matches!(table.family, Family::Person | Family::Account) {
            return self.inherited(link, keys, &distinct, raws).await;
        }
        let found = self.objects(&link.want, &distinct).await?;
        Ok(keys
            .iter()
            .map(|key| match key {
                Cell::Denied => Related::Denied,
                key => Related::One(found.get(*key).cloned()),
            })
            .collect())
    }

    async fn inherited(&self, link: &LinkWant, keys: &[&Cell], distinct: &[Cell], raws: &[Raw]) -> Result<Vec<Related>> {
        let table = link.want.table;
        let columns = self.columns(&link.want, &[]);
        let mut base: HashMap<Cell, Vec<Cell>> = HashMap::new();
        if !distinct.is_empty() {
            let mut select = select_rows(table, &columns);
            select.and_where(col("id").is_in(padded(distinct)));
            for row in self.db.behind(Wall::of(&self.actor.lens).opening(&[table.name])).all(&select).await? {
                let cells = self.read_columns(&row, table, &columns)?;
                base.insert(cells[0].clone(), cells);
            }
        }
        // One record for each pair of person and access, shared by the rows that agree.
        let mut made: Vec<(Cell, Arc<RowAccess>)> = Vec::new();
        let mut wanted = Vec::new();
        let mut places: Vec<Option<usize>> = Vec::new();
        for (key, raw) in keys.iter().zip(raws) {
            let Some(cells) = base.get(*key) else {
                places.push(None);
                continue;
            };
            let at = made.iter().position(|(k, a)| k == *key && *a == raw.access).unwrap_or_else(|| {
                made.push(((*key).clone(), raw.access.clone()));
                wanted.push(Raw { cells: cells.clone(), access: raw.access.clone(), cursor: Vec::new() });
                made.len() - 1
            });
            places.push(Some(at));
        }
        let records = self.complete(&link.want, wanted).await?;
        Ok(keys
            .iter()
            .zip(places)
            .map(|(key, place)| match (key, place) {
                (Cell::Denied, _) => Related::Denied,
                (_, place) => Related::One(place.map(|at| records[at].clone())),
            })
            .collect())
    }

    async fn follow_many(
        &self,
        link: &LinkWant,
        foreign: &'static str,
        order: &'static [(&'static str, bool)],
        raws: &[Raw],
        allowed: &(dyn Fn(&Raw) -> bool + Sync),
    ) -> Result<Vec<Related>> {
        let table = link.want.table;
        let parents: Vec<Cell> = raws.iter().filter(|raw| allowed(raw)).map(|raw| raw.cells[0].clone()).collect();
        let mut pages: HashMap<Cell, Page> = HashMap::new();
        // What hangs on a child, an account or an import is decided as that was; any other road is scoped anew.
        let hangs = matches!(link.link.from.family, Family::Child | Family::Account | Family::Import);
        let anchor = if hangs || table.family == Family::Reference { Anchor::Nothing } else { anchor(table) };
        // A shared person leads to those children alone through whom the link itself may be seen.
        let needs: &[DataClass] = if mutant::off("link.needs") { &[] } else { &[link.link.class] };
        let scope = if mutant::off("link.scope") { Scope::off(&self.actor.lens) } else { anchor.scope(table, &self.actor.lens, needs) };
        // These parents were read through the wall; what hangs on them need not be led back to them row by row.
        let wall = if hangs { Wall::of(&self.actor.lens).opening(&[table.name]) } else { scope.wall().clone() };
        if !parents.is_empty() && link.page.rows {
            let order_names: Vec<&str> = order.iter().map(|(name, _)| *name).collect();
            let mut more = order_names.clone();
            more.push(foreign);
            let columns = self.columns(&link.want, &more);
            let inner = self.numbered(table, &columns, foreign, order, &link.page, anchor, &scope, &parents)?;
            let mut select = Query::select();
            for at in &columns {
                select.column(Alias::new(table.columns[*at].name));
            }
            let keys: &[&str] = if matches!(anchor, Anchor::Child { .. }) { &CHILD_KEYS } else { &[] };
            for (n, _) in keys.iter().enumerate() {
                select.column(Alias::new(format!("k{n}")));
            }
            select.from_subquery(inner, Alias::new("x"));
            select.and_where(Expr::col(Alias::new("place")).lte(i64::from(link.page.size) + 1));
            select.order_by(Alias::new("place"), sea_orm::Order::Asc);
            let rows = self.db.behind(wall.clone()).all(&select).await?;
            let foreign_at = table.column(foreign).unwrap_or(0);
            let access_of: HashMap<Cell, Arc<RowAccess>> = raws.iter().map(|raw| (raw.cells[0].clone(), raw.access.clone())).collect();
            let mut decided = Decided::default();
            let mut by_parent: HashMap<Cell, Vec<Raw>> = HashMap::new();
            for row in &rows {
                let cells = self.read_columns(row, table, &columns)?;
                let parent = cells[foreign_at].clone();
                let access = if hangs {
                    access_of.get(&parent).cloned()
                } else if keys.is_empty() {
                    self.decide(Anchor::Nothing, &[], &mut decided)
                } else {
                    self.decide(anchor, &anchor.read(row, columns.len())?, &mut decided)
                };
                let Some(access) = access else { continue };
                let cursor = self.cursor_of(table, &cells, &order_names);
                by_parent.entry(parent).or_default().push(Raw { cells, access, cursor });
            }
            pages = self.finish_pages(link, by_parent).await?;
        }
        if link.page.count && !parents.is_empty() {
            for (parent, total) in self.counts(table, foreign, anchor, &scope, wall, &parents).await? {
                pages.entry(parent).or_default().total = Some(total);
            }
        }
        Ok(raws
            .iter()
            .map(|raw| {
                if !allowed(raw) {
                    return Related::Denied;
                }
                let mut page = pages.remove(&raw.cells[0]).unwrap_or_default();
                if link.page.count {
                    page.total.get_or_insert(0);
                }
                Related::Many(Arc::new(page))
            })
            .collect())
    }

    /// The rows of all parents, numbered within each.
    #[allow(clippy::too_many_arguments)]
    fn numbered(
        &self,
        table: &'static Table,
        columns: &[usize],
        foreign: &'static str,
        order: &'static [(&'static str, bool)],
        page: &super::PageArgs,
        anchor: Anchor,
        scope: &Scope,
        parents: &[Cell],
    ) -> Result<sea_orm::sea_query::SelectStatement> {
        let mut inner = select_rows(table, columns);
        if let Anchor::Child { alias, .. } = anchor {
            anchor.join_only(&mut inner);
            for (n, name) in CHILD_KEYS.iter().enumerate() {
                inner.expr_as(Expr::col((Alias::new(alias), Alias::new(*name))), Alias::new(format!("k{n}")));
            }
        }
        inner.and_where(col(foreign).is_in(padded(parents)));
        inner.cond_where(scope.condition());
        let way = direction(order, page);
        keyset(&mut inner, table, order, page)?;
        let mut window = WindowStatement::partition_by((Alias::new("t"), Alias::new(foreign)));
        for name in order.iter().map(|(name, _)| *name).chain([table.columns[0].name]) {
            window.order_by((Alias::new("t"), Alias::new(name)), way.clone());
        }
        inner.expr_window_as(Func::cust(Alias::new("ROW_NUMBER")), window, Alias::new("place"));
        Ok(inner)
    }

    /// Completes the rows of all parents together, so that what hangs on them is again one statement a link.
    async fn finish_pages(&self, link: &LinkWant, by_parent: HashMap<Cell, Vec<Raw>>) -> Result<HashMap<Cell, Page>> {
        let size = link.page.size as usize;
        let mut all = Vec::new();
        let mut shape = Vec::new();
        for (parent, mut raws) in by_parent {
            let more = raws.len() > size;
            raws.truncate(size);
            if link.page.backward {
                raws.reverse();
            }
            shape.push((parent, raws.len(), more));
            all.extend(raws);
        }
        let cursors: Vec<String> = all.iter().map(|raw| Cursor(raw.cursor.clone()).encode()).collect();
        let mut rows = cursors.into_iter().zip(self.complete(&link.want, all).await?);
        let from = link.page.from.is_some();
        Ok(shape
            .into_iter()
            .map(|(parent, count, more)| {
                let (has_next, has_previous) = if link.page.backward { (from, more) } else { (more, from) };
                (parent, Page { rows: rows.by_ref().take(count).collect(), has_next, has_previous, total: None, looked: Vec::new() })
            })
            .collect())
    }

    async fn counts(&self, table: &'static Table, foreign: &'static str, anchor: Anchor, scope: &Scope, wall: Wall, parents: &[Cell]) -> Result<Vec<(Cell, i64)>> {
        let mut select = Query::select();
        select.expr(col(foreign)).expr(Expr::cust("COUNT(*)")).from_as(Alias::new(table.name), Alias::new("t"));
        anchor.join_only(&mut select);
        select.and_where(col(foreign).is_in(padded(parents)));
        select.add_group_by([col(foreign)]);
        let kind = table.column(foreign).map_or(Kind::Uuid, |at| table.columns[at].kind);
        select.cond_where(scope.condition());
        let rows = self.db.behind(wall).all(&select).await?;
        rows.iter().map(|row| Ok((read_cell(row, 0, kind)?, row.try_get_by_index::<i64>(1)?))).collect()
    }

    async fn ancestors(&self, link: &LinkWant, raws: &[Raw]) -> Result<Vec<Related>> {
        const LEVELS: [DivisionLevel; 4] = [DivisionLevel::Province, DivisionLevel::Prefecture, DivisionLevel::County, DivisionLevel::Township];
        let paths: Vec<Vec<Cell>> = raws
            .iter()
            .map(|raw| {
                let Some(code) = raw.cells[0].int().and_then(DivisionCode::new) else { return Vec::new() };
                let mut path: Vec<i64> = LEVELS.iter().map(|level| code.at(*level).value()).filter(|up| *up != code.value()).collect();
                path.dedup();
                path.into_iter().map(Cell::Int).collect()
            })
            .collect();
        let mut all: Vec<Cell> = paths.iter().flatten().cloned().collect();
        all.sort_by_key(Cell::int);
        all.dedup();
        let found = self.objects(&link.want, &all).await?;
        Ok(paths
            .into_iter()
            .map(|path| {
                let rows = path.iter().filter_map(|code| found.get(code)).map(|record| (String::new(), record.clone())).collect();
                Related::Many(Arc::new(Page { rows, ..Page::default() }))
            })
            .collect())
    }

    /// Through which children a person may be seen.
    fn person_scope(&self) -> Scope {
        let needs: &[DataClass] = if mutant::off("person.needs") { &[] } else { &[DataClass::Family] };
        self.actor.lens.children("c", needs)
    }

    /// Which of these persons the viewer may see, and what of them: the best of the children they are related to.
    pub(super) async fn persons(&self, keys: &[Cell]) -> Result<HashMap<Uuid, Arc<RowAccess>>> {
        let mut found: HashMap<Uuid, RowAccess> = HashMap::new();
        for table in ["relation", "guardianship"] {
            let mut select = Query::select();
            select.distinct().expr(col("person_id")).from_as(Alias::new(table), Alias::new("t"));
            let on = Expr::col((Alias::new("c"), Alias::new("id"))).equals((Alias::new("t"), Alias::new("child_id")));
            select.join_as(sea_orm::JoinType::InnerJoin, Alias::new("child"), Alias::new("c"), on);
            for name in CHILD_KEYS {
                select.column((Alias::new("c"), Alias::new(name)));
            }
            select.and_where(col("person_id").is_in(padded(keys)));
            let anchor = Anchor::Child { alias: "c", column: Some("child_id") };
            for row in self.db.scoped(select, &self.person_scope().opening(&[table])).await? {
                let person: Uuid = row.try_get_by_index(0)?;
                if let Some(access) = self.actor.lens.child(&child_keys(&self.actor.lens, &anchor.read(&row, 1)?)) {
                    found.entry(person).or_insert_with(RowAccess::public).join_row(&access);
                }
            }
        }
        Ok(found.into_iter().map(|(id, access)| (id, Arc::new(access))).collect())
    }
}
