//! Who an account is at an external provider. Whoever links an identity to an account could sign in as its owner: so one
//! administrator links, and another, who states the same identity, puts it into force.

use super::administration::OnAccount;
use crate::access::Actor;
use crate::app::Domain;
use crate::command::{Meta, Outcome, Work};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::store::Tx;
use entity::codes::AccountState;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use uuid::Uuid;

/// The identity an act is about.
#[derive(Clone, Debug)]
pub struct OnIdentity {
    pub on: OnAccount,
    pub issuer: String,
    pub subject: String,
}

/// Stands from now on, or waits for a second person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    InForce,
    Proposed,
}

fn found(account: Uuid, input: &OnIdentity) -> SelectStatement {
    Query::select()
        .columns(["id", "created_by", "confirmed_at"])
        .from("account_identity")
        .and_where(Expr::col("account_id").eq(account))
        .and_where(Expr::col("issuer").eq(input.issuer.as_str()))
        .and_where(Expr::col("subject").eq(input.subject.as_str()))
        .to_owned()
}

impl Domain {
    /// The first half: nobody signs in by it until another administrator confirms.
    pub async fn link_external_identity(&self, actor: &Actor, input: &OnIdentity, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_account(actor, "linkExternalIdentity", &input.on, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if row.state != AccountState::Active {
            return work.refuse_with(UserErrorCode::WrongState, "accountId").await;
        }
        if work.is_machine(row.id).await? {
            return work.refuse_with(UserErrorCode::AccountOfMachine, "accountId").await;
        }
        if !self.link_in(&mut work.tx, row.id, &input.issuer, &input.subject, actor.account, Link::Proposed).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "subject").await;
        }
        self.finish_on(work, &row, &input.on, Vec::new()).await
    }

    /// The second half, by somebody else than the one who linked it.
    pub async fn confirm_external_identity(&self, actor: &Actor, input: &OnIdentity, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_account(actor, "confirmExternalIdentity", &input.on, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        let rows = work.tx.rows(&found(row.id, input)).await?;
        let Some(identity) = rows.first() else { return work.refuse_with(UserErrorCode::NotFound, "subject").await };
        if identity.try_get_by_index::<Option<chrono::DateTime<chrono::Utc>>>(2)?.is_some() {
            return work.refuse_with(UserErrorCode::WrongState, "subject").await;
        }
        if identity.try_get_by_index::<Uuid>(1)? == actor.account {
            return work.refuse_with(UserErrorCode::OwnProposal, "subject").await;
        }
        if row.state != AccountState::Active {
            return work.refuse_with(UserErrorCode::WrongState, "accountId").await;
        }
        if work.is_machine(row.id).await? {
            return work.refuse_with(UserErrorCode::AccountOfMachine, "accountId").await;
        }
        let update = Query::update()
            .table("account_identity")
            .value("confirmed_at", work.now)
            .value("confirmed_by", actor.account)
            .and_where(Expr::col("id").eq(identity.try_get_by_index::<Uuid>(0)?))
            .to_owned();
        work.tx.execute_update(&update).await?;
        self.finish_on(work, &row, &input.on, Vec::new()).await
    }

    /// One person is enough to take an identity away, proposed or in force; the account's sessions end.
    pub async fn unlink_external_identity(&self, actor: &Actor, input: &OnIdentity, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_account(actor, "unlinkExternalIdentity", &input.on, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        let rows = work.tx.rows(&found(row.id, input)).await?;
        let Some(identity) = rows.first() else { return work.refuse_with(UserErrorCode::NotFound, "subject").await };
        let delete = Query::delete().from_table("account_identity").and_where(Expr::col("id").eq(identity.try_get_by_index::<Uuid>(0)?)).to_owned();
        work.tx.execute_delete(&delete).await?;
        self.end_sessions(&mut work.tx, row.id, None, None, "IDENTITY_UNLINKED").await?;
        self.void_tickets(&mut work.tx, row.id, None).await?;
        self.finish_on(work, &row, &input.on, Vec::new()).await
    }

    /// False: this identity belongs to an account already.
    pub(crate) async fn link_in(&self, tx: &mut Tx, account: Uuid, issuer: &str, subject: &str, by: Uuid, link: Link) -> Result<bool> {
        let now = self.clock.now();
        let insert = Query::insert()
            .into_table("account_identity")
            .columns(["id", "account_id", "issuer", "subject", "created_at", "created_by", "confirmed_at", "confirmed_by"])
            .values_panic([
                self.clock.id().into(),
                account.into(),
                issuer.into(),
                subject.into(),
                now.into(),
                by.into(),
                (link == Link::InForce).then_some(now).into(),
                (link == Link::InForce).then_some(by).into(),
            ])
            .on_conflict(sea_orm::sea_query::OnConflict::columns(["issuer", "subject"]).do_nothing().to_owned())
            .to_owned();
        Ok(tx.execute_insert(&insert).await? == 1)
    }

    /// Who an identity at an external provider is here.
    pub(super) async fn account_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<super::record::Who>> {
        let select = Query::select()
            .column("account_id")
            .from("account_identity")
            .and_where(Expr::col("issuer").eq(issuer))
            .and_where(Expr::col("subject").eq(subject))
            .and_where(Expr::col("confirmed_at").is_not_null())
            .to_owned();
        match self.db.as_system(super::WHY).one(&select).await? {
            Some(row) => self.who(row.try_get_by_index(0)?).await,
            None => Ok(None),
        }
    }
}

impl Work<'_> {
    /// Somebody signs in with this account: a person, by a password or by a provider.
    pub(crate) async fn is_person(&self, account: Uuid) -> Result<bool> {
        Ok(self.is_in("credential", "id", account).await? || self.is_in("account_identity", "account_id", account).await?)
    }

    /// A registered client acts with this account.
    pub(crate) async fn is_machine(&self, account: Uuid) -> Result<bool> {
        self.is_in("client", "account_id", account).await
    }

    async fn is_in(&self, table: &'static str, column: &'static str, account: Uuid) -> Result<bool> {
        let select = Query::select().expr(Expr::val(1)).from(table).and_where(Expr::col(column).eq(account)).limit(1).to_owned();
        Ok(!self.tx.rows(&select).await?.is_empty())
    }
}
