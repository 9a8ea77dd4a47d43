//! Guardianship over time.

use super::person::{NewPerson, note_identity, relation_row};
use super::{check_end, reindex};
use crate::access::{Actor, mutant};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::store::Cell;
use chrono::NaiveDate;
use entity::codes::{GuardianshipEnd, GuardianshipKind, RelationKind};
use entity::tables::{guardianship, person, relation};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct AddGuardian {
    pub id: Option<Uuid>,
    pub child: Uuid,
    /// A new person, or
    pub person: Option<NewPerson>,
    /// one that is known, or
    pub person_id: Option<Uuid>,
    /// an organisation.
    pub organisation: Option<Uuid>,
    pub relation: Option<RelationKind>,
    pub kind: GuardianshipKind,
    pub actual: bool,
    pub started_on: NaiveDate,
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EndGuardianship {
    pub guardianship: Uuid,
    pub expected_version: i64,
    pub ended_on: NaiveDate,
    pub reason: GuardianshipEnd,
}

impl Domain {
    pub async fn add_guardian(&self, actor: &Actor, input: &AddGuardian, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "addGuardian", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(child) = work.child(input.child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childId").await;
        };
        work.may(&child.access)?;
        let id = work.id(input.id);
        if [input.person.is_some(), input.person_id.is_some(), input.organisation.is_some()].iter().filter(|given| **given).count() != 1 {
            return work.refuse_with(UserErrorCode::GuardianMissing, "person").await;
        }
        if input.started_on > work.today {
            work.problems.add(UserErrorCode::DateInFuture, "startedOn");
        }
        if input.started_on < child.row.birth_date {
            work.problems.add(UserErrorCode::DateTooEarly, "startedOn");
        }
        let note = input.note.as_deref().and_then(|t| work.problems.note("note", t));
        let checked = input.person.as_ref().and_then(|p| work.check_person(p));
        let mut known: Option<(Uuid, Option<NaiveDate>)> = None;
        if let Some(number) = checked.as_ref().and_then(|p| p.identity_number.as_ref()) {
            known = work.known_person(number).await?;
        }
        if let Some(person) = input.person_id {
            known = work.visible_person(Expr::col((Alias::new("p"), Alias::new("id"))).eq(person)).await?;
            if known.is_none() {
                work.problems.add(UserErrorCode::NotFound, "personId");
            }
        }
        if let Some(organisation) = input.organisation
            && !work.organisation_exists(organisation).await?
        {
            work.problems.add(UserErrorCode::NotFound, "organisationId");
        }
        let birth_date = known.and_then(|(_, birth)| birth).or(checked.as_ref().and_then(|p| p.birth_date));
        if birth_date.is_some_and(|birth| birth >= child.row.birth_date) {
            work.problems.add(UserErrorCode::GuardianTooYoung, if input.person_id.is_some() { "personId" } else { "person.birthDate" });
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        let (by, now, child_id) = (actor.account, work.now, child.row.id);
        let mut person_id = known.map(|(id, _)| id);
        if let (None, Some(new)) = (person_id, &checked) {
            if !work.add(new.row(self, by, now)?).await? {
                return work.refuse_with(UserErrorCode::IdTaken, "person.id").await;
            }
            if let Some(number) = &new.identity_number {
                for fingerprint in self.keys.fingerprints(number.as_str()) {
                    note_identity(&mut work.tx, fingerprint, new.id, child.row.accepting_division).await?;
                }
            }
            work.inserted(&person::TABLE, new.id, Some(child_id));
            person_id = Some(new.id);
        }
        if let Some(person) = person_id {
            let select = Query::select()
                .column("id")
                .from("relation")
                .and_where(Expr::col("child_id").eq(child_id))
                .and_where(Expr::col("person_id").eq(person))
                .to_owned();
            if work.tx.rows(&select).await?.is_empty() {
                let relation_id = self.clock.id();
                work.tx.insert(relation_row(relation_id, child_id, person, input.relation.unwrap_or(RelationKind::OtherKin), by, now)).await?;
                work.inserted(&relation::TABLE, relation_id, Some(child_id));
            }
        }
        let row = guardianship::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child_id),
            person_id: Set(person_id),
            organisation_id: Set(input.organisation),
            kind: Set(input.kind),
            actual: Set(input.actual),
            started_on: Set(input.started_on),
            ended_on: Set(None),
            end_reason: Set(None),
            note: Set(work.seal_some(&guardianship::TABLE, "note", id, note.as_deref())?),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        if !work.add(row).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "id").await;
        }
        work.inserted(&guardianship::TABLE, id, Some(child_id));
        work.touch(child_id);
        if input.actual {
            reindex(&mut work, child_id).await?;
        }
        work.finish(id, Some(child_id)).await
    }

    pub async fn end_guardianship(&self, actor: &Actor, input: &EndGuardianship, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "endGuardianship", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some((row, child)) = work.of_child(&guardianship::TABLE, input.guardianship).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "guardianshipId").await;
        };
        let row = guardianship::Model::from_query_result(&row, "")?;
        work.may(&child.access)?;
        if !check!("version", row.version == input.expected_version) {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if row.ended_on.is_some() {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "guardianshipId").await;
        }
        check_end(&mut work, "endedOn", row.started_on, input.ended_on);
        if !work.problems.none() {
            return work.refuse().await;
        }
        let set: Vec<(&'static str, Value)> = vec![("ended_on", input.ended_on.into()), ("end_reason", input.reason.into())];
        if !work.update(&guardianship::TABLE, row.id, Some(row.child_id), row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.touch(row.child_id);
        if row.actual {
            reindex(&mut work, row.child_id).await?;
        }
        work.finish(row.id, Some(row.child_id)).await
    }
}

impl crate::command::Work<'_> {
    /// A row that hangs on a child the actor may see, with that child.
    pub(crate) async fn of_child(&mut self, table: &'static entity::Table, id: Uuid) -> Result<Option<(sea_orm::QueryResult, crate::command::ChildRow)>> {
        let mut select = self.hanging_on(table, id);
        for column in table.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        let Some(row) = self.tx.rows(&select).await?.into_iter().next() else { return Ok(None) };
        let at = table.column("child_id").unwrap_or(0);
        let Cell::Uuid(child) = crate::store::read_cell(&row, at, entity::Kind::Uuid)? else { return Ok(None) };
        Ok(self.child(child).await?.map(|child| (row, child)))
    }

    /// Scoped already: a row out of reach takes as many statements as one that is not there.
    pub(crate) fn hanging_on(&self, table: &'static entity::Table, id: Uuid) -> sea_orm::sea_query::SelectStatement {
        let col = |alias: &'static str, name: &'static str| Expr::col((Alias::new(alias), Alias::new(name)));
        let mut select = Query::select();
        select
            .from_as(Alias::new(table.name), Alias::new("t"))
            .join_as(sea_orm::JoinType::InnerJoin, Alias::new("child"), Alias::new("c"), col("c", "id").equals((Alias::new("t"), Alias::new("child_id"))))
            .and_where(col("t", "id").eq(id));
        if !mutant::off("command.part") {
            select.cond_where(self.actor.lens.children("c", &[]).condition());
        }
        select
    }
}
