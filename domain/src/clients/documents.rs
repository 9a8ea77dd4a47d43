//! The documents a client may run: its list, kept in the database.

use super::Client;
use crate::access::Actor;
use crate::app::Domain;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::{Error, Result};
use crate::problems::UserErrorCode;
use chrono::{DateTime, TimeDelta, Utc};
use entity::tables::{client, client_document};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// SHA-256 of a document's text in UTF-8.
pub type Hash = [u8; 32];

pub fn hash_of(text: &str) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref());
    out
}

pub fn hex(hash: &[u8]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// 64 lower-case hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut out = [0; 32];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub hash: Hash,
    /// Of its first operation; for lists.
    pub name: String,
    pub text: String,
}

impl Document {
    pub fn new(name: &str, text: &str) -> Document {
        Document { hash: hash_of(text), name: name.to_owned(), text: text.to_owned() }
    }
}

/// So soon does a document that was taken off a list stop running.
const REMEMBERED: TimeDelta = TimeDelta::seconds(3);
const MOST_REMEMBERED: usize = 10_000;
const ACTION: &str = "loadDocuments";

type Seen = (DateTime<Utc>, Option<Arc<str>>);

#[derive(Default)]
pub(super) struct Documents(Mutex<HashMap<(Uuid, Hash), Seen>>);

impl Domain {
    /// The text of a document, if it is on the client's list.
    pub async fn document(&self, client: Uuid, hash: &Hash) -> Result<Option<Arc<str>>> {
        let (now, key) = (self.clock.now(), (client, *hash));
        let seen = &self.clients.documents.0;
        let known = seen.lock().ok().and_then(|map| map.get(&key).filter(|(at, _)| now - at < REMEMBERED).map(|(_, text)| text.clone()));
        if let Some(text) = known {
            return Ok(text);
        }
        let select = Query::select()
            .column("text")
            .from("client_document")
            .and_where(Expr::col("client_id").eq(client))
            .and_where(Expr::col("hash").eq(hash.to_vec()))
            .to_owned();
        let text: Option<Arc<str>> = match self.db.as_system("what a client may run is asked for it").one(&select).await? {
            Some(row) => Some(row.try_get_by_index::<String>(0)?.into()),
            None => None,
        };
        if let Ok(mut map) = seen.lock() {
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            map.insert(key, (now, text.clone()));
        }
        Ok(text)
    }

    /// The list of a client: hash, name, bytes.
    pub async fn documents(&self, client: Uuid) -> Result<Vec<(Hash, String, usize)>> {
        let select = Query::select()
            .columns(["hash", "name", "text"])
            .from("client_document")
            .and_where(Expr::col("client_id").eq(client))
            .order_by("name", sea_orm::Order::Asc)
            .order_by("hash", sea_orm::Order::Asc)
            .to_owned();
        let mut out = Vec::new();
        for row in self.db.as_system("what a client may run is asked for it").all(&select).await? {
            let hash: Vec<u8> = row.try_get_by_index(0)?;
            let hash = Hash::try_from(hash).map_err(|_| Error::internal("the hash of a document"))?;
            out.push((hash, row.try_get_by_index(1)?, row.try_get_by_index::<String>(2)?.len()));
        }
        Ok(out)
    }

    /// Puts documents on a client's list; with `replace` nothing else stays on it.
    pub async fn load_documents(&self, actor: &Actor, client: &Client, documents: &[Document], replace: bool) -> Result<Outcome> {
        let meta = Meta::default();
        let mut work = match self.start(actor, ACTION, &meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(version) = work.list_in_reach(client.id).await? else { return work.refuse_with(UserErrorCode::NotFound, "client").await };
        if replace {
            let mut delete = Query::delete();
            delete.from_table("client_document").and_where(Expr::col("client_id").eq(client.id));
            work.tx.execute_delete(&delete).await?;
        }
        let select = Query::select().column("hash").from("client_document").and_where(Expr::col("client_id").eq(client.id)).to_owned();
        let mut wanted: BTreeMap<Hash, &Document> = documents.iter().map(|d| (d.hash, d)).collect();
        for row in work.tx.rows(&select).await? {
            if let Ok(there) = Hash::try_from(row.try_get_by_index::<Vec<u8>>(0)?) {
                wanted.remove(&there);
            }
        }
        let now = work.now;
        let rows: Vec<_> = wanted
            .values()
            .map(|d| client_document::ActiveModel {
                client_id: Set(client.id),
                hash: Set(d.hash.to_vec()),
                name: Set(d.name.clone()),
                text: Set(d.text.clone()),
                created_at: Set(now),
            })
            .collect();
        for some in rows.chunks(200) {
            work.tx.insert_many(some.to_vec()).await?;
        }
        self.listed(work, client.id, version).await
    }

    /// Takes documents off a client's list: these, or all of them.
    pub async fn remove_documents(&self, actor: &Actor, client: &Client, hashes: Option<&[Hash]>) -> Result<Outcome> {
        let meta = Meta::default();
        let mut work = match self.start(actor, ACTION, &meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(version) = work.list_in_reach(client.id).await? else { return work.refuse_with(UserErrorCode::NotFound, "client").await };
        let mut delete = Query::delete();
        delete.from_table("client_document").and_where(Expr::col("client_id").eq(client.id));
        if let Some(hashes) = hashes {
            delete.and_where(Expr::col("hash").is_in(hashes.iter().map(|h| h.to_vec())));
        }
        if work.tx.execute_delete(&delete).await? == 0 {
            return work.refuse_with(UserErrorCode::NotFound, "hash").await;
        }
        self.listed(work, client.id, version).await
    }

    /// The list is part of the client: a change of it is a change of the client.
    async fn listed(&self, mut work: Box<Work<'_>>, client: Uuid, version: i64) -> Result<Outcome> {
        if !work.update(&client::TABLE, client, None, version, Vec::new()).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "client").await;
        }
        let outcome = work.finish(client, None).await?;
        if let Ok(mut map) = self.clients.documents.0.lock() {
            map.clear();
        }
        Ok(outcome)
    }
}

impl Work<'_> {
    /// The version of a client whose account is in reach.
    async fn list_in_reach(&mut self, id: Uuid) -> Result<Option<i64>> {
        let Some((row, access)) = self.client(id).await? else { return Ok(None) };
        self.may(&access)?;
        Ok(Some(row.version))
    }
}
