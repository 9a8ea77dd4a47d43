//! What a transaction writes at its end: nobody waits for it before, so on PostgreSQL it goes in one statement.

use super::wall::scope_told;
use super::{Tx, meter};
use crate::access::wall::Wall;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{
    Alias, CommonTableExpression, Expr, ExprTrait, InsertStatement, Query, SelectStatement, UnionType, UpdateStatement, WithClause,
};
use sea_orm::{ActiveModelTrait, EntityName, EntityTrait, IdenStatic, Iterable, Value};
use uuid::Uuid;

/// Rows of one table that are to be added.
pub(crate) struct Rows {
    pub table: &'static str,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Expr>>,
}

impl Rows {
    pub fn new(table: &'static str, columns: &[&'static str]) -> Rows {
        Rows { table, columns: columns.to_vec(), rows: Vec::new() }
    }

    pub fn with(mut self, row: impl IntoIterator<Item = Value>) -> Rows {
        self.rows.push(row.into_iter().map(Expr::val).collect());
        self
    }

    /// One row of an entity, and its values in the order of the table's columns.
    pub fn of<A: ActiveModelTrait>(model: &A) -> Result<(Rows, Vec<Value>)> {
        let all = || <A::Entity as EntityTrait>::Column::iter();
        let values: Option<Vec<Value>> = all().map(|column| model.get(column).into_value()).collect();
        let values = values.ok_or_else(|| Error::internal("a column is not set"))?;
        let columns: Vec<&'static str> = all().map(|column| column.as_str()).collect();
        Ok((Rows::new(A::Entity::default().table_name(), &columns).with(values.iter().cloned()), values))
    }

    fn insert(&self) -> InsertStatement {
        let mut insert = Query::insert();
        insert.into_table(self.table).columns(self.columns.iter().copied());
        for row in &self.rows {
            insert.values_panic(row.iter().cloned());
        }
        insert
    }

    /// Only where there is a row of `file`.
    fn insert_if(&self, file: &'static str) -> Result<InsertStatement> {
        let mut all: Option<SelectStatement> = None;
        for row in &self.rows {
            let one = Query::select().exprs(row.iter().cloned()).from(file).to_owned();
            match &mut all {
                None => all = Some(one),
                Some(all) => {
                    all.union(UnionType::All, one);
                }
            }
        }
        let mut insert = Query::insert();
        insert.into_table(self.table).columns(self.columns.iter().copied());
        insert.select_from(all.unwrap_or_default()).map_err(Error::internal)?;
        Ok(insert)
    }
}

#[derive(Default)]
pub(super) struct Later {
    rows: Vec<Rows>,
    /// The file that is changed by what is done in it, and when.
    touched: Option<(Uuid, DateTime<Utc>)>,
    /// The file as it was read without a lock: what is left for the end is written only while it has this version.
    pub expected: Option<i64>,
}

impl Tx {
    /// Leaves rows for the end.
    pub(crate) fn add_later(&mut self, rows: Rows) {
        self.later.rows.push(rows);
    }

    /// Leaves the time of a file's last change for the end.
    pub(crate) fn touch_later(&mut self, child: Uuid, at: DateTime<Utc>) {
        self.later.touched = Some((child, at));
    }

    /// The file that will be touched was read without a lock, in this version.
    pub(crate) fn expect(&mut self, version: i64) {
        self.later.expected = Some(version);
    }

    /// Sends what was left for the end, these rows behind it. False: the file was overtaken, and nothing of it was written.
    pub(super) async fn send(&mut self, more: Vec<Rows>) -> Result<bool> {
        let touch = self.touch();
        let mut rows = std::mem::take(&mut self.later.rows);
        rows.extend(more.into_iter().filter(|rows| !rows.rows.is_empty()));
        if !self.is_postgres() {
            for rows in &rows {
                self.append(&rows.insert()).await?;
            }
            if let Some(touch) = touch {
                self.execute_update(&touch).await?;
            }
            return Ok(true);
        }
        self.send_at_once(&rows, touch).await
    }

    fn touch(&mut self) -> Option<UpdateStatement> {
        let (child, at) = self.later.touched.take()?;
        Some(Query::update().table("child").value("changed_at", at).and_where(Expr::col("id").eq(child)).to_owned())
    }

    /// PostgreSQL takes all of it in one statement, and so in one round trip; by itself that is one transaction.
    async fn send_at_once(&mut self, rows: &[Rows], touch: Option<UpdateStatement>) -> Result<bool> {
        const FILE: &str = "f";
        let expected = self.later.expected.take();
        let mut with = WithClause::new();
        let guarded = match (touch, expected) {
            (Some(mut touch), expected) => {
                if let Some(version) = expected {
                    touch.and_where(Expr::col("version").eq(version));
                }
                // By itself it is a transaction that was told nothing.
                if let Some(scope) = Wall::system("what was decided is written").text() {
                    touch.and_where(scope_told(scope));
                }
                touch.returning_col("id");
                with.cte(CommonTableExpression::new().query(touch).table_name(Alias::new(FILE)).to_owned());
                expected.is_some()
            }
            (None, Some(_)) => return Err(Error::internal("only what changes a file may be written to it without a lock")),
            (None, None) => false,
        };
        if !guarded && rows.len() < 2 {
            for rows in rows {
                self.append(&rows.insert()).await?;
            }
            return Ok(true);
        }
        for (n, rows) in rows.iter().enumerate() {
            let insert = if guarded { rows.insert_if(FILE)? } else { rows.insert() };
            with.cte(CommonTableExpression::new().query(insert).table_name(Alias::new(format!("r{n}"))).to_owned());
        }
        let mut select = Query::select();
        if guarded {
            select.column("id").from(FILE);
        } else {
            select.expr(Expr::cust("1"));
        }
        meter::count();
        let found = self.query(&select.with(with)).await?;
        Ok(!guarded || !found.is_empty())
    }
}
