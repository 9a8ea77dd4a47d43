//! Limits that hold over all servers of one database: how often something was done for a subject is counted there.

use crate::app::Domain;
use crate::error::Result;
use chrono::TimeDelta;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};
use std::collections::BTreeMap;

/// At most `limit` times within `window`, which opens with the first time. One time too many closes the subject out for `lock`
/// where there is one, and otherwise to the window's end. After the second time a `pause` has to be kept, after each further
/// one twice as long a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub limit: u32,
    pub window: TimeDelta,
    pub lock: Option<TimeDelta>,
    pub pause: Option<TimeDelta>,
}

impl Rule {
    pub const fn new(limit: u32, window: TimeDelta) -> Rule {
        Rule { limit, window, lock: None, pause: None }
    }
    pub const fn locking(self, lock: TimeDelta) -> Rule {
        Rule { lock: Some(lock), ..self }
    }
    pub const fn pausing(self, pause: TimeDelta) -> Rule {
        Rule { pause: Some(pause), ..self }
    }

    /// Milliseconds to wait after the time of this number.
    fn pause_after(&self, time: u32) -> i64 {
        let first = self.pause.map_or(0, |pause| pause.num_milliseconds());
        if time < 2 { 0 } else { Ord::min(first.saturating_mul(1 << Ord::min(time - 2, 30)), self.window.num_milliseconds()) }
    }
}

/// Every kind of thing that is counted, with its rule where the settings say nothing else.
pub const KINDS: &[(&str, Rule)] = &[
    ("sign-in-account", Rule::new(5, TimeDelta::minutes(15)).locking(TimeDelta::minutes(15)).pausing(TimeDelta::seconds(1))),
    ("sign-in-source", Rule::new(100, TimeDelta::minutes(15))),
    ("second-factor", Rule::new(5, TimeDelta::minutes(15)).locking(TimeDelta::minutes(15)).pausing(TimeDelta::seconds(1))),
    ("activation-source", Rule::new(20, TimeDelta::minutes(15))),
    ("password-check", Rule::new(5, TimeDelta::minutes(15)).locking(TimeDelta::minutes(15))),
    ("identity-look-up", Rule::new(30, TimeDelta::hours(1))),
    ("identity-look-up-day", Rule::new(200, TimeDelta::hours(24))),
    ("break-glass", Rule::new(10, TimeDelta::hours(1))),
    ("already-on-file", Rule::new(30, TimeDelta::hours(1))),
    ("token-endpoint", Rule::new(120, TimeDelta::minutes(1))),
];

/// The rules in force.
#[derive(Clone, Debug)]
pub struct Rules(BTreeMap<&'static str, Rule>);

impl Default for Rules {
    fn default() -> Rules {
        Rules(KINDS.iter().copied().collect())
    }
}

impl Rules {
    /// Of a kind that is not in the list nothing is allowed.
    pub fn of(&self, kind: &str) -> Rule {
        self.0.get(kind).copied().unwrap_or(Rule::new(0, TimeDelta::hours(1)))
    }
    pub fn set(&mut self, kind: &'static str, rule: Rule) {
        self.0.insert(kind, rule);
    }
}

/// Pauses grow no further than for so many times in a row.
const LONGEST_ROW: u32 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// How often more before the window ends.
    pub remaining: u32,
    /// Set when this was one time too many: how long until there is a new window.
    pub retry_after: Option<TimeDelta>,
    /// Whether this very time was the one too many.
    pub just_closed: bool,
    /// Within the pause: not counted, and nothing is to be looked at.
    pub early: bool,
}

impl Spent {
    pub fn allowed(&self) -> bool {
        self.retry_after.is_none()
    }
    /// For a `Retry-After` header: whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> i64 {
        self.retry_after.map_or(0, |wait| (wait.num_milliseconds() + 999) / 1000)
    }
}

