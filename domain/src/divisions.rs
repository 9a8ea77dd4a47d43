//! Administrative divisions: loading them once, searching them.

use crate::app::Domain;
use crate::error::{Error, Result};
use crate::names;
use entity::DivisionCode;
use migration::divisions::{DivisionRecord, TOTAL, upper, villages_under};
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, OnConflict, Query, SelectStatement, UnionType};

/// Rows in one insert and inserts in one transaction: a writer that waits gets its turn soon.
const ROWS: usize = 1000;

impl Domain {
    /// Province to township, at once: some 45,000 rows.
    pub async fn load_upper_divisions(&self) -> Result<()> {
        if self.progress("divisions").await?.is_some() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for record in upper() {
            rows.push(record.map_err(Error::internal)?);
        }
        let mut tx = self.db.begin().await?;
        for chunk in rows.chunks(ROWS) {
            tx.execute_insert(&insert(chunk)).await?;
        }
        tx.execute_insert(&mark("divisions", "upper")).await?;
        tx.commit_bare().await
    }

    /// The villages, prefecture by prefecture, those of `first` before all others; goes on where it was interrupted.
    pub async fn load_villages(&self, first: Option<DivisionCode>, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<()> {
        if self.progress("villages").await?.is_some_and(|state| state == "complete") {
            return Ok(());
        }
        let total = TOTAL as u64;
        let mut prefectures = Vec::new();
        let mut done = 0_u64;
        for record in upper() {
            let record = record.map_err(Error::internal)?;
            done += 1;
            if record.level == 2 {
                prefectures.push(record.code);
            }
        }
        prefectures.sort_by_key(|code| first.is_none_or(|first| DivisionCode::new(*code).is_none_or(|p| !p.contains(first))));
        for prefecture in prefectures {
            let mark_name = format!("villages:{prefecture}");
            let loaded = self.progress(&mark_name).await?.is_some();
            let mut batch = Vec::with_capacity(ROWS);
            for record in villages_under(prefecture) {
                batch.push(record.map_err(Error::internal)?);
                done += 1;
                if batch.len() == ROWS {
                    if !loaded {
                        self.insert_divisions(&batch).await?;
                    }
                    batch.clear();
                }
            }
            if !loaded {
                self.insert_divisions(&batch).await?;
                let mut tx = self.db.begin().await?;
                tx.execute_insert(&mark(&mark_name, "complete")).await?;
                tx.commit_bare().await?;
            }
            progress(done, total);
            tokio::task::yield_now().await;
        }
        let mut tx = self.db.begin().await?;
        tx.execute_insert(&mark("villages", "complete")).await?;
        tx.commit_bare().await?;
        progress(total, total);
        Ok(())
    }

    pub(crate) async fn insert_divisions(&self, batch: &[DivisionRecord]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        tx.execute_insert(&insert(batch)).await?;
        tx.commit_bare().await
    }

    /// What a mark in `meta` says.
    pub(crate) async fn progress(&self, name: &str) -> Result<Option<String>> {
        let select = Query::select().column("value").from("meta").and_where(Expr::col("name").eq(name)).to_owned();
        self.db.one(&select).await?.map(|row| Ok(row.try_get_by_index(0)?)).transpose()
    }

    /// Codes of divisions whose name, pinyin, initials or code begin with a text; higher levels first.
    pub async fn search_divisions(&self, text: &str, within: Option<DivisionCode>, most: u32) -> Result<Vec<i64>> {
        let text = names::fold(text);
        if text.is_empty() || text.chars().count() > 50 || text.chars().any(char::is_control) {
            return Err(Error::bad("BAD_SEARCH", "text", "search for 1 to 50 characters"));
        }
        let limit = u64::from(most.clamp(1, 50));
        let mut union: Option<SelectStatement> = None;
        let mut add = |select: SelectStatement| match &mut union {
            Some(all) => {
                all.union(UnionType::All, select);
            }
            None => union = Some(select),
        };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if digits {
            if text.len() > 12 {
                return Ok(Vec::new());
            }
            let low = text.parse::<i64>().unwrap_or(0) * 10_i64.pow(12 - text.len() as u32);
            let high = low + 10_i64.pow(12 - text.len() as u32) - 1;
            let mut select = Query::select();
            select.columns(["level", "code"]).expr_as(Expr::val(""), "name").from("division").and_where(Expr::col("code").between(low, high));
            within_range(&mut select, within);
            select.order_by("code", sea_orm::Order::Asc).limit(limit);
            add(nested(select));
        } else {
            let latin = text.is_ascii();
            let key = if latin { text.to_lowercase().replace(' ', "") } else { text.clone() };
            let columns: &[&'static str] = if latin { &["pinyin", "initials"] } else { &["name"] };
            for level in 1..=5_i16 {
                for column in columns {
                    let mut select = Query::select();
                    select
                        .columns(["level", "code"])
                        .expr_as(Expr::col(*column), "name")
                        .from("division")
                        .and_where(Expr::col("level").eq(level))
                        .and_where(Expr::col(*column).gte(key.as_str()))
                        .and_where(Expr::col(*column).lt(format!("{key}\u{10ffff}")));
                    within_range(&mut select, within);
                    select.order_by(*column, sea_orm::Order::Asc).order_by("code", sea_orm::Order::Asc).limit(limit);
                    add(nested(select));
                }
            }
        }
        let Some(union) = union else { return Ok(Vec::new()) };
        let mut all = Query::select();
        all.columns(["level", "name", "code"])
            .from_subquery(union, Alias::new("u"))
            .order_by("level", sea_orm::Order::Asc)
            .order_by("name", sea_orm::Order::Asc)
            .order_by("code", sea_orm::Order::Asc)
            .limit(limit * 2);
        let mut codes: Vec<i64> = Vec::new();
        for row in self.db.all(&all).await? {
            let code: i64 = row.try_get_by_index(2)?;
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes.truncate(limit as usize);
        Ok(codes)
    }
}

/// A limited select as a member of a union, which SQLite takes only as a subquery.
fn nested(select: SelectStatement) -> SelectStatement {
    let mut outer = Query::select();
    outer.columns(["level", "code", "name"]).from_subquery(select, Alias::new("s"));
    outer
}

fn within_range(select: &mut SelectStatement, within: Option<DivisionCode>) {
    if let Some(within) = within {
        let (low, high) = within.range();
        select.cond_where(Condition::all().add(Expr::col("code").between(low, high)));
    }
}

fn insert(rows: &[DivisionRecord]) -> sea_orm::sea_query::InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("division").columns(["code", "parent", "level", "name", "pinyin", "initials"]);
    for row in rows {
        let name = names::fold(&row.name);
        insert.values_panic([
            row.code.into(),
            row.parent.into(),
            i16::from(row.level).into(),
            name.as_str().into(),
            names::place_pinyin(&name).into(),
            names::place_initials(&name).into(),
        ]);
    }
    insert.on_conflict(OnConflict::column("code").do_nothing().to_owned());
    insert
}

pub(crate) fn mark(name: &str, value: &str) -> sea_orm::sea_query::InsertStatement {
    Query::insert()
        .into_table("meta")
        .columns(["name", "value"])
        .values_panic([name.into(), value.into()])
        .on_conflict(OnConflict::column("name").update_column("value").to_owned())
        .to_owned()
}
