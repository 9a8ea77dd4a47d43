//! A write: one transaction that holds the rows, their audit record, their change-log rows and their outbox rows.

use super::later::Later;
use super::record::Shows;
use super::wall::{scope_told, with_scope};
use super::{Db, meter};
use crate::access::wall::Wall;
use crate::access::{Actor, Lens};
use crate::audit::Entry;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::Table;
use sea_orm::sea_query::{Expr, InsertStatement, SelectStatement, UpdateStatement};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryResult, RuntimeErr,
    SqlErr, SqliteTransactionMode, Statement, StatementBuilder, TransactionOptions, TransactionTrait,
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
    db: Db,
    /// None where all that is written may yet go in one statement, which is a transaction by itself.
    begun: Option<DatabaseTransaction>,
    pub(super) changes: Vec<Change>,
    pub(super) later: Later,
    pub(super) shown: Option<Shows>,
    /// Whether PostgreSQL has been told. Inserts need no scope, and a transaction of nothing else never tells one.
    told: AtomicBool,
}

/// How a transaction ended.
pub(crate) enum Ended {
    /// With the changes and their audit record.
    Committed(Vec<Change>, Option<Entry>),
    /// The file was no longer the one that was read: nothing was written.
    Overtaken,
}

impl Db {
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let mut tx = Tx::new(self.clone());
        tx.begin().await?;
        Ok(tx)
    }

    /// Begins when something is written that is waited for. On SQLite at once: there it costs no round trip, and there is one writer.
    pub(crate) async fn begin_late(&self) -> Result<Tx> {
        if !self.is_postgres() {
            return self.begin().await;
        }
        Ok(Tx::new(self.clone()))
    }
}

/// Whether an insert met a row that is already there.
pub(crate) fn is_double(error: &Error) -> bool {
    matches!(error, Error::Unavailable(e) if matches!(e.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))))
}

/// In which table an insert met a row that is already there.
pub(crate) fn double_in(error: &Error) -> Option<String> {
    let Error::Unavailable(source) = error else { return None };
    let Some(SqlErr::UniqueConstraintViolation(message)) = source.sql_err() else { return None };
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = source else { return None };
    if let Some(table) = cause.as_database_error().and_then(|e| e.table()) {
        return Some(table.to_owned());
    }
    // SQLite names the columns, with their table.
    let (_, columns) = message.rsplit_once("failed: ")?;
    columns.split_once('.').map(|(table, _)| table.to_owned())
}

impl Tx {
    fn new(db: Db) -> Tx {
        Tx { db, begun: None, changes: Vec::new(), later: Later::default(), shown: None, told: AtomicBool::new(false) }
    }

    pub(super) async fn begin(&mut self) -> Result<()> {
        if self.begun.is_none() {
            let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
            meter::count();
            if let Some(lanes) = &self.db.lanes {
                lanes.make_room();
            }
            self.begun = Some(self.db.write.begin_with_options(options).await?);
        }
        Ok(())
    }

