//! Keys of an issuer, fetched from a real server on this machine.

use super::Refusal;
use super::issuer::RemoteIssuer;
use crate::config::IssuerConfig;
use crate::keys::SigningKey;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone)]
struct Issuer {
    url: String,
    set: Value,
    fetched: Arc<AtomicUsize>,
}

async fn start(set: Value) -> Issuer {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Issuer { url, set, fetched: Arc::default() };
    let router = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(|State(i): State<Issuer>| async move { Json(json!({ "issuer": i.url, "jwks_uri": format!("{}/keys", i.url) })) }),
        )
        .route(
            "/keys",
            get(|State(i): State<Issuer>| async move {
                i.fetched.fetch_add(1, Ordering::SeqCst);
                Json(i.set)
            }),
        )
        .with_state(issuer.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

fn remote(issuer: &str, jwks_uri: Option<String>) -> RemoteIssuer {
    RemoteIssuer::new(IssuerConfig { issuer: issuer.into(), jwks_uri, audience: "child-welfare".into(), name: "test".into() })
}

#[tokio::test]
pub async fn keys_are_found_by_discovery_and_fetched_once_for_many() {
    let rsa = json!({ "kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB" });
    let mut encrypting = SigningKey::for_test("ES256").jwk().clone();
    encrypting["use"] = json!("enc");
    encrypting["kid"] = json!("enc");
    let set = json!({ "keys": [rsa, encrypting, SigningKey::for_test("ES256").jwk(), SigningKey::for_test("EdDSA").jwk()] });
    let issuer = start(set).await;
    let remote = Arc::new(remote(&issuer.url, None));
    let many = (0..20).map(|n| {
        let remote = remote.clone();
        tokio::spawn(async move { remote.key(if n % 2 == 0 { "test-ES256" } else { "test-EdDSA" }).await.map(|_| ()) })
    });
    for one in futures_util::future::join_all(many).await {
        assert_eq!(one.unwrap(), Ok(()));
    }
    for kid in ["unknown", "rsa", "enc", "another"] {
        assert_eq!(remote.key(kid).await.map(|_| ()), Err(Refusal::Key), "{kid}");
    }
    assert_eq!(issuer.fetched.load(Ordering::SeqCst), 1, "unknown keys do not make us fetch again at once");
}

#[tokio::test]
pub async fn an_issuer_that_names_another_or_does_not_answer_has_no_keys() {
    let issuer = start(json!({ "keys": [SigningKey::for_test("ES256").jwk()] })).await;
    let elsewhere = remote(&issuer.url.replace("127.0.0.1", "localhost"), None);
    assert_eq!(elsewhere.key("test-ES256").await.map(|_| ()), Err(Refusal::Unreachable));
    let silent = remote("https://id.example.org", Some("http://127.0.0.1:1/keys".into()));
    assert_eq!(silent.key("test-ES256").await.map(|_| ()), Err(Refusal::Unreachable));
    let direct = remote("urn:issuer", Some(format!("{}/keys", issuer.url)));
    assert_eq!(direct.key("test-ES256").await.map(|_| ()), Ok(()));
}

#[tokio::test]
pub async fn an_answer_that_is_too_long_is_not_read() {
    let issuer = start(json!({ "keys": [SigningKey::for_test("ES256").jwk()], "more": "x".repeat(300_000) })).await;
    assert_eq!(remote(&issuer.url, None).key("test-ES256").await.map(|_| ()), Err(Refusal::Unreachable));
}
