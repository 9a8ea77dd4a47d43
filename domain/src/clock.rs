//! Time, ids and randomness, injected so that tests own them.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use uuid::Uuid;

pub trait Clock: Send + Sync {
    /// Now, to the millisecond.
    fn now(&self) -> DateTime<Utc>;
    fn random(&self, bytes: &mut [u8]);

    /// A new UUIDv7.
    fn id(&self) -> Uuid {
        let mut random = [0; 10];
        self.random(&mut random);
        uuid::Builder::from_unix_timestamp_millis(self.now().timestamp_millis().unsigned_abs(), &random).into_uuid()
    }

    /// Today by the official time of the country, UTC+8.
    fn today(&self) -> NaiveDate {
        (self.now() + TimeDelta::hours(8)).date_naive()
    }
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
    }
    fn random(&self, bytes: &mut [u8]) {
        // The only failure is a broken operating system; no key or id may then be made.
        aws_lc_rs::rand::fill(bytes).unwrap_or_else(|_| std::process::abort());
    }
}

/// A clock that tests set; each id is one step later than the last.
pub struct TestClock {
    millis: AtomicI64,
    step: AtomicU64,
}

impl TestClock {
    pub fn at(now: DateTime<Utc>) -> TestClock {
        TestClock { millis: AtomicI64::new(now.timestamp_millis()), step: AtomicU64::new(1) }
    }
    pub fn advance(&self, by: TimeDelta) {
        self.millis.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.millis.load(Ordering::SeqCst)).unwrap_or_default()
    }
    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let step = self.step.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&step.to_be_bytes()[..chunk.len()]);
        }
    }
}
