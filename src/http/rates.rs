//! What one account or address may ask for: buckets that fill up again, in requests and in cost. They hold for this process;
//! limits that must hold across processes, such as those of signing in, lie in the database.

use super::answer::Refused;
use crate::config::{Budget, Budgets};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use domain::access::Actor;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

const WINDOW: u64 = 60;
/// Buckets kept at once; full ones are forgotten first.
const MOST_BUCKETS: usize = 100_000;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A bucket after something was taken out of it, or was found missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub limit: u64,
    pub remaining: u64,
    /// Until it is full again.
    pub full_in: Duration,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(limit: u64, now: Instant) -> Bucket {
        Bucket { left: limit as f64, at: now }
    }
    fn fill(&mut self, limit: u64, now: Instant) {
        let more = now.saturating_duration_since(self.at).as_secs_f64() * limit as f64 / WINDOW as f64;
        *self = Bucket { left: (self.left + more).min(limit as f64), at: now };
    }
    fn level(&self, limit: u64) -> Level {
        let full_in = Duration::from_secs_f64((limit as f64 - self.left).max(0.0) * WINDOW as f64 / limit as f64);
        Level { limit, remaining: self.left.max(0.0) as u64, full_in }
    }
    /// `Err` says how long to wait.
    fn take(&mut self, amount: u64, limit: u64, now: Instant) -> Result<Level, Duration> {
        self.fill(limit, now);
        let missing = amount as f64 - self.left;
        if missing > 0.0 {
            return Err(Duration::from_secs_f64(missing * WINDOW as f64 / limit as f64));
        }
        self.left -= amount as f64;
        Ok(self.level(limit))
    }
}

/// What an account has left, and what its last operation took.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub requests: Level,
    pub cost: Level,
    pub spent: u64,
}

