//! Access taken in an emergency: named classes, at most an hour, an alert in the same transaction, a review to close it.

use super::{ChildRef, joined};
use crate::access::Actor;
use crate::alerts::{self, NewAlert};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::{Error, Result};
use crate::problems::UserErrorCode;
use chrono::TimeDelta;
use entity::DataClass;
use entity::codes::{AccessKind, AccessState, AlertKind, ReviewOutcome};
use entity::tables::child_access;
use sea_orm::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct BreakGlass {
    pub child: ChildRef,
    pub classes: Vec<String>,
    pub reason: String,
    pub minutes: i32,
}

#[derive(Clone, Debug)]
pub struct ReviewBreakGlass {
    pub access: Uuid,
    pub expected_version: i64,
    pub outcome: ReviewOutcome,
    pub note: String,
}

const REASON: usize = 20;
const COUNTED: &str = "break-glass";

impl Domain {
    pub async fn break_glass(&self, actor: &Actor, input: &BreakGlass, meta: &Meta) -> Result<Outcome> {
        if !check!("action.granted", actor.lens.actions.contains("breakGlass")) {
            return Err(Error::forbidden("breakGlass", "none of your grants allows this for the stated purpose"));
        }
        let spent = self.spend(COUNTED, &actor.account.to_string(), self.rules.of(COUNTED)).await?;
        if !check!("break-glass.rate", spent.allowed()) {
            return Err(Error::RateLimited { seconds: spent.retry_after_seconds() });
        }
        let mut work = match self.start(actor, "breakGlass", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let own = work.own_access()?;
        work.may(&own)?;
        let child = match input.child {
            ChildRef::Lookup(id) => work.spend_lookup(id).await?,
            ChildRef::Child(id) => Some(id),
        };
        let office = match child {
            Some(child) => work.office_of(child).await?.map(|division| (child, division)),
            None => None,
        };
        let Some((child, division)) = office else {
            return work.refuse_with(UserErrorCode::NotFound, "childRef").await;
        };
        let classes = work.classes("dataClasses", &input.classes);
        let roles = actor.grants.iter().filter(|g| g.purpose == actor.purpose).filter_map(|g| self.policy.role(&g.role));
        let mut allowed: BTreeSet<DataClass> = roles.filter(|r| r.actions.contains("breakGlass")).flat_map(|r| r.emergency.iter().copied()).collect();
        allowed.insert(DataClass::Registry);
        if !check!("break-glass.classes", classes.is_subset(&allowed)) {
            work.problems.add(UserErrorCode::ClassNotAllowed, "dataClasses");
        }
        let minutes = i64::from(input.minutes);
        if !check!("break-glass.minutes", (1..=i64::from(self.terms.emergency_minutes)).contains(&minutes)) {
            work.problems.add_with(UserErrorCode::PeriodTooLong, "minutes", self.terms.emergency_minutes.to_string());
        }
        let reason = work.reason("reason", &input.reason, REASON);
        let (Some(reason), true) = (reason, work.problems.none()) else { return work.refuse().await };
        let (id, until) = (self.clock.id(), work.now + TimeDelta::minutes(minutes));
        let row = work.new_access(id, (child, division), (AccessKind::BreakGlass, AccessState::InForce), &actor.purpose, joined(&classes), &reason, until)?;
        work.add(row).await?;
        work.inserted(&child_access::TABLE, id, None);
        let alert = NewAlert {
            subject: Some(actor.account),
            child: Some(child),
            division: Some(division),
            detail: format!("access={id} minutes={minutes} classes={}", joined(&classes).replace(',', "+")),
            request_id: actor.request_id.clone(),
            ..NewAlert::of(AlertKind::BreakGlass)
        };
        alerts::raise(&mut work.tx, self.clock.as_ref(), &alert).await?;
        let outcome = work.finish(id, None).await;
        self.accounts.forget();
        outcome
    }

    /// Closes an emergency: by another person than the one who took the access.
    pub async fn review_break_glass(&self, actor: &Actor, input: &ReviewBreakGlass, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_access(actor, "reviewBreakGlass", input.access, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if !check!("review.other", row.account_id != actor.account) {
            return work.refuse_with(UserErrorCode::SamePerson, "accessId").await;
        }
        if row.kind != AccessKind::BreakGlass || row.review_outcome.is_some() {
            return work.refuse_with(UserErrorCode::WrongState, "accessId").await;
        }
        let note = work.problems.note("note", &input.note);
        if note.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "note");
        }
        let Some(note) = note else { return work.refuse().await };
        let sealed = work.seal(&child_access::TABLE, "review_note", row.id, &note)?;
        let mut set: Vec<(&'static str, Value)> = vec![
            ("review_outcome", input.outcome.into()),
            ("reviewed_by", actor.account.into()),
            ("reviewed_at", work.now.into()),
            ("review_note", sealed.into()),
        ];
        if row.state == AccessState::InForce {
            set.push(("state", AccessState::Ended.into()));
            set.push(("ended_by", actor.account.into()));
            set.push(("ended_at", work.now.into()));
        }
        self.change_access(work, &row, set).await
    }
}