impl Domain {
    /// Counts one time, in a statement of its own that is durable whatever the caller does next. Never call it inside a
    /// transaction: on SQLite that one holds the only writer.
    pub async fn spend(&self, kind: &'static str, subject: &str, rule: Rule) -> Result<Spent> {
        let now = self.clock.now().timestamp_millis();
        let subject = self.keys.fingerprint_of(kind, subject);
        let ends = now.saturating_add(rule.window.num_milliseconds());
        let old = |name: &'static str| Expr::col((Alias::new("rate_window"), Alias::new(name)));
        let over = old("ends").lte(now);
        let locks_at = i64::from(rule.limit) + 1;
        // The time that is one too many starts the lock; those after it do not prolong it.
        let locked_until = rule.lock.map_or_else(|| old("ends"), |lock| Expr::val(now.saturating_add(lock.num_milliseconds())));
        let mut conflict = OnConflict::columns(["kind", "subject"]);
        conflict
            .value("ends", Expr::case(over.clone(), ends).case(old("spent").add(1).eq(locks_at), locked_until).finally(old("ends")))
            .value("spent", Expr::case(over.clone(), 1_i64).case(old("spent").gt(locks_at), locks_at + 1).finally(old("spent").add(1)));
        if rule.pause.is_some() {
            let mut not_before = Expr::case(over.clone(), now);
            for before in 1..Ord::min(rule.limit, LONGEST_ROW) {
                not_before = not_before.case(old("spent").eq(i64::from(before)), now.saturating_add(rule.pause_after(before + 1)));
            }
            conflict.value("not_before", not_before.finally(now));
            // No row comes back for a time that is too early, and none is changed.
            conflict.action_and_where(over.or(old("not_before").lte(now)));
        }
        let insert = Query::insert()
            .into_table("rate_window")
            .columns(["kind", "subject", "ends", "spent"])
            .values_panic([kind.into(), subject.clone().into(), ends.into(), 1_i64.into()])
            .on_conflict(conflict)
            .returning(Query::returning().columns(["spent", "ends"]))
            .to_owned();
        let rows = self.db.write_returning(&insert).await?;
        let Some(row) = rows.first() else { return self.too_early(kind, subject, now).await };
        let (spent, ends): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let left = i64::from(rule.limit) - spent;
        Ok(Spent {
            remaining: u32::try_from(left).unwrap_or(0),
            retry_after: (left < 0).then(|| TimeDelta::milliseconds(Ord::max(ends - now, 1))),
            just_closed: spent == locks_at,
            early: false,
        })
    }

    async fn too_early(&self, kind: &'static str, subject: Vec<u8>, now: i64) -> Result<Spent> {
        let select = Query::select()
            .column("not_before")
            .from("rate_window")
            .and_where(Expr::col("kind").eq(kind))
            .and_where(Expr::col("subject").eq(subject))
            .to_owned();
        let until = self.db.one(&select).await?.map_or(Ok(now), |row| row.try_get_by_index::<i64>(0))?;
        Ok(Spent { remaining: 0, retry_after: Some(TimeDelta::milliseconds(Ord::max(until - now, 1))), just_closed: false, early: true })
    }

    /// How long a subject has to wait, without counting: where even the refusal would tell something.
    pub async fn closed(&self, kind: &'static str, subject: &str, rule: Rule) -> Result<Option<TimeDelta>> {
        let now = self.clock.now().timestamp_millis();
        let select = Query::select()
            .column("ends")
            .from("rate_window")
            .and_where(Expr::col("kind").eq(kind))
            .and_where(Expr::col("subject").eq(self.keys.fingerprint_of(kind, subject)))
            .and_where(Expr::col("ends").gt(now))
            .and_where(Expr::col("spent").gte(i64::from(rule.limit)))
            .to_owned();
        self.db.one(&select).await?.map(|row| Ok(TimeDelta::milliseconds(row.try_get_by_index::<i64>(0)? - now))).transpose()
    }

    /// Forgets what was counted for a subject: it has shown that it may.
    pub async fn forget_spent(&self, kind: &'static str, subject: &str) -> Result<()> {
        let mut delete = Query::delete();
        delete
            .from_table("rate_window")
            .and_where(Expr::col("kind").eq(kind))
            .and_where(Expr::col("subject").eq(self.keys.fingerprint_of(kind, subject)));
        let mut tx = self.db.begin().await?;
        tx.execute_delete(&delete).await?;
        tx.commit_bare().await
    }

