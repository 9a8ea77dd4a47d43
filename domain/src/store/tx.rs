//! A write: one transaction that holds the rows, their audit record, their change-log rows and their outbox rows.

use super::bulk::Bulk;
use super::wall::with_scope;
use super::{Db, meter};
use crate::access::wall::Wall;
use crate::access::{Actor, Lens};
use crate::audit::Entry;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::{Family, Table};
use entity::tables::{change_log, outbox};
use sea_orm::sea_query::{Expr, InsertStatement, Query, SelectStatement, UpdateStatement};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryResult, SqliteTransactionMode, SqlErr,
    Statement, TransactionOptions, TransactionTrait,
};
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// One changed object.
#[derive(Clone, Debug)]
pub struct Change {
    pub table: &'static Table,
    pub id: Uuid,
    pub child: Option<Uuid>,
    pub version: i64,
}

/// What it writes was decided, so it passes the second wall; the reads that decide go through it, by `rows_seen`.
pub struct Tx {
    pub(super) inner: DatabaseTransaction,
    changes: Vec<Change>,
    /// Whether PostgreSQL has been told. Inserts need no scope, and a transaction of nothing else never tells one.
    told: AtomicBool,
}

impl Db {
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
        meter::count();
        Ok(Tx { inner: self.write.begin_with_options(options).await?, changes: Vec::new(), told: AtomicBool::new(false) })
    }
}

/// Whether an insert met a row that is already there.
pub(crate) fn is_double(error: &Error) -> bool {
    matches!(error, Error::Unavailable(e) if matches!(e.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))))
}

/// Changes recorded with single values; SQLite takes 32,766 of them in a statement.
const FEW: usize = 100;

/// What others are told of: rows of internal tables are on record, and nothing more.
fn announced(changes: &[Change]) -> impl Iterator<Item = &Change> {
    changes.iter().filter(|change| change.table.family != Family::Internal)
}

fn payload(change: &Change, action: &str) -> String {
    serde_json::json!({
        "type": change.table.type_name, "id": change.id, "childId": change.child, "version": change.version, "action": action,
    })
    .to_string()
}

impl Tx {
    pub(crate) async fn insert<A>(&mut self, model: A) -> Result<()>
    where
        A: ActiveModelTrait,
    {
        meter::count();
        <A::Entity as EntityTrait>::insert(model).exec_without_returning(&self.inner).await?;
        Ok(())
    }

    pub(crate) async fn insert_many<A>(&mut self, models: Vec<A>) -> Result<()>
    where
        A: ActiveModelTrait,
    {
        if models.is_empty() {
            return Ok(());
        }
        meter::count();
        <A::Entity as EntityTrait>::insert_many(models).exec_without_returning(&self.inner).await?;
        Ok(())
    }

    /// An insert and nothing more: it reads nothing, neither to give it back nor to find that it is there, and needs no scope.
    pub(crate) async fn append(&mut self, insert: &InsertStatement) -> Result<()> {
        meter::count();
        self.inner.execute(insert).await?;
        Ok(())
    }

    pub(crate) async fn execute_insert(&mut self, insert: &InsertStatement) -> Result<u64> {
        self.tell().await?;
        meter::count();
        Ok(self.inner.execute(insert).await?.rows_affected())
    }

