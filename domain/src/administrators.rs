//! The first administrator of an empty system; all others are made by those who are there.

use crate::access::{Actor, Language, Lens};
use crate::app::Domain;
use crate::error::Error;
use crate::store::Change;
use entity::codes::AccountState;
use entity::tables::{access_grant, account};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::sync::Arc;
use uuid::Uuid;

const ROLE: &str = "system-administrator";
const PURPOSE: &str = "administration";

#[derive(Debug, thiserror::Error)]
pub enum FirstAdministratorError {
    #[error("there is a system administrator already; accounts are now made by administrators")]
    Exists,
    #[error("there is an account with that name or id already")]
    Double,
    #[error(transparent)]
    Other(#[from] Error),
}

impl Domain {
    /// An account for the whole country with the role of system administrator. `id` is the `sub` of its tokens.
    pub async fn create_first_administrator(&self, id: Option<Uuid>, username: &str, display_name: &str) -> std::result::Result<Uuid, FirstAdministratorError> {
        let (id, grant, now) = (id.unwrap_or_else(|| self.clock.id()), self.clock.id(), self.clock.now());
        let mut tx = self.db.begin().await?;
        let granted = Query::select().column("id").from("access_grant").and_where(Expr::col("role").eq(ROLE)).limit(1).to_owned();
        if !tx.rows(&granted).await?.is_empty() {
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
            role: Set(ROLE.to_owned()),
            division: Set(0),
            organisation_id: Set(None),
            category: Set(None),
            purpose: Set(PURPOSE.to_owned()),
            valid_from: Set(now),
            valid_to: Set(None),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
        })
        .await?;
        tx.changed(Change { table: &account::TABLE, id, child: None, version: 1 });
        tx.changed(Change { table: &access_grant::TABLE, id: grant, child: None, version: 1 });
        self.commit(tx, &self.themself(id, username, display_name), "createFirstAdministrator").await?;
        self.accounts.forget();
        Ok(id)
    }

    /// Nobody else is there to answer for it.
    fn themself(&self, id: Uuid, username: &str, display_name: &str) -> Actor {
        Actor {
            account: id,
            username: username.to_owned(),
            display_name: display_name.to_owned(),
            division: 0,
            organisation: None,
            language: Language::default(),
            request_id: "command-line".to_owned(),
            purpose: PURPOSE.to_owned(),
            legal_basis: self.policy.legal_basis(PURPOSE).to_owned(),
            grants: Arc::new(Vec::new()),
            lens: Arc::new(Lens::default()),
            bound: crate::access::Bound::default(),
        }
    }
}