    /// Forgets windows that have ended; gives how many.
    pub async fn forget_old_windows(&self) -> Result<u64> {
        let mut delete = Query::delete();
        delete.from_table("rate_window").and_where(Expr::col("ends").lt(self.clock.now().timestamp_millis()));
        let mut tx = self.db.begin().await?;
        let forgotten = tx.execute_delete(&delete).await?;
        tx.commit_bare().await?;
        Ok(forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const KIND: &str = "identity-look-up";

    #[tokio::test]
    async fn a_window_lets_so_many_through_and_opens_anew() {
        let rule = Rule::new(3, TimeDelta::minutes(10));
        for world in testing::each().await {
            for left in [2, 1, 0] {
                assert_eq!(world.spend(KIND, "one", rule).await.unwrap(), Spent { remaining: left, retry_after: None, just_closed: false, early: false });
            }
            world.clock.advance(TimeDelta::minutes(4));
            let refused = world.spend(KIND, "one", rule).await.unwrap();
            assert_eq!((refused.allowed(), refused.just_closed, refused.retry_after_seconds()), (false, true, 360));
            assert!(!world.spend(KIND, "one", rule).await.unwrap().just_closed && !world.spend(KIND, "one", rule).await.unwrap().just_closed);
            assert!(world.spend(KIND, "two", rule).await.unwrap().allowed(), "another subject has a count of its own");
            assert!(world.spend("already-on-file", "one", rule).await.unwrap().allowed(), "another kind has a count of its own");
            world.clock.advance(TimeDelta::minutes(6));
            assert_eq!(world.spend(KIND, "one", rule).await.unwrap().remaining, 2);
            world.forget_spent(KIND, "one").await.unwrap();
            assert_eq!(world.spend(KIND, "one", rule).await.unwrap().remaining, 2);
        }
    }

    #[tokio::test]
    async fn a_lock_starts_with_the_time_too_many_and_is_not_prolonged() {
        let rule = Rule::new(2, TimeDelta::minutes(10)).locking(TimeDelta::minutes(15));
        for world in testing::each().await {
            world.spend(KIND, "one", rule).await.unwrap();
            world.clock.advance(TimeDelta::minutes(9));
            world.spend(KIND, "one", rule).await.unwrap();
            assert_eq!(world.spend(KIND, "one", rule).await.unwrap().retry_after_seconds(), 900);
            world.clock.advance(TimeDelta::minutes(14));
            assert_eq!(world.spend(KIND, "one", rule).await.unwrap().retry_after_seconds(), 60);
            world.clock.advance(TimeDelta::minutes(1));
            assert!(world.spend(KIND, "one", rule).await.unwrap().allowed());
        }
    }

    #[tokio::test]
    async fn pauses_grow_hold_on_every_server_and_what_comes_too_early_is_not_counted() {
        let rule = Rule::new(5, TimeDelta::minutes(10)).locking(TimeDelta::minutes(15)).pausing(TimeDelta::seconds(1));
        for world in testing::each().await {
            let other = world.beside().await;
            let wait = async || other.spend(KIND, "one", rule).await.unwrap();
            world.spend(KIND, "one", rule).await.unwrap();
            for pause in [0_i64, 1, 2, 4] {
                if pause > 0 {
                    for _ in 0..2 {
                        let early = wait().await;
                        assert_eq!((early.early, early.allowed(), early.retry_after_seconds()), (true, false, pause));
                    }
                    world.clock.advance(TimeDelta::seconds(pause));
                }
                let spent = wait().await;
                assert!(spent.allowed() && !spent.early, "after {pause} s: {spent:?}");
            }
            world.clock.advance(TimeDelta::seconds(8));
            let locked = world.spend(KIND, "one", rule).await.unwrap();
            assert_eq!((locked.just_closed, locked.early, locked.retry_after_seconds()), (true, false, 900));
            assert!(!world.spend(KIND, "one", rule).await.unwrap().early, "a lock is no pause");
            world.clock.advance(TimeDelta::minutes(15));
            assert!(world.spend(KIND, "one", rule).await.unwrap().allowed() && world.spend(KIND, "one", rule).await.unwrap().allowed(), "a new row of times");
        }
    }

    #[tokio::test]
    async fn a_flood_in_pauses_gets_one_try_a_pause() {
        let rule = Rule::new(100, TimeDelta::minutes(10)).pausing(TimeDelta::seconds(1));
        for world in testing::each().await {
            let other = world.beside().await;
            let all = (0..40).map(|n| {
                let domain = if n % 2 == 0 { world.domain.clone() } else { other.clone() };
                tokio::spawn(async move { domain.spend(KIND, "one", rule).await.unwrap().allowed() })
            });
            let mut allowed = 0;
            for one in all.collect::<Vec<_>>() {
                allowed += usize::from(one.await.unwrap());
            }
            assert_eq!(allowed, 2);
        }
    }

    #[tokio::test]
    async fn a_flood_from_two_servers_gets_no_more_than_the_limit() {
        let rule = Rule::new(7, TimeDelta::minutes(10));
        for world in testing::each().await {
            let other = world.beside().await;
            let all = (0..40).map(|n| {
                let domain = if n % 2 == 0 { world.domain.clone() } else { other.clone() };
                tokio::spawn(async move { domain.spend(KIND, "one", rule).await.unwrap().allowed() })
            });
            let mut allowed = 0;
            for one in all.collect::<Vec<_>>() {
                allowed += usize::from(one.await.unwrap());
            }
            assert_eq!(allowed, 7);
        }
    }

    #[tokio::test]
    async fn no_subject_is_kept_in_plain_and_old_windows_go() {
        let rule = Rule::new(1, TimeDelta::minutes(10));
        for world in testing::each().await {
            world.spend(KIND, "350102199001011234", rule).await.unwrap();
            let select = Query::select().column("subject").from("rate_window").to_owned();
            let stored: Vec<u8> = world.db.one(&select).await.unwrap().unwrap().try_get_by_index(0).unwrap();
            assert_eq!(stored, world.keys.fingerprint_of(KIND, "350102199001011234"));
            assert!(!stored.windows(6).any(|w| w == b"350102"));
            assert_eq!(world.forget_old_windows().await.unwrap(), 0);
            world.clock.advance(TimeDelta::minutes(11));
            assert_eq!(world.forget_old_windows().await.unwrap(), 1);
        }
    }
}
