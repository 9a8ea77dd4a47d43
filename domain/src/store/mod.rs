//! The database. Connections stay in here: the rest of the domain reads through scoped statements and writes through `Tx`.

mod bulk;
#[cfg(test)]
mod cancel_tests;
pub mod meter;
mod open;
mod rows;
mod tx;

pub use open::{OpenError, OpenOptions};
pub use rows::Cell;
pub(crate) use bulk::List;
pub(crate) use rows::read_cell;
pub(crate) use tx::is_double;
pub use tx::{Change, Tx};

use crate::access::scope::Scope;
use crate::error::Result;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement};

/// One writer and several readers on SQLite; one pool on PostgreSQL.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
}

impl Db {
    pub fn is_postgres(&self) -> bool {
        self.read.get_database_backend() == DbBackend::Postgres
    }

    /// Runs a select after adding the rows the viewer may reach.
    pub(crate) async fn scoped(&self, mut select: SelectStatement, scope: &Scope) -> Result<Vec<QueryResult>> {
        select.cond_where(scope.condition());
        self.all(&select).await
    }

    /// Runs a select on rows that were already reached through a scope, or on internal tables.
    pub(crate) async fn all(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        Ok(self.read.query_all(select).await?)
    }

    pub(crate) async fn one(&self, select: &SelectStatement) -> Result<Option<QueryResult>> {
        Ok(self.all(select).await?.into_iter().next())
    }

    pub(crate) async fn raw(&self, sql: &str) -> Result<Vec<QueryResult>> {
        meter::count();
        Ok(self.read.query_all_raw(Statement::from_string(self.read.get_database_backend(), sql)).await?)
    }

    /// Runs one insert that gives rows back, in a transaction of its own.
    pub(crate) async fn write_returning(&self, insert: &sea_orm::sea_query::InsertStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        Ok(self.write.query_all(insert).await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.raw("SELECT 1").await.map(|_| ())
    }

    pub async fn close(self) {
        let _ = self.read.close().await;
        let _ = self.write.close().await;
    }
}
