//! Programmes and enrolments. A child, a programme and a month are paid once.

use crate::access::Actor;
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::Result;
use crate::problems::UserErrorCode;
use chrono::{Datelike, Months, NaiveDate};
use entity::codes::{CareMode, ClosureReason, DivisionLevel, EnrolmentState, FileState};
use entity::tables::benefit;
use entity::{CodedEnum, DivisionCode, Fen};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct EnrolChild {
    pub id: Option<Uuid>,
    pub child: Uuid,
    pub programme: Uuid,
    pub care_mode: CareMode,
    /// First day of the first month; by default the month after today.
    pub start_month: Option<NaiveDate>,
}

#[derive(Clone, Debug)]
pub struct EndEnrolment {
    pub benefit: Uuid,
    pub expected_version: i64,
    /// First day of the last month paid.
    pub end_month: NaiveDate,
    pub reason: ClosureReason,
}

impl Domain {
    pub async fn enrol_child(&self, actor: &Actor, input: &EnrolChild, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "enrolChild", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(child) = work.child(input.child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childId").await;
        };
        work.may(&child.access)?;
        if matches!(child.row.state, FileState::Closed | FileState::Merged) {
            return work.refuse_with(UserErrorCode::WrongState, "childId").await;
        }
        let id = work.id(input.id);
        // Starts the month after approval, unless another month is named.
        let next = work.today.with_day(1).and_then(|d| d.checked_add_months(Months::new(1))).unwrap_or(work.today);
        let month = input.start_month.unwrap_or(next);
        if month.day() != 1 {
            work.problems.add(UserErrorCode::BadMonth, "startMonth");
        }
        if month < child.row.birth_date.with_day(1).unwrap_or(child.row.birth_date) {
            work.problems.add(UserErrorCode::DateTooEarly, "startMonth");
        }
        let enrolled = Query::select()
            .column("id")
            .from("benefit")
            .and_where(Expr::col("child_id").eq(input.child))
            .and_where(Expr::col("programme_id").eq(input.programme))
            .cond_where(Condition::any().add(Expr::col("end_month").is_null()).add(Expr::col("end_month").gte(month)))
            .to_owned();
        if !work.tx.rows(&enrolled).await?.is_empty() {
            work.problems.add(UserErrorCode::AlreadyEnrolled, "programmeId");
        }
        let home = child.row.household_division.unwrap_or(child.row.accepting_division);
        let rate = work.rate(input.programme, home, input.care_mode, month).await?;
        if rate.is_none() {
            work.problems.add(UserErrorCode::NoRate, "programmeId");
        }
        let (Some(rate), true) = (rate, work.problems.none()) else { return work.refuse().await };
        let (by, now) = (actor.account, work.now);
        let state = if month > work.today { EnrolmentState::Pending } else { EnrolmentState::Active };
        let row = benefit::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            programme_id: Set(input.programme),
            care_mode: Set(input.care_mode),
            state: Set(state),
            start_month: Set(month),
            end_month: Set(None),
            exit_reason: Set(None),
            monthly_amount: Set(Fen(rate)),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        if !work.add(row).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "id").await;
        }
        work.inserted(&benefit::TABLE, id, Some(input.child));
        work.touch(input.child);
        work.finish(id, Some(input.child)).await
    }

    pub async fn end_enrolment(&self, actor: &Actor, input: &EndEnrolment, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "endEnrolment", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some((row, child)) = work.of_child(&benefit::TABLE, input.benefit).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "benefitId").await;
        };
        let row = benefit::Model::from_query_result(&row, "")?;
        work.may(&child.access)?;
        if !check!("version", row.version == input.expected_version) {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if row.end_month.is_some() {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "benefitId").await;
        }
        if input.end_month.day() != 1 {
            work.problems.add(UserErrorCode::BadMonth, "endMonth");
        }
        if input.end_month < row.start_month {
            work.problems.add(UserErrorCode::DateOrder, "endMonth");
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        let set: Vec<(&'static str, Value)> = vec![
            ("state", EnrolmentState::Terminated.into()),
            ("end_month", input.end_month.into()),
            ("exit_reason", input.reason.into()),
        ];
        if !work.update(&benefit::TABLE, row.id, Some(row.child_id), row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.touch(row.child_id);
        work.finish(row.id, Some(row.child_id)).await
    }
}

impl crate::command::Work<'_> {
    /// The rate in force: that of the nearest division above the child's home, for its care mode or for any.
    async fn rate(&self, programme: Uuid, home: i64, mode: CareMode, month: NaiveDate) -> Result<Option<i64>> {
        let Some(home) = DivisionCode::new(home) else { return Ok(None) };
        let ups: Vec<i64> = DivisionLevel::VALUES.iter().map(|(level, _)| home.at(*level).value()).collect();
        let mut select = Query::select();
        select
            .columns(["monthly_amount"])
            .from("programme_rate")
            .and_where(Expr::col("programme_id").eq(programme))
            .and_where(Expr::col("division").is_in(ups))
            .and_where(Expr::col("valid_from").lte(month))
            .cond_where(Condition::any().add(Expr::col("valid_to").is_null()).add(Expr::col("valid_to").gt(month)))
            .cond_where(Condition::any().add(Expr::col("care_mode").is_null()).add(Expr::col("care_mode").eq(mode.name())))
            .order_by("division", sea_orm::Order::Desc)
            .order_by("valid_from", sea_orm::Order::Desc)
            .limit(1);
        let row = self.tx.rows(&select).await?.into_iter().next();
        row.map(|row| Ok(row.try_get_by_index(0)?)).transpose()
    }
}
