//! Opening a database: which one, whose, and in which state.

use super::Db;
use super::lanes::Lanes;
use crate::access::wall::Wall;
use migration::MigratorTrait;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use std::sync::Arc;
use std::time::Duration;

pub struct OpenOptions {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// On PostgreSQL, the role that owns the tables and changes the schema; where none is named it is that of `url`, and
    /// the second wall stands only as far as that role cannot pass it.
    pub owner_url: Option<String>,
    pub max_connections: u32,
    pub migrate: bool,
    /// `demo` marks the database; a production server refuses one so marked.
    pub profile: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot open the database: {0}")]
    Cannot(#[from] DbErr),
    #[error("this database is not one of child-welfare ({0}); name an empty one, or the right one, with --database or --data")]
    NotOurs(String),
    #[error("the schema is not up to date: {0} migration(s) are missing; run `child-welfare migrate`")]
    NotMigrated(usize),
    #[error("this database was made by the {0} profile; production never runs on it")]
    DemoDatabase(String),
    #[error("the database role could pass row-level security: {0}. Let `database` name a role that is NOSUPERUSER NOBYPASSRLS and owns \
        nothing, let `migrate_database` name the owner of the tables, and run `child-welfare migrate`")]
    WeakRole(&'static str),
    #[error("row-level security is not in place on {}; run `child-welfare migrate`", .0.join(", "))]
    NoWall(Vec<String>),
}

/// How far the second wall stands on this connection; all fine on SQLite, which has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why the role could pass it.
    pub weakness: Option<&'static str>,
    /// Tables that should be behind it and are not.
    pub bare: Vec<String>,
}

const OWNER: &str = "child-welfare";
/// SQLite's application id of our files, "CWel".
const APPLICATION_ID: i64 = 0x4357_656c;

/// PostgreSQL ends a statement after this, whoever waits for it or no longer does; changes of the schema are exempt.
pub(super) const LONGEST_STATEMENT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Write,
    /// Changes of the schema take the time they take.
    Migrate,
    Read,
    /// Nothing is made or changed, not even by mistake.
    Look,
}

async fn connect(url: &str, max: u32, mode: Mode) -> Result<DatabaseConnection, DbErr> {
    let write = matches!(mode, Mode::Write | Mode::Migrate);
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .connect_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |o| {
        if mode == Mode::Look {
            return o.read_only(true).pragma("temp_store", "MEMORY").busy_timeout(Duration::from_secs(10));
        }
        o.create_if_missing(write)
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "ON")
            .pragma("cache_size", if write { "-16384" } else { "-2048" })
            .pragma("temp_store", "MEMORY")
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256)
    });
    options.map_sqlx_postgres_opts(move |o| {
        let o = o.application_name(OWNER).statement_cache_capacity(256);
        let o = if mode == Mode::Migrate { o } else { o.options([("statement_timeout", format!("{}s", LONGEST_STATEMENT.as_secs()))]) };
        match mode {
            Mode::Look => o.options([("default_transaction_read_only", "on")]),
            // Forced policies bind the owner too: what a migration does to rows is the system's work.
            Mode::Migrate => o.options([("cw.scope", Wall::system("migrations change rows of everybody").text().unwrap_or_default())]),
            Mode::Write | Mode::Read => o,
        }
    });
    Database::connect(options).await
}

impl Db {
    /// A database to look at, such as a restored backup.
    pub async fn open_to_look(url: &str) -> Result<Db, OpenError> {
        let pool = connect(url, 2, Mode::Look).await.map_err(not_a_database)?;
        Ok(Db::of_one(pool))
    }

    fn of_one(pool: DatabaseConnection) -> Db {
        Db { read: pool.clone(), write: pool, lanes: None }
    }

