//! What a dry run finds: documents that clients sent and that are not on their lists. Never a text, which may hold what is
//! nobody else's business: its hash, and what its sender says it asks for.

use super::documents::Hash;
use crate::app::Domain;
use crate::error::{Error, Result};
use crate::store::is_double;
use chrono::{DateTime, TimeDelta, Utc};
use entity::CodedEnum;
use entity::codes::DocumentMode;
use entity::tables::unlisted_document;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use std::collections::HashMap;
use std::sync::Mutex;

/// How exactly it is known when a document was last sent.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(10);
const MOST_REMEMBERED: usize = 10_000;
/// Of one client: a program that writes values into its texts makes a new one each time.
pub const MOST_OF_ONE: i64 = 1000;
/// What was not sent for so long is forgotten.
const KEPT: TimeDelta = TimeDelta::days(90);

/// When each was last noted by this server.
#[derive(Default)]
pub struct Noted(Mutex<HashMap<(String, Hash), DateTime<Utc>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    pub hash: Hash,
    pub operation: String,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
}

/// One client, as a dry run sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DryRun {
    pub client: String,
    /// Its own mode; None: that of the settings. A client that is not registered has none.
    pub mode: Option<DocumentMode>,
    pub registered: bool,
    pub listed: i64,
    pub unlisted: Vec<Unlisted>,
}

impl Domain {
    /// Notes that a client sent a document of no list; `operation` is asked only when there is something to write.
    pub async fn note_unlisted(&self, client: &str, hash: &Hash, operation: impl FnOnce() -> String) -> Result<()> {
        let now = self.clock.now();
        {
            let mut noted = self.clients.noted.0.lock().map_err(|_| Error::internal("what was noted"))?;
            let key = (client.to_owned(), *hash);
            if noted.get(&key).is_some_and(|at| now - *at < NOTED_EVERY) {
                return Ok(());
            }
            if noted.len() >= MOST_REMEMBERED {
                noted.clear();
            }
            noted.insert(key, now);
        }
        let mut tx = self.db.begin().await?;
        let again = Query::update()
            .table(Alias::new("unlisted_document"))
            .value("last_at", now)
            .and_where(Expr::col("client").eq(client))
            .and_where(Expr::col("hash").eq(hash.to_vec()))
            .to_owned();
        if tx.execute_update(&again).await? > 0 {
            return tx.commit_bare().await;
        }
        let kept = Query::select().expr(Expr::col("hash").count()).from("unlisted_document").and_where(Expr::col("client").eq(client)).to_owned();
        let kept: i64 = tx.rows(&kept).await?.first().map_or(Ok(0), |row| row.try_get_by_index(0))?;
        if kept >= MOST_OF_ONE {
            return tx.rollback().await;
        }
        let operation = operation().chars().filter(|c| !c.is_control()).take(200).collect();
        let row = unlisted_document::ActiveModel { client: Set(client.to_owned()), hash: Set(hash.to_vec()), operation: Set(operation), first_at: Set(now), last_at: Set(now) };
        match tx.insert(row).await {
            Ok(()) => tx.commit_bare().await,
            // Another server was first.
            Err(error) if is_double(&error) => tx.rollback().await,
            Err(error) => Err(error),
        }
    }

    /// Every client with what it sent since then and what is not on its list today.
    pub async fn dry_run(&self, since: DateTime<Utc>) -> Result<Vec<DryRun>> {
        let system = self.db.as_system("what clients would be refused is asked for all of them");
        let mut all: Vec<DryRun> = Vec::new();
        let select = Query::select().columns(["id", "name", "documents"]).from("client").order_by("name", Order::Asc).to_owned();
        let mut listed: HashMap<String, Vec<Hash>> = HashMap::new();
        for row in system.all(&select).await? {
            let (id, client): (uuid::Uuid, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let mode = row.try_get_by_index::<Option<String>>(2)?.as_deref().and_then(DocumentMode::from_name);
            let list: Vec<Hash> = self.documents(id).await?.into_iter().map(|(hash, ..)| hash).collect();
            all.push(DryRun { client: client.clone(), mode, registered: true, listed: i64::try_from(list.len()).unwrap_or(i64::MAX), unlisted: Vec::new() });
            listed.insert(client, list);
        }
        let select = Query::select()
            .columns(["client", "hash", "operation", "first_at", "last_at"])
            .from("unlisted_document")
            .and_where(Expr::col("last_at").gte(since))
            .order_by("client", Order::Asc)
            .order_by("last_at", Order::Desc)
            .order_by("hash", Order::Asc)
            .to_owned();
        for row in system.all(&select).await? {
            let client: String = row.try_get_by_index(0)?;
            let hash = Hash::try_from(row.try_get_by_index::<Vec<u8>>(1)?).map_err(|_| Error::internal("the hash of a document"))?;
            if listed.get(&client).is_some_and(|list| list.contains(&hash)) {
                continue;
            }
            let unlisted = Unlisted { hash, operation: row.try_get_by_index(2)?, first_at: row.try_get_by_index(3)?, last_at: row.try_get_by_index(4)? };
            match all.iter_mut().find(|one| one.client == client) {
                Some(one) => one.unlisted.push(unlisted),
                None => all.push(DryRun { client, mode: None, registered: false, listed: 0, unlisted: vec![unlisted] }),
            }
        }
        Ok(all)
    }

    /// Forgets what nobody sends any more; gives how many.
    pub async fn forget_old_unlisted(&self) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let mut delete = Query::delete();
        delete.from_table("unlisted_document").and_where(Expr::col("last_at").lt(self.clock.now() - KEPT));
        let forgotten = tx.execute_delete(&delete).await?;
        tx.commit_bare().await?;
        Ok(forgotten)
    }
}
