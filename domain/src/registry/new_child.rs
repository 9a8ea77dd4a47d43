//! The rows a new file is made of; registration, import and demo data all make them here.

use crate::app::Domain;
use crate::clock::Clock;
use crate::error::Result;
use crate::sealing::Place;
use chrono::{DateTime, NaiveDate, Utc};
use entity::codes::{BodyState, Category, DisabilityClass, EthnicGroup, FileState, GuardianshipQuality, RiskLevel, Schooling, Sex};
use entity::tables::{child, identity_registry, name_gram};
use entity::{CodedEnum, DivisionCode, IdentityNumber, SealedCode, codes::DivisionLevel};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// A child whose data were checked.
#[derive(Clone, Debug)]
pub struct NewChild {
    pub id: Uuid,
    pub state: FileState,
    pub name: String,
    pub identity_number: Option<IdentityNumber>,
    pub sex: Sex,
    pub birth_date: NaiveDate,
    pub ethnic_group: Option<EthnicGroup>,
    pub registered: bool,
    pub household_division: Option<i64>,
    pub residence_division: Option<i64>,
    pub accepting_division: i64,
    pub household_address: Option<String>,
    pub residence_address: Option<String>,
    pub phone: Option<String>,
    pub main_category: Option<Category>,
    pub risk_level: RiskLevel,
    pub body_state: Option<BodyState>,
    pub disability_class: Option<DisabilityClass>,
    pub disability_grade: Option<i16>,
    pub illness: Option<String>,
    pub schooling: Option<Schooling>,
    pub boarding: Option<bool>,
    pub school_id: Option<Uuid>,
    pub institution_id: Option<Uuid>,
    pub director_id: Option<Uuid>,
    pub guardianship_quality: Option<GuardianshipQuality>,
    pub income_sources: Option<String>,
    pub help_received: Option<String>,
    pub opened_on: NaiveDate,
}

pub struct ChildRows {
    pub child: child::ActiveModel,
    pub identities: Vec<identity_registry::ActiveModel>,
    pub grams: Vec<name_gram::ActiveModel>,
}

const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `C` or, without a household registration, `T` (temporary); the county; two digits of the year; eight of chance.
pub fn file_number(identified: bool, division: i64, on: NaiveDate, clock: &dyn Clock) -> String {
    let mut random = [0; 8];
    clock.random(&mut random);
    numbered_file(identified, division, on, random)
}

pub(crate) fn numbered_file(identified: bool, division: i64, on: NaiveDate, random: [u8; 8]) -> String {
    let county = DivisionCode::new(division).map_or(0, |d| d.at(DivisionLevel::County).value() / 1_000_000);
    let chance: String = random.iter().map(|b| BASE32[usize::from(b % 32)] as char).collect();
    format!("{}{county:06}{}{chance}", if identified { 'C' } else { 'T' }, on.format("%y"))
}

impl NewChild {
    pub fn divisions(&self) -> Vec<i64> {
        let mut all: Vec<i64> = [self.household_division, self.residence_division, Some(self.accepting_division)].into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub fn rows(&self, domain: &Domain, by: Uuid, now: DateTime<Utc>) -> Result<ChildRows> {
        let clock = domain.clock.as_ref();
        let seal = |column: &'static str, text: &str| domain.keys.seal(Place { table: "child", column, row: self.id }, text, clock);
        let seal_some = |column: &'static str, text: &Option<String>| text.as_deref().map(|text| seal(column, text)).transpose();
        let seal_code = |column: &'static str, code: Option<String>| Ok::<_, crate::Error>(seal_some(column, &code)?.map(|sealed| SealedCode(sealed.0)));
        let number = self.identity_number.as_ref().map(IdentityNumber::as_str);
        let child = child::ActiveModel {
            id: Set(self.id),
            version: Set(1),
            file_number: Set(file_number(number.is_some(), self.accepting_division, self.opened_on, clock)),
            state: Set(self.state),
            merged_into: Set(None),
            name: Set(seal("name", &self.name)?),
            identity_number: Set(number.map(|n| seal("identity_number", n)).transpose()?),
            sex: Set(self.sex),
            birth_date: Set(self.birth_date),
            ethnic_group: Set(self.ethnic_group),
            registered: Set(self.registered),
            household_division: Set(self.household_division),
            residence_division: Set(self.residence_division),
            accepting_division: Set(self.accepting_division),
            household_address: Set(seal_some("household_address", &self.household_address)?),
            residence_address: Set(seal_some("residence_address", &self.residence_address)?),
            phone: Set(seal_some("phone", &self.phone)?),
            main_category: Set(self.main_category),
            risk_level: Set(self.risk_level),
            body_state: Set(seal_code("body_state", self.body_state.map(|c| c.name().to_owned()))?),
            disability_class: Set(seal_code("disability_class", self.disability_class.map(|c| c.name().to_owned()))?),
            disability_grade: Set(seal_code("disability_grade", self.disability_grade.map(|n| n.to_string()))?),
            illness: Set(seal_some("illness", &self.illness)?),
            schooling: Set(self.schooling),
            boarding: Set(self.boarding),
            school_id: Set(self.school_id),
            institution_id: Set(self.institution_id),
            director_id: Set(self.director_id),
            guardianship_quality: Set(self.guardianship_quality),
            income_sources: Set(self.income_sources.clone()),
            help_received: Set(self.help_received.clone()),
            opened_on: Set(self.opened_on),
            closed_on: Set(None),
            closure_reason: Set(None),
            changed_at: Set(now),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        let fingerprints = number.map_or_else(Vec::new, |number| domain.keys.fingerprints(number));
        let identities = identity_rows(fingerprints, "CHILD", self.id, self.accepting_division).collect();
        let grams = super::gram_rows(&domain.keys, &self.name, self.id, self.id, &self.divisions());
        Ok(ChildRows { child, identities, grams })
    }
}

pub(crate) fn identity_rows(fingerprints: Vec<Vec<u8>>, subject: &'static str, id: Uuid, office: i64) -> impl Iterator<Item = identity_registry::ActiveModel> {
    fingerprints.into_iter().map(move |fingerprint| identity_registry::ActiveModel {
        fingerprint: Set(fingerprint),
        subject: Set(subject.to_owned()),
        subject_id: Set(id),
        office: Set(office),
    })
}
