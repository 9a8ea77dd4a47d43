//! Reads that tell PostgreSQL their scope: in the statement itself, for that statement alone.

use super::{Db, Scoped, meter};
use crate::access::wall::Wall;
use crate::error::{Error, Result};
use sea_orm::sea_query::{Condition, Expr, PostgresQueryBuilder, SelectStatement};
use sea_orm::{DatabaseConnection, DbBackend, QueryResult, Statement, Value, Values};

/// A database as one scope sees it. SQLite has no second wall: there it is the database.
pub(crate) struct Behind<'a> {
    pub(super) db: &'a Db,
    pub(super) wall: Wall,
}

impl Behind<'_> {
    pub async fn all(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        meter::count();
        let statement = match with_scope(select, &self.wall, self.db.is_postgres()) {
            Some(select) => statement(&self.db.read, &select),
            None => statement(&self.db.read, select),
        };
        self.rows(statement).await
    }

    /// A select that finds one row at most, by its key. Its scope is told where the number of rows is worked out: that too is
    /// done before a row is fetched, and costs less than a condition.
    pub async fn by_key(&self, select: &SelectStatement) -> Result<Vec<QueryResult>> {
        self.db.run_scoped(Scoped(self.statement_by_key(select))).await
    }

    pub(super) fn statement_by_key(&self, select: &SelectStatement) -> Statement {
        let mut statement = statement(&self.db.read, select);
        if let (DbBackend::Postgres, Some(scope)) = (statement.db_backend, self.wall.text()) {
            let values = statement.values.get_or_insert_with(|| Values(Vec::new()));
            values.0.push(scope.into());
            statement.sql.push_str(&format!(" LIMIT CASE WHEN set_config('cw.scope', ${}, true) IS NULL THEN 0 ELSE 1 END", values.0.len()));
        }
        statement
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>> {
        let rows = self.db.rows(statement).await?;
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
        self.rows(statement).await
    }
}

/// The text and the values of a select. PostgreSQL keeps one plan for all values: it is told in the text how many rows are
/// wanted, for with a number yet unknown it reckons with a tenth of all there are.
fn statement(db: &DatabaseConnection, select: &SelectStatement) -> Statement {
    let mut statement = db.get_database_backend().build(select);
    if let (DbBackend::Postgres, Some(values)) = (statement.db_backend, &statement.values) {
        statement.sql = limits_in_text(&statement.sql, &values.0);
    }
    statement
}

fn limits_in_text(sql: &str, values: &[Value]) -> String {
    const LIMIT: &str = " LIMIT $";
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once(LIMIT) {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (place, after) = after.split_at(digits);
        let limit = place.parse::<usize>().ok().and_then(|at| values.get(at.checked_sub(1)?));
        match limit {
            Some(Value::BigUnsigned(Some(limit))) => out.push_str(&format!("{before} LIMIT {limit}")),
            _ => out.push_str(&format!("{before}{LIMIT}{place}")),
        }
        rest = after;
    }
    out + rest
}

/// The select with its scope. PostgreSQL works out a condition without columns before it fetches a row: it stands at the
/// head of the plan, and the policies read the setting when the first row is there to be looked at. Where it were ever
/// otherwise they would find no scope, and give no row.
pub(super) fn with_scope(select: &SelectStatement, wall: &Wall, postgres: bool) -> Option<SelectStatement> {
    let scope = if postgres { wall.text()? } else { return None };
    Some(select.clone().cond_where(Condition::all().add(scope_told(scope))).to_owned())
}

/// A condition that holds, and tells the scope where it is worked out.
pub(super) fn scope_told(scope: String) -> Expr {
    Expr::cust_with_values("(SELECT set_config('cw.scope', $1, true)) IS NOT NULL", [scope])
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

#[cfg(test)]
mod tests {
    use super::limits_in_text;
    use sea_orm::Value;

    #[test]
    fn how_many_rows_are_wanted_stands_in_the_text() {
        let values = [Value::from(7_i64), Value::from(21_u64), Value::from("x"), Value::from(3_u64)];
        let text = limits_in_text("SELECT a WHERE b = $1 AND c IN (SELECT d LIMIT $2) AND e = $3 ORDER BY f LIMIT $4", &values);
        assert_eq!(text, "SELECT a WHERE b = $1 AND c IN (SELECT d LIMIT 21) AND e = $3 ORDER BY f LIMIT 3");
        assert_eq!(limits_in_text("SELECT a LIMIT $1", &values), "SELECT a LIMIT $1");
    }
}
