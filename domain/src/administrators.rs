//! The first administrators of an empty system; all others are made by those who are there.

use crate::access::{Actor, Language, Lens};
use crate::app::Domain;
use crate::error::Error;
use crate::staff::{Link, NewAccount};
use crate::store::{Change, Tx};
use entity::codes::{AccountState, GrantState};
use entity::tables::{access_grant, account};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::sync::Arc;
use uuid::Uuid;

/// The three separated administrators: role, purpose of its grant, and how many are made first. A grant takes two who give it,
/// so the first of them alone could never get a second.
const ADMINISTRATORS: [(&str, &str, usize); 3] =
    [("system-administrator", "administration", 1), ("security-administrator", "administration", 2), ("auditor", "audit", 1)];

#[derive(Debug, thiserror::Error)]
pub enum FirstAdministratorError {
    #[error("the first accounts with that role are there already; accounts are now made by administrators")]
    Exists,
    #[error("there is an account with that name, id or external identity already")]
    Double,
    #[error("the first administrators are system-administrator, security-administrator and auditor")]
    Role,
    #[error(transparent)]
    Other(#[from] Error),
}

/// Who is to be the first of a role.
#[derive(Clone, Debug)]
pub struct FirstAdministrator<'a> {
    pub role: &'a str,
    /// The `sub` of its tokens.
    pub id: Option<Uuid>,
    pub username: &'a str,
    pub display_name: &'a str,
    /// Issuer and subject at an external provider; then there is no activation code.
    pub external: Option<(&'a str, &'a str)>,
}

impl Domain {
    /// An account for the whole country with one of the three roles, and the code by which its owner sets a password.
    /// The same again, as long as no password was set, gives a new code.
    pub async fn create_first_administrator(&self, first: &FirstAdministrator<'_>) -> std::result::Result<(Uuid, Option<NewAccount>), FirstAdministratorError> {
        let (role, purpose, most) = *ADMINISTRATORS.iter().find(|(role, ..)| *role == first.role).ok_or(FirstAdministratorError::Role)?;
        let (username, display_name) = (first.username, first.display_name);
        let (id, grant, now) = (first.id.unwrap_or_else(|| self.clock.id()), self.clock.id(), self.clock.now());
        let mut tx = self.db.begin().await?;
        let granted = Query::select().distinct().column("account_id").from("access_grant").and_where(Expr::col("role").eq(role)).to_owned();
        let holders = tx.rows(&granted).await?.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<Uuid>, _>>().map_err(Error::from)?;
        if first.external.is_none()
            && holders.len() <= most
            && let Some(id) = self.never_activated(&mut tx, &holders, username).await?
        {
            let new = self.activation(&mut tx, id).await?;
            tx.commit_bare().await?;
            return Ok((id, Some(new)));
        }
        if holders.len() >= most {
            tx.rollback().await?;
            return Err(FirstAdministratorError::Exists);
        }
        let same = Expr::col("username").eq(username).or(Expr::col("id").eq(id));
        if !tx.rows(&Query::select().column("id").from("account").and_where(same).to_owned()).await?.is_empty() {
            tx.rollback().await?;
            return Err(FirstAdministratorError::Double);
        }
        tx.insert(account::ActiveModel {
            id: Set(id),
            version: Set(1),
            username: Set(username.to_owned()),
            display_name: Set(display_name.to_owned()),
            organisation_id: Set(None),
            division: Set(0),
            state: Set(AccountState::Active),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
        })
        .await?;
        tx.insert(access_grant::ActiveModel {
            id: Set(grant),
            version: Set(1),
            account_id: Set(id),
            role: Set(role.to_owned()),
            division: Set(0),
            organisation_id: Set(None),
            category: Set(None),
            purpose: Set(purpose.to_owned()),
            valid_from: Set(now),
            // As every grant, that of a first administrator has an end.
            valid_to: Set(now + self.terms.grant()),
            state: Set(GrantState::InForce),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
            ..Default::default()
        })
        .await?;
        tx.changed(Change { table: &account::TABLE, id, child: None, version: 1 });
        tx.changed(Change { table: &access_grant::TABLE, id: grant, child: None, version: 1 });
        let new = match first.external {
            Some((issuer, subject)) if !self.link_in(&mut tx, id, issuer, subject, id, Link::InForce).await? => {
                tx.rollback().await?;
                return Err(FirstAdministratorError::Double);
            }
            Some(_) => None,
            None => Some(self.activation(&mut tx, id).await?),
        };
        self.commit(tx, &self.themself(id, username, display_name, purpose), "createFirstAdministrator").await?;
        self.accounts.forget();
        Ok((id, new))
    }

    /// The one of these accounts that bears this name, if it never had a password.
    async fn never_activated(&self, tx: &mut Tx, accounts: &[Uuid], username: &str) -> Result<Option<Uuid>, Error> {
        let select = Query::select()
            .column("id")
            .from("account")
            .and_where(Expr::col("id").is_in(accounts.iter().copied()))
            .and_where(Expr::col("username").eq(username))
            .and_where(Expr::col("id").not_in_subquery(Query::select().column("id").from("credential").to_owned()))
            .and_where(Expr::col("id").not_in_subquery(Query::select().column("account_id").from("account_identity").to_owned()))
            .to_owned();
        Ok(tx.rows(&select).await?.first().map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Nobody else is there to answer for it.
    fn themself(&self, id: Uuid, username: &str, display_name: &str, purpose: &str) -> Actor {
        Actor {
            account: id,
            username: username.to_owned(),
            display_name: display_name.to_owned(),
            division: 0,
            organisation: None,
            language: Language::default(),
            request_id: "command-line".to_owned(),
            purpose: purpose.to_owned(),
            legal_basis: self.policy.legal_basis(purpose).to_owned(),
            grants: Arc::new(Vec::new()),
            lens: Arc::new(Lens::default()),
            bound: crate::access::Bound::default(),
            session: None,
        }
    }
}