impl Figures {
    /// For `extensions.cost`.
    pub fn cost(&self, now: DateTime<Utc>) -> Value {
        let full = now + TimeDelta::from_std(self.cost.full_in).unwrap_or_default();
        json!({ "requested": self.spent, "limit": self.cost.limit, "remaining": self.cost.remaining, "resetAt": full.to_rfc3339_opts(chrono::SecondsFormat::Secs, true) })
    }

    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub fn mark(&self, headers: &mut HeaderMap) {
        let seconds = |level: Level| level.full_in.as_secs_f64().ceil() as u64;
        let (r, c) = (self.requests, self.cost);
        let policy = format!("\"requests\";q={};w={WINDOW}, \"cost\";q={};w={WINDOW}", r.limit, c.limit);
        let left = format!("\"requests\";r={};t={}, \"cost\";r={};t={}", r.remaining, seconds(r), c.remaining, seconds(c));
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether a machine of a partner asks.
pub fn is_partner(actor: &Actor) -> bool {
    actor.bound.client().is_some()
}

struct Account {
    requests: Bucket,
    cost: Bucket,
    streams: Arc<AtomicUsize>,
}

/// Held by a socket or an event stream while it is open.
pub struct Stream(Arc<AtomicUsize>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

pub struct Rates {
    budgets: Budgets,
    accounts: Mutex<HashMap<Uuid, Account>>,
    addresses: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Rates {
    pub fn new(budgets: Budgets) -> Rates {
        Rates { budgets, accounts: Mutex::default(), addresses: Mutex::default() }
    }

    fn budget(&self, partner: bool) -> Budget {
        if partner { self.budgets.partner } else { self.budgets.person }
    }

    /// One more request of an address, whoever it turns out to be.
    pub fn address(&self, address: IpAddr, now: Instant) -> Result<(), Refused> {
        let limit = self.budgets.address;
        let Ok(mut map) = self.addresses.lock() else { return Ok(()) };
        room(&mut map, |bucket| {
            bucket.fill(limit, now);
            bucket.level(limit).full_in.is_zero()
        });
        map.entry(address).or_insert_with(|| Bucket::full(limit, now)).take(1, limit, now).map(|_| ()).map_err(|wait| limited(wait, None))
    }

    fn with<T>(&self, account: Uuid, budget: Budget, now: Instant, then: impl FnOnce(&mut Account) -> T) -> Option<T> {
        let mut map = self.accounts.lock().ok()?;
        room(&mut map, |one| {
            one.requests.fill(budget.requests, now);
            one.cost.fill(budget.cost, now);
            one.streams.load(Ordering::Acquire) == 0 && one.requests.level(budget.requests).full_in.is_zero() && one.cost.level(budget.cost).full_in.is_zero()
        });
        let fresh = || Account { requests: Bucket::full(budget.requests, now), cost: Bucket::full(budget.cost, now), streams: Arc::default() };
        Some(then(map.entry(account).or_insert_with(fresh)))
    }

    /// One more request of an account.
    pub fn request(&self, account: Uuid, partner: bool, now: Instant) -> Result<Option<Figures>, Refused> {
        let budget = self.budget(partner);
        let taken = self.with(account, budget, now, |one| {
            one.cost.fill(budget.cost, now);
            let cost = one.cost.level(budget.cost);
            one.requests.take(1, budget.requests, now).map(|requests| Figures { requests, cost, spent: 0 })
        });
        taken.transpose().map_err(|wait| limited(wait, None))
    }

    /// The cost of an operation that is about to run.
    pub fn cost(&self, account: Uuid, partner: bool, cost: u64, now: Instant) -> Result<Option<Figures>, Refused> {
        let budget = self.budget(partner);
        let taken = self.with(account, budget, now, |one| {
            one.requests.fill(budget.requests, now);
            let requests = one.requests.level(budget.requests);
            one.cost.take(cost, budget.cost, now).map(|level| Figures { requests, cost: level, spent: cost })
        });
        taken.transpose().map_err(|wait| limited(wait, Some(cost)))
    }

    /// `None` when the account has as many open as it may.
    pub fn stream(&self, account: Uuid, partner: bool, now: Instant) -> Option<Stream> {
        let most = self.budgets.streams;
        self.with(account, self.budget(partner), now, |one| {
            let count = one.streams.clone();
            (count.fetch_add(1, Ordering::AcqRel) < most).then(|| Stream(count.clone())).or_else(|| {
                count.fetch_sub(1, Ordering::AcqRel);
                None
            })
        })?
    }
}

/// Makes room for one more: forgets what is as good as new, and everything when that is not enough.
fn room<K: Eq + Hash, V>(map: &mut HashMap<K, V>, mut idle: impl FnMut(&mut V) -> bool) {
    if map.len() >= MOST_BUCKETS {
        map.retain(|_, bucket| !idle(bucket));
        if map.len() >= MOST_BUCKETS {
            map.clear();
        }
    }
}

fn limited(wait: Duration, cost: Option<u64>) -> Refused {
    let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
    let refused = Refused::new(
        StatusCode::TOO_MANY_REQUESTS,
        "RATE_LIMITED",
        format!("请求过于频繁，请在{seconds}秒后重试"),
        format!("too much was asked in the last minute; try again in {seconds} s"),
    )
    .with(header::RETRY_AFTER, seconds.to_string())
    .outcome("limited");
    match cost {
        Some(cost) => refused.extra("cost", json!(cost)),
        None => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let person = Budget { requests: 60, cost: 600 };
        Rates::new(Budgets { person, partner: Budget { requests: 120, cost: 6000 }, address: 60, streams: 2 })
    }

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (rates, start) = (rates(), Instant::now());
        for n in (0..60).rev() {
            let figures = rates.request(ONE, false, start).unwrap().unwrap();
            assert_eq!(figures.requests.remaining, n);
        }
        let refused = rates.request(ONE, false, start).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (429, "RATE_LIMITED"));
        assert!(rates.request(OTHER, false, start).is_ok(), "each account has its own");
        assert!(rates.request(ONE, false, start + Duration::from_millis(900)).is_err());
        let later = start + Duration::from_millis(1100);
        assert!(rates.request(ONE, false, later).is_ok() && rates.request(ONE, false, later).is_err());
        let full = start + Duration::from_secs(3600);
        assert_eq!(rates.request(ONE, false, full).unwrap().unwrap().requests.remaining, 59, "it holds no more than its limit");
    }

    #[test]
    fn cost_has_a_budget_of_its_own_and_partners_a_larger_one() {
        let (rates, now) = (rates(), Instant::now());
        assert_eq!(rates.cost(ONE, false, 500, now).unwrap().unwrap().cost, Level { limit: 600, remaining: 100, full_in: Duration::from_secs(50) });
        assert!(rates.cost(ONE, false, 500, now).is_err());
        assert_eq!(rates.cost(ONE, false, 100, now).unwrap().unwrap().cost.remaining, 0);
        assert!(rates.request(ONE, false, now).is_ok());
        assert_eq!(rates.cost(OTHER, true, 500, now).unwrap().unwrap().cost.remaining, 5500);
    }

    #[test]
    fn addresses_and_streams_are_counted() {
        let (rates, now) = (rates(), Instant::now());
        let address = "192.0.2.1".parse().unwrap();
        assert!((0..60).all(|_| rates.address(address, now).is_ok()) && rates.address(address, now).is_err());
        let first = rates.stream(ONE, false, now).unwrap();
        let _second = rates.stream(ONE, false, now).unwrap();
        assert!(rates.stream(ONE, false, now).is_none());
        drop(first);
        assert!(rates.stream(ONE, false, now).is_some());
    }

    #[test]
    fn the_headers_are_those_of_the_draft() {
        let (rates, now) = (rates(), Instant::now());
        rates.request(ONE, false, now).unwrap();
        let figures = rates.cost(ONE, false, 10, now).unwrap().unwrap();
        let mut headers = HeaderMap::new();
        figures.mark(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"requests\";q=60;w=60, \"cost\";q=600;w=60");
        assert_eq!(headers["ratelimit"], "\"requests\";r=59;t=1, \"cost\";r=590;t=1");
        let cost = figures.cost("2026-11-24T00:00:00Z".parse().unwrap());
        assert_eq!(cost, json!({ "requested": 10, "limit": 600, "remaining": 590, "resetAt": "2026-11-24T00:00:01Z" }));
    }
}
