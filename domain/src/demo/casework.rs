//! What is done for a child: enrolments, interventions, visits, papers.

use super::maker::Maker;
use super::personas::{BUREAU, HOSPITAL};
use super::programmes::{DE_FACTO_ALLOWANCE, DIBAO, DISABILITY_LIVING, DISABILITY_NURSING, MEDICAL_ASSISTANCE, ORPHAN_ALLOWANCE, TEKUN, TEMPORARY_RELIEF};
use crate::error::Result;
use crate::registry::NewChild;
use chrono::{Datelike, Months, NaiveDate, TimeDelta};
use entity::codes::{BodyState, CareMode, Category, ClosureReason, InterventionKind, RiskLevel, Schooling, VisitFinding, VisitKind};
use rand::Rng;
use uuid::Uuid;

const CALM: &[&str] = &["家庭走访，孩子情绪稳定，学习正常。", "与孩子单独谈话，生活规律，按时上学。", "家中整洁，一日三餐有保障。", "祖辈身体尚可，能照顾日常起居。", "与班主任沟通，成绩中等，与同学相处融洽。"];
const WORRY: &[&str] = &["孩子沉默少语，建议心理关爱。", "作业无人辅导，成绩下滑。", "照护人年老，近期生病，需协调邻里帮助。", "孩子周末无人照看，已提醒监护人履责。"];
const REASONS: &[&str] = &["走访发现监护缺失，需要评估。", "学校反映多日缺课。", "照护人患病，照护能力下降。", "孩子情绪低落，不愿与人交流。", "家庭突发变故，生活困难。"];
const OUTCOMES: &[&str] = &["已返校就读，持续随访。", "落实委托照护人，风险降低。", "纳入保障，按月发放。", "完成心理辅导，状态好转。"];
const PAPERS: &[(&str, &str)] = &[("户口簿.pdf", "application/pdf"), ("残疾人证.jpg", "image/jpeg"), ("入户核查表.pdf", "application/pdf"), ("委托照护书.pdf", "application/pdf"), ("出生医学证明.png", "image/png")];

/// First day of the month after.
pub(super) fn next_month(date: NaiveDate) -> NaiveDate {
    date.with_day(1).and_then(|d| d.checked_add_months(Months::new(1))).unwrap_or(date)
}

