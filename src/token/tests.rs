//! Each way in which a token can be wrong is refused, for its own reason.

use super::{LocalIssuer, Refusal, Verified, Verifier, strict};
use crate::keys::{LiveKeys, LocalKeys, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::access::Bound;
use domain::clock::{Clock, TestClock};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

struct Bench {
    clock: Arc<TestClock>,
    key: SigningKey,
    verifier: Verifier,
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn bench(alg: &str) -> Bench {
    let key = SigningKey::for_test(alg);
    let clock = Arc::new(TestClock::at(start()));
    let keys = Arc::new(LiveKeys::fixed(LocalKeys { issuer: "us".into(), keys: vec![key.clone()] }));
    let local = LocalIssuer { audience: "child-welfare".into(), keys };
    let verifier = Verifier { clock: clock.clone(), local: Some(local), remote: Vec::new(), remembered: Mutex::default() };
    Bench { clock, key, verifier }
}

impl Bench {
    fn header(&self) -> Value {
        json!({ "alg": self.key.alg, "typ": "at+jwt", "kid": self.key.kid })
    }
    fn claims(&self) -> Value {
        let now = start().timestamp();
        json!({ "iss": "us", "aud": "child-welfare", "sub": "someone", "jti": "1", "iat": now, "nbf": now, "exp": now + 3600 })
    }
    async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        self.verifier.verify(token).await
    }
    async fn with_header(&self, change: impl FnOnce(&mut Value)) -> Result<Verified, Refusal> {
        let mut header = self.header();
        change(&mut header);
        self.verify(&self.key.sign(&header, &self.claims()).unwrap()).await
    }
    async fn with_claims(&self, change: impl FnOnce(&mut Value)) -> Result<Verified, Refusal> {
        let mut claims = self.claims();
        change(&mut claims);
        self.verify(&self.key.sign(&self.header(), &claims).unwrap()).await
    }
    /// Signs parts that are no longer what a JSON library would write.
    async fn raw(&self, header: &str, claims: &str) -> Result<Verified, Refusal> {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        self.verify(&format!("{message}.{}", self.key.sign_message(&message))).await
    }
}

fn remove(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().remove(key);
}

#[tokio::test]
pub async fn a_good_token_of_either_algorithm_is_accepted_twice() {
    for alg in ["ES256", "EdDSA"] {
        let b = bench(alg);
        let wanted = Ok(Verified { session: None, subject: "someone".into(), expires: start().timestamp() + 3600, bound: Bound::default(), jkt: None });
        let token = b.key.sign(&b.header(), &b.claims()).unwrap();
        assert_eq!(b.verify(&token).await, wanted, "{alg}");
        assert_eq!(b.verify(&token).await, wanted, "{alg}, remembered");
        assert_eq!(b.with_claims(|c| c["aud"] = json!(["other", "child-welfare"])).await, wanted, "{alg}, one audience of several");
    }
}

#[tokio::test]
pub async fn a_remembered_token_ends_when_it_expires() {
    let b = bench("ES256");
    let token = b.key.sign(&b.header(), &b.claims()).unwrap();
    b.verify(&token).await.unwrap();
    b.clock.advance(TimeDelta::seconds(3599));
    b.verify(&token).await.unwrap();
    b.clock.advance(TimeDelta::seconds(1));
    assert_eq!(b.verify(&token).await, Err(Refusal::Expired));
}

#[tokio::test]
pub async fn headers_that_are_not_ours_are_refused() {
    let b = bench("ES256");
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("jwk", json!({ "kty": "EC" })),
        ("x5c", json!(["MII"])),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("anything", json!(1)),
    ] {
        assert!(matches!(b.with_header(|h| h[name] = value).await, Err(Refusal::Header(_))), "{name}");
    }
    for typ in ["JWT", "jwt", "dpop+jwt", ""] {
        assert!(b.with_header(|h| h["typ"] = json!(typ)).await.is_err(), "typ {typ}");
    }
    for name in ["alg", "typ", "kid"] {
        assert_eq!(b.with_header(|h| remove(h, name)).await, Err(Refusal::Claim(name)));
    }
    for alg in ["none", "HS256", "RS256", "ES384", "es256"] {
        assert_eq!(b.with_header(|h| h["alg"] = json!(alg)).await, Err(Refusal::Header("alg")), "{alg}");
    }
    assert_eq!(b.with_header(|h| h["alg"] = json!("EdDSA")).await, Err(Refusal::Header("alg")), "an algorithm that is not the key's");
    assert_eq!(b.with_header(|h| h["kid"] = json!("other")).await, Err(Refusal::Key));
}

