//! Counts of children by category and risk; small cells are withheld from those outside the region's own officers.

use crate::access::Actor;
use crate::access::wall::Wall;
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use entity::codes::{Category, FileState, RiskLevel};
use entity::{CodedEnum, DivisionCode};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};

#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub category: Option<Category>,
    pub risk_level: RiskLevel,
    /// None: withheld, because it is small.
    pub count: Option<i64>,
}

impl Domain {
    /// Open files whose household lies in a division, by category and risk.
    pub async fn statistics(&self, actor: &Actor, division: DivisionCode) -> Result<Vec<Cell>> {
        let (low, high) = division.range();
        let covering = actor.lens.statistics.iter().filter(|((from, to), _)| check!("statistics.scope", *from <= low && high <= *to));
        let Some(least) = covering.map(|(_, least)| i64::from(*least)).min() else {
            return Err(Error::forbidden("childStatistics", "your grants do not cover the statistics of this division"));
        };
        let open: Vec<&str> = [FileState::Active, FileState::Reopened, FileState::Transferring].iter().map(|s| s.name()).collect();
        let mut select = Query::select();
        select
            .columns(["main_category", "risk_level"])
            .expr(Expr::cust("COUNT(*)"))
            .from("child")
            .and_where(Expr::col("household_division").between(low, high))
            .cond_where(Condition::all().add(Expr::col("state").is_in(open)))
            .group_by_columns(["main_category", "risk_level"])
            .order_by("main_category", sea_orm::Order::Asc)
            .order_by("risk_level", sea_orm::Order::Asc);
        let mut cells = Vec::new();
        for row in self.db.behind(Wall::statistics(&actor.lens)).all(&select).await? {
            let count: i64 = row.try_get_by_index(2)?;
            cells.push(Cell {
                category: row.try_get_by_index::<Option<String>>(0)?.and_then(|c| Category::from_name(&c)),
                risk_level: RiskLevel::from_name(&row.try_get_by_index::<String>(1)?).unwrap_or(RiskLevel::Unassessed),
                count: check!("statistics.suppress", count >= least).then_some(count),
            });
        }
        Ok(cells)
    }
}
