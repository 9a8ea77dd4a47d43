//! The keys that a client's assertions are checked with.

use crate::config::IssuerConfig;
use crate::token::issuer::{RemoteIssuer, usable};
use crate::token::{Key, Refusal};
use domain::clients::Client;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const MOST_REMEMBERED: usize = 1000;

/// Key sets that are fetched, remembered as those of issuers are.
#[derive(Default)]
pub struct ClientKeys(Mutex<HashMap<(Uuid, String), Arc<RemoteIssuer>>>);

impl ClientKeys {
    pub async fn key(&self, client: &Client, kid: &str) -> Result<Arc<Key>, Refusal> {
        if let Some(set) = &client.jwks {
            let set: Value = serde_json::from_str(set).map_err(|_| Refusal::Key)?;
            let keys = set.get("keys").and_then(Value::as_array).ok_or(Refusal::Key)?;
            return keys.iter().filter_map(usable).find(|(id, _)| id == kid).map(|(_, key)| key).ok_or(Refusal::Key);
        }
        let uri = client.jwks_uri.clone().ok_or(Refusal::Key)?;
        let remote = {
            let mut map = self.0.lock().map_err(|_| Refusal::Unreachable)?;
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            let config = || IssuerConfig { issuer: client.id.to_string(), jwks_uri: Some(uri.clone()), audience: String::new(), name: client.name.clone() };
            map.entry((client.id, uri.clone())).or_insert_with(|| Arc::new(RemoteIssuer::new(config()))).clone()
        };
        remote.key(kid).await
    }
}
