//! Signing in to the running program: password, second factor, sessions, and what ends them.

use super::socket::{hear_close, open_with};
use crate::harness::{Backend, PostgresDatabase, Server, Start};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PASSWORD: &str = "correct horse battery staple";

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body: answer.json().await.unwrap_or_default() }
}

pub async fn post(server: &Server, path: &str, body: Value) -> Answer {
    send(server.client.post(format!("{}{path}", server.url)).json(&body)).await
}

pub async fn ask(server: &Server, token: &str, query: &str, variables: Value) -> Answer {
    send(server.client.post(format!("{}/graphql", server.url)).bearer_auth(token).json(&json!({ "query": query, "variables": variables }))).await
}

#[allow(clippy::disallowed_methods)]
pub fn step() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() / 30
}

pub fn totp(secret: &str, step: i64) -> String {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in secret.bytes() {
        held = ((held << 5) | u32::from(if c.is_ascii_uppercase() { c - b'A' } else { c - b'2' + 26 })) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes), &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 0xf);
    let four = <[u8; 4]>::try_from(&tag.as_ref()[at..at + 4]).unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

const CREATE: &str = "mutation($i: CreateAccountInput!) { createAccount(input: $i) { account { id version } activationCode userErrors { code field } } }";

/// A new account with a password; gives its id.
pub(super) async fn account(server: &Server, name: &str) -> String {
    let admin = server.token("system-administrator");
    let input = json!({ "username": name, "displayName": "王芳", "divisionCode": "520324" });
    let made = ask(server, &admin, CREATE, json!({ "i": input })).await;
    let payload = &made.body["data"]["createAccount"];
    assert_eq!(payload["userErrors"], json!([]), "{}", made.body);
    let code = payload["activationCode"].as_str().unwrap();
    let weak = post(server, "/sign-in/activate", json!({ "activationCode": code, "password": "password1234" })).await;
    assert_eq!((weak.status, weak.code()), (422, "PASSWORD_REFUSED"));
    assert_eq!(weak.body["errors"][0]["extensions"]["reasons"][0]["code"], "PASSWORD_GUESSABLE");
    let done = post(server, "/sign-in/activate", json!({ "activationCode": code, "password": PASSWORD })).await;
    assert_eq!((done.status, done.text("status").as_str()), (200, "ACTIVATED"));
    payload["account"]["id"].as_str().unwrap().to_owned()
}

async fn password(server: &Server, name: &str) -> Answer {
    post(server, "/sign-in", json!({ "username": name, "password": PASSWORD })).await
}

