//! Connections for single statements on PostgreSQL.
//!
//! sqlx's pool asks every connection that comes back whether it lives: one more trip to the database for each statement, a
//! fifth of what a short one costs. Here a connection whose answer was read to its end is simply used again. One whose caller
//! went away, or that failed, goes back through the pool, which reads what is left over, or closes it.

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, PgPool, Postgres};
use sea_orm::{ConnAcquireErr, DbErr, QueryResult, RuntimeErr, Statement, sea_query::Values};
use sea_query_sqlx::SqlxValues;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// How long a statement waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Lanes {
    pool: PgPool,
    connections: u32,
    /// Some of the pool's connections are never ours: transactions need them.
    places: Arc<Semaphore>,
    idle: Mutex<Vec<PoolConnection<Postgres>>>,
}

struct Lane<'l> {
    lanes: &'l Lanes,
    connection: PoolConnection<Postgres>,
    _place: OwnedSemaphorePermit,
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// The connection can be used again after this.
fn answered(error: &sqlx::Error) -> bool {
    // Class 57: the server ends the connection, or the statement was cancelled.
    matches!(error, sqlx::Error::Database(said) if said.code().is_some_and(|code| !code.starts_with("57")))
}

fn query(statement: Statement) -> sqlx::query::Query<'static, Postgres, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or(Values(Vec::new()))))
}

impl Lanes {
    /// Three in four of the pool's connections; None where it has a single one.
    pub fn of(pool: &PgPool, connections: u32) -> Option<Lanes> {
        let places = connections - connections.div_ceil(4);
        (places > 0).then(|| Lanes { pool: pool.clone(), connections, places: Arc::new(Semaphore::new(places as usize)), idle: Mutex::default() })
    }

    /// For a transaction that is about to begin: what lies idle here is the pool's when it has nothing left.
    pub fn make_room(&self) {
        if self.pool.num_idle() == 0
            && self.pool.size() >= self.connections
            && let Ok(mut idle) = self.idle.lock()
        {
            idle.pop();
        }
    }

    pub async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut lane = self.lane().await?;
        match query(statement).fetch_all(&mut *lane.connection).await {
            Ok(rows) => {
                lane.back();
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Err(error) => Err(lane.failed(error)),
        }
    }

    pub async fn run(&self, statement: Statement) -> Result<(), DbErr> {
        let mut lane = self.lane().await?;
        match query(statement).execute(&mut *lane.connection).await {
            Ok(_) => {
                lane.back();
                Ok(())
            }
            Err(error) => Err(lane.failed(error)),
        }
    }

    async fn lane(&self) -> Result<Lane<'_>, DbErr> {
        let closed = || DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => match tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await {
                Ok(place) => place.map_err(|_| closed())?,
                Err(_) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            },
        };
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let connection = match idle {
            Some(connection) => connection,
            None => self.pool.acquire().await.map_err(|error| match error {
                sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
                sqlx::Error::PoolClosed => closed(),
                other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
            })?,
        };
        Ok(Lane { lanes: self, connection, _place: place })
    }

    /// No statement gets a connection any more; those that are idle go back to the pool.
    pub fn close(&self) {
        self.places.close();
        self.forget();
    }

    fn forget(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }
}

impl Drop for Lanes {
    /// The pool takes a connection back by a task; where there is no runtime any more, the process ends and closes it.
    fn drop(&mut self) {
        if tokio::runtime::Handle::try_current().is_err()
            && let Ok(idle) = self.idle.get_mut()
        {
            idle.drain(..).for_each(std::mem::forget);
        }
    }
}

impl Lane<'_> {
    fn back(self) {
        if !self.lanes.places.is_closed()
            && let Ok(mut idle) = self.lanes.idle.lock()
        {
            idle.push(self.connection);
        }
    }

    /// Where one connection was lost, the others may be too: the pool looks at each.
    fn failed(self, error: sqlx::Error) -> DbErr {
        if answered(&error) {
            self.back();
        } else {
            self.lanes.forget();
        }
        failed(error)
    }
}