#[tokio::test]
pub async fn every_claim_is_needed_and_checked() {
    let b = bench("ES256");
    let now = start().timestamp();
    for name in ["iss", "aud", "sub", "jti", "exp", "nbf", "iat"] {
        assert_eq!(b.with_claims(|c| remove(c, name)).await, Err(Refusal::Claim(name)));
        assert!(b.with_claims(|c| c[name] = json!({ "a": 1 })).await.is_err(), "{name} as an object");
    }
    for (name, value, wanted) in [
        ("iss", json!("child-welfare-demo"), Refusal::Issuer),
        ("aud", json!("other"), Refusal::Audience),
        ("aud", json!([]), Refusal::Audience),
        ("aud", json!([1]), Refusal::Claim("aud")),
        ("sub", json!(""), Refusal::Claim("sub")),
        ("sub", json!("x".repeat(300)), Refusal::Claim("sub")),
        ("exp", json!(now), Refusal::Claim("exp")),
        ("exp", json!(now.to_string()), Refusal::Claim("exp")),
        ("exp", json!(1.8e9), Refusal::Claim("exp")),
        ("exp", json!(now + 24 * 3600 + 1), Refusal::Claim("exp")),
        ("exp", json!(i64::MAX), Refusal::Claim("exp")),
        ("iat", json!(-1), Refusal::Claim("iat")),
        ("iat", json!(0), Refusal::Claim("iat")),
        ("exp", json!(now - 1), Refusal::Claim("exp")),
        ("nbf", json!(now + 61), Refusal::Claim("nbf")),
        ("iat", json!(now + 61), Refusal::Claim("iat")),
    ] {
        assert_eq!(b.with_claims(|c| c[name] = value.clone()).await, Err(wanted), "{name}: {value}");
    }
    b.with_claims(|c| c["nbf"] = json!(now + 60)).await.expect("a clock that is a minute off");
}

#[tokio::test]
pub async fn a_doubled_key_is_refused_at_any_depth() {
    let b = bench("ES256");
    let (header, claims) = (b.header().to_string(), b.claims().to_string());
    b.raw(&header, &claims).await.expect("the same parts, undoubled");
    let doubled = |text: &str, pair: &str| text.replacen('{', &format!("{{{pair},"), 1);
    let malformed = Err(Refusal::Malformed("not a JSON object with each key once"));
    assert_eq!(b.raw(&header, &doubled(&claims, "\"sub\":\"other\"")).await, malformed);
    assert_eq!(b.raw(&header, &doubled(&claims, "\"s\\u0075b\":\"other\"")).await, malformed);
    assert_eq!(b.raw(&doubled(&header, "\"kid\":\"k\""), &claims).await, malformed);
    assert_eq!(b.raw(&header, &doubled(&claims, "\"act\":{\"a\":[{\"b\":1,\"b\":2}]}")).await, malformed);
    assert_eq!(b.raw("[]", &claims).await, malformed);
}

#[tokio::test]
pub async fn what_was_altered_or_is_no_token_is_refused() {
    let b = bench("ES256");
    let token = b.key.sign(&b.header(), &b.claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let mut other = b.claims();
    other["sub"] = json!("another");
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(other.to_string()), parts[2]);
    assert_eq!(b.verify(&forged).await, Err(Refusal::Signature));
    let stranger = bench("ES256");
    assert_eq!(b.verify(&stranger.key.sign(&b.header(), &b.claims()).unwrap()).await, Err(Refusal::Signature));
    let long = format!("{token}{}", "A".repeat(strict::MOST_BYTES));
    assert_eq!(b.verify(&long).await, Err(Refusal::Malformed("too long")));
    for bad in ["", ".", "..", "a.b", "a.b.c.d", &format!("{}.{}.", parts[0], parts[1]), &format!("{token}."), &token.replace('.', " "), "é.é.é"] {
        assert!(matches!(b.verify(bad).await, Err(Refusal::Malformed(_))), "{bad}");
    }
    assert_eq!(b.verify(&format!("{}.{}.AAAA", parts[0], parts[1])).await, Err(Refusal::Signature));
    assert_eq!(b.clock.now(), start());
}

fn stored(kid: &str, signs_from: i64) -> SigningKey {
    let mut key = SigningKey::for_test("ES256");
    key.kid = kid.into();
    key.signs_from = signs_from;
    key
}

