//! A family by its category: who is there, what is known of each, who looks after the children.

use super::batch::{Guard, Stamp};
use super::divisions::Place;
use super::maker::{Maker, PERSONS, file_of, identity_number};
use super::names::{clan, groups};
use super::personas::{INSTITUTION, SCHOOL, SECOND_SCHOOL};
use crate::error::Result;
use crate::registry::NewChild;
use crate::registry::person::CheckedPerson;
use chrono::{Datelike, NaiveDate, TimeDelta};
use entity::codes::{
    BodyState, Category, ClosureReason, DisabilityClass, EthnicGroup, FactKind, FileState, GuardianshipEnd, GuardianshipKind, GuardianshipQuality,
    RelationKind, RiskLevel, Schooling, Sex,
};
use rand::Rng;
use uuid::Uuid;

/// Where a family is at home, and who is responsible there.
pub(super) struct Setting<'p> {
    pub home: &'p Place,
    /// For a family that moved: where it lives.
    pub lives: &'p Place,
    pub director: Uuid,
    /// The demonstration county has schools and an institution on record.
    pub county: bool,
}

/// Someone of the family, with what is known of them and how they guard the children.
struct Relative {
    person: CheckedPerson,
    kind: RelationKind,
    facts: Vec<(FactKind, NaiveDate)>,
    guard: Option<(GuardianshipKind, bool)>,
    died: Option<NaiveDate>,
}

const CATEGORIES: &[(Category, u32)] = &[
    (Category::LeftBehind, 50),
    (Category::PovertyDifficulty, 14),
    (Category::DisabilityDifficulty, 9),
    (Category::DeFactoUnattended, 8),
    (Category::Migrant, 7),
    (Category::GuardianshipDifficulty, 5),
    (Category::Orphan, 4),
    (Category::Other, 3),
];

/// Set S of 民发〔2019〕62号 art. 1, by how often.
const UNABLE: &[(FactKind, u32)] = &[
    (FactKind::OutOfContact, 40),
    (FactKind::InCustody, 20),
    (FactKind::SevereDisability, 20),
    (FactKind::SeriousIllness, 10),
    (FactKind::CompulsoryDetox, 6),
    (FactKind::GuardianshipRevoked, 3),
    (FactKind::Deported, 1),
];

const WORKPLACES: &[&str] = &["广东省东莞市", "浙江省温州市", "福建省泉州市", "江苏省苏州市", "广东省深圳市", "重庆市", "浙江省义乌市", "贵州省贵阳市"];
const ILLNESSES: &[&str] = &["先天性心脏病", "白血病", "癫痫", "地中海贫血", "慢性肾病", "哮喘"];

/// Age in full years.
pub(super) fn age(birth: NaiveDate, on: NaiveDate) -> i32 {
    on.year() - birth.year() - i32::from((on.month(), on.day()) < (birth.month(), birth.day()))
}

pub(super) fn category(maker: &mut Maker<'_>) -> Category {
    maker.weighted(CATEGORIES, Category::LeftBehind)
}

