//! What is done for a child, from opening to outcome.

use crate::access::Actor;
use crate::adding::{Adding, Way, adding};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::registry::check_end;
use chrono::NaiveDate;
use entity::codes::{FileState, InterventionKind, InterventionState, RiskLevel};
use entity::tables::intervention;
use sea_orm::ActiveValue::Set;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct OpenIntervention {
    pub id: Option<Uuid>,
    pub child: Uuid,
    pub kind: InterventionKind,
    pub risk_level: RiskLevel,
    pub opened_on: NaiveDate,
    pub organisation: Option<Uuid>,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct CloseIntervention {
    pub intervention: Uuid,
    pub expected_version: i64,
    pub closed_on: NaiveDate,
    pub outcome: String,
}

impl Domain {
    pub async fn open_intervention(&self, actor: &Actor, input: &OpenIntervention, meta: &Meta) -> Result<Outcome> {
        adding!(|way| self.intervention_by(actor, input, meta, way))
    }

    async fn intervention_by(&self, actor: &Actor, input: &OpenIntervention, meta: &Meta, way: Way) -> Result<Outcome> {
        let (mut work, file) = match self.start_adding(actor, "openIntervention", meta, input.child, way).await? {
            Adding::Ended(outcome) => return Ok(outcome),
            Adding::To(work, file) => (work, file),
        };
        if matches!(file.state, FileState::Closed | FileState::Merged) {
            return work.refuse_with(UserErrorCode::WrongState, "childId").await;
        }
        let id = work.id(input.id);
        if input.opened_on > work.today {
            work.problems.add(UserErrorCode::DateInFuture, "openedOn");
        }
        if input.opened_on < file.birth_date {
            work.problems.add(UserErrorCode::DateTooEarly, "openedOn");
        }
        let reason = work.problems.note("reason", &input.reason);
        if reason.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "reason");
        }
        if let Some(organisation) = input.organisation
            && !work.organisation_exists(organisation).await?
        {
            work.problems.add(UserErrorCode::NotFound, "organisationId");
        }
        let (Some(reason), true) = (reason, work.problems.none()) else { return work.refuse().await };
        let (by, now) = (actor.account, work.now);
        let sealed = work.seal(&intervention::TABLE, "reason", id, &reason)?;
        let row = intervention::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            kind: Set(input.kind),
            state: Set(InterventionState::Open),
            risk_level: Set(input.risk_level),
            opened_on: Set(input.opened_on),
            closed_on: Set(None),
            organisation_id: Set(input.organisation),
            reason: Set(sealed),
            outcome: Set(None),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        work.add_to(&file, &intervention::TABLE, id, &row).await?;
        work.finish(id, Some(input.child)).await
    }

    pub async fn close_intervention(&self, actor: &Actor, input: &CloseIntervention, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "closeIntervention", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some((row, child)) = work.of_child(&intervention::TABLE, input.intervention).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "interventionId").await;
        };
        let row = intervention::Model::from_query_result(&row, "")?;
        work.may(&child.access)?;
        if !check!("version", row.version == input.expected_version) {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if row.state != InterventionState::Open {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "interventionId").await;
        }
        check_end(&mut work, "closedOn", row.opened_on, input.closed_on);
        let outcome = work.problems.note("outcome", &input.outcome);
        if outcome.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "outcome");
        }
        let (Some(outcome), true) = (outcome, work.problems.none()) else { return work.refuse().await };
        let sealed = work.seal(&intervention::TABLE, "outcome", row.id, &outcome)?;
        let set: Vec<(&'static str, Value)> =
            vec![("state", InterventionState::Closed.into()), ("closed_on", input.closed_on.into()), ("outcome", sealed.into())];
        if !work.update(&intervention::TABLE, row.id, Some(row.child_id), row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.touch(row.child_id);
        work.finish(row.id, Some(row.child_id)).await
    }
}
