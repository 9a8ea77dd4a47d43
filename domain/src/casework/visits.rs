//! Visits, often recorded offline and sent later.

use crate::access::Actor;
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::store::is_double;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::codes::{VisitFinding, VisitKind};
use entity::tables::visit;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct RecordVisit {
    pub id: Option<Uuid>,
    pub child: Uuid,
    pub kind: VisitKind,
    pub finding: VisitFinding,
    pub visited_at: DateTime<Utc>,
    pub intervention: Option<Uuid>,
    pub next_visit_on: Option<NaiveDate>,
    pub notes: Option<String>,
}

/// How far a phone's clock may run ahead.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

impl Domain {
    pub async fn record_visit(&self, actor: &Actor, input: &RecordVisit, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "recordVisit", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(child) = work.child(input.child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childId").await;
        };
        work.may(&child.access)?;
        let id = work.id(input.id);
        if input.visited_at > work.now + CLOCK_SKEW {
            work.problems.add(UserErrorCode::DateInFuture, "occurredAt");
        }
        // The day by the official time of the country.
        let day = (input.visited_at + TimeDelta::hours(8)).date_naive();
        if day < child.row.birth_date {
            work.problems.add(UserErrorCode::DateTooEarly, "occurredAt");
        }
        if input.next_visit_on.is_some_and(|next| next < day) {
            work.problems.add(UserErrorCode::DateOrder, "nextVisitOn");
        }
        let notes = input.notes.as_deref().and_then(|t| work.problems.note("notes", t));
        if let Some(intervention) = input.intervention {
            let of_this_child = work
                .of_child(&entity::tables::intervention::TABLE, intervention)
                .await?
                .is_some_and(|(_, owner)| check!("visit.intervention", owner.row.id == input.child));
            if !of_this_child {
                work.problems.add(UserErrorCode::NotFound, "interventionId");
            }
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        let (by, now) = (actor.account, work.now);
        let sealed = work.seal_some(&visit::TABLE, "notes", id, notes.as_deref())?;
        let row = visit::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            kind: Set(input.kind),
            finding: Set(input.finding),
            visited_at: Set(input.visited_at),
            visitor_id: Set(by),
            intervention_id: Set(input.intervention),
            next_visit_on: Set(input.next_visit_on),
            notes: Set(sealed),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        match work.tx.insert(row).await {
            Err(error) if is_double(&error) => return work.refuse_with(UserErrorCode::IdTaken, "id").await,
            other => other?,
        }
        work.inserted(&visit::TABLE, id, Some(input.child));
        work.touch(input.child).await?;
        work.finish(id, Some(input.child)).await
    }
}
