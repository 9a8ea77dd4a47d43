//! What time does: grants and accesses end, and an emergency that nobody reviews is brought up.

use crate::alerts::{self, NewAlert};
use crate::app::Domain;
use crate::error::Result;
use entity::CodedEnum;
use entity::codes::{AccessKind, AccessState, AlertKind, GrantState};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use uuid::Uuid;

const AT_ONCE: u64 = 100;

impl Domain {
    /// Marks what has ended (it counted for nothing already) and raises alerts for reviews overdue; gives how many.
    pub async fn tidy_access(&self) -> Result<u64> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut done = 0;
        let grants: &[&str] = &[GrantState::Proposed.name(), GrantState::InForce.name()];
        let accesses: &[&str] = &[AccessState::Requested.name(), AccessState::AwaitingSecond.name(), AccessState::InForce.name()];
        for (table, states, to) in [("access_grant", grants, GrantState::Ended.name()), ("child_access", accesses, AccessState::Ended.name())] {
            let update = Query::update()
                .table(Alias::new(table))
                .value("state", to)
                .value("ended_at", Expr::col("valid_to"))
                .value("version", Expr::col("version").add(1))
                .and_where(Expr::col("state").is_in(states.iter().copied()))
                .and_where(Expr::col("valid_to").lte(now))
                .to_owned();
            done += tx.execute_update(&update).await?;
        }
        let overdue = Query::select()
            .columns(["id", "account_id", "child_id", "division"])
            .from("child_access")
            .and_where(Expr::col("kind").eq(AccessKind::BreakGlass.name()))
            .and_where(Expr::col("review_outcome").is_null())
            .and_where(Expr::col("overdue_at").is_null())
            .and_where(Expr::col("created_at").lte(now - self.terms.review()))
            .limit(AT_ONCE)
            .to_owned();
        for row in tx.rows(&overdue).await? {
            let id: Uuid = row.try_get_by_index(0)?;
            let alert = NewAlert {
                subject: Some(row.try_get_by_index(1)?),
                child: Some(row.try_get_by_index(2)?),
                division: Some(row.try_get_by_index(3)?),
                detail: format!("access={id} hours={}", self.terms.review_hours),
                once: Some(format!("break-glass-overdue:{id}")),
                ..NewAlert::of(AlertKind::BreakGlassUnreviewed)
            };
            alerts::raise(&mut tx, self.clock.as_ref(), &alert).await?;
            let mark = Query::update().table("child_access").value("overdue_at", now).and_where(Expr::col("id").eq(id)).to_owned();
            tx.execute_update(&mark).await?;
            done += 1;
        }
        tx.commit_bare().await?;
        Ok(done)
    }
}
