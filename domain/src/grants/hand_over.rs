//! A worker leaves: the whole caseload moves in one act.

use crate::access::Actor;
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::store::Change;
use entity::codes::{AccessState, AccountState, GrantState};
use entity::tables::{access_grant, child, child_access, hand_over};
use entity::{CodedEnum, DataClass, Table};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct HandOver {
    pub from: Uuid,
    pub to: Uuid,
    pub reason: String,
    pub end_grants: bool,
}

const REASON: usize = 10;

fn keys(table: &'static str) -> SelectStatement {
    let mut select = Query::select();
    select.columns([(Alias::new("t"), Alias::new("id")), (Alias::new("t"), Alias::new("version"))]).from_as(Alias::new(table), Alias::new("t"));
    select
}

fn t(name: &'static str) -> Expr {
    Expr::col((Alias::new("t"), Alias::new(name)))
}

impl Domain {
    /// Every child assigned to one account is assigned to another, in statements that do not grow with their number.
    pub async fn hand_over(&self, actor: &Actor, input: &HandOver, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "handOver", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        // Locked in one order, whoever hands over to whom.
        let mut both = [input.from, input.to];
        both.sort_unstable();
        let mut found = Vec::new();
        for id in both {
            found.extend(work.account(id).await?);
        }
        for (id, field) in [(input.from, "fromAccountId"), (input.to, "toAccountId")] {
            if !found.iter().any(|account| account.id == id) {
                return work.refuse_with(UserErrorCode::NotFound, field).await;
            }
        }
        if input.from == input.to {
            return work.refuse_with(UserErrorCode::BadValue, "toAccountId").await;
        }
        if found.iter().any(|a| a.id == input.to && a.state != AccountState::Active.name()) {
            return work.refuse_with(UserErrorCode::WrongState, "toAccountId").await;
        }
        let Some(reason) = work.reason("reason", &input.reason, REASON) else { return work.refuse().await };
        let mut all = keys("child");
        all.and_where(t("director_id").eq(input.from));
        let mut within = all.clone();
        within.cond_where(actor.lens.children_for("t", work.action, DataClass::Registry).condition());
        if self.db.is_postgres() {
            all.lock_exclusive();
        }
        let (all, within) = (work.tx.rows(&all).await?, work.tx.rows_seen(&actor.lens, &within).await?);
        if !check!("hand-over.reach", all.len() == within.len()) {
            return work.refuse_with(UserErrorCode::OutOfReach, "fromAccountId").await;
        }
        for row in &all {
            let (id, version): (Uuid, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            work.tx.changed(Change { table: &child::TABLE, id, child: Some(id), version: version + 1 });
        }
        let update = Query::update()
            .table("child")
            .value("director_id", input.to)
            .value("version", Expr::col("version").add(1))
            .value("changed_at", work.now)
            .value("updated_at", work.now)
            .value("updated_by", actor.account)
            .and_where(Expr::col("director_id").eq(input.from))
            .to_owned();
        if work.tx.execute_update(&update).await? != all.len() as u64 {
            return work.refuse_with(UserErrorCode::StaleVersion, "fromAccountId").await;
        }
        if input.end_grants && !check!("hand-over.grants", work.end_grants(input.from).await?) {
            return work.refuse_with(UserErrorCode::OutOfReach, "endGrants").await;
        }
        let id = self.clock.id();
        let row = hand_over::ActiveModel {
            id: Set(id),
            from_account: Set(input.from),
            to_account: Set(input.to),
            children: Set(i64::try_from(all.len()).unwrap_or(i64::MAX)),
            ended_grants: Set(input.end_grants),
            reason: Set(work.seal(&hand_over::TABLE, "reason", id, &reason)?),
            created_at: Set(work.now),
            created_by: Set(actor.account),
        };
        work.add(row).await?;
        // An empty caseload leaves a trace as well.
        work.inserted(&hand_over::TABLE, id, None);
        let outcome = work.finish(input.to, None).await;
        self.accounts.forget();
        outcome
    }
}

impl Work<'_> {
    /// Ends what the account holds; false: not all of it is for this actor to end.
    async fn end_grants(&mut self, account: Uuid) -> Result<bool> {
        let running = Query::select()
            .columns(["role", "division"])
            .from("access_grant")
            .and_where(Expr::col("account_id").eq(account))
            .and_where(Expr::col("state").is_in([GrantState::Proposed.name(), GrantState::InForce.name()]))
            .to_owned();
        for row in self.tx.rows(&running).await? {
            if self.may_grant(&row.try_get_by_index::<String>(0)?, row.try_get_by_index(1)?).is_err() {
                return Ok(false);
            }
        }
        let grants = [GrantState::Proposed.name(), GrantState::InForce.name()];
        let accesses = [AccessState::Requested.name(), AccessState::AwaitingSecond.name(), AccessState::InForce.name()];
        self.end_all(&access_grant::TABLE, account, &grants, GrantState::Ended.name()).await?;
        self.end_all(&child_access::TABLE, account, &accesses, AccessState::Ended.name()).await?;
        Ok(true)
    }

    async fn end_all(&mut self, table: &'static Table, account: Uuid, states: &[&'static str], to: &'static str) -> Result<()> {
        let mut select = keys(table.name);
        select.and_where(t("account_id").eq(account)).and_where(t("state").is_in(states.iter().copied()));
        for row in self.tx.rows(&select).await? {
            let (id, version): (Uuid, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            self.tx.changed(Change { table, id, child: None, version: version + 1 });
        }
        let update = Query::update()
            .table(Alias::new(table.name))
            .value("state", to)
            .value("ended_by", self.actor.account)
            .value("ended_at", self.now)
            .value("version", Expr::col("version").add(1))
            .value("updated_at", self.now)
            .value("updated_by", self.actor.account)
            .and_where(Expr::col("account_id").eq(account))
            .and_where(Expr::col("state").is_in(states.iter().copied()))
            .to_owned();
        self.tx.execute_update(&update).await?;
        Ok(())
    }
}
