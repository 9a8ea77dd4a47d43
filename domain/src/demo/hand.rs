//! Files written by hand, with ids that stay, for examples.

use super::batch::Guard;
use super::casework::next_month;
use super::divisions::Places;
use super::family::evidence_of;
use super::maker::{Maker, PERSONS, file_of, identity_number};
use super::personas::{BUREAU, COUNTY_OFFICER, INSTITUTION, SCHOOL, TOWNSHIP_SUPERVISOR, VILLAGE_DIRECTOR};
use super::programmes::{DE_FACTO_ALLOWANCE, DIBAO, MEDICAL_ASSISTANCE, ORPHAN_ALLOWANCE};
use super::{VILLAGE, fixed};
use crate::error::Result;
use crate::registry::NewChild;
use crate::registry::person::CheckedPerson;
use chrono::{NaiveDate, TimeDelta};
use entity::codes::{
    BodyState, CareMode, Category, ClosureReason, DisabilityClass, EthnicGroup, FactKind, GuardianshipEnd, GuardianshipKind, GuardianshipQuality,
    InterventionKind, RelationKind, RiskLevel, Schooling, Sex, VisitFinding, VisitKind,
};
use uuid::Uuid;

/// 石小满, ten: father dead, mother out of contact, with her grandmother. De facto unattended.
pub const DEMO_CHILD: Uuid = fixed(7, 1);
/// 欧阳𠮷, seven, an orphan in the welfare institution, hard of hearing.
pub const DEMO_ORPHAN: Uuid = fixed(7, 2);
/// 阿依古丽·买买提, twelve, living here, registered elsewhere.
pub const DEMO_MIGRANT: Uuid = fixed(7, 3);
/// 令狐念 and 令狐盼, left behind, who share their parents; the brother is not registered in a household.
pub const DEMO_ELDER_SISTER: Uuid = fixed(7, 4);
pub const DEMO_YOUNGER_BROTHER: Uuid = fixed(7, 5);

/// Writes them; how many there are.
pub(super) fn write(maker: &mut Maker<'_>, places: &Places) -> Result<u64> {
    de_facto_unattended(maker, places)?;
    orphan(maker, places)?;
    migrant(maker, places)?;
    siblings(maker, places)?;
    Ok(5)
}

fn child(maker: &Maker<'_>, places: &Places, index: u64, id: Uuid, name: &str, (sex, days_old, opened_days_ago): (Sex, i64, i64)) -> Result<NewChild> {
    let birth = maker.ago(days_old);
    let mut child = file_of(id, name.to_owned(), sex, birth, VILLAGE, maker.ago(opened_days_ago));
    let address = format!("{}{}号", places.village(VILLAGE)?.address, 11 + index);
    child.identity_number = identity_number(index, birth, sex);
    child.household_address = Some(address.clone());
    child.residence_address = Some(address);
    child.body_state = Some(BodyState::Healthy);
    child.director_id = Some(VILLAGE_DIRECTOR);
    Ok(child)
}

