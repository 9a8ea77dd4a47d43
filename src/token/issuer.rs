//! The published keys of an issuer: found, fetched, remembered; one fetch at a time, and not too often.

use super::{Key, Refusal};
use crate::config::IssuerConfig;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

const MOST_BYTES: usize = 256 * 1024;
const MOST_KEYS: usize = 64;
/// Unknown key ids cause no more than one fetch in this time.
const SELDOM: Duration = Duration::from_secs(30);
/// Keys older than this are fetched again.
const STALE: Duration = Duration::from_secs(600);
/// Keys that could not be renewed serve so long.
const EXPIRED: Duration = Duration::from_secs(24 * 3600);

pub struct RemoteIssuer {
    pub config: IssuerConfig,
    known: RwLock<Option<Known>>,
    last_attempt: Mutex<Option<Instant>>,
}

struct Known {
    at: Instant,
    keys: HashMap<String, Arc<Key>>,
}

pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .connect_timeout(Duration::from_secs(3))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

impl RemoteIssuer {
    pub fn new(config: IssuerConfig) -> RemoteIssuer {
        RemoteIssuer { config, known: RwLock::default(), last_attempt: Mutex::default() }
    }

    pub async fn key(&self, kid: &str) -> Result<Arc<Key>, Refusal> {
        match self.look(kid) {
            (Some(key), true) => return Ok(key),
            _ => self.refresh().await,
        }
        match self.look(kid) {
            (Some(key), _) => Ok(key),
            (None, _) if self.age().is_none() => Err(Refusal::Unreachable),
            (None, _) => Err(Refusal::Key),
        }
    }

    fn age(&self) -> Option<Duration> {
        self.known.read().ok()?.as_ref().map(|k| k.at.elapsed())
    }

    /// The key, and whether it is fresh.
    fn look(&self, kid: &str) -> (Option<Arc<Key>>, bool) {
        let Ok(known) = self.known.read() else { return (None, false) };
        let Some(known) = known.as_ref().filter(|k| k.at.elapsed() < EXPIRED) else { return (None, false) };
        (known.keys.get(kid).cloned(), known.at.elapsed() < STALE)
    }

    async fn refresh(&self) {
        // Those who wait here find, when they come in, that the fetch was made.
        let mut last = self.last_attempt.lock().await;
        if last.is_some_and(|at| at.elapsed() < SELDOM) {
            return;
        }
        *last = Some(Instant::now());
        match self.fetch().await {
            Ok(keys) => {
                tracing::info!(issuer = %self.config.name, keys = keys.len(), "keys of the issuer fetched");
                if let Ok(mut known) = self.known.write() {
                    *known = Some(Known { at: Instant::now(), keys });
                }
            }
            Err(error) => tracing::warn!(issuer = %self.config.name, error, "keys of the issuer cannot be fetched"),
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let uri = match &self.config.jwks_uri {
            Some(uri) => uri.clone(),
            None => {
                let found = get(&format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'))).await?;
                if found.get("issuer").and_then(Value::as_str) != Some(&self.config.issuer) {
                    return Err("the discovery document names another issuer".into());
                }
                let uri = found.get("jwks_uri").and_then(Value::as_str).ok_or("no jwks_uri in the discovery document")?;
                // Discovery over TLS must not lead to plain text.
                if self.config.issuer.starts_with("https:") && !uri.starts_with("https:") {
                    return Err("the jwks_uri is not https".into());
                }
                uri.to_owned()
            }
        };
        let set = get(&uri).await?;
        let list = set.get("keys").and_then(Value::as_array).ok_or("no keys in the key set")?;
        Ok(list.iter().take(MOST_KEYS).filter_map(usable).collect())
    }
}

pub async fn get(url: &str) -> Result<Value, String> {
    // The text of reqwest's error would repeat the URL, which the log has already.
    let plain = |e: reqwest::Error| e.without_url().to_string();
    let answer = client().map_err(plain)?.get(url).send().await.map_err(plain)?;
    if !answer.status().is_success() {
        return Err(format!("answered {}", answer.status()));
    }
    json_within(answer).await
}

/// The body of an answer, if it is JSON and not too long.
pub async fn json_within(mut answer: reqwest::Response) -> Result<Value, String> {
    let plain = |e: reqwest::Error| e.without_url().to_string();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(plain)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            return Err("the answer is too long".into());
        }
    }
    serde_json::from_slice(&body).map_err(|_| "the answer is not JSON".into())
}

/// Keys of other kinds or uses are passed over: a set may hold them.
pub fn usable(value: &Value) -> Option<(String, Arc<Key>)> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let alg = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(p) if p.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let named = value.get("alg").and_then(Value::as_str);
    let other_use = !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if other_use || named.is_some_and(|n| n != if alg == Algorithm::ES256 { "ES256" } else { "EdDSA" }) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    Some((jwk.common.key_id?, Arc::new(Key { alg, decoding })))
}
