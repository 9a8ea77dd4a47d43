//! Counts of children by category and risk; small cells are withheld from those outside the region's own officers.

use crate::access::Actor;
use crate::access::wall::Wall;
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use entity::codes::{Category, RiskLevel};
use entity::{CodedEnum, DivisionCode};
use sea_orm::sea_query::{Expr, ExprTrait, Query, UnionType};

#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub category: Option<Category>,
    pub risk_level: RiskLevel,
    /// None: withheld, because it is small.
    pub count: Option<i64>,
}

impl Domain {
    /// Open files whose household lies in a division, by category and risk: what is folded, and what is not yet, in one statement.
    pub async fn statistics(&self, actor: &Actor, division: DivisionCode) -> Result<Vec<Cell>> {
        let (low, high) = division.range();
        let covering = actor.lens.statistics.iter().filter(|((from, to), _)| check!("statistics.scope", *from <= low && high <= *to));
        let Some(least) = covering.map(|(_, least)| i64::from(*least)).min() else {
            return Err(Error::forbidden("childStatistics", "your grants do not cover the statistics of this division"));
        };
        let mut counts = Query::select();
        counts.columns(["category", "risk_level", "n"]).from("child_count").and_where(Expr::col("division").eq(division.value()));
        let mut unfolded = Query::select();
        unfolded.columns(["category", "risk_level", "n"]).from("child_count_delta").and_where(Expr::col("division").between(low, high));
        let mut select = Query::select();
        select
            .columns(["category", "risk_level"])
            .expr(Expr::cust("CAST(SUM(n) AS BIGINT)"))
            .from_subquery(counts.union(UnionType::All, unfolded).take(), "c")
            .group_by_columns(["category", "risk_level"])
            .and_having(Expr::cust("SUM(n) <> 0"))
            .order_by("category", sea_orm::Order::Asc)
            .order_by("risk_level", sea_orm::Order::Asc);
        let mut cells = Vec::new();
        for row in self.db.behind(Wall::statistics(&actor.lens)).all(&select).await? {
            let count: i64 = row.try_get_by_index(2)?;
            cells.push(Cell {
                category: Category::from_name(&row.try_get_by_index::<String>(0)?),
                risk_level: RiskLevel::from_name(&row.try_get_by_index::<String>(1)?).unwrap_or(RiskLevel::Unassessed),
                count: check!("statistics.suppress", count >= least).then_some(count),
            });
        }
        Ok(cells)
    }
}