impl Maker<'_> {
    fn person_by_hand(&mut self, name: &str, index: u64, sex: Sex, years_older: i64, child: &NewChild) -> CheckedPerson {
        let at = self.moment(child.opened_on);
        let birth = child.birth_date - TimeDelta::days(years_older * 365 + 40);
        let mut person = self.adult(name.to_owned(), index, sex, birth, at);
        person.phone = Some(self.phone());
        person.address = child.household_address.clone();
        person
    }

    fn related(&mut self, child: &NewChild, person: &CheckedPerson, kind: RelationKind, fact: Option<(FactKind, NaiveDate)>) -> Result<()> {
        let s = self.stamp(VILLAGE_DIRECTOR, child.opened_on);
        let id = self.id(s.at);
        self.batch.relation(id, child.id, person.id, kind, s);
        if let Some((kind, from)) = fact {
            let id = self.id(s.at);
            self.batch.fact(id, child.id, Some(person.id), kind, from, evidence_of(kind), s)?;
        }
        Ok(())
    }

    fn guarded(&mut self, child: &NewChild, person: Option<&CheckedPerson>, kind: GuardianshipKind, actual: bool, from: NaiveDate, end: Option<(NaiveDate, GuardianshipEnd)>) {
        let s = self.stamp(VILLAGE_DIRECTOR, child.opened_on);
        let id = self.id(s.at);
        let organisation = if person.is_none() { child.institution_id } else { None };
        self.batch.guard(id, child, &Guard { person, organisation, kind, actual, from, end }, s);
    }

    fn enrolled(&mut self, child: &NewChild, programme: Uuid, mode: CareMode, on: NaiveDate, end: Option<(NaiveDate, ClosureReason)>) {
        let s = self.stamp(COUNTY_OFFICER, on);
        let id = self.id(s.at);
        self.batch.benefit(id, child, programme, mode, next_month(on), end, s);
    }

    fn classified(&mut self, child: &NewChild, category: Category, from: NaiveDate, to: Option<NaiveDate>, reason: &str) -> Result<()> {
        let s = self.stamp(COUNTY_OFFICER, from);
        let id = self.id(s.at);
        self.batch.classification(id, child.id, (category, child.risk_level), from, to, reason, s)
    }

    fn visited(&mut self, child: &NewChild, days_ago: i64, kind: VisitKind, finding: VisitFinding, of: Option<Uuid>, notes: &str) -> Result<()> {
        let on = self.ago(days_ago);
        let s = self.stamp(VILLAGE_DIRECTOR, on);
        let id = self.id(s.at);
        self.batch.visit(id, child.id, (kind, finding), of, Some(on + TimeDelta::days(90)), notes, s)
    }

    fn written(&mut self, child: &NewChild, persons: &[&CheckedPerson]) -> Result<()> {
        let s = self.stamp(VILLAGE_DIRECTOR, child.opened_on);
        self.file(child, None, s)?;
        persons.iter().try_for_each(|person| self.batch.person(person, child, s))
    }
}

fn de_facto_unattended(m: &mut Maker<'_>, places: &Places) -> Result<()> {
    let mut c = child(m, places, 0, DEMO_CHILD, "石小满", (Sex::Female, 3_838, 1_100))?;
    c.ethnic_group = Some(EthnicGroup::Gelao);
    c.main_category = Some(Category::DeFactoUnattended);
    c.risk_level = RiskLevel::High;
    c.schooling = Some(Schooling::Primary);
    c.boarding = Some(false);
    c.school_id = Some(SCHOOL);
    c.guardianship_quality = Some(GuardianshipQuality::EntrustedInsufficient);
    c.phone = Some(m.phone());
    let father = m.person_by_hand("石永安", 0, Sex::Male, 27, &c);
    let mother = m.person_by_hand("韦春燕", 1, Sex::Female, 24, &c);
    let grandmother = m.person_by_hand("田玉珍", 2, Sex::Female, 52, &c);
    m.written(&c, &[&father, &mother, &grandmother])?;
    let (died, lost) = (m.ago(620), m.ago(540));
    m.related(&c, &father, RelationKind::Father, Some((FactKind::Dead, died)))?;
    m.related(&c, &mother, RelationKind::Mother, Some((FactKind::OutOfContact, lost)))?;
    m.related(&c, &grandmother, RelationKind::PaternalGrandmother, None)?;
    m.guarded(&c, Some(&father), GuardianshipKind::Parental, true, c.birth_date, Some((died, GuardianshipEnd::Death)));
    m.guarded(&c, Some(&mother), GuardianshipKind::Parental, false, c.birth_date, None);
    m.guarded(&c, Some(&grandmother), GuardianshipKind::Kin, true, died, None);
    let recognised = m.ago(330);
    m.classified(&c, Category::LeftBehind, c.opened_on, Some(recognised), "父母同时外出务工，由祖母照护（演示数据）")?;
    m.classified(&c, Category::DeFactoUnattended, recognised, None, "父亲死亡，母亲失联满六个月，经县级认定（民发〔2019〕62号第一条，演示数据）")?;
    m.enrolled(&c, DIBAO, CareMode::Scattered, m.ago(1_000), Some((next_month(recognised), ClosureReason::Other)));
    m.enrolled(&c, DE_FACTO_ALLOWANCE, CareMode::Scattered, recognised, None);
    m.enrolled(&c, MEDICAL_ASSISTANCE, CareMode::Scattered, recognised, None);
    let (s, assessed) = (m.stamp(TOWNSHIP_SUPERVISOR, m.ago(420)), fixed(7, 101));
    let outcome = Some((m.ago(400), "评估为高风险，转入帮扶。"));
    m.batch.intervention(assessed, c.id, (InterventionKind::Assessment, RiskLevel::High), m.ago(420), Some(BUREAU), "母亲失联，祖母年老，需要评估照护能力。", outcome, s)?;
    let (s, open) = (m.stamp(VILLAGE_DIRECTOR, m.ago(45)), fixed(7, 102));
    m.batch.intervention(open, c.id, (InterventionKind::Psychological, RiskLevel::High), m.ago(45), Some(SCHOOL), "孩子沉默少语，夜里常醒，请学校心理老师介入。", None, s)?;
    m.visited(&c, 415, VisitKind::KeyAttention, VisitFinding::Concern, Some(assessed), "祖母腿脚不便，做饭洗衣由孩子分担。")?;
    m.visited(&c, 200, VisitKind::Routine, VisitFinding::Normal, None, "补贴已按月到账，孩子按时上学。")?;
    m.visited(&c, 12, VisitKind::FollowUp, VisitFinding::Concern, Some(open), "心理老师已面谈两次，孩子愿意开口说话。")?;
    let s = m.stamp(VILLAGE_DIRECTOR, m.ago(410));
    m.batch.attachment(fixed(7, 103), c.id, "公安机关接警回执（演示）.pdf", "application/pdf", 182_044, [0x5a; 32], s)
}