/// Signs in for the first time and enrols; gives the answer with the tokens, the secret and the recovery codes.
pub(super) async fn enrolled(server: &Server, name: &str) -> (Answer, String, Vec<String>) {
    let first = password(server, name).await;
    assert_eq!((first.status, first.text("status").as_str()), (200, "SECOND_FACTOR_TO_ENROL"), "{}", first.body);
    let token = first.text("accessToken");
    for query in ["{ children(first: 1) { totalCount } }", "{ viewer { id } accounts(first: 1) { totalCount } }", "{ __schema { description } }"] {
        let refused = ask(server, &token, query, json!({})).await;
        assert_eq!(refused.code(), "SECOND_FACTOR_REQUIRED", "{}", refused.body);
    }
    assert_eq!(send(server.client.post(format!("{}/uploads", server.url)).bearer_auth(&token).header("x-file-name", "a.csv").body("x")).await.status, 403);
    let begun = ask(server, &token, "mutation { beginTotpEnrolment(input: {}) { secret otpauthUri userErrors { code } } }", json!({})).await;
    let secret = begun.body["data"]["beginTotpEnrolment"]["secret"].as_str().unwrap_or_else(|| panic!("{}", begun.body)).to_owned();
    let confirm = "mutation($c: Secret!) { confirmTotpEnrolment(input: { code: $c }) { recoveryCodes userErrors { code } } }";
    let done = ask(server, &token, confirm, json!({ "c": totp(&secret, step()) })).await;
    let codes = done.body["data"]["confirmTotpEnrolment"]["recoveryCodes"].as_array().unwrap_or_else(|| panic!("{}", done.body));
    let codes: Vec<String> = codes.iter().map(|c| c.as_str().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    let viewer = ask(server, &token, "{ viewer { secondFactor { enrolled recoveryCodesLeft } sessions { id current methods } } }", json!({})).await;
    assert_eq!(viewer.body["data"]["viewer"]["secondFactor"], json!({ "enrolled": true, "recoveryCodesLeft": 10 }), "{}", viewer.body);
    (first, secret, codes)
}

/// Signs in with a recovery code, which needs no waiting for the next step of time.
pub(super) async fn with_recovery(server: &Server, name: &str, code: &str, cookie: bool) -> Answer {
    let first = password(server, name).await;
    assert_eq!(first.text("status"), "SECOND_FACTOR_NEEDED", "{}", first.body);
    post(server, "/sign-in/second-factor", json!({ "challenge": first.text("challenge"), "recoveryCode": code, "cookie": cookie })).await
}

pub(super) fn claims(token: &str) -> Value {
    use base64::Engine;
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_account_is_made_activated_enrolled_and_signed_in_on_every_database() {
    for backend in Backend::all() {
        let server = Start::demo(backend).env("RATES__SECOND_FACTOR__PAUSE_SECONDS", "0").start().await;
        account(&server, "wang.fang").await;
        let (first, secret, codes) = enrolled(&server, "wang.fang").await;
        let signed = with_recovery(&server, "wang.fang", &codes[0], false).await;
        assert_eq!((signed.status, signed.text("status").as_str(), signed.body["expiresIn"].as_i64()), (200, "SIGNED_IN", Some(900)), "{}", signed.body);
        assert_eq!(signed.headers["cache-control"], "no-store");
        let claims = claims(&signed.text("accessToken"));
        assert_eq!((claims["sid"].as_str(), &claims["amr"]), (Some(signed.text("sessionId").as_str()), &json!(["pwd", "recovery", "mfa"])));
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 900);
        assert_eq!(with_recovery(&server, "wang.fang", &codes[0], false).await.status, 401, "a recovery code is good once");
        // The code that confirmed the enrolment is spent; the next one is good.
        let challenge = password(&server, "wang.fang").await.text("challenge");
        let mut answers = Vec::new();
        for at in [step() - 1, step() + 1] {
            answers.push(post(&server, "/sign-in/second-factor", json!({ "challenge": challenge, "code": totp(&secret, at) })).await.status);
        }
        assert_eq!(answers, [401, 200]);
        let refreshed = post(&server, "/sign-in/refresh", json!({ "refreshToken": first.text("refreshToken") })).await;
        assert_eq!(refreshed.status, 200, "the session that enrolled goes on");
    }
}

#[tokio::test]
async fn what_is_wrong_is_one_answer_whoever_it_is_about() {
    let server = Start::demo(Backend::Sqlite).start().await;
    account(&server, "wang.fang").await;
    let mut seen = Vec::new();
    for (name, word) in [("nobody", PASSWORD), ("wang.fang", "a wrong password"), ("county-officer", PASSWORD), ("", ""), ("wang.fang", &"x".repeat(1000))] {
        let answer = post(&server, "/sign-in", json!({ "username": name, "password": word })).await;
        assert!(answer.headers.contains_key("www-authenticate"));
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("extensions");
        body["errors"][0]["extensions"].as_object_mut().unwrap().remove("requestId");
        seen.push((answer.status, body));
    }
    assert!(seen.iter().all(|s| *s == seen[0] && s.0 == 401), "{seen:#?}");
    for (body, wanted) in [("{", 400), ("[]", 400), (r#"{"username":"a"}"#, 400), (r#"{"username":"a","password":"b","more":1}"#, 400), (r#"{"username":1,"password":"b"}"#, 400)] {
        let answer = send(server.client.post(format!("{}/sign-in", server.url)).header("content-type", "application/json").body(body)).await;
        assert_eq!(answer.status, wanted, "{body}");
    }
    let form = send(server.client.post(format!("{}/sign-in", server.url)).header("content-type", "text/plain").body("{}")).await;
    assert_eq!(form.status, 415);
    assert_eq!(send(server.client.get(format!("{}/sign-in", server.url))).await.status, 405);
    let foreign = send(server.client.post(format!("{}/sign-in/refresh", server.url)).header("origin", "https://other.example.org").json(&json!({}))).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test]
async fn five_wrong_passwords_lock_an_account_on_every_server() {
    let database = PostgresDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The pauses between tries have tests of their own.
    let start = || Start::demo(Backend::Sqlite).env("DATABASE", &database.url).env("MIGRATE_DATABASE", &database.owner_url).env("RATES__SIGN_IN_ACCOUNT__PAUSE_SECONDS", "0");
    let one = start().start_in(folder, data.clone()).await;
    let two = start().start_in(tempfile::tempdir().unwrap(), data).await;
    account(&one, "wang.fang").await;
    for n in 0..5 {
        let server = if n % 2 == 0 { &one } else { &two };
        assert_eq!(post(server, "/sign-in", json!({ "username": "wang.fang", "password": "a wrong password" })).await.status, 401);
    }
    for server in [&one, &two] {
        let locked = password(server, "wang.fang").await;
        assert_eq!((locked.status, locked.code()), (401, "SIGN_IN_REFUSED"), "the right password no longer helps");
    }
}

#[tokio::test]
async fn tries_that_come_too_quickly_wait_longer_and_longer_whoever_they_are_for() {
    let server = Start::demo(Backend::Sqlite).start().await;
    account(&server, "wang.fang").await;
    let mut answers = Vec::new();
    for name in ["wang.fang", "nobody.at.all"] {
        let mut row = Vec::new();
        for _ in 0..3 {
            let answer = post(&server, "/sign-in", json!({ "username": name, "password": "a wrong password" })).await;
            row.push((answer.status, answer.code().to_owned(), answer.headers.get("retry-after").map(|h| h.to_str().unwrap().to_owned())));
        }
        answers.push(row);
    }
    let wrong = (401, "SIGN_IN_REFUSED".to_owned(), None);
    assert_eq!(answers[0], [wrong.clone(), wrong, (429, "TOO_MANY_TRIES".to_owned(), Some("1".to_owned()))]);
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn tries_from_one_address_are_counted() {
    let server = Start::demo(Backend::Sqlite).env("RATES__SIGN_IN_SOURCE__LIMIT", "3").start().await;
    for name in ["whoever", "another", "a.third"] {
        assert_eq!(password(&server, name).await.status, 401);
    }
    let refused = password(&server, "somebody-else").await;
    assert_eq!((refused.status, refused.code()), (429, "TOO_MANY_TRIES"));
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait));
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_in_a_cookie_out_of_reach() {
    let server = Start::demo(Backend::Sqlite).env("CORS__ORIGINS", r#"["https://front.example.org"]"#).start().await;
    account(&server, "wang.fang").await;
    let (_, _, codes) = enrolled(&server, "wang.fang").await;
    let signed = with_recovery(&server, "wang.fang", &codes[0], true).await;
    assert_eq!(signed.body["refreshToken"], Value::Null);
    let cookie = signed.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap().to_owned();
    let refresh = |pair: &str| send(server.client.post(format!("{}/sign-in/refresh", server.url)).header("cookie", pair).header("origin", "https://front.example.org").json(&json!({})));
    let next = refresh(&pair).await;
    assert_eq!((next.status, next.headers["access-control-allow-credentials"].to_str().unwrap()), (200, "true"));
    let second = next.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_ne!(second, pair);
    let lost = refresh(&pair).await;
    assert_eq!(lost.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap(), second, "a lost answer is given again");
    assert_eq!(refresh(&second).await.status, 200);
    let stolen = refresh(&pair).await;
    assert_eq!(stolen.status, 401);
    assert!(stolen.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(refresh(&second).await.status, 401, "the session is over");
    let late = ask(&server, &next.text("accessToken"), "{ __typename }", json!({})).await;
    assert_eq!(late.status, 401, "and its access tokens with it");
}

#[tokio::test]
pub async fn revoked_disabled_and_signed_out_end_requests_and_sockets_within_five_seconds() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let id = account(&server, "wang.fang").await;
    let (_, _, codes) = enrolled(&server, "wang.fang").await;
    let tokens: Vec<String> = {
        let mut tokens = Vec::new();
        for code in &codes[..3] {
            tokens.push(with_recovery(&server, "wang.fang", code, false).await.text("accessToken"));
        }
        tokens
    };
    for token in &tokens {
        assert_eq!(ask(&server, token, "{ __typename }", json!({})).await.status, 200);
    }
    let mut sockets = Vec::new();
    for token in &tokens {
        sockets.push(open_with(&server, token).await);
    }
    let sid = claims(&tokens[0])["sid"].as_str().unwrap().to_owned();
    let revoke = "mutation($id: ID!) { revokeSession(input: { sessionId: $id }) { userErrors { code } } }";
    ask(&server, &tokens[1], revoke, json!({ "id": format!("Session:{sid}") })).await;
    send(server.client.post(format!("{}/sign-out", server.url)).bearer_auth(&tokens[1]).json(&json!({}))).await;
    let disable = "mutation($i: DisableAccountInput!) { disableAccount(input: $i) { account { state } userErrors { code field } } }";
    let input = json!({ "accountId": id, "expectedVersion": 1, "reason": "left the office" });
    let disabled = ask(&server, &server.token("system-administrator"), disable, json!({ "i": input })).await;
    assert_eq!(disabled.body["data"]["disableAccount"]["account"]["state"], "SUSPENDED", "{}", disabled.body);
    for (token, socket) in tokens.iter().zip(&mut sockets) {
        let closed = tokio::time::timeout(Duration::from_secs(5), hear_close(socket)).await.expect("closed in time");
        assert_eq!(closed, 4403);
        assert_eq!(ask(&server, token, "{ __typename }", json!({})).await.status, 401);
    }
    assert_eq!(password(&server, "wang.fang").await.status, 401);
}

#[tokio::test]
async fn no_secret_of_a_sign_in_is_in_database_log_or_record() {
    let server = Start::demo(Backend::Sqlite).env("LOG__FILTER", "debug").start().await;
    account(&server, "wang.fang").await;
    let (first, secret, codes) = enrolled(&server, "wang.fang").await;
    let signed = with_recovery(&server, "wang.fang", &codes[0], false).await;
    let change = "mutation($i: ChangePasswordInput!) { changePassword(input: $i) { userErrors { code } } }";
    let input = json!({ "currentPassword": PASSWORD, "newPassword": "another horse battery", "idempotencyKey": "k1" });
    let changed = ask(&server, &signed.text("accessToken"), change, json!({ "i": input })).await;
    assert_eq!(changed.body["data"]["changePassword"]["userErrors"], json!([]), "{}", changed.body);
    let mut planted = vec![PASSWORD.to_owned(), "another horse battery".into(), secret, first.text("refreshToken"), signed.text("refreshToken")];
    planted.extend(codes);
    for file in std::fs::read_dir(&server.data).unwrap().flatten().filter(|f| f.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        for text in &planted {
            assert!(!bytes.windows(text.len()).any(|w| w == text.as_bytes()), "{text} is in {:?}", file.path());
        }
    }
    let log = server.logged();
    assert!(log.contains("sign-in"));
    for text in &planted {
        assert!(!log.contains(text.as_str()), "{text} is in the log");
    }
}

#[tokio::test]
async fn new_codes_end_the_old_ones_and_everywhere_means_every_session() {
    let server = Start::demo(Backend::Sqlite).start().await;
    account(&server, "wang.fang").await;
    let (_, secret, codes) = enrolled(&server, "wang.fang").await;
    let token = with_recovery(&server, "wang.fang", &codes[0], false).await.text("accessToken");
    let other = with_recovery(&server, "wang.fang", &codes[1], false).await.text("accessToken");
    let renew = "mutation($c: Secret!) { newRecoveryCodes(input: { code: $c }) { recoveryCodes userErrors { code } } }";
    let renewed = ask(&server, &token, renew, json!({ "c": totp(&secret, step() + 1) })).await;
    let fresh = renewed.body["data"]["newRecoveryCodes"]["recoveryCodes"].as_array().cloned().unwrap_or_default();
    assert_eq!(fresh.len(), 10, "{}", renewed.body);
    assert_eq!(with_recovery(&server, "wang.fang", &codes[2], false).await.status, 401, "an old code is good no more");
    let out = ask(&server, &token, "mutation { signOutEverywhere(input: {}) { userErrors { code } } }", json!({})).await;
    assert_eq!(out.body["data"]["signOutEverywhere"]["userErrors"], json!([]), "{}", out.body);
    tokio::time::sleep(Duration::from_secs(3)).await;
    for token in [&token, &other] {
        assert_eq!(ask(&server, token, "{ __typename }", json!({})).await.status, 401);
    }
}
