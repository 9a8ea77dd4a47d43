//! Tokens for machines: assertions, proofs of possession, limits of a token, keys that change.

use crate::harness::{Backend, Server, Start};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sha2_of::sha256;
use std::collections::HashMap;

const PARTNER: &str = "01930000-0000-7000-8000-001400000001";
const IMPORTER: &str = "01930000-0000-7000-8000-001400000002";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

mod sha2_of {
    pub fn sha256(text: &str) -> Vec<u8> {
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref().to_vec()
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

fn id() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}

fn sign(header: &Value, claims: &Value, key: &EncodingKey) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{message}.{}", jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::ES256).unwrap())
}

fn merged(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(key);
        } else {
            base[key] = value.clone();
        }
    }
    base
}

/// A machine: its client key, and a key for proofs.
pub struct Machine<'a> {
    server: &'a Server,
    client: &'static str,
    key: EncodingKey,
    proof_key: EncodingKey,
    proof_jwk: Value,
}

impl<'a> Machine<'a> {
    pub fn of(server: &'a Server, client: &'static str) -> Machine<'a> {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
        let pem = std::fs::read(server.data.join("keys/demo-partner.pem")).unwrap();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        let proof_jwk = json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]) });
        Machine { server, client, key: EncodingKey::from_ec_pem(&pem).unwrap(), proof_key: EncodingKey::from_ec_der(der.as_ref()), proof_jwk }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url)
    }

    fn assertion(&self, header: &Value, claims: &Value) -> String {
        let base = json!({ "iss": self.client, "sub": self.client, "aud": self.url("/oauth/token"), "jti": id(), "iat": now(), "exp": now() + 60 });
        sign(&merged(json!({ "alg": "ES256", "typ": "JWT", "kid": "demo-partner" }), header), &merged(base, claims), &self.key)
    }

    fn proof(&self, method: &str, path: &str, token: Option<&str>) -> String {
        let mut claims = json!({ "jti": id(), "htm": method, "htu": self.url(path), "iat": now() });
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(sha256(token)));
        }
        sign(&json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": self.proof_jwk }), &claims, &self.proof_key)
    }

    fn form(&self, assertion: String, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut form: HashMap<String, String> = HashMap::new();
        for (name, value) in [("grant_type", "client_credentials"), ("client_assertion_type", ASSERTION), ("client_assertion", &assertion)].iter().chain(more) {
            form.insert((*name).into(), (*value).into());
        }
        form
    }

    fn request(&self, form: &HashMap<String, String>) -> RequestBuilder {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let body: Vec<String> = form.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        self.server.client.post(self.url("/oauth/token")).header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))
    }

    async fn ask(&self, form: &HashMap<String, String>) -> (u16, Value) {
        let answer = self.request(form).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let status = answer.status().as_u16();
        if status == 401 {
            assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("invalid_client"));
        }
        (status, answer.json().await.unwrap())
    }

    /// A token that is bound to no key.
    pub async fn token(&self, more: &[(&str, &str)]) -> String {
        let (status, body) = self.ask(&self.form(self.assertion(&json!({}), &json!({})), more)).await;
        assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")), "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn bound_token(&self, more: &[(&str, &str)]) -> String {
        let form = self.form(self.assertion(&json!({}), &json!({})), more);
        let answer = self.request(&form).header("dpop", self.proof("POST", "/oauth/token", None)).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["token_type"], "DPoP", "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    fn with(&self, scheme: &str, token: &str) -> RequestBuilder {
        self.server.client.post(self.url("/graphql")).header("authorization", format!("{scheme} {token}"))
    }

    pub async fn run(&self, token: &str, query: &str) -> (u16, Value) {
        let answer = self.with("Bearer", token).json(&json!({ "query": query })).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_signed_assertion_gets_a_token_for_one_purpose_once() {
    for backend in Backend::all() {
        let server = Start::demo(backend).start().await;
        let machine = Machine::of(&server, PARTNER);
        let token = machine.token(&[]).await;
        let claims = claims_of(&token);
        assert_eq!((&claims["client_id"], &claims["purpose"], &claims["scope"]), (&json!(PARTNER), &json!("health-care"), &json!("read write")));
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 3600);
        let (status, body) = machine.run(&token, "{ viewer { username purpose } children(first: 1) { nodes { id bodyState } } }").await;
        assert_eq!((status, &body["data"]["viewer"]["purpose"]), (200, &json!("health-care")), "{body}");
        let other = machine.with("Bearer", &token).header("x-purpose", "casework").json(&json!({ "query": "{ __typename }" })).send().await.unwrap();
        assert_eq!(other.status(), 403, "the purpose of the token is the only one");

        // The same assertion again, and again after the server was started anew: the memory is the database's.
        let assertion = machine.assertion(&json!({}), &json!({}));
        let form = machine.form(assertion, &[]);
        assert_eq!(machine.ask(&form).await.0, 200);
        assert_eq!(machine.ask(&form).await.1["error"], "invalid_client", "{backend:?}");
    }
}

#[tokio::test]
pub async fn a_used_assertion_is_remembered_over_a_restart() {
    let mut server = Start::demo(Backend::Sqlite).start().await;
    let form = {
        let machine = Machine::of(&server, PARTNER);
        let form = machine.form(machine.assertion(&json!({}), &json!({ "exp": now() + 290 })), &[]);
        assert_eq!(machine.ask(&form).await.0, 200);
        form
    };
    server.kill();
    server.restart().await;
    assert_eq!(Machine::of(&server, PARTNER).ask(&form).await.1["error"], "invalid_client");
}

#[tokio::test]
pub async fn what_is_wrong_with_a_request_for_a_token_is_told_by_rfc_6749() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let machine = Machine::of(&server, PARTNER);
    let good = || machine.assertion(&json!({}), &json!({}));
    for (more, error) in [
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "")], "invalid_request"),
        (vec![("scope", "read everything")], "invalid_scope"),
        (vec![("scope", "bulk:import")], "invalid_scope"),
        (vec![("purpose", "casework")], "invalid_scope"),
        (vec![("divisions", "5203")], ""),
        (vec![("divisions", "1301")], "invalid_scope"),
        (vec![("divisions", "x")], "invalid_request"),
        (vec![("client_id", "other")], "invalid_client"),
        (vec![("client_secret", "x")], "invalid_client"),
        (vec![("client_assertion_type", "x")], "invalid_client"),
        (vec![("client_assertion", "x.y.z")], "invalid_client"),
    ] {
        let (status, body) = machine.ask(&machine.form(good(), &more)).await;
        let wanted = match error {
            "" => 200,
            "invalid_client" => 401,
            _ => 400,
        };
        assert_eq!((status, body["error"].as_str().unwrap_or("")), (wanted, error), "{more:?}");
    }
    let yesterday = now() - 24 * 3600;
    for (header, claims) in [
        (json!({ "crit": ["exp"] }), json!({})),
        (json!({ "jku": "https://evil.example/keys" }), json!({})),
        (json!({ "jwk": machine.proof_jwk }), json!({})),
        (json!({ "x5u": "https://evil.example/cert" }), json!({})),
        (json!({ "alg": "RS256" }), json!({})),
        (json!({ "kid": "other" }), json!({})),
        (json!({ "typ": "at+jwt" }), json!({})),
        (json!({}), json!({ "exp": now() + 301 })),
        (json!({}), json!({ "exp": now() + 30 * 3600 })),
        (json!({}), json!({ "iat": yesterday, "exp": yesterday + 60 })),
        (json!({}), json!({ "aud": "https://evil.example/oauth/token" })),
        (json!({}), json!({ "iss": "other" })),
        (json!({}), json!({ "jti": null })),
        (json!({}), json!({ "iss": id(), "sub": id() })),
        (json!({}), json!({ "iss": IMPORTER })),
    ] {
        let (status, body) = machine.ask(&machine.form(machine.assertion(&header, &claims), &[])).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")), "{header} {claims}");
    }
    let url = machine.url("/oauth/token");
    let answer = server.client.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let answer = server.client.post(&url).json(&json!({ "grant_type": "client_credentials" })).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_request");
    let twice = "grant_type=client_credentials&grant_type=client_credentials";
    let answer = server.client.post(&url).header("content-type", "application/x-www-form-urlencoded").body(twice).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_request");
    let answer = machine.request(&machine.form(good(), &[])).basic_auth("x", Some("y")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn tries_are_limited() {
    let server = Start::demo(Backend::Sqlite).env("RATES__TOKEN_ENDPOINT__LIMIT", "5").start().await;
    let machine = Machine::of(&server, PARTNER);
    let mut last = (0, Value::Null);
    for _ in 0..6 {
        let answer = machine.request(&machine.form("x.y.z".into(), &[])).send().await.unwrap();
        let after = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        last = (answer.status().as_u16(), json!(after));
    }
    assert!(last.0 == 429 && last.1.as_u64().is_some_and(|s| (1..=60).contains(&s)), "{last:?}");
}

#[tokio::test]
async fn a_token_is_good_for_its_scopes_and_divisions_alone() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let machine = Machine::of(&server, PARTNER);
    let count = async |more: &[(&str, &str)]| {
        let (_, body) = machine.run(&machine.token(more).await, "{ children(first: 0) { totalCount } }").await;
        body["data"]["children"]["totalCount"].as_i64().unwrap()
    };
    let (all, town) = (count(&[]).await, count(&[("divisions", "520324202")]).await);
    assert!(all > town && town > 0, "{all} {town}");
    let (_, body) = machine.run(&machine.token(&[("scope", "read")]).await, "{ viewer { actions } }").await;
    let actions = body["data"]["viewer"]["actions"].as_array().unwrap();
    assert!(!actions.contains(&json!("correctChild")), "{body}");
    let (_, body) = machine.run(&machine.token(&[]).await, "{ viewer { actions } }").await;
    assert!(body["data"]["viewer"]["actions"].as_array().unwrap().contains(&json!("correctChild")), "{body}");
}

