//! The database. Connections stay in here: the rest of the domain reads through scoped statements and writes through `Tx`.

mod bulk;
#[cfg(test)]
mod cancel_tests;
mod copy;
mod lanes;
mod later;
pub mod meter;
mod open;
mod record;
mod rows;
mod tx;
mod wall;

pub use open::{OpenError, OpenOptions, Standing};
pub use rows::Cell;
pub(crate) use bulk::{Bulk, List};
pub use copy::{Built, Sizes};
pub(crate) use copy::{CopyRows, Owner};
pub(crate) use rows::read_cell;
pub(crate) use later::Rows;
pub(crate) use record::Shows;
pub(crate) use tx::{Ended, double_in, is_double};
pub use tx::{Change, Tx};
pub(crate) use wall::Behind;

use crate::access::Lens;
use crate::access::scope::Scope;
use crate::access::wall::Wall;
use crate::error::Result;
use sea_orm::sea_query::SelectStatement;
use lanes::Lanes;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, Value};
use std::sync::Arc;

/// One writer and several readers on SQLite; one pool on PostgreSQL.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// On PostgreSQL, for single statements.
    lanes: Option<Arc<Lanes>>,
}

/// A statement that carries its scope.
#[derive(Clone, Debug)]
pub(crate) struct Scoped(Statement);

impl Scoped {
    /// The same with another key in the place of this one; None where the key is not its first value, and no other.
    pub fn with_key(&self, old: &Value, new: &Value) -> Option<Scoped> {
        let mut again = self.clone();
        let values = again.0.values.as_mut()?;
        let (first, rest) = values.0.split_first_mut()?;
        if first != old || rest.contains(old) {
            return None;
        }
        first.clone_from(new);
        Some(again)
    }
}

impl Db {
    pub fn is_postgres(&self) -> bool {
        self.read.get_database_backend() == DbBackend::Postgres
    }

    /// Runs a select after adding the rows the viewer may reach.
    pub(crate) async fn scoped(&self, mut select: SelectStatement, scope: &Scope) -> Result<Vec<QueryResult>> {
        select.cond_where(scope.condition());
        self.behind(scope.wall().clone()).all(&select).await
    }

    /// The same for a select by the whole key, which finds one row at most: the statement, to be run with other keys too.
    pub(crate) fn scoped_by_key(&self, mut select: SelectStatement, scope: &Scope) -> Scoped {
        select.cond_where(scope.condition());
        Scoped(self.behind(scope.wall().clone()).statement_by_key(&select))
    }

    pub(crate) async fn run_scoped(&self, Scoped(statement): Scoped) -> Result<Vec<QueryResult>> {
        meter::count();
        let rows = self.rows(statement).await?;
        meter::found(rows.len());
        Ok(rows)
    }

    /// Reads as far as this viewer's grants reach, whatever the statement says.
    pub(crate) fn as_viewer(&self, lens: &Lens) -> Behind<'_> {
        self.behind(Wall::of(lens))
    }

    /// Reads past the second wall; `why` is for the reader of the code.
    pub(crate) fn as_system(&self, why: &'static str) -> Behind<'_> {
        self.behind(Wall::system(why))
    }

    pub(crate) fn behind(&self, wall: Wall) -> Behind<'_> {
        Behind { db: self, wall }
    }

    /// Reads what is nobody's in particular: reference data and tables that `migration::rls` calls open. Of any other
    /// table PostgreSQL gives no row here; those are read by `as_viewer` or, with a reason, by `as_system`.
    pub(crate) async fn all(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        wall::only_open(select)?;
        meter::count();
        let rows = self.rows(self.read.get_database_backend().build(select)).await?;
        meter::found(rows.len());
        Ok(rows)
    }

    pub(crate) async fn one(&self, select: &SelectStatement) -> Result<Option<QueryResult>> {
        Ok(self.all(select).await?.into_iter().next())
    }

    pub(crate) async fn raw(&self, sql: &str) -> Result<Vec<QueryResult>> {
        meter::count();
        Ok(self.rows(Statement::from_string(self.read.get_database_backend(), sql)).await?)
    }

    /// Reads, by one statement. Boxed: what a driver holds while it waits would else be in every future above it.
    async fn rows(&self, statement: Statement) -> std::result::Result<Vec<QueryResult>, DbErr> {
        match &self.lanes {
            Some(lanes) => Box::pin(lanes.rows(statement)).await,
            None => self.read.query_all_raw(statement).await,
        }
    }

    /// Writes by one statement, which is a transaction by itself, and gives back what it returns.
    async fn write_rows(&self, statement: Statement) -> std::result::Result<Vec<QueryResult>, DbErr> {
        match &self.lanes {
            Some(lanes) => Box::pin(lanes.rows(statement)).await,
            None => self.write.query_all_raw(statement).await,
        }
    }

    async fn write_only(&self, statement: Statement) -> std::result::Result<(), DbErr> {
        match &self.lanes {
            Some(lanes) => Box::pin(lanes.run(statement)).await,
            None => self.write.execute_raw(statement).await.map(|_| ()),
        }
    }

    /// Runs one insert that gives rows back, in a transaction of its own.
    pub(crate) async fn write_returning(&self, insert: &sea_orm::sea_query::InsertStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        Ok(self.write_rows(self.write.get_database_backend().build(insert)).await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.raw("SELECT 1").await.map(|_| ())
    }

    pub async fn close(self) {
        if let Some(lanes) = &self.lanes {
            lanes.close();
        }
        let _ = self.read.close().await;
        let _ = self.write.close().await;
    }
}
