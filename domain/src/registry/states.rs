//! The file's own states, its category, who looks after it.

use crate::access::{Actor, mutant};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::Result;
use crate::problems::UserErrorCode;
use chrono::{Datelike, NaiveDate};
use entity::CodedEnum;
use entity::codes::{AccountState, Category, ClosureReason, EnrolmentState, FileState, RiskLevel};
use entity::tables::{benefit, child, classification};
use sea_orm::ActiveValue::Set;
use sea_orm::Value;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct ClassifyChild {
    pub id: Option<Uuid>,
    pub child: Uuid,
    pub expected_version: i64,
    pub category: Category,
    pub risk_level: RiskLevel,
    pub valid_from: NaiveDate,
    pub reason: Option<String>,
}

#[derive(Clone, Debug)]
pub struct AssignDirector {
    pub child: Uuid,
    pub expected_version: i64,
    pub director: Uuid,
}

#[derive(Clone, Debug)]
pub struct CloseFile {
    pub child: Uuid,
    pub expected_version: i64,
    pub reason: ClosureReason,
    pub closed_on: NaiveDate,
}

#[derive(Clone, Debug)]
pub struct ReopenFile {
    pub child: Uuid,
    pub expected_version: i64,
}

/// The version of the criteria a person applied when no rule was run.
const BY_HAND: &str = "manual";

/// Benefits stop with the file: its last month is the last one paid.
async fn end_enrolments(work: &mut Work<'_>, input: &CloseFile) -> Result<()> {
    let running = Query::select()
        .columns(["id", "version", "start_month"])
        .from("benefit")
        .and_where(Expr::col("child_id").eq(input.child))
        .and_where(Expr::col("end_month").is_null())
        .to_owned();
    let last = input.closed_on.with_day(1).unwrap_or(input.closed_on);
    for row in work.tx.rows(&running).await? {
        let (id, version, start): (Uuid, i64, NaiveDate) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let set: Vec<(&'static str, Value)> = vec![
            ("state", EnrolmentState::Terminated.into()),
            ("end_month", std::cmp::max(last, start).into()),
            ("exit_reason", input.reason.into()),
        ];
        work.update(&benefit::TABLE, id, Some(input.child), version, set).await?;
    }
    Ok(())
}

impl Domain {
    pub async fn classify_child(&self, actor: &Actor, input: &ClassifyChild, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.on_file(actor, "classifyChild", input.child, input.expected_version, meta).await? {
            Ok(work) => work,
            Err(outcome) => return Ok(outcome),
        };
        let id = work.id(input.id);
        if input.valid_from > work.today {
            work.problems.add(UserErrorCode::DateInFuture, "validFrom");
        }
        let reason = input.reason.as_deref().and_then(|t| work.problems.note("reason", t));
        if !work.problems.none() {
            return work.refuse().await;
        }
        let (by, now) = (actor.account, work.now);
        let sealed = work.seal_some(&classification::TABLE, "reason", id, reason.as_deref())?;
        let row = classification::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            category: Set(input.category),
            risk_level: Set(input.risk_level),
            valid_from: Set(input.valid_from),
            valid_to: Set(None),
            rule_version: Set(BY_HAND.to_owned()),
            reason: Set(sealed),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        if !work.add(row).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "id").await;
        }
        work.inserted(&classification::TABLE, id, Some(input.child));
        let set: Vec<(&'static str, Value)> = vec![("main_category", input.category.into()), ("risk_level", input.risk_level.into())];
        self.change(work, input.child, input.expected_version, set, id).await
    }

    pub async fn assign_director(&self, actor: &Actor, input: &AssignDirector, meta: &Meta) -> Result<Outcome> {
        let work = match self.on_file(actor, "assignDirector", input.child, input.expected_version, meta).await? {
            Ok(work) => work,
            Err(outcome) => return Ok(outcome),
        };
        let mut select = Query::select();
        select
            .expr_as(Expr::col("id"), "id")
            .from_as("account", "t")
            .and_where(Expr::col("id").eq(input.director))
            .and_where(mutant::unless("director.active", Expr::col("state").eq(AccountState::Active.name())));
        if !mutant::off("director.scope") {
            select.cond_where(actor.lens.accounts("t", &[]).condition());
        }
        if work.tx.rows_seen(&actor.lens, &select).await?.is_empty() {
            return work.refuse_with(UserErrorCode::NotFound, "directorId").await;
        }
        let set: Vec<(&'static str, Value)> = vec![("director_id", input.director.into())];
        self.change(work, input.child, input.expected_version, set, input.child).await
    }

    pub async fn close_file(&self, actor: &Actor, input: &CloseFile, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.on_file(actor, "closeFile", input.child, input.expected_version, meta).await? {
            Ok(work) => work,
            Err(outcome) => return Ok(outcome),
        };
        if input.closed_on > work.today {
            work.problems.add(UserErrorCode::DateInFuture, "closedOn");
            return work.refuse().await;
        }
        end_enrolments(&mut work, input).await?;
        let set: Vec<(&'static str, Value)> =
            vec![("state", FileState::Closed.into()), ("closed_on", input.closed_on.into()), ("closure_reason", input.reason.into())];
        self.change(work, input.child, input.expected_version, set, input.child).await
    }

    pub async fn reopen_file(&self, actor: &Actor, input: &ReopenFile, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "reopenFile", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(found) = work.child(input.child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childId").await;
        };
        work.may(&found.access)?;
        if !check!("version", found.row.version == input.expected_version) {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if found.row.state != FileState::Closed {
            return work.refuse_with(UserErrorCode::WrongState, "childId").await;
        }
        let set: Vec<(&'static str, Value)> =
            vec![("state", FileState::Reopened.into()), ("closed_on", None::<NaiveDate>.into()), ("closure_reason", None::<String>.into())];
        self.change(work, input.child, input.expected_version, set, input.child).await
    }

    /// Starts an action on an open file in the version expected.
    async fn on_file<'a>(
        &'a self,
        actor: &'a Actor,
        action: &'static str,
        child: Uuid,
        expected: i64,
        meta: &'a Meta,
    ) -> Result<std::result::Result<Box<Work<'a>>, Outcome>> {
        let mut work = match self.start(actor, action, meta).await? {
            Start::Replay(outcome) => return Ok(Err(outcome)),
            Start::Fresh(work) => work,
        };
        let Some(found) = work.child(child).await? else {
            return Ok(Err(work.refuse_with(UserErrorCode::NotFound, "childId").await?));
        };
        work.may(&found.access)?;
        if !check!("version", found.row.version == expected) {
            return Ok(Err(work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await?));
        }
        if matches!(found.row.state, FileState::Closed | FileState::Merged) {
            return Ok(Err(work.refuse_with(UserErrorCode::WrongState, "childId").await?));
        }
        Ok(Ok(work))
    }

    async fn change(&self, mut work: Box<Work<'_>>, child: Uuid, version: i64, set: Vec<(&'static str, Value)>, object: Uuid) -> Result<Outcome> {
        if !work.update(&child::TABLE, child, Some(child), version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.touch(child);
        work.finish(object, Some(child)).await
    }
}