    pub(super) fn on(&self) -> DatabaseExecutor<'_> {
        match &self.begun {
            Some(tx) => tx.into(),
            None => (&self.db.write).into(),
        }
    }

    /// Reads, or writes and reads back; before this has begun, by a transaction of its own.
    pub(super) async fn query(&self, statement: &impl StatementBuilder) -> std::result::Result<Vec<QueryResult>, DbErr> {
        let statement = self.backend().build(statement);
        match &self.begun {
            Some(tx) => tx.query_all_raw(statement).await,
            None => self.db.write_rows(statement).await,
        }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.db.write.get_database_backend()
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.backend() == DbBackend::Postgres
    }

    /// Whether this has been begun, and locks and settings last until it ends.
    pub(super) fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    pub(crate) async fn insert<A>(&mut self, model: A) -> Result<()>
    where
        A: ActiveModelTrait,
    {
        self.begin().await?;
        meter::count();
        <A::Entity as EntityTrait>::insert(model).exec_without_returning(&self.on()).await?;
        Ok(())
    }

    pub(crate) async fn insert_many<A>(&mut self, models: Vec<A>) -> Result<()>
    where
        A: ActiveModelTrait,
    {
        if models.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        meter::count();
        <A::Entity as EntityTrait>::insert_many(models).exec_without_returning(&self.on()).await?;
        Ok(())
    }

    /// An insert and nothing more: it reads nothing, neither to give it back nor to find that it is there, and needs no scope.
    pub(crate) async fn append(&mut self, insert: &InsertStatement) -> Result<()> {
        self.begin().await?;
        meter::count();
        self.on().execute(insert).await?;
        Ok(())
    }

    pub(crate) async fn execute_insert(&mut self, insert: &InsertStatement) -> Result<u64> {
        self.begin().await?;
        self.tell().await?;
        meter::count();
        Ok(self.on().execute(insert).await?.rows_affected())
    }

    /// For its whole length, or until `rows_seen`: a setting of the transaction ends with it.
    pub(super) async fn tell(&self) -> Result<()> {
        if !self.is_begun() {
            return Err(Error::internal("a statement that cannot tell its scope needs a transaction that was begun"));
        }
        if self.is_postgres() && !self.told.load(Ordering::Relaxed) {
            if let Some(scope) = Wall::system(DECIDED).text() {
                meter::count();
                let set = Statement::from_sql_and_values(DbBackend::Postgres, "SELECT set_config('cw.scope', $1, true)", [scope.into()]);
                self.on().execute_raw(set).await?;
            }
            self.told.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// What a statement has to carry so that PostgreSQL is told, if it has not been. A statement that fails ends the transaction.
    pub(super) fn telling(&self) -> Option<Expr> {
        if !self.is_postgres() || self.told.load(Ordering::Relaxed) {
            return None;
        }
        self.told.store(self.is_begun(), Ordering::Relaxed);
        Wall::system(DECIDED).text().map(scope_told)
    }

    /// Rows that this viewer's grants reach, whatever the statement says.
    pub(crate) async fn rows_seen(&self, lens: &Lens, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        let rows = match with_scope(select, &Wall::of(lens), self.is_postgres()) {
            Some(select) => {
                self.told.store(false, Ordering::Relaxed);
                self.query(&select).await?
            }
            None => self.query(select).await?,
        };
        meter::found(rows.len());
        Ok(rows)
    }

    pub(crate) async fn execute_delete(&mut self, delete: &sea_orm::sea_query::DeleteStatement) -> Result<u64> {
        self.begin().await?;
        meter::count();
        let told = self.telling().map(|told| delete.clone().and_where(told).to_owned());
        Ok(self.on().execute(told.as_ref().unwrap_or(delete)).await?.rows_affected())
    }

    /// Deletes, and gives back what was there.
    pub(crate) async fn delete_returning(&mut self, delete: &sea_orm::sea_query::DeleteStatement) -> Result<Vec<QueryResult>> {
        self.begin().await?;
        meter::count();
        let told = self.telling().map(|told| delete.clone().and_where(told).to_owned());
        Ok(self.on().query_all(told.as_ref().unwrap_or(delete)).await?)
    }

    pub(crate) async fn execute_update(&mut self, update: &UpdateStatement) -> Result<u64> {
        self.begin().await?;
        meter::count();
        let told = self.telling().map(|told| update.clone().and_where(told).to_owned());
        Ok(self.on().execute(told.as_ref().unwrap_or(update)).await?.rows_affected())
    }

    pub(crate) async fn rows(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        let told = self.telling().map(|told| select.clone().and_where(told).to_owned());
        let rows = self.query(told.as_ref().unwrap_or(select)).await?;
        meter::found(rows.len());
        Ok(rows)
    }

    /// A statement without values, in the text of either database.
    pub(crate) async fn raw(&self, sql: &str) -> Result<Vec<QueryResult>> {
        self.tell().await?;
        meter::count();
        Ok(self.on().query_all_raw(Statement::from_string(self.backend(), sql)).await?)
    }

    /// Notes a change; it is logged and announced when the transaction commits.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        match self.begun {
            Some(begun) => Ok(begun.rollback().await?),
            None => Ok(()),
        }
    }

    /// Writes what was left for the end with the records of what was done, and commits.
    pub(crate) async fn commit(mut self, actor: &Actor, action: &str, at: DateTime<Utc>, new_id: &mut (dyn FnMut() -> Uuid + Send)) -> Result<Ended> {
        let changes = std::mem::take(&mut self.changes);
        let Some(entry) = self.record(actor, action, at, &changes, new_id).await? else {
            self.rollback().await?;
            return Ok(Ended::Overtaken);
        };
        self.commit_bare().await?;
        Ok(Ended::Committed(changes, entry))
    }

    /// Commits rows that are themselves a record (audit, progress of loading).
    pub(crate) async fn commit_bare(self) -> Result<()> {
        if let Some(begun) = self.begun {
            meter::count();
            begun.commit().await?;
        }
        Ok(())
    }
}

const DECIDED: &str = "a transaction writes what was decided";
