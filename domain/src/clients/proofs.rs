//! What may be used once: client assertions and proofs of possession, remembered in the database and so by every server.

use crate::app::Domain;
use crate::error::Result;
use crate::store::is_double;
use chrono::{DateTime, Utc};
use entity::tables::used_proof;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};

impl Domain {
    /// False: it was used before. `until` is when it would no longer be accepted anyway.
    pub async fn use_once(&self, kind: &str, owner: &str, id: &str, until: DateTime<Utc>) -> Result<bool> {
        let fingerprint = self.keys.fingerprint_of(kind, &format!("{}|{owner}|{id}", owner.len()));
        let mut tx = self.db.begin().await?;
        match tx.insert(used_proof::ActiveModel { fingerprint: Set(fingerprint), expires_at: Set(until) }).await {
            Ok(()) => tx.commit_bare().await.map(|()| true),
            Err(error) if is_double(&error) => tx.rollback().await.map(|()| false),
            Err(error) => Err(error),
        }
    }

    /// Forgets what has expired; gives how many.
    pub async fn forget_used_proofs(&self) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let mut delete = Query::delete();
        delete.from_table("used_proof").and_where(Expr::col("expires_at").lt(self.clock.now()));
        let forgotten = tx.execute_delete(&delete).await?;
        tx.commit_bare().await?;
        Ok(forgotten)
    }
}