fn orphan(m: &mut Maker<'_>, places: &Places) -> Result<()> {
    let mut c = child(m, places, 1, DEMO_ORPHAN, "欧阳𠮷", (Sex::Male, 2_700, 900))?;
    c.ethnic_group = Some(EthnicGroup::Han);
    c.main_category = Some(Category::Orphan);
    c.risk_level = RiskLevel::Medium;
    c.body_state = Some(BodyState::Disabled);
    c.disability_class = Some(DisabilityClass::Hearing);
    c.disability_grade = Some(3);
    c.schooling = Some(Schooling::Primary);
    c.boarding = Some(false);
    c.school_id = Some(SCHOOL);
    c.institution_id = Some(INSTITUTION);
    c.director_id = None;
    c.guardianship_quality = Some(GuardianshipQuality::Good);
    let father = m.person_by_hand("欧阳国庆", PERSONS, Sex::Male, 31, &c);
    let mother = m.person_by_hand("冉秋菊", PERSONS + 1, Sex::Female, 28, &c);
    m.written(&c, &[&father, &mother])?;
    let died = m.ago(930);
    for (person, kind) in [(&father, RelationKind::Father), (&mother, RelationKind::Mother)] {
        m.related(&c, person, kind, Some((FactKind::Dead, died)))?;
        m.guarded(&c, Some(person), GuardianshipKind::Parental, true, c.birth_date, Some((died, GuardianshipEnd::Death)));
    }
    m.guarded(&c, None, GuardianshipKind::LongTerm, true, c.opened_on, None);
    m.classified(&c, Category::Orphan, c.opened_on, None, "父母双亡，无近亲属可监护，由民政部门长期监护（演示数据）")?;
    m.enrolled(&c, ORPHAN_ALLOWANCE, CareMode::Centralised, c.opened_on, None);
    m.visited(&c, 60, VisitKind::Routine, VisitFinding::Normal, None, "助听器已更换，课堂反应良好。")
}

