//! Registered clients: programs that sign in by themselves, or that people use.

pub mod documents;
pub mod keys;
mod proofs;
mod register;
pub mod unlisted;
#[cfg(test)]
pub(crate) mod tests;

pub use register::{ChangeClient, RegisterClient, SetClientKeys};

use crate::access::{Actor, Bound};
use crate::app::Domain;
use crate::check;
use crate::audit::Entry;
use crate::error::{Error, Result};
use crate::signin::SignInError;
use chrono::{DateTime, TimeDelta, Utc};
use documents::Documents;
use entity::CodedEnum;
use entity::codes::{AccountState, ClientKind, DocumentMode};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// A machine's token lives so long at most.
pub const LONGEST_TOKEN: i64 = 3600;
const SHORTEST_TOKEN: i64 = 60;
/// How long a client is remembered: so soon does a change to it take effect.
const REMEMBERED: TimeDelta = TimeDelta::seconds(2);
const MOST_REMEMBERED: usize = 10_000;

#[derive(Clone, Debug)]
pub struct Client {
    pub id: Uuid,
    pub account: Uuid,
    pub name: String,
    pub kind: ClientKind,
    pub active: bool,
    /// Its public keys, a JSON Web Key Set.
    pub jwks: Option<String>,
    /// Where its keys are fetched instead.
    pub jwks_uri: Option<String>,
    pub purposes: BTreeSet<String>,
    pub scopes: BTreeSet<String>,
    /// Absent: as the settings say for its kind.
    pub documents: Option<DocumentMode>,
    pub token_seconds: i64,
}

const COLUMNS: [&str; 11] =
    ["id", "account_id", "name", "kind", "state", "jwks", "jwks_uri", "purposes", "scopes", "documents", "token_seconds"];

fn words(text: &str) -> BTreeSet<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

impl Client {
    fn read(row: &QueryResult) -> Result<Client> {
        let text = |at: usize| row.try_get_by_index::<String>(at).map_err(Error::from);
        Ok(Client {
            id: row.try_get_by_index(0)?,
            account: row.try_get_by_index(1)?,
            name: text(2)?,
            kind: ClientKind::from_name(&text(3)?).ok_or_else(|| Error::internal("the kind of a client"))?,
            active: text(4)? == AccountState::Active.name(),
            jwks: row.try_get_by_index(5)?,
            jwks_uri: row.try_get_by_index(6)?,
            purposes: words(&text(7)?),
            scopes: words(&text(8)?),
            documents: row.try_get_by_index::<Option<String>>(9)?.as_deref().and_then(DocumentMode::from_name),
            token_seconds: row.try_get_by_index::<i64>(10)?.clamp(SHORTEST_TOKEN, LONGEST_TOKEN),
        })
    }
}

/// Clients and documents lately seen.
#[derive(Default)]
pub struct Clients {
    known: Mutex<HashMap<Uuid, (DateTime<Utc>, Option<Arc<Client>>)>>,
    named: Mutex<HashMap<String, (DateTime<Utc>, Option<Uuid>)>>,
    documents: Documents,
    noted: unlisted::Noted,
}

impl Clients {
    /// Forgets everything, after clients were changed here.
    pub fn forget(&self) {
        if let Ok(mut map) = self.known.lock() {
            map.clear();
        }
        if let Ok(mut map) = self.named.lock() {
            map.clear();
        }
    }
}

impl Domain {
    /// A client by its id, as it was at most two seconds ago.
    pub async fn client(&self, id: Uuid) -> Result<Option<Arc<Client>>> {
        let now = self.clock.now();
        let known = self.clients.known.lock().ok().and_then(|map| map.get(&id).filter(|(at, _)| now - at < REMEMBERED).map(|(_, c)| c.clone()));
        if let Some(client) = known {
            return Ok(client);
        }
        let select = Query::select().columns(COLUMNS).from("client").and_where(Expr::col("id").eq(id)).to_owned();
        let client = self.db.as_system("who may sign in is asked before anybody has").one(&select).await?.as_ref().map(Client::read).transpose()?.map(Arc::new);
        if let Ok(mut map) = self.clients.known.lock() {
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            map.insert(id, (now, client.clone()));
        }
        Ok(client)
    }

    /// A client by its name.
    pub async fn client_named(&self, name: &str) -> Result<Option<Arc<Client>>> {
        let now = self.clock.now();
        let known = self.clients.named.lock().ok().and_then(|map| map.get(name).filter(|(at, _)| now - at < REMEMBERED).map(|(_, id)| *id));
        let id = match known {
            Some(id) => id,
            None => {
                let select = Query::select().column("id").from("client").and_where(Expr::col("name").eq(name)).to_owned();
                let id: Option<Uuid> = self.db.as_system("who may sign in is asked before anybody has").one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()?;
                if let Ok(mut map) = self.clients.named.lock() {
                    if map.len() >= MOST_REMEMBERED {
                        map.clear();
                    }
                    map.insert(name.to_owned(), (now, id));
                }
                id
            }
        };
        match id {
            Some(id) => self.client(id).await,
            None => Ok(None),
        }
    }

    /// A token stands only as long as its client does, and for no more than the client may have today.
    pub(crate) async fn check_client(&self, client: Uuid, account: Uuid, bound: &Bound) -> std::result::Result<(), SignInError> {
        let client = self.client(client).await?.ok_or(SignInError::Unknown)?;
        let purpose = bound.purpose().is_none_or(|purpose| client.purposes.contains(purpose));
        let scopes = bound.scopes().is_none_or(|scopes| scopes.is_subset(&client.scopes));
        let stands = check!("client.stopped", client.active) && check!("client.account", client.account == account) && check!("client.purpose", purpose) && check!("client.scopes", scopes);
        if stands { Ok(()) } else { Err(SignInError::Unknown) }
    }
}

impl Domain {
    /// Puts on record that a token was issued, refused or denied to a client.
    pub async fn record_token(&self, client: &Client, actor: Option<&Actor>, outcome: &'static str, request_id: &str) -> Result<()> {
        let entry = Entry {
            id: self.clock.id(),
            at: self.clock.now(),
            account: Some(client.account),
            username: actor.map_or_else(|| client.name.clone(), |actor| actor.username.clone()),
            action: "issueToken".to_owned(),
            outcome,
            purpose: actor.map(|actor| actor.purpose.clone()).unwrap_or_default(),
            legal_basis: actor.map(|actor| actor.legal_basis.clone()).unwrap_or_default(),
            request_id: request_id.to_owned(),
            client: client.name.clone(),
            objects: crate::audit::objects_of([("Client", client.id)].into_iter()),
            ..Entry::default()
        };
        self.audit.write(entry).await
    }
}
