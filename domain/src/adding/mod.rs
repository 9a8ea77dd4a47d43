//! What only adds to a file: a visit, a document, an intervention, a fact.
//!
//! On PostgreSQL such a mutation is two statements. The file is read without a lock, with what is noted under the idempotency
//! key; all that is written goes in one statement, which is a transaction by itself and writes only while the file still has the
//! version that was read. Where somebody was quicker it begins anew, with the file locked. SQLite has one writer: there it is
//! always the second way.

use crate::access::{Actor, RowAccess, mutant};
use crate::app::Domain;
use crate::command::{Asked, Meta, NOTED, Outcome, Work, granted, known_key, noted, noted_as};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::read::{anchor, child_keys};
use crate::store::{Cell, Rows, Shows};
use chrono::NaiveDate;
use entity::codes::FileState;
use entity::tables::child;
use entity::{CodedEnum, Table};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LockType, Query};
use sea_orm::{ActiveModelTrait, JoinType};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Unlocked,
    Locked,
}

/// A file that something is added to, and what this actor may do with it.
pub(crate) struct File {
    pub id: Uuid,
    pub birth_date: NaiveDate,
    pub state: FileState,
    pub access: Arc<RowAccess>,
}

pub(crate) enum Adding<'a> {
    To(Box<Work<'a>>, File),
    Ended(Outcome),
}

/// Runs what adds to a file without a lock, and with one where it was overtaken.
macro_rules! adding {
    (|$way:ident| $run:expr) => {{
        let $way = $crate::adding::Way::Unlocked;
        let outcome = $run.await;
        if !$crate::command::is_overtaken(&outcome) {
            return outcome;
        }
        let $way = $crate::adding::Way::Locked;
        $run.await
    }};
}
pub(crate) use adding;

const READ: [&str; 3] = ["version", "birth_date", "state"];

impl Domain {
    /// The actor may do this at all and to this file, and has not done it under the same key.
    pub(crate) async fn start_adding<'a>(&'a self, actor: &'a Actor, action: &'static str, meta: &'a Meta, child: Uuid, way: Way) -> Result<Adding<'a>> {
        granted(actor, action)?;
        let key = known_key(meta)?;
        let unlocked = way == Way::Unlocked && self.db.is_postgres();
        let mut work = self.work(actor, action, meta, if unlocked { self.db.begin_late().await? } else { self.db.begin().await? });
        let col = |name: &'static str| (Alias::new("t"), Alias::new(name));
        let mut select = Query::select();
        select.columns(READ.map(col)).from_as("child", Alias::new("t")).and_where(Expr::col(col("id")).eq(child));
        let anchor = anchor(&child::TABLE);
        anchor.select(&mut select);
        let noted_at = READ.len() + anchor.kinds().count();
        if let Some(key) = key {
            select.columns(NOTED.map(|name| (Alias::new("i"), Alias::new(name))));
            select.join_as(JoinType::LeftJoin, Alias::new("idempotency"), Alias::new("i"), noted_as("i", actor, key));
        }
        if !mutant::off("command.scope") {
            select.cond_where(actor.lens.children("t", &[]).condition());
        }
        let rows = if unlocked {
            self.db.as_viewer(&actor.lens).by_key(&select).await?
        } else {
            if self.db.is_postgres() {
                select.lock_with_tables(LockType::Update, [Alias::new("t")]);
            }
            work.tx.rows_seen(&actor.lens, &select).await?
        };
        let Some(row) = rows.first() else { return self.not_there(work, key).await };
        if key.is_some() && row.try_get_by_index::<Option<String>>(noted_at)?.is_some() {
            let outcome = self.replay(row, noted_at, action, meta);
            work.tx.rollback().await?;
            return outcome.map(Adding::Ended);
        }
        let keys = child_keys(&actor.lens, &anchor.read(row, READ.len())?);
        let Some(access) = actor.lens.child(&keys) else { return self.not_there(work, key).await };
        work.may(&access)?;
        if unlocked {
            work.tx.expect(row.try_get_by_index(0)?);
        }
        let state = row.try_get_by_index::<String>(2)?;
        let state = FileState::from_name(&state).ok_or_else(|| crate::error::Error::internal(format!("a file is {state}")))?;
        Ok(Adding::To(work, File { id: child, birth_date: row.try_get_by_index(1)?, state, access: Arc::new(access) }))
    }

    /// What was carried out is answered again, also where the file has gone out of reach since.
    async fn not_there<'a>(&'a self, work: Box<Work<'a>>, key: Option<&str>) -> Result<Adding<'a>> {
        let noted = match key {
            Some(key) => work.tx.rows_seen(&work.actor.lens, &noted(work.actor, key)).await?.into_iter().next(),
            None => None,
        };
        if let Some(row) = noted {
            let outcome = self.replay(&row, 0, work.action, work.meta);
            work.tx.rollback().await?;
            return outcome.map(Adding::Ended);
        }
        work.refuse_with(UserErrorCode::NotFound, "childId").await.map(Adding::Ended)
    }
}

impl Work<'_> {
    /// Adds a row to a file when this ends: that its id is in use is found there. Where the answer shows no more than the row,
    /// what it shows stands in the record of the change.
    pub(crate) async fn add_to<A: ActiveModelTrait>(&mut self, file: &File, table: &'static Table, id: Uuid, row: &A) -> Result<()> {
        let (rows, values) = Rows::of(row)?;
        self.tx.add_later(rows);
        self.added_later.push(table.name);
        self.inserted(table, id, Some(file.id));
        self.touch(file.id);
        if let Asked::Object(want) = &self.meta.asked
            && want.table.name == table.name
            && let Some(record) = self.domain.reader(self.actor).added(want, values.iter().map(Cell::of).collect(), file.access.clone()).await?
        {
            let (shown, masked) = want.disclosed(&record.access);
            self.tx.shows(Shows { type_name: table.type_name, id, shown, masked });
            self.row = Some(record);
        }
        Ok(())
    }

    /// The child that a row hangs on, as far as the actor may see it.
    pub(crate) async fn owner_of(&mut self, table: &'static Table, id: Uuid) -> Result<Option<Uuid>> {
        let mut select = self.hanging_on(table, id);
        select.column((Alias::new("t"), Alias::new("child_id")));
        let row = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next();
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }
}

#[cfg(test)]
mod tests;