impl Maker<'_> {
    pub fn casework(&mut self, child: &NewChild, category: Category, closed: Option<(NaiveDate, ClosureReason)>, director: Uuid) -> Result<()> {
        let until = closed.map_or(self.ago(1), |(on, _)| on);
        self.benefits(child, category, closed, director);
        let intervention = self.interventions(child, until, director)?;
        self.visits(child, until, intervention, director)?;
        if self.chance(8) {
            let on = self.between(child.opened_on, until);
            let s = self.stamp(director, on);
            let (name, media) = PAPERS[self.rng.random_range(0..PAPERS.len())];
            let (id, bytes, hash) = (self.id(s.at), self.rng.random_range(40_000..3_000_000), self.rng.random());
            self.batch.attachment(id, child.id, name, media, bytes, hash, s)?;
        }
        Ok(())
    }

    fn benefits(&mut self, child: &NewChild, category: Category, closed: Option<(NaiveDate, ClosureReason)>, by: Uuid) {
        let mode = if child.institution_id.is_some() { CareMode::Centralised } else { CareMode::Scattered };
        let severe = child.disability_grade.is_some_and(|grade| grade <= 2);
        let mut programmes = match category {
            Category::Orphan => vec![ORPHAN_ALLOWANCE],
            Category::DeFactoUnattended => vec![DE_FACTO_ALLOWANCE],
            Category::PovertyDifficulty if self.chance(80) => vec![DIBAO],
            Category::PovertyDifficulty => vec![TEKUN],
            Category::DisabilityDifficulty if self.chance(40) => vec![DIBAO, DISABILITY_LIVING],
            Category::LeftBehind if self.chance(6) => vec![DIBAO],
            _ => Vec::new(),
        };
        if severe {
            programmes.push(DISABILITY_NURSING);
        }
        if child.body_state == Some(BodyState::Ill) || (!programmes.is_empty() && self.chance(30)) {
            programmes.push(MEDICAL_ASSISTANCE);
        }
        let start = next_month(child.opened_on);
        for programme in programmes {
            // The exit follows the file's; the last month is that of the closure.
            let end = closed.map(|(on, reason)| (on.with_day(1).unwrap_or(on).max(start), reason));
            let s = self.stamp(by, child.opened_on);
            let id = self.id(s.at);
            self.batch.benefit(id, child, programme, mode, start, end, s);
        }
        if category == Category::PovertyDifficulty && closed.is_none() && start < self.ago(200) && self.chance(25) {
            let month = next_month(self.between(start, self.ago(90)));
            let s = self.stamp(by, month);
            let id = self.id(s.at);
            self.batch.benefit(id, child, TEMPORARY_RELIEF, mode, month, Some((month, ClosureReason::Other)), s);
        }
    }

    fn interventions(&mut self, child: &NewChild, until: NaiveDate, by: Uuid) -> Result<Option<(Uuid, NaiveDate)>> {
        let percent = match child.risk_level {
            RiskLevel::Urgent => 100,
            RiskLevel::High => 80,
            RiskLevel::Medium => 25,
            RiskLevel::Low | RiskLevel::Unassessed => 4,
        };
        if !self.chance(percent) {
            return Ok(None);
        }
        let kind = match child.risk_level {
            RiskLevel::Urgent => InterventionKind::EmergencyResponse,
            _ if child.schooling == Some(Schooling::DroppedOut) => InterventionKind::SchoolReturn,
            _ if child.body_state == Some(BodyState::Ill) => InterventionKind::MedicalAssistance,
            _ if !child.registered => InterventionKind::HouseholdRegistration,
            _ => self.weighted(
                &[(InterventionKind::Assessment, 35), (InterventionKind::SupportPlan, 25), (InterventionKind::Psychological, 20), (InterventionKind::Warning, 12), (InterventionKind::EntrustedCare, 8)],
                InterventionKind::Assessment,
            ),
        };
        let opened = self.between(child.opened_on.max(self.ago(700)), until);
        let s = self.stamp(by, opened);
        let id = self.id(s.at);
        let over = (until - opened).num_days() > 20 && self.chance(65);
        let outcome = over.then(|| (self.between(opened + TimeDelta::days(10), until), self.pick(OUTCOMES)));
        let organisation = (child.school_id.is_some() || child.institution_id.is_some())
            .then_some(if kind == InterventionKind::MedicalAssistance { HOSPITAL } else { BUREAU });
        let reason = self.pick(REASONS);
        self.batch.intervention(id, child.id, (kind, child.risk_level), opened, organisation, reason, outcome, s)?;
        Ok(Some((id, opened)))
    }

    fn visits(&mut self, child: &NewChild, until: NaiveDate, intervention: Option<(Uuid, NaiveDate)>, by: Uuid) -> Result<()> {
        let count = match child.risk_level {
            RiskLevel::Urgent | RiskLevel::High => self.rng.random_range(5..=8),
            RiskLevel::Medium => self.rng.random_range(2..=4),
            RiskLevel::Low | RiskLevel::Unassessed => self.rng.random_range(0..=3),
        };
        let from = child.opened_on.max(self.ago(730));
        let mut days: Vec<NaiveDate> = (0..count).map(|_| self.between(from, until)).collect();
        days.sort_unstable();
        for (n, day) in days.iter().enumerate() {
            let high = matches!(child.risk_level, RiskLevel::High | RiskLevel::Urgent);
            let finding = if high {
                self.weighted(&[(VisitFinding::Concern, 60), (VisitFinding::Normal, 35), (VisitFinding::Danger, 3), (VisitFinding::NotFound, 2)], VisitFinding::Concern)
            } else {
                self.weighted(&[(VisitFinding::Normal, 84), (VisitFinding::Concern, 12), (VisitFinding::NotFound, 4)], VisitFinding::Normal)
            };
            let of = intervention.filter(|(_, opened)| n + 1 == days.len() && day >= opened).map(|(id, _)| id);
            let kind = match (of, n) {
                (Some(_), _) => VisitKind::FollowUp,
                (None, 0) => VisitKind::Survey,
                _ if high => VisitKind::KeyAttention,
                _ => self.weighted(&[(VisitKind::Routine, 80), (VisitKind::Telephone, 20)], VisitKind::Routine),
            };
            let notes = self.pick(if finding == VisitFinding::Normal { CALM } else { WORRY });
            let next = (n + 1 == days.len() && child.state == entity::codes::FileState::Active).then(|| *day + TimeDelta::days(if high { 30 } else { 90 }));
            let s = self.stamp(by, *day);
            let id = self.id(s.at);
            self.batch.visit(id, child.id, (kind, finding), of, next, notes, s)?;
        }
        Ok(())
    }
}