impl Maker<'_> {
    /// Writes a family of up to `most` children, the first of which has this index; how many there are.
    pub fn family(&mut self, setting: &Setting<'_>, category: Category, index: u64, most: usize) -> Result<usize> {
        let province = setting.home.code / 10_000_000_000;
        let group = self.weighted(groups(province, setting.county), EthnicGroup::Han);
        let births = self.births(category, most);
        let (eldest, youngest) = (births[0], births[births.len() - 1]);
        let since = self.between((youngest + TimeDelta::days(20)).max(self.ago(6 * 365)), self.ago(190));
        let clan = clan(&mut self.rng, group);
        let relatives = self.relatives(setting, category, index, eldest, since, &clan)?;
        let father = relatives[0].person.name.clone();
        let mut written = false;
        for (n, birth) in births.iter().enumerate() {
            let sex = self.sex();
            let after = if matches!(category, Category::Migrant | Category::Other | Category::PovertyDifficulty | Category::DisabilityDifficulty) { *birth } else { since };
            let opened = self.between((after + TimeDelta::days(15)).max(self.ago(8 * 365)), self.ago(2));
            let stamp = self.stamp(setting.director, opened);
            let id = self.id(stamp.at);
            let name = clan.child(&mut self.rng, sex, &father);
            let mut child = file_of(id, name, sex, *birth, setting.home.code, opened);
            // One in twenty is not registered in a household.
            child.registered = !self.chance(5);
            child.identity_number = if child.registered { identity_number(index + n as u64, *birth, sex) } else { None };
            child.ethnic_group = Some(group);
            self.describe(&mut child, setting, category);
            if !written {
                for relative in &relatives {
                    self.batch.person(&relative.person, &child, stamp)?;
                }
                written = true;
            }
            let closed = self.closing(&mut child, opened);
            self.file(&child, closed, stamp)?;
            self.around(&child, &relatives, category, since, stamp)?;
            self.casework(&child, category, closed, setting.director)?;
        }
        Ok(births.len())
    }

    /// Birth dates, the eldest first.
    fn births(&mut self, category: Category, most: usize) -> Vec<NaiveDate> {
        let (youngest, oldest) = match category {
            Category::LeftBehind => (230, 16 * 365 - 5),
            Category::Orphan | Category::DeFactoUnattended | Category::GuardianshipDifficulty => (230, 18 * 365 - 5),
            _ => (60, 18 * 365 - 5),
        };
        let mut days = self.rng.random_range(youngest..=oldest);
        // School age weighs more.
        if days < 6 * 365 && self.chance(40) {
            days = self.rng.random_range(6 * 365..14 * 365);
        }
        let mut births = vec![self.ago(days)];
        let more = if category == Category::DisabilityDifficulty { 0 } else { self.weighted(&[(0, 65), (1, 28), (2, 7)], 0) };
        for _ in 0..more {
            days -= self.rng.random_range(400..1800);
            if days >= youngest && births.len() < most {
                births.push(self.ago(days));
            }
        }
        births
    }

    /// Father and mother come first.
    fn relatives(&mut self, setting: &Setting<'_>, category: Category, index: u64, eldest: NaiveDate, since: NaiveDate, clan: &super::names::Clan) -> Result<Vec<Relative>> {
        use Category::{DeFactoUnattended, GuardianshipDifficulty, LeftBehind, Orphan, PovertyDifficulty};
        let parents = GuardianshipKind::Parental;
        let mut all = Vec::new();
        let mother_born = eldest - TimeDelta::days(self.rng.random_range(20 * 365..34 * 365));
        let father_born = mother_born - TimeDelta::days(self.rng.random_range(0..5 * 365));
        for (n, kind, sex, birth) in [(0, RelationKind::Father, Sex::Male, father_born), (1, RelationKind::Mother, Sex::Female, mother_born)] {
            let name = clan.adult(&mut self.rng, sex, false, kind == RelationKind::Mother);
            let at = self.moment(since);
            let mut person = self.adult(name, index * PERSONS + n, sex, birth, at);
            person.phone = Some(self.phone());
            person.address = Some(setting.home.address.clone());
            all.push(Relative { person, kind, facts: Vec::new(), guard: Some((parents, true)), died: None });
        }
        let away = self.rng.random_range(0..2);
        let mut carers = false;
        match category {
            LeftBehind if self.chance(70) => {
                carers = true;
                for parent in &mut all {
                    parent.facts.push((FactKind::AwayForWork, since));
                    parent.guard = Some((parents, false));
                }
            }
            LeftBehind => {
                all[away].facts.push((FactKind::AwayForWork, since));
                all[away].guard = Some((parents, false));
                all[1 - away].facts.push((FactKind::UnableToGuard, since));
            }
            Orphan => {
                carers = true;
                for parent in &mut all {
                    parent.facts.push((FactKind::Dead, since));
                    parent.died = Some(since);
                }
            }
            DeFactoUnattended => {
                carers = true;
                let kinds = [self.weighted(UNABLE, FactKind::OutOfContact), self.weighted(UNABLE, FactKind::OutOfContact)];
                for (parent, kind) in all.iter_mut().zip(kinds) {
                    parent.facts.push((kind, since));
                    parent.guard = Some((parents, false));
                }
                if self.chance(55) {
                    all[away].facts = vec![(FactKind::Dead, since)];
                    all[away].died = Some(since);
                }
            }
            GuardianshipDifficulty => {
                all[away].facts.push((FactKind::UnableToGuard, since));
                all[1 - away].facts.push((FactKind::AwayForWork, since));
            }
            PovertyDifficulty if self.chance(40) => all[away].facts.push((FactKind::SeriousIllness, since)),
            _ => {}
        }
        for relative in &mut all {
            if relative.facts.iter().any(|(kind, _)| *kind == FactKind::AwayForWork) || category == Category::Migrant {
                relative.person.workplace = Some(self.pick(WORKPLACES).to_owned());
            }
        }
        if carers {
            let fathers_side = self.chance(75);
            let kinds = if fathers_side {
                [(RelationKind::PaternalGrandmother, Sex::Female), (RelationKind::PaternalGrandfather, Sex::Male)]
            } else {
                [(RelationKind::MaternalGrandmother, Sex::Female), (RelationKind::MaternalGrandfather, Sex::Male)]
            };
            let count = if self.chance(45) { 2 } else { 1 };
            let how = if category == LeftBehind { GuardianshipKind::EntrustedCare } else { GuardianshipKind::Kin };
            for (n, (kind, sex)) in (2..).zip(kinds).take(count) {
                let birth = father_born.min(mother_born) - TimeDelta::days(self.rng.random_range(20 * 365..27 * 365));
                let name = clan.adult(&mut self.rng, sex, true, sex == Sex::Female || !fathers_side);
                let at = self.moment(since);
                let mut person = self.adult(name, index * PERSONS + n, sex, birth, at);
                person.phone = Some(self.phone());
                person.address = Some(setting.lives.address.clone());
                all.push(Relative { person, kind, facts: Vec::new(), guard: Some((how, true)), died: None });
            }
        }
        Ok(all)
    }

    fn describe(&mut self, child: &mut NewChild, setting: &Setting<'_>, category: Category) {
        let house = self.rng.random_range(1..120);
        child.household_address = Some(format!("{}{house}号", setting.home.address));
        child.residence_address = Some(format!("{}{house}号", setting.lives.address));
        child.residence_division = Some(setting.lives.code);
        child.accepting_division = setting.lives.code;
        child.director_id = Some(setting.director);
        child.main_category = Some(category);
        child.risk_level = self.risk(category);
        child.state = if self.chance(1) { FileState::Draft } else { FileState::Active };
        let years = age(child.birth_date, self.today);
        if years >= 10 && self.chance(40) {
            child.phone = Some(self.phone());
        }
        child.body_state = Some(BodyState::Healthy);
        if category == Category::DisabilityDifficulty || self.chance(2) {
            if self.chance(75) {
                child.body_state = Some(BodyState::Disabled);
                child.disability_class = Some(self.weighted(
                    &[
                        (DisabilityClass::Physical, 32),
                        (DisabilityClass::Intellectual, 28),
                        (DisabilityClass::Hearing, 12),
                        (DisabilityClass::Speech, 8),
                        (DisabilityClass::Visual, 7),
                        (DisabilityClass::Multiple, 8),
                        (DisabilityClass::Mental, 5),
                    ],
                    DisabilityClass::Physical,
                ));
                child.disability_grade = Some(self.rng.random_range(1..=4));
            } else {
                child.body_state = Some(BodyState::Ill);
                child.illness = Some(self.pick(ILLNESSES).to_owned());
            }
        }
        let schooling = self.schooling(years, child.disability_grade);
        child.schooling = Some(schooling);
        child.boarding = matches!(schooling, Schooling::Junior | Schooling::Senior | Schooling::Vocational).then(|| self.chance(55));
        if setting.county {
            child.school_id = match schooling {
                Schooling::Primary if self.chance(25) => Some(SCHOOL),
                Schooling::Junior | Schooling::Senior if self.chance(30) => Some(SECOND_SCHOOL),
                _ => None,
            };
            child.institution_id = (category == Category::Orphan && self.chance(35)).then_some(INSTITUTION);
        }
        child.guardianship_quality = Some(match category {
            Category::GuardianshipDifficulty => GuardianshipQuality::ParentUnable,
            Category::LeftBehind => self.weighted(
                &[(GuardianshipQuality::Fair, 50), (GuardianshipQuality::Good, 30), (GuardianshipQuality::EntrustedInsufficient, 15), (GuardianshipQuality::ParentUnable, 5)],
                GuardianshipQuality::Fair,
            ),
            _ => self.weighted(&[(GuardianshipQuality::Fair, 55), (GuardianshipQuality::Good, 45)], GuardianshipQuality::Fair),
        });
    }

    fn schooling(&mut self, years: i32, grade: Option<i16>) -> Schooling {
        match years {
            ..3 => Schooling::TooYoung,
            3..6 => self.weighted(&[(Schooling::Kindergarten, 80), (Schooling::TooYoung, 20)], Schooling::Kindergarten),
            6.. if grade == Some(1) && self.chance(60) => Schooling::NotInSchool,
            6..12 => Schooling::Primary,
            12..15 => self.weighted(&[(Schooling::Junior, 98), (Schooling::DroppedOut, 2)], Schooling::Junior),
            _ => self.weighted(&[(Schooling::Senior, 52), (Schooling::Vocational, 35), (Schooling::NotInSchool, 13)], Schooling::Senior),
        }
    }

    fn risk(&mut self, category: Category) -> RiskLevel {
        use RiskLevel::{High, Low, Medium, Unassessed, Urgent};
        let weights: &[(RiskLevel, u32)] = match category {
            Category::GuardianshipDifficulty => &[(Urgent, 4), (High, 36), (Medium, 45), (Low, 15)],
            Category::DeFactoUnattended | Category::Orphan => &[(High, 12), (Medium, 48), (Low, 35), (Unassessed, 5)],
            _ => &[(High, 3), (Medium, 22), (Low, 67), (Unassessed, 8)],
        };
        self.weighted(weights, Low)
    }

    /// A few files are closed.
    fn closing(&mut self, child: &mut NewChild, opened: NaiveDate) -> Option<(NaiveDate, ClosureReason)> {
        if child.state != FileState::Active || opened > self.ago(120) || !self.chance(3) {
            return None;
        }
        child.state = FileState::Closed;
        let reason = self.weighted(
            &[(ClosureReason::HouseholdMovedOut, 60), (ClosureReason::EnteredByMistake, 15), (ClosureReason::BirthParentsFound, 5), (ClosureReason::Other, 20)],
            ClosureReason::Other,
        );
        Some((self.between(opened + TimeDelta::days(60), self.ago(3)), reason))
    }

    fn around(&mut self, child: &NewChild, relatives: &[Relative], category: Category, since: NaiveDate, s: Stamp) -> Result<()> {
        let in_institution = child.institution_id.is_some();
        for relative in relatives {
            let id = self.id(s.at);
            self.batch.relation(id, child.id, relative.person.id, relative.kind, s);
            for (kind, from) in &relative.facts {
                let id = self.id(s.at);
                let evidence = evidence_of(*kind);
                self.batch.fact(id, child.id, Some(relative.person.id), *kind, *from, evidence, s)?;
            }
            let Some((kind, actual)) = relative.guard else { continue };
            let kin = kind != GuardianshipKind::Parental;
            if kin && in_institution {
                continue;
            }
            let id = self.id(s.at);
            let guard = Guard {
                person: Some(&relative.person),
                organisation: None,
                kind,
                actual,
                from: if kin { since.max(child.birth_date) } else { child.birth_date },
                end: relative.died.map(|on| (on.max(child.birth_date), GuardianshipEnd::Death)),
            };
            self.batch.guard(id, child, &guard, s);
        }
        if in_institution {
            let id = self.id(s.at);
            let guard = Guard { person: None, organisation: child.institution_id, kind: GuardianshipKind::LongTerm, actual: true, from: child.opened_on, end: None };
            self.batch.guard(id, child, &guard, s);
        }
        if child.disability_grade.is_some_and(|grade| grade <= 2) {
            let id = self.id(s.at);
            self.batch.fact(id, child.id, None, FactKind::SevereDisability, child.opened_on, "残疾人证（演示）", s)?;
        }
        let id = self.id(s.at);
        self.batch.classification(id, child.id, (category, child.risk_level), child.opened_on, None, "经村级走访、乡级核查，符合认定条件（演示数据）", s)
    }
}

pub(super) fn evidence_of(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Dead => "死亡证明（演示）",
        FactKind::DeclaredMissing => "法院宣告失踪判决书（演示）",
        FactKind::SevereDisability => "残疾人证（演示）",
        FactKind::SeriousIllness => "医院诊断证明（演示）",
        FactKind::InCustody => "刑事判决书、执行通知书（演示）",
        FactKind::CompulsoryDetox => "强制隔离戒毒决定书（演示）",
        FactKind::LibertyRestrained => "限制人身自由决定书（演示）",
        FactKind::OutOfContact => "公安机关接警回执（演示）",
        FactKind::GuardianshipRevoked => "撤销监护人资格判决书（演示）",
        FactKind::Deported => "遣送出境证明（演示）",
        FactKind::AwayForWork => "务工去向登记（演示）",
        FactKind::UnableToGuard => "村委会入户核查记录（演示）",
    }
}
