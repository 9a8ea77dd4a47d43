//! Each way in which a token can be wrong is refused, for its own reason.

use super::{Key, LocalIssuer, Refusal, Verified, Verifier, strict};
use crate::keys::SigningKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::{Clock, TestClock};
use serde_json::{Value, json};
use std::collections::HashMap;
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
    let keys = HashMap::from([(key.kid.clone(), Key { alg: key.alg, decoding: key.verifying().unwrap() })]);
    let local = LocalIssuer { issuer: "us".into(), audience: "child-welfare".into(), keys };
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
async fn a_good_token_of_either_algorithm_is_accepted_twice() {
    for alg in ["ES256", "EdDSA"] {
        let b = bench(alg);
        let wanted = Ok(Verified { session: None, subject: "someone".into(), expires: start().timestamp() + 3600 });
        let token = b.key.sign(&b.header(), &b.claims()).unwrap();
        assert_eq!(b.verify(&token).await, wanted, "{alg}");
        assert_eq!(b.verify(&token).await, wanted, "{alg}, remembered");
        assert_eq!(b.with_claims(|c| c["aud"] = json!(["other", "child-welfare"])).await, wanted, "{alg}, one audience of several");
    }
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_expires() {
    let b = bench("ES256");
    let token = b.key.sign(&b.header(), &b.claims()).unwrap();
    b.verify(&token).await.unwrap();
    b.clock.advance(TimeDelta::seconds(3599));
    b.verify(&token).await.unwrap();
    b.clock.advance(TimeDelta::seconds(1));
    assert_eq!(b.verify(&token).await, Err(Refusal::Expired));
}

#[tokio::test]
async fn headers_that_are_not_ours_are_refused() {
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
async fn every_claim_is_needed_and_checked() {
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
        ("nbf", json!(now + 61), Refusal::Claim("nbf")),
        ("iat", json!(now + 61), Refusal::Claim("iat")),
    ] {
        assert_eq!(b.with_claims(|c| c[name] = value.clone()).await, Err(wanted), "{name}: {value}");
    }
    b.with_claims(|c| c["nbf"] = json!(now + 60)).await.expect("a clock that is a minute off");
}

#[tokio::test]
async fn a_doubled_key_is_refused_at_any_depth() {
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
async fn what_was_altered_or_is_no_token_is_refused() {
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
