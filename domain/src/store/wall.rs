//! Reads that tell PostgreSQL their scope: in the statement itself, for that statement alone.

use super::{Db, meter};
use crate::access::wall::Wall;
use crate::error::{Error, Result};
use sea_orm::sea_query::{Condition, Expr, PostgresQueryBuilder, SelectStatement};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

/// A database as one scope sees it. SQLite has no second wall: there it is the database.
pub(crate) struct Behind<'a> {
    pub(super) db: &'a Db,
    pub(super) wall: Wall,
}

impl Behind<'_> {
    pub async fn all(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        let rows = match with_scope(select, &self.wall, self.db.is_postgres()) {
            Some(select) => self.db.read.query_all(&select).await?,
            None => self.db.read.query_all(select).await?,
        };
        meter::found(rows.len());
        Ok(rows)
    }

    pub async fn one(&self, select: &SelectStatement) -> Result<Option<QueryResult>> {
        Ok(self.all(select).await?.into_iter().next())
    }

    /// A select in the text of either database.
    pub async fn raw(&self, sql: &str) -> Result<Vec<QueryResult>> {
        meter::count();
        let backend = self.db.read.get_database_backend();
        let scope = if self.db.is_postgres() { self.wall.text() } else { None };
        let statement = match scope {
            Some(scope) => Statement::from_sql_and_values(
                backend,
                // OFFSET 0 keeps what is asked apart, so that it runs after the scope is set.
                format!("SELECT q.* FROM ({sql} OFFSET 0) q WHERE (SELECT set_config('cw.scope', $1, true)) IS NOT NULL"),
                [scope.into()],
            ),
            None => Statement::from_string(backend, sql),
        };
        let rows = self.db.read.query_all_raw(statement).await?;
        meter::found(rows.len());
        Ok(rows)
    }
}

/// The select with its scope. PostgreSQL works out a condition without columns before it fetches a row: it stands at the
/// head of the plan, and the policies read the setting when the first row is there to be looked at. Where it were ever
/// otherwise they would find no scope, and give no row.
pub(super) fn with_scope(select: &SelectStatement, wall: &Wall, postgres: bool) -> Option<SelectStatement> {
    let scope = if postgres { wall.text()? } else { return None };
    let set = Expr::cust_with_values("(SELECT set_config('cw.scope', $1, true)) IS NOT NULL", [scope]);
    Some(select.clone().cond_where(Condition::all().add(set)).to_owned())
}

/// In a debug build, says at once what PostgreSQL would answer with no rows at all.
pub(super) fn only_open(select: &SelectStatement) -> Result<()> {
    if cfg!(debug_assertions) {
        let sql = select.to_string(PostgresQueryBuilder);
        let hidden = migration::rls::RULES.iter().find(|(table, rule)| {
            !matches!(rule, migration::rls::Rule::Open(_))
                && ["FROM", "JOIN"].iter().any(|word| sql.contains(&format!("{word} \"{table}\"")))
        });
        if let Some((table, _)) = hidden {
            return Err(Error::internal(format!("{table} is behind the second wall: read it by as_viewer, or by as_system with a reason")));
        }
    }
    Ok(())
}
