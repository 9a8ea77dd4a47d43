//! Dated, evidenced facts on a child or its parents (民发〔2019〕62号 art. 1): true from–to, known from.

use super::check_end;
use crate::access::{Actor, mutant};
use crate::adding::{Adding, Way, adding};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::Result;
use crate::problems::UserErrorCode;
use chrono::NaiveDate;
use entity::codes::FactKind;
use entity::tables::fact;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct RecordFact {
    pub id: Option<Uuid>,
    pub child: Uuid,
    /// The parent it is about; absent: the child itself.
    pub person: Option<Uuid>,
    pub kind: FactKind,
    pub true_from: NaiveDate,
    pub true_to: Option<NaiveDate>,
    pub evidence: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EndFact {
    pub fact: Uuid,
    pub expected_version: i64,
    pub true_to: NaiveDate,
}

impl Domain {
    pub async fn record_fact(&self, actor: &Actor, input: &RecordFact, meta: &Meta) -> Result<Outcome> {
        adding!(|way| self.fact_by(actor, input, meta, way))
    }

    async fn fact_by(&self, actor: &Actor, input: &RecordFact, meta: &Meta, way: Way) -> Result<Outcome> {
        let (mut work, file) = match self.start_adding(actor, "recordFact", meta, input.child, way).await? {
            Adding::Ended(outcome) => return Ok(outcome),
            Adding::To(work, file) => (work, file),
        };
        let id = work.id(input.id);
        if input.true_from > work.today {
            work.problems.add(UserErrorCode::DateInFuture, "trueFrom");
        }
        if input.true_to.is_some_and(|end| end < input.true_from) {
            work.problems.add(UserErrorCode::DateOrder, "trueTo");
        }
        let evidence = input.evidence.as_deref().and_then(|t| work.problems.note("evidence", t));
        let of_child = mutant::unless("fact.person", Expr::col((Alias::new("c"), Alias::new("id"))).eq(input.child));
        if let Some(person) = input.person
            && work.visible_person(Expr::col((Alias::new("p"), Alias::new("id"))).eq(person).and(of_child)).await?.is_none()
        {
            work.problems.add(UserErrorCode::NotFound, "personId");
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        let (by, now) = (actor.account, work.now);
        let row = fact::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            person_id: Set(input.person),
            kind: Set(input.kind),
            true_from: Set(input.true_from),
            true_to: Set(input.true_to),
            known_from: Set(now),
            withdrawn_at: Set(None),
            evidence: Set(work.seal_some(&fact::TABLE, "evidence", id, evidence.as_deref())?),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        work.add_to(&file, &fact::TABLE, id, &row).await?;
        work.finish(id, Some(input.child)).await
    }

    pub async fn end_fact(&self, actor: &Actor, input: &EndFact, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "endFact", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some((row, child)) = work.of_child(&fact::TABLE, input.fact).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "factId").await;
        };
        let row = fact::Model::from_query_result(&row, "")?;
        work.may(&child.access)?;
        if !check!("version", row.version == input.expected_version) {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if row.true_to.is_some() {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "factId").await;
        }
        check_end(&mut work, "trueTo", row.true_from, input.true_to);
        if !work.problems.none() {
            return work.refuse().await;
        }
        let set: Vec<(&'static str, Value)> = vec![("true_to", input.true_to.into())];
        if !work.update(&fact::TABLE, row.id, Some(row.child_id), row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.touch(row.child_id);
        work.finish(row.id, Some(row.child_id)).await
    }
}
