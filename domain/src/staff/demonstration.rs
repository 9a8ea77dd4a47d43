//! What a persona signs in with, known to everybody: in a demonstration alone.

use super::enter::place;
use super::{Secret, totp};
use crate::app::Domain;
use crate::error::{Error, Result};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use uuid::Uuid;

impl Domain {
    /// Sets what is not there yet; base32 is the second factor's secret.
    pub(crate) async fn set_known_credential(&self, account: Uuid, password: &str, base32: &str) -> Result<()> {
        if self.profile != "demo" || totp::from_base32(base32).is_none() {
            return Err(Error::internal("known credentials are for a demonstration"));
        }
        let known = Query::select().column("id").from("credential").and_where(Expr::col("id").eq(account)).to_owned();
        if self.db.one(&known).await?.is_some() {
            return Ok(());
        }
        let hash = self.hasher.hash(&Secret::new(password), self.clock.as_ref()).await?.ok_or_else(|| Error::internal("no place to hash in"))?;
        let (password, secret) = (self.keys.seal(place("password", account), &hash, self.clock.as_ref())?, self.keys.seal(place("totp_secret", account), base32, self.clock.as_ref())?);
        let insert = Query::insert()
            .into_table("credential")
            .columns(["id", "version", "password", "password_changed_at", "totp_secret", "totp_confirmed_at", "totp_step"])
            .values_panic([account.into(), 1_i64.into(), password.into(), self.clock.now().into(), secret.into(), self.clock.now().into(), 0_i64.into()])
            .on_conflict(OnConflict::column("id").do_nothing().to_owned())
            .to_owned();
        let mut tx = self.db.begin().await?;
        tx.execute_insert(&insert).await?;
        tx.commit_bare().await
    }
}