#[tokio::test]
pub async fn bulk_needs_a_key_and_its_token_is_good_with_that_key_alone() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let machine = Machine::of(&server, IMPORTER);
    let bulk = &[("scope", "read bulk:import")];
    let (status, body) = machine.ask(&machine.form(machine.assertion(&json!({}), &json!({})), bulk)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_dpop_proof")));
    let token = machine.bound_token(bulk).await;
    let query = json!({ "query": "{ viewer { actions } }" });
    let refused = async |request: RequestBuilder| {
        let answer = request.json(&query).send().await.unwrap();
        let challenge = answer.headers().get("www-authenticate").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        answer.status() == 401 && challenge.starts_with("DPoP ")
    };
    let proof = machine.proof("POST", "/graphql", Some(&token));
    let answer = machine.with("DPoP", &token).header("dpop", &proof).json(&query).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    assert!(body["data"]["viewer"]["actions"].as_array().unwrap().contains(&json!("importSurvey")), "{body}");
    assert!(refused(machine.with("DPoP", &token).header("dpop", &proof)).await, "the same proof again");
    assert!(refused(machine.with("Bearer", &token)).await, "as a bearer token");
    assert!(refused(machine.with("Bearer", &token).header("dpop", machine.proof("POST", "/graphql", Some(&token)))).await);
    assert!(refused(machine.with("DPoP", &token)).await, "no proof");
    assert!(refused(machine.with("DPoP", &token).header("dpop", machine.proof("GET", "/graphql", Some(&token)))).await);
    assert!(refused(machine.with("DPoP", &token).header("dpop", machine.proof("POST", "/uploads", Some(&token)))).await);
    assert!(refused(machine.with("DPoP", &token).header("dpop", machine.proof("POST", "/graphql", None))).await, "no ath");
    assert!(refused(machine.with("DPoP", &token).header("dpop", machine.proof("POST", "/graphql", Some("other")))).await);
    let stranger = Machine::of(&server, IMPORTER);
    assert!(refused(machine.with("DPoP", &token).header("dpop", stranger.proof("POST", "/graphql", Some(&token)))).await, "another key");
    let two = machine.with("DPoP", &token).header("dpop", machine.proof("POST", "/graphql", Some(&token))).header("dpop", machine.proof("POST", "/graphql", Some(&token)));
    assert!(refused(two).await, "two proofs");
    let unbound = server.token("county-officer");
    assert!(refused(machine.with("DPoP", &unbound).header("dpop", machine.proof("POST", "/graphql", Some(&unbound)))).await, "a token bound to no key");

    let upload = |scheme: &str, token: &str| server.client.post(machine.url("/uploads")).header("authorization", format!("{scheme} {token}")).header("x-file-name", "a.csv").body("a,b\n");
    let answer = upload("DPoP", &token).header("dpop", machine.proof("POST", "/uploads", Some(&token))).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    // A token of the same client without the scope.
    let small = machine.token(&[("scope", "read")]).await;
    assert_eq!(upload("Bearer", &small).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_socket_is_opened_with_one_proof() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let server = Start::demo(Backend::Sqlite).start().await;
    let machine = Machine::of(&server, PARTNER);
    let token = machine.bound_token(&[]).await;
    let open = async |payload: Value| {
        let mut request = server.url.replacen("http", "ws", 1).into_client_request().unwrap();
        *request.uri_mut() = format!("{}/graphql", server.url.replacen("http", "ws", 1)).parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        socket.send(Message::text(json!({ "type": "connection_init", "payload": payload }).to_string())).await.unwrap();
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => serde_json::from_str::<Value>(&text).unwrap()["type"].as_str().unwrap().to_owned(),
            Message::Close(frame) => u16::from(frame.unwrap().code).to_string(),
            other => panic!("{other:?}"),
        }
    };
    let proof = machine.proof("GET", "/graphql", Some(&token));
    let with = |scheme: &str, proof: &str| json!({ "authorization": format!("{scheme} {token}"), "dpop": proof });
    assert_eq!(open(with("DPoP", &proof)).await, "connection_ack");
    assert_eq!(open(with("DPoP", &proof)).await, "4403", "the same proof again");
    assert_eq!(open(json!({ "authorization": format!("Bearer {token}") })).await, "4403");
    assert_eq!(open(with("DPoP", &machine.proof("POST", "/graphql", Some(&token)))).await, "4403");
}