    pub async fn open(options: &OpenOptions) -> Result<Db, OpenError> {
        let sqlite = options.url.starts_with("sqlite:");
        let db = if sqlite {
            make_private(&options.url);
            let write = connect(&options.url, 1, Mode::Write).await.map_err(not_a_database)?;
            let read = connect(&options.url, options.max_connections.clamp(2, 16), Mode::Read).await?;
            Db { read, write, lanes: None }
        } else {
            if options.migrate {
                migrate_as_owner(options).await?;
            }
            let pool = connect(&options.url, options.max_connections, Mode::Write).await?;
            let lanes = Lanes::of(pool.get_postgres_connection_pool(), options.max_connections);
            Db { lanes: lanes.map(Arc::new), ..Db::of_one(pool) }
        };
        db.check_owner(sqlite).await?;
        let pending = db.pending(sqlite).await?;
        if pending > 0 {
            if !options.migrate {
                return Err(OpenError::NotMigrated(pending));
            }
            migration::Migrator::up(&db.write, None).await?;
        }
        db.check_wall(options).await?;
        if sqlite {
            db.write.execute_unprepared(&format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
        }
        let made_by = db.mark("profile", options.profile).await?;
        if options.profile == "production" && made_by != "production" {
            return Err(OpenError::DemoDatabase(made_by));
        }
        Ok(db)
    }

    /// Migrations that are missing. On PostgreSQL they are only looked up: the role of the application may not create tables.
    async fn pending(&self, sqlite: bool) -> Result<usize, OpenError> {
        if sqlite {
            return Ok(migration::Migrator::get_pending_migrations(&self.write).await?.len());
        }
        let there = self.strings("SELECT relname::text FROM pg_class WHERE oid = to_regclass('seaql_migrations')").await?;
        let done = if there.is_empty() { Vec::new() } else { self.strings("SELECT version::text FROM seaql_migrations").await? };
        Ok(migration::Migrator::migrations().iter().filter(|m| !done.iter().any(|name| name == m.name())).count())
    }

    /// What there is to say of the second wall.
    pub async fn standing(&self) -> Result<Standing, DbErr> {
        if !self.is_postgres() {
            return Ok(Standing::default());
        }
        Ok(Standing { weakness: migration::rls::weakness(&self.write).await?, bare: migration::rls::missing(&self.write).await? })
    }

    async fn check_wall(&self, options: &OpenOptions) -> Result<(), OpenError> {
        let standing = self.standing().await?;
        let production = options.profile == "production" && !options.migrate;
        match standing.weakness {
            Some(weakness) if production => return Err(OpenError::WeakRole(weakness)),
            Some(weakness) => tracing::warn!("row-level security does not hold the database role: {weakness}; production refuses it"),
            None => {}
        }
        if standing.bare.is_empty() { Ok(()) } else { Err(OpenError::NoWall(standing.bare)) }
    }

    /// Nothing is written to a database that holds tables of somebody else.
    async fn check_owner(&self, sqlite: bool) -> Result<(), OpenError> {
        let tables: Vec<String> = self
            .strings(if sqlite {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            } else {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
            })
            .await?;
        if tables.is_empty() {
            return Ok(());
        }
        if sqlite {
            let row = self.write.query_one_raw(Statement::from_string(self.write.get_database_backend(), "PRAGMA application_id")).await?;
            let id = row.map_or(Ok(0), |r| r.try_get_by_index::<i32>(0)).unwrap_or(0);
            if i64::from(id) != APPLICATION_ID && !tables.iter().any(|t| t == "seaql_migrations") {
                return Err(OpenError::NotOurs(format!("it holds a table {}", tables[0])));
            }
        }
        let ours = tables.iter().any(|t| t == "seaql_migrations");
        if !ours {
            return Err(OpenError::NotOurs(format!("it holds a table {}", tables[0])));
        }
        Ok(())
    }

    async fn strings(&self, sql: &str) -> Result<Vec<String>, OpenError> {
        let rows = self.write.query_all_raw(Statement::from_string(self.write.get_database_backend(), sql)).await.map_err(not_a_database)?;
        rows.iter().map(|row| row.try_get_by_index::<String>(0).map_err(OpenError::from)).collect()
    }

    /// The stored value of a mark; an absent one is set.
    async fn mark(&self, name: &str, value: &str) -> Result<String, OpenError> {
        let insert = Query::insert()
            .into_table("meta")
            .columns(["name", "value"])
            .values_panic([name.into(), value.into()])
            .on_conflict(OnConflict::column("name").do_nothing().to_owned())
            .to_owned();
        self.write.execute(&insert).await?;
        let select = Query::select().column("value").from("meta").and_where(Expr::col("name").eq(name)).to_owned();
        let row = self.write.query_one(&select).await?;
        Ok(row.map_or(Ok(value.to_owned()), |r| r.try_get_by_index(0))?)
    }
}

/// Brings the schema and its policies up to date as the owner of the tables, and lets the role of the application in.
async fn migrate_as_owner(options: &OpenOptions) -> Result<(), OpenError> {
    let owner = connect(options.owner_url.as_ref().unwrap_or(&options.url), 1, Mode::Migrate).await?;
    let db = Db::of_one(owner);
    db.check_owner(false).await?;
    migration::Migrator::up(&db.write, None).await?;
    let application = options.owner_url.as_ref().and_then(|_| options.url.parse::<PgConnectOptions>().ok());
    migration::rls::install(&db.write, application.as_ref().map(PgConnectOptions::get_username)).await?;
    db.close().await;
    Ok(())
}

/// Makes a new file that only its owner may read; SQLite gives its log and index the same rights. What fails here, connecting names.
fn make_private(url: &str) {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if path.is_empty() || path == ":memory:" {
        return;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

fn not_a_database(error: impl Into<OpenError>) -> OpenError {
    let error = error.into();
    let text = error.to_string();
    if text.contains("file is not a database") { OpenError::NotOurs("the file is not an SQLite database".into()) } else { error }
}
