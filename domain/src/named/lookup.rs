//! Looking up an identity number: whether a file exists and which office holds it, counted and on record.

use crate::access::{Actor, Decision};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start};
use crate::error::{Error, Result};
use crate::problems::UserErrorCode;
use entity::codes::{AccountState, LookupStatus, OrganisationKind};
use entity::tables::identity_lookup;
use entity::{CodedEnum, DataClass};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct LookUpIdentity {
    pub number: String,
    pub reason: String,
}

const REASON: usize = 10;
/// Both must have room left.
const COUNTED: [&str; 2] = ["identity-look-up", "identity-look-up-day"];

impl Domain {
    /// Counts one try of an account to learn whether somebody is on file.
    pub(crate) async fn count_lookup(&self, actor: &Actor) -> Result<()> {
        for kind in COUNTED {
            let spent = self.spend(kind, &actor.account.to_string(), self.rules.of(kind)).await?;
            if !check!("lookup.rate", spent.allowed()) {
                return Err(Error::RateLimited { seconds: spent.retry_after_seconds() });
            }
        }
        Ok(())
    }

    pub async fn look_up_identity(&self, actor: &Actor, input: &LookUpIdentity, meta: &Meta) -> Result<Outcome> {
        if !check!("action.granted", actor.lens.actions.contains("lookUpIdentity")) {
            return Err(Error::forbidden("lookUpIdentity", "none of your grants allows this for the stated purpose"));
        }
        // Before the transaction: on SQLite that one holds the only writer.
        self.count_lookup(actor).await?;
        let mut work = match self.start(actor, "lookUpIdentity", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let own = work.own_access()?;
        work.may(&own)?;
        let number = work.problems.identity_number("identityNumber", &input.number);
        if number.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "identityNumber");
        }
        let reason = work.reason("reason", &input.reason, REASON);
        let (Some(number), Some(reason)) = (number, reason) else { return work.refuse().await };
        let select = Query::select()
            .columns(["subject_id", "office"])
            .from("identity_registry")
            .and_where(Expr::col("fingerprint").is_in(self.keys.fingerprints(number.as_str())))
            .and_where(Expr::col("subject").eq("CHILD"))
            .to_owned();
        let (mut status, mut child, mut office) = (LookupStatus::NotOnFile, None, None);
        if let Some(row) = work.tx.rows(&select).await?.first() {
            let id: Uuid = row.try_get_by_index(0)?;
            let accepting: i64 = row.try_get_by_index(1)?;
            // Whoever may not see the number of this child is not told whose it is.
            let seen = work.child(id).await?.is_some_and(|found| check!("lookup.seen", found.access.decisions.of(DataClass::Identity) == Decision::Show));
            status = if seen { LookupStatus::InScope } else { LookupStatus::Elsewhere };
            child = Some(id);
            // The office is the county that accepted the child.
            office = Some(accepting - accepting % 1_000_000);
        }
        let mut organisation = None;
        if let Some(office) = office {
            let select = Query::select()
                .column("id")
                .from("organisation")
                .and_where(Expr::col("division").eq(office))
                .and_where(Expr::col("kind").eq(OrganisationKind::CivilAffairs.name()))
                .and_where(Expr::col("state").eq(AccountState::Active.name()))
                .order_by("id", sea_orm::Order::Asc)
                .limit(1)
                .to_owned();
            organisation = work.tx.rows(&select).await?.first().map(|row| row.try_get_by_index::<Uuid>(0)).transpose()?;
        }
        let id = self.clock.id();
        let sealed = work.seal(&identity_lookup::TABLE, "reason", id, &reason)?;
        let row = identity_lookup::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(actor.account),
            division: Set(office),
            status: Set(status),
            child_id: Set(child),
            organisation_id: Set(organisation),
            purpose: Set(actor.purpose.clone()),
            reason: Set(sealed),
            created_at: Set(work.now),
            valid_to: Set(work.now + self.terms.look_up()),
            used_at: Set(None),
        };
        work.add(row).await?;
        work.inserted(&identity_lookup::TABLE, id, None);
        work.finish(id, None).await
    }
}
