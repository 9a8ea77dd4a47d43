//! Visits, often recorded offline and sent later.

use crate::access::Actor;
use crate::adding::{Adding, Way, adding};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome};
use crate::error::Result;
use crate::problems::UserErrorCode;
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
        adding!(|way| self.visit_by(actor, input, meta, way))
    }

    async fn visit_by(&self, actor: &Actor, input: &RecordVisit, meta: &Meta, way: Way) -> Result<Outcome> {
        let (mut work, file) = match self.start_adding(actor, "recordVisit", meta, input.child, way).await? {
            Adding::Ended(outcome) => return Ok(outcome),
            Adding::To(work, file) => (work, file),
        };
        let id = work.id(input.id);
        if input.visited_at > work.now + CLOCK_SKEW {
            work.problems.add(UserErrorCode::DateInFuture, "occurredAt");
        }
        // The day by the official time of the country.
        let day = (input.visited_at + TimeDelta::hours(8)).date_naive();
        if day < file.birth_date {
            work.problems.add(UserErrorCode::DateTooEarly, "occurredAt");
        }
        if input.next_visit_on.is_some_and(|next| next < day) {
            work.problems.add(UserErrorCode::DateOrder, "nextVisitOn");
        }
        let notes = input.notes.as_deref().and_then(|t| work.problems.note("notes", t));
        if let Some(intervention) = input.intervention {
            let owner = work.owner_of(&entity::tables::intervention::TABLE, intervention).await?;
            let of_this_child = owner.is_some_and(|owner| check!("visit.intervention", owner == input.child));
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
        work.add_to(&file, &visit::TABLE, id, &row).await?;
        work.finish(id, Some(input.child)).await
    }
}