fn migrant(m: &mut Maker<'_>, places: &Places) -> Result<()> {
    let mut c = child(m, places, 2, DEMO_MIGRANT, "阿依古丽·买买提", (Sex::Female, 4_500, 400))?;
    c.ethnic_group = Some(EthnicGroup::Uygur);
    if let Some(home) = places.country.iter().find(|p| p.code / 10_000_000_000 == 65) {
        c.household_division = Some(home.code);
        c.household_address = Some(format!("{}8号", home.address));
    }
    c.main_category = Some(Category::Migrant);
    c.risk_level = RiskLevel::Low;
    c.schooling = Some(Schooling::Junior);
    c.boarding = Some(true);
    c.guardianship_quality = Some(GuardianshipQuality::Good);
    let father = m.person_by_hand("买买提·吐尔逊", 2 * PERSONS, Sex::Male, 30, &c);
    let mother = m.person_by_hand("帕提古丽·艾力", 2 * PERSONS + 1, Sex::Female, 27, &c);
    m.written(&c, &[&father, &mother])?;
    for (person, kind) in [(&father, RelationKind::Father), (&mother, RelationKind::Mother)] {
        m.related(&c, person, kind, None)?;
        m.guarded(&c, Some(person), GuardianshipKind::Parental, true, c.birth_date, None);
    }
    m.classified(&c, Category::Migrant, c.opened_on, None, "随父母在此居住，户籍在外省（演示数据）")?;
    m.visited(&c, 90, VisitKind::Survey, VisitFinding::Normal, None, "入学手续已办，普通话流利。")
}

fn siblings(m: &mut Maker<'_>, places: &Places) -> Result<()> {
    let mut elder = child(m, places, 3, DEMO_ELDER_SISTER, "令狐念", (Sex::Female, 4_000, 700))?;
    let mut younger = child(m, places, 4, DEMO_YOUNGER_BROTHER, "令狐盼", (Sex::Male, 1_700, 700))?;
    younger.identity_number = None;
    younger.registered = false;
    younger.household_address = elder.household_address.clone();
    younger.residence_address = elder.residence_address.clone();
    elder.schooling = Some(Schooling::Primary);
    elder.school_id = Some(SCHOOL);
    younger.schooling = Some(Schooling::Kindergarten);
    let father = m.person_by_hand("令狐长江", 3 * PERSONS, Sex::Male, 26, &elder);
    let mother = m.person_by_hand("冯巧云", 3 * PERSONS + 1, Sex::Female, 23, &elder);
    let grandfather = m.person_by_hand("令狐德明", 3 * PERSONS + 2, Sex::Male, 50, &elder);
    let mut persons: &[&CheckedPerson] = &[&father, &mother, &grandfather];
    let away = m.ago(680);
    for c in [&mut elder, &mut younger] {
        c.ethnic_group = Some(EthnicGroup::Miao);
        c.main_category = Some(Category::LeftBehind);
        c.risk_level = RiskLevel::Medium;
        c.guardianship_quality = Some(GuardianshipQuality::Fair);
        m.written(c, persons)?;
        persons = &[];
        for (person, kind) in [(&father, RelationKind::Father), (&mother, RelationKind::Mother)] {
            m.related(c, person, kind, Some((FactKind::AwayForWork, away)))?;
            m.guarded(c, Some(person), GuardianshipKind::Parental, false, c.birth_date, None);
        }
        m.related(c, &grandfather, RelationKind::PaternalGrandfather, None)?;
        m.guarded(c, Some(&grandfather), GuardianshipKind::EntrustedCare, true, away, None);
        m.classified(c, Category::LeftBehind, c.opened_on, None, "父母在省外务工满六个月，由祖父照护（演示数据）")?;
        m.visited(c, 75, VisitKind::Routine, VisitFinding::Normal, None, "祖父身体尚可，孩子每周与父母视频通话。")?;
    }
    let (s, id) = (m.stamp(VILLAGE_DIRECTOR, m.ago(70)), fixed(7, 104));
    m.batch.intervention(id, younger.id, (InterventionKind::HouseholdRegistration, RiskLevel::Medium), m.ago(70), Some(BUREAU), "未登记户口，协助办理落户。", None, s)
}
