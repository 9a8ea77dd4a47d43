//! One process watches at a time.

use super::Watcher;
use crate::app::Domain;
use crate::error::Result;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};

/// Who watches, and until when: two at once would each read again what the other looked at.
pub(super) const WATCHER: &str = "audit_watcher";
/// So long a process that has ended keeps the others from watching.
const LEASE: TimeDelta = TimeDelta::seconds(15);

impl Domain {
    /// Whether it is this process that watches.
    pub(super) async fn takes_watch(&self, watcher: &mut Watcher) -> Result<bool> {
        let (me, now) = (self.linker.lock().await.writer, self.clock.now());
        if watcher.until.is_some_and(|until| until - now > LEASE / 2) {
            return Ok(true);
        }
        watcher.until = None;
        let named = || Expr::col("name").eq(WATCHER);
        let held = self.progress(WATCHER).await?;
        let other = |held: &str| held.split_once(' ').is_some_and(|(until, who)| who != me.to_string() && until.parse::<DateTime<Utc>>().is_ok_and(|until| until > now));
        if held.as_deref().is_some_and(other) {
            watcher.seen = None;
            return Ok(false);
        }
        let mine = format!("{} {me}", (now + LEASE).to_rfc3339());
        let mut tx = self.db.begin().await?;
        let taken = match held {
            Some(held) => tx.execute_update(&Query::update().table("meta").value("value", mine).and_where(named()).and_where(Expr::col("value").eq(held)).to_owned()).await?,
            None => {
                let mut insert = Query::insert();
                insert.into_table("meta").columns(["name", "value"]).values_panic([WATCHER.into(), mine.into()]);
                tx.execute_insert(insert.on_conflict(OnConflict::column("name").do_nothing().to_owned())).await?
            }
        };
        tx.commit_bare().await?;
        watcher.until = (taken == 1).then_some(now + LEASE);
        Ok(taken == 1)
    }
}
