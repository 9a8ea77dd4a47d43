//! What is put on record about signing in: who, as far as known, what, and how it ended; never a secret.

use crate::app::Domain;
use crate::audit::{Entry, insert_records};
use crate::error::Result;
use crate::store::Tx;
use uuid::Uuid;

/// An account that is known.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub id: Uuid,
    pub username: String,
}

impl Domain {
    /// A name that belongs to no account is not kept: people type their password there.
    fn sign_in_entry(&self, who: Option<&Who>, action: &str, outcome: &'static str, request_id: &str, session: Option<Uuid>) -> Entry {
        let account = who.map(|w| ("Account", w.id));
        Entry {
            id: self.clock.id(),
            at: self.clock.now(),
            account: who.map(|w| w.id),
            username: who.map(|w| w.username.clone()).unwrap_or_default(),
            action: action.to_owned(),
            outcome,
            purpose: String::new(),
            legal_basis: String::new(),
            request_id: request_id.to_owned(),
            classes: String::new(),
            objects: crate::audit::objects_of(account.into_iter().chain(session.map(|id| ("Session", id)))),
            children: Vec::new(),
        }
    }

    /// Durable when this returns.
    pub(super) async fn sign_in_denied(&self, who: Option<&Who>, action: &str, request_id: &str, session: Option<Uuid>) -> Result<()> {
        self.audit.write(self.sign_in_entry(who, action, "DENIED", request_id, session)).await
    }

    /// In the transaction of what it tells of.
    pub(super) async fn sign_in_on_record(&self, tx: &mut Tx, who: &Who, action: &str, request_id: &str, session: Option<Uuid>) -> Result<()> {
        for insert in insert_records(&[self.sign_in_entry(Some(who), action, "CHANGED", request_id, session)]) {
            tx.execute_insert(&insert).await?;
        }
        Ok(())
    }
}