    /// For its whole length, or until `rows_seen`: a setting of the transaction ends with it.
    pub(super) async fn tell(&self) -> Result<()> {
        if self.is_postgres() && !self.told.load(Ordering::Relaxed) {
            if let Some(scope) = Wall::system("a transaction writes what was decided").text() {
                meter::count();
                let set = Statement::from_sql_and_values(DbBackend::Postgres, "SELECT set_config('cw.scope', $1, true)", [scope.into()]);
                self.inner.execute_raw(set).await?;
            }
            self.told.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Rows that this viewer's grants reach, whatever the statement says.
    pub(crate) async fn rows_seen(&self, lens: &Lens, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        let rows = match with_scope(select, &Wall::of(lens), self.is_postgres()) {
            Some(select) => {
                self.told.store(false, Ordering::Relaxed);
                self.inner.query_all(&select).await?
            }
            None => self.inner.query_all(select).await?,
        };
        meter::found(rows.len());
        Ok(rows)
    }

    pub(crate) async fn execute_delete(&mut self, delete: &sea_orm::sea_query::DeleteStatement) -> Result<u64> {
        self.tell().await?;
        meter::count();
        Ok(self.inner.execute(delete).await?.rows_affected())
    }

    /// Deletes, and gives back what was there.
    pub(crate) async fn delete_returning(&mut self, delete: &sea_orm::sea_query::DeleteStatement) -> Result<Vec<QueryResult>> {
        self.tell().await?;
        meter::count();
        Ok(self.inner.query_all(delete).await?)
    }

    pub(crate) async fn execute_update(&mut self, update: &UpdateStatement) -> Result<u64> {
        self.tell().await?;
        meter::count();
        Ok(self.inner.execute(update).await?.rows_affected())
    }

    pub(crate) async fn rows(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        self.tell().await?;
        meter::count();
        let rows = self.inner.query_all(select).await?;
        meter::found(rows.len());
        Ok(rows)
    }

    /// A statement without values, in the text of either database.
    pub(crate) async fn raw(&self, sql: &str) -> Result<Vec<QueryResult>> {
        self.tell().await?;
        meter::count();
        Ok(self.inner.query_all_raw(Statement::from_string(self.inner.get_database_backend(), sql)).await?)
    }

    /// Notes a change; it is logged and announced when the transaction commits.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    /// Writes the records of what was done and commits; gives the changes and their audit record.
    pub(crate) async fn commit(
        mut self,
        actor: &Actor,
        action: &str,
        at: DateTime<Utc>,
        new_id: &mut (dyn FnMut() -> Uuid + Send),
    ) -> Result<(Vec<Change>, Option<Entry>)> {
        let changes = std::mem::take(&mut self.changes);
        let mut entry = None;
        if !changes.is_empty() {
            entry = Some(self.record(actor, action, at, &changes, new_id).await?);
        }
        meter::count();
        self.inner.commit().await?;
        Ok((changes, entry))
    }

    /// Commits rows that are themselves a record (audit, progress of loading).
    pub(crate) async fn commit_bare(self) -> Result<()> {
        meter::count();
        Ok(self.inner.commit().await?)
    }

    async fn record(&mut self, actor: &Actor, action: &str, at: DateTime<Utc>, changes: &[Change], new_id: &mut (dyn FnMut() -> Uuid + Send)) -> Result<Entry> {
        // A batch's record names its files; what lies in them is in the change log.
        let named = |change: &&Change| changes.len() <= FEW || change.child.is_none_or(|child| child == change.id);
        let objects = crate::audit::objects_of(changes.iter().filter(named).map(|c| (c.table.type_name, c.id)));
        let mut children: Vec<Uuid> = changes.iter().filter_map(|c| c.child).collect();
        children.sort_unstable();
        children.dedup();
        let entry = Entry {
            id: new_id(),
            at,
            account: Some(actor.account),
            username: actor.username.clone(),
            client: actor.client(),
            action: action.to_owned(),
            outcome: "CHANGED",
            purpose: actor.purpose.clone(),
            legal_basis: actor.legal_basis.clone(),
            request_id: actor.request_id.clone(),
            classes: String::new(),
            objects,
            children,
        };
        if changes.len() > FEW {
            self.record_many(actor, action, at, &entry, changes, new_id).await?;
            return Ok(entry);
        }
        let postgres = self.inner.get_database_backend() == DbBackend::Postgres;
        let mut log = Query::insert();
        log.into_table("change_log").columns(["tx", "at", "child_id", "object_type", "object_id", "object_version", "action", "actor_id"]);
        let mut outbox = Query::insert();
        outbox.into_table("outbox").columns(["id", "topic", "payload", "created_at"]);
        for change in announced(changes) {
            // On PostgreSQL a reader takes what lies below the oldest running transaction, in (tx, seq): that is the order of commits.
            let tx: Expr = if postgres { Expr::cust("pg_current_xact_id()::text::bigint") } else { Expr::val(0_i64) };
            log.values_panic([
                tx,
                at.into(),
                change.child.into(),
                change.table.type_name.into(),
                change.id.into(),
                change.version.into(),
                action.into(),
                actor.account.into(),
            ]);
            outbox.values_panic([new_id().into(), change.table.name.into(), payload(change, action).into(), at.into()]);
        }
        let audit = crate::audit::insert(&entry);
        let statements = if announced(changes).next().is_some() { vec![audit, log, outbox] } else { vec![audit] };
        if postgres { self.all_in_one(&statements).await? } else { self.one_by_one(&statements).await? }
        Ok(entry)
    }

    /// The same for more changes than one statement of single values takes.
    async fn record_many(
        &mut self,
        actor: &Actor,
        action: &str,
        at: DateTime<Utc>,
        entry: &Entry,
        changes: &[Change],
        new_id: &mut (dyn FnMut() -> Uuid + Send),
    ) -> Result<()> {
        let postgres = self.is_postgres();
        let mut tx = 0_i64;
        if postgres {
            let select = Query::select().expr(Expr::cust("pg_current_xact_id()::text::bigint")).to_owned();
            tx = self.rows(&select).await?.first().map_or(Ok(0), |row| row.try_get_by_index(0))?;
        }
        self.execute_insert(&crate::audit::insert(entry)).await?;
        let mut log = Bulk::new(&change_log::TABLE, &["seq"], postgres);
        let mut outbox = Bulk::new(&outbox::TABLE, &["seq", "published_at"], postgres);
        for change in changes {
            if change.table.family == Family::Internal {
                continue;
            }
            log.add(&[
                tx.into(),
                at.into(),
                change.child.into(),
                change.table.type_name.into(),
                change.id.into(),
                change.version.into(),
                action.into(),
                actor.account.into(),
            ])?;
            outbox.add(&[new_id().into(), change.table.name.into(), payload(change, action).into(), at.into()])?;
        }
        self.insert_bulk(log, "").await?;
        self.insert_bulk(outbox, "").await
    }

    async fn one_by_one(&mut self, statements: &[InsertStatement]) -> Result<()> {
        for insert in statements {
            self.append(insert).await?;
        }
        Ok(())
    }

    /// PostgreSQL takes several inserts in one statement, and so in one round trip.
    async fn all_in_one(&mut self, statements: &[InsertStatement]) -> Result<()> {
        if statements.len() < 2 {
            return self.one_by_one(statements).await;
        }
        use sea_orm::sea_query::{Alias, CommonTableExpression, WithClause};
        let mut with = WithClause::new();
        let (last, first) = statements.split_last().ok_or_else(|| Error::internal("nothing to record"))?;
        for (n, insert) in first.iter().enumerate() {
            let cte = CommonTableExpression::new().query(insert.clone()).table_name(Alias::new(format!("r{n}"))).to_owned();
            with.cte(cte);
        }
        meter::count();
        self.inner.execute(&last.clone().with(with)).await.map_err(|e: DbErr| Error::from(e))?;
        Ok(())
    }
}