#[tokio::test]
pub async fn keys_hand_over_without_a_gap_and_end_when_they_are_withdrawn() {
    let b = bench("ES256");
    let now = start().timestamp();
    let live = &b.verifier.local.as_ref().unwrap().keys;
    let (old, new) = (stored("old", 0), stored("new", now + 600));
    let keys = |keys: &[&SigningKey]| LocalKeys { issuer: "us".into(), keys: keys.iter().map(|k| (*k).clone()).collect() };
    let token = |key: &SigningKey, issued: i64| {
        let claims = json!({ "iss": "us", "aud": "child-welfare", "sub": "someone", "jti": "1", "iat": issued, "nbf": issued, "exp": issued + 12 * 3600 });
        key.sign(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": key.kid }), &claims).unwrap()
    };
    live.put(keys(&[&old, &new]));
    assert_eq!(live.current().signing(now).unwrap().kid, "old", "published before it signs");
    let before = token(&old, now);
    b.verify(&before).await.unwrap();
    b.clock.advance(TimeDelta::seconds(600));
    assert_eq!(live.current().signing(now + 600).unwrap().kid, "new");
    b.verify(&before).await.expect("the old key verifies what it signed");
    b.verify(&token(&new, now + 600)).await.unwrap();
    b.clock.advance(TimeDelta::seconds(120));
    assert_eq!(b.verify(&token(&old, now + 720)).await, Err(Refusal::Key), "it signs no more");
    b.verify(&before).await.unwrap();
    live.put(keys(&[&new]));
    assert_eq!(b.verify(&before).await, Err(Refusal::Key), "a withdrawn key ends its tokens, remembered or not");
}

#[tokio::test]
pub async fn a_token_that_is_good_for_less_says_so_readably() {
    let b = bench("ES256");
    let with = async |claims: Value| {
        b.with_claims(|c| c.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone())).await
    };
    let client = "01890a5d-ac96-774b-bcce-b302099a8057";
    let good = json!({ "client_id": client, "purpose": "casework", "divisions": ["520324"], "scope": "read write", "cnf": { "jkt": "x" } });
    let verified = with(good.clone()).await.unwrap();
    assert_eq!((verified.bound.purpose(), verified.bound.divisions(), verified.jkt.as_deref()), (Some("casework"), Some(&[520_324_000_000][..]), Some("x")));
    assert!(verified.bound.client().is_some() && verified.bound.scopes().is_some_and(|s| s.len() == 2));
    for (name, value) in [
        ("client_id", json!("x")),
        ("client_id", json!(1)),
        ("purpose", json!(["casework"])),
        ("divisions", json!("520324")),
        ("divisions", json!([520324])),
        ("divisions", json!(["52032"])),
        ("scope", json!(["read"])),
        ("cnf", json!("x")),
        ("cnf", json!({ "x5t#S256": "x" })),
        ("cnf", json!({ "jkt": "x", "jku": "y" })),
    ] {
        let mut wrong = good.clone();
        wrong[name] = value.clone();
        assert_eq!(with(wrong).await, Err(Refusal::Claim(name)), "{name} {value}");
    }
}

/// A key that was withdrawn ends the tokens it signed, remembered or not.
#[tokio::test]
pub async fn a_remembered_token_ends_with_its_key() {
    let b = bench("ES256");
    let token = b.key.sign(&b.header(), &b.claims()).unwrap();
    b.verify(&token).await.unwrap();
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(super::digest(&super::SHA256, token.as_bytes()).as_ref());
    let now = start().timestamp();
    assert!(b.verifier.recall(&fingerprint, now).is_some());
    assert!(b.verifier.recall(&fingerprint, now + super::REMEMBERED).is_none(), "it is verified again after a while");
    b.verifier.local.as_ref().unwrap().keys.put(LocalKeys { issuer: "us".into(), keys: Vec::new() });
    b.clock.advance(TimeDelta::seconds(super::REMEMBERED + 1));
    assert_eq!(b.verify(&token).await, Err(Refusal::Key));
}

/// Signed by a key that is known, for another issuer or another audience, or good for no moment at all.
#[tokio::test]
pub async fn a_token_is_good_for_its_issuer_and_audience_alone() {
    let b = bench("ES256");
    let now = start().timestamp();
    assert_eq!(b.with_claims(|c| c["iss"] = json!("somebody")).await, Err(Refusal::Issuer));
    assert_eq!(b.with_claims(|c| { c["nbf"] = json!(now + 50); c["exp"] = json!(now + 30); }).await, Err(Refusal::Claim("exp")));
    let mut remote = bench("ES256");
    remote.verifier.local = None;
    let silent = |issuer: &str| super::RemoteIssuer::new(crate::config::IssuerConfig {
        issuer: issuer.into(),
        jwks_uri: Some("http://127.0.0.1:1/keys".into()),
        audience: "child-welfare".into(),
        name: "test".into(),
    });
    remote.verifier.remote = vec![silent("urn:one")];
    assert_eq!(remote.with_claims(|c| c["iss"] = json!("urn:two")).await, Err(Refusal::Issuer));
    assert_eq!(remote.with_claims(|c| { c["iss"] = json!("urn:one"); c["aud"] = json!("other"); }).await, Err(Refusal::Audience));
}
