//! Chance, bound to a seed: dates, ids, identity numbers, file numbers.

use super::batch::{Batch, Stamp};
use crate::app::Domain;
use crate::error::Result;
use crate::registry::person::CheckedPerson;
use crate::registry::{NewChild, numbered_file};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::IdentityNumber;
use entity::codes::{ClosureReason, FileState, RiskLevel, Sex};
use entity::value::identity_number::check_character;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

pub(super) struct Maker<'a> {
    pub rng: StdRng,
    pub today: NaiveDate,
    pub batch: Batch<'a>,
}

/// Persons that one child's family may number on its own.
pub(super) const PERSONS: u64 = 4;
/// Identity numbers of one birth date: four digits of the prefix and the serial number of one sex.
const NUMBERS: u64 = 10_000 * 500;
/// Up to here every identity number is another one.
pub(super) const MOST_CHILDREN: u64 = NUMBERS * PREFIXES / PERSONS;
/// 99, 98, … 92: no province begins so.
const PREFIXES: u64 = 8;
/// Has no factor in common with `NUMBERS`, so that every index keeps a number of its own.
const STRIDE: u64 = 2_654_437;

/// The number of an index: valid, and under the prefix 99 that no place has, or further down when those are used up.
pub(super) fn identity_number(index: u64, birth: NaiveDate, sex: Sex) -> Option<IdentityNumber> {
    let n = (index % NUMBERS) * STRIDE % NUMBERS;
    let serial = n / 10_000 * 2 + u64::from(sex == Sex::Male);
    let body = format!("{}{:04}{}{serial:03}", 99 - index / NUMBERS % PREFIXES, n % 10_000, birth.format("%Y%m%d"));
    let check = check_character(&body);
    IdentityNumber::parse(&format!("{body}{check}")).ok()
}

impl<'a> Maker<'a> {
    pub fn new(domain: &'a Domain, seed: u64, index: u64) -> Maker<'a> {
        let rng = StdRng::seed_from_u64(seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Maker { rng, today: domain.clock.today(), batch: Batch::new(domain) }
    }

    pub fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts.choose(&mut self.rng).copied().unwrap_or_default()
    }

    pub fn weighted<T: Copy>(&mut self, table: &[(T, u32)], otherwise: T) -> T {
        table.choose_weighted(&mut self.rng, |(_, weight)| *weight).map_or(otherwise, |(value, _)| *value)
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    pub fn sex(&mut self) -> Sex {
        if self.chance(52) { Sex::Male } else { Sex::Female }
    }

    pub fn ago(&self, days: i64) -> NaiveDate {
        self.today - TimeDelta::days(days)
    }

    /// A day between two, both included; the first where they are the wrong way round.
    pub fn between(&mut self, from: NaiveDate, to: NaiveDate) -> NaiveDate {
        let days = (to - from).num_days().max(0);
        from + TimeDelta::days(self.rng.random_range(0..=days))
    }

    /// In the working hours of a day before today.
    pub fn moment(&mut self, on: NaiveDate) -> DateTime<Utc> {
        let minutes = self.rng.random_range(60..9 * 60);
        on.min(self.ago(1)).and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::minutes(minutes)
    }

    pub fn stamp(&mut self, by: Uuid, on: NaiveDate) -> Stamp {
        Stamp { by, at: self.moment(on) }
    }

    /// A UUIDv7 of that time.
    pub fn id(&mut self, at: DateTime<Utc>) -> Uuid {
        let random: [u8; 10] = self.rng.random();
        uuid::Builder::from_unix_timestamp_millis(at.timestamp_millis().unsigned_abs(), &random).into_uuid()
    }

    /// Of a range that is given to nobody.
    pub fn phone(&mut self) -> String {
        format!("1990000{:04}", self.rng.random_range(0..10_000))
    }

    pub fn adult(&mut self, name: String, index: u64, sex: Sex, birth_date: NaiveDate, at: DateTime<Utc>) -> CheckedPerson {
        CheckedPerson {
            id: self.id(at),
            name,
            identity_number: identity_number(index, birth_date, sex),
            sex: Some(sex),
            birth_date: Some(birth_date),
            phone: None,
            address: None,
            workplace: None,
        }
    }

    pub fn file(&mut self, new: &NewChild, closed: Option<(NaiveDate, ClosureReason)>, s: Stamp) -> Result<()> {
        let number = numbered_file(new.identity_number.is_some(), new.accepting_division, new.opened_on, self.rng.random());
        self.batch.child(new, number, closed, s)
    }
}

/// A file with its least.
pub(super) fn file_of(id: Uuid, name: String, sex: Sex, birth_date: NaiveDate, place: i64, opened_on: NaiveDate) -> NewChild {
    NewChild {
        id,
        state: FileState::Active,
        name,
        identity_number: None,
        sex,
        birth_date,
        ethnic_group: None,
        registered: true,
        household_division: Some(place),
        residence_division: Some(place),
        accepting_division: place,
        household_address: None,
        residence_address: None,
        phone: None,
        main_category: None,
        risk_level: RiskLevel::Unassessed,
        body_state: None,
        disability_class: None,
        disability_grade: None,
        illness: None,
        schooling: None,
        boarding: None,
        school_id: None,
        institution_id: None,
        director_id: None,
        guardianship_quality: None,
        income_sources: None,
        help_received: None,
        opened_on,
    }
}