#[tokio::test]
async fn signing_keys_change_without_a_gap() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let machine = Machine::of(&server, PARTNER);
    let kid = |token: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()["kid"].as_str().unwrap().to_owned();
    let published = async || {
        let set: Value = server.client.get(machine.url("/.well-known/jwks.json")).send().await.unwrap().json().await.unwrap();
        set["keys"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let keys = |args: &[&str]| {
        let output = server.beside(&[&["keys"], args].concat());
        (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let good = async |token: &str| machine.run(token, "{ __typename }").await.0 == 200;
    let before = machine.token(&[]).await;
    let (done, said) = keys(&["rotate", "--lead", "6"]);
    assert!(done, "{said}");
    assert!(!keys(&["rotate"]).0, "one waits already");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let set = published().await;
    assert_eq!(set.len(), 2, "published before it signs");
    let between = machine.token(&[]).await;
    assert_eq!(kid(&between), kid(&before));
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let after = machine.token(&[]).await;
    assert!(kid(&after) != kid(&before) && set.contains(&kid(&after)));
    for token in [&before, &between, &after] {
        assert!(good(token).await);
    }
    let (_, list) = keys(&["list"]);
    assert!(list.contains("signs") && list.contains("verifies for"), "{list}");
    assert!(!keys(&["retire", &kid(&after)]).0, "the one that signs");
    assert!(!keys(&["retire", &kid(&before)]).0, "its tokens are good yet");
    assert!(keys(&["retire", &kid(&before), "--now"]).0);
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert!(!good(&before).await && !good(&between).await && good(&after).await, "its tokens ended within seconds, the others did not");
    assert_eq!(published().await, [kid(&after)]);
}

#[tokio::test]
pub async fn a_disabled_client_is_out_within_seconds() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let machine = Machine::of(&server, PARTNER);
    let token = machine.token(&[]).await;
    let admin = server.viewer("system-administrator");
    let (_, body) = admin.post("{ clients(first: 10) { nodes { id name version } } }", json!({})).await;
    let found = body["data"]["clients"]["nodes"].as_array().unwrap().iter().find(|c| c["name"] == "demo-partner").unwrap().clone();
    let mutation = "mutation($input: DisableClientInput!) { disableClient(input: $input) { client { state } userErrors { code } } }";
    let (_, body) = admin.post(mutation, json!({ "input": { "clientId": found["id"], "expectedVersion": found["version"] } })).await;
    assert_eq!(body["data"]["disableClient"]["client"]["state"], "SUSPENDED", "{body}");
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(machine.run(&token, "{ __typename }").await.0, 401);
    assert_eq!(machine.ask(&machine.form(machine.assertion(&json!({}), &json!({})), &[])).await.0, 401);
    // Both are on record.
    let (_, body) = server.viewer("auditor").post("{ auditRecords(first: 20) { nodes { action outcome username } } }", json!({})).await;
    let of_tokens: Vec<&Value> = body["data"]["auditRecords"]["nodes"].as_array().unwrap().iter().filter(|r| r["action"] == "issueToken").collect();
    let outcomes: Vec<&str> = of_tokens.iter().map(|r| r["outcome"].as_str().unwrap()).collect();
    assert!(outcomes.contains(&"ISSUED") && outcomes.contains(&"DENIED"), "{body}");
    let (_, body) = server.viewer("village-director").post("{ clients(first: 10) { totalCount } }", json!({})).await;
    assert_eq!(body["data"]["clients"]["totalCount"], json!(0), "{body}");
}
