//! The public keys of a client, looked over before they are kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Enough to change keys without a gap.
const MOST_KEYS: usize = 8;
const MOST_BYTES: usize = 16 * 1024;

fn text<'a>(key: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    key.get(name).and_then(Value::as_str)
}

fn coordinate(key: &Map<String, Value>, name: &str) -> bool {
    text(key, name).and_then(|t| URL_SAFE_NO_PAD.decode(t).ok()).is_some_and(|bytes| bytes.len() == 32)
}

fn check(key: &Map<String, Value>) -> Result<Value, String> {
    let kid = text(key, "kid").filter(|k| !k.is_empty() && k.len() <= 100).ok_or("each key needs a `kid` of 1 to 100 characters")?;
    // Private and symmetric members, by RFC 7518 section 6.
    if let Some(secret) = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().find(|m| key.contains_key(**m)) {
        return Err(format!("key {kid} holds `{secret}`: that is a private key; send the public part, and make a new key, for this one is no longer secret"));
    }
    let (kty, crv, alg) = match (text(key, "kty"), text(key, "crv")) {
        (Some("EC"), Some("P-256")) if coordinate(key, "x") && coordinate(key, "y") => ("EC", "P-256", "ES256"),
        (Some("OKP"), Some("Ed25519")) if coordinate(key, "x") => ("OKP", "Ed25519", "EdDSA"),
        _ => return Err(format!("key {kid} is neither an EC key on P-256 nor an OKP key on Ed25519")),
    };
    if key.get("use").is_some_and(|u| u != "sig") || key.get("alg").is_some_and(|a| a != alg) {
        return Err(format!("key {kid} is not for signing with {alg}"));
    }
    let mut out = json!({ "kid": kid, "kty": kty, "crv": crv, "alg": alg, "use": "sig", "x": key["x"] });
    if kty == "EC" {
        out["y"] = key["y"].clone();
    }
    Ok(out)
}

/// The set with nothing in it but what is needed, or what is wrong with it.
pub fn public_keys(jwks: &str) -> Result<String, String> {
    if jwks.len() > MOST_BYTES {
        return Err(format!("the key set is longer than {MOST_BYTES} bytes"));
    }
    let set: Value = serde_json::from_str(jwks).map_err(|_| "the key set is not JSON".to_owned())?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or("a key set is an object with a list `keys`")?;
    if !(1..=MOST_KEYS).contains(&keys.len()) {
        return Err(format!("a key set holds 1 to {MOST_KEYS} keys"));
    }
    let mut kids = BTreeSet::new();
    let mut out = Vec::new();
    for key in keys {
        let key = check(key.as_object().ok_or("a key is an object")?)?;
        if !kids.insert(key["kid"].to_string()) {
            return Err(format!("the kid {} is there twice", key["kid"]));
        }
        out.push(key);
    }
    Ok(json!({ "keys": out }).to_string())
}

/// Keys are fetched over TLS; outside production also from this machine.
pub fn may_fetch(uri: &str, production: bool) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.contains(['@', ' ', '\\']) || uri.len() > 500 || uri.chars().any(char::is_control) {
        return false;
    }
    let name = if host.starts_with('[') { host.split_inclusive(']').next().unwrap_or_default() } else { host.split(':').next().unwrap_or_default() };
    match scheme {
        "https" => true,
        "http" => !production && matches!(name, "127.0.0.1" | "localhost" | "[::1]"),
        _ => false,
    }
}
