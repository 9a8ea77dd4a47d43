//! Sign-in by an external provider: a real one, npm `oidc-provider`, driven as a browser would be, without one.

use crate::harness::{Backend, Server, Start, free_address};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");
const FRONT: &str = "http://127.0.0.1:9/front";
const VERIFIER: &str = "a-verifier-of-the-front-end-with-43-characters-or-more";

struct OpenId {
    child: Child,
    issuer: String,
}

impl Drop for OpenId {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cookies of one host each, as a browser keeps them.
#[derive(Default)]
struct Browser {
    jars: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    async fn send(&mut self, server: &Server, method: reqwest::Method, url: &Url, body: Option<String>) -> reqwest::Response {
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let jar = self.jars.entry(host).or_default();
        let cookies = jar.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; ");
        let mut request = server.client.request(method, url.clone());
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Follows redirections, fills in the login page, and stops where it is sent to `until`.
    async fn walk(&mut self, server: &Server, from: Url, login: &str, amr: &str, until: &str) -> Url {
        let mut url = from;
        for _ in 0..12 {
            let mut answer = self.send(server, reqwest::Method::GET, &url, None).await;
            if answer.status() == 200 {
                let form = format!("login={login}&amr={}", amr.replace(' ', "+"));
                answer = self.send(server, reqwest::Method::POST, &url, Some(form)).await;
            }
            assert!(answer.status().is_redirection(), "{url}: {}", answer.status());
            let next = url.join(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
            if next.as_str().starts_with(until) {
                return next;
            }
            url = next;
        }
        panic!("the way does not end");
    }
}

async fn started() -> (OpenId, Server) {
    let (address, own) = (free_address(), free_address());
    let issuer = format!("http://{address}");
    let base = format!("http://{own}");
    let child = Command::new("node")
        .arg("oidc-provider.mjs")
        .current_dir(FOLDER)
        .env("CW_OIDC_PORT", address.rsplit_once(':').unwrap().1)
        .env("CW_OIDC_SECRET", "a secret & its signs: %20+/")
        .env("CW_OIDC_REDIRECT", format!("{base}/sign-in/external/callback"))
        .stdout(Stdio::null())
        .spawn()
        .expect("node is missing: run tests/run");
    let provider = OpenId { child, issuer };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("client-secret");
    std::fs::write(&secret, "a secret & its signs: %20+/\n").unwrap();
    let settings = format!(r#"[{{name="national",issuer="{}",client_id="child-welfare",client_secret_file="{}",amr=["mfa"]}}]"#, provider.issuer, secret.display());
    let data = folder.path().join("data");
    let server = Start::demo(Backend::Sqlite)
        .env("PROVIDERS", &settings)
        .env("SIGN_IN__BASE_URL", &base)
        .env("SIGN_IN__RETURN_TO", &format!(r#"["{FRONT}"]"#))
        .start_at(folder, data, own)
        .await;
    for _ in 0..100 {
        if server.client.get(format!("{}/.well-known/openid-configuration", provider.issuer)).send().await.is_ok() {
            return (provider, server);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the provider does not answer");
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes()))
}

fn start(server: &Server) -> Url {
    Url::parse_with_params(&format!("{}/sign-in/external/national", server.url), [("challenge", challenge().as_str()), ("returnTo", FRONT), ("state", "front")]).unwrap()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
}

async fn redeem(server: &Server, code: &str, verifier: &str) -> (u16, Value) {
    let answer = server.client.post(format!("{}/sign-in/external/redeem", server.url)).json(&json!({ "code": code, "verifier": verifier })).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn staff_come_in_by_a_real_provider_and_strangers_do_not() {
    let (provider, server) = started().await;
    let make = "mutation($i: CreateAccountInput!) { createAccount(input: $i) { account { id } activationCode userErrors { code } } }";
    let input = json!({ "username": "wang.fang", "displayName": "王芳", "divisionCode": "520324", "externalIssuer": provider.issuer, "externalSubject": "wang" });
    let (_, made) = server.viewer("system-administrator").post(make, json!({ "i": input })).await;
    assert_eq!((&made["data"]["createAccount"]["userErrors"], &made["data"]["createAccount"]["activationCode"]), (&json!([]), &Value::Null), "{made}");

    let back = Browser::default().walk(&server, start(&server), "wang", "pwd otp mfa", FRONT).await;
    assert_eq!(parameter(&back, "state").as_deref(), Some("front"));
    let code = parameter(&back, "code").unwrap_or_else(|| panic!("{back}"));
    let (status, tokens) = redeem(&server, &code, VERIFIER).await;
    assert_eq!((status, tokens["status"].as_str()), (200, Some("SIGNED_IN")), "{tokens}");
    let ask = server.client.post(format!("{}/graphql", server.url)).bearer_auth(tokens["accessToken"].as_str().unwrap());
    let viewer: Value = ask.json(&json!({ "query": "{ viewer { username sessions { methods } } }" })).send().await.unwrap().json().await.unwrap();
    assert_eq!(viewer["data"]["viewer"], json!({ "username": "wang.fang", "sessions": [{ "methods": ["fed", "pwd", "otp", "mfa"] }] }));
    assert_eq!(redeem(&server, &code, VERIFIER).await.0, 401, "a code is good once");

    // Without the front end's own verifier a code is worth nothing, and is used up.
    let back = Browser::default().walk(&server, start(&server), "wang", "pwd otp mfa", FRONT).await;
    let code = parameter(&back, "code").unwrap();
    assert_eq!(redeem(&server, &code, "another verifier").await.0, 401);
    assert_eq!(redeem(&server, &code, VERIFIER).await.0, 401);

    // Nobody is signed in who is not linked, or who showed less than is asked for.
    for (login, amr) in [("stranger", "pwd otp mfa"), ("wang", "pwd")] {
        let back = Browser::default().walk(&server, start(&server), login, amr, FRONT).await;
        assert_eq!((parameter(&back, "error").as_deref(), parameter(&back, "code")), (Some("access_denied"), None), "{login} {amr}");
    }

    // A callback in another browser, twice, or made up.
    let mut browser = Browser::default();
    let callback = browser.walk(&server, start(&server), "wang", "pwd otp mfa", &format!("{}/sign-in/external/callback", server.url)).await;
    let mut other = Browser::default();
    assert_eq!(other.send(&server, reqwest::Method::GET, &callback, None).await.status(), 400, "a browser that never left");
    other.walk(&server, start(&server), "wang", "pwd otp mfa", &provider.issuer).await;
    assert_eq!(other.send(&server, reqwest::Method::GET, &callback, None).await.status(), 400, "a browser that left with another state");
    assert_eq!(browser.send(&server, reqwest::Method::GET, &callback, None).await.status(), 400, "a state is taken by the first that shows it");
    let mut made_up = callback.clone();
    made_up.set_query(Some("code=x&state=y"));
    assert_eq!(Browser::default().send(&server, reqwest::Method::GET, &made_up, None).await.status(), 400);
    for wrong in ["returnTo=https%3A%2F%2Fevil.example", "challenge=short"] {
        let mut url = start(&server);
        let key = wrong.split('=').next().unwrap();
        let kept: Vec<(String, String)> = url.query_pairs().filter(|(k, _)| k != key).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
        url.set_query(Some(&format!("{}&{wrong}", url.query().unwrap())));
        assert_eq!(Browser::default().send(&server, reqwest::Method::GET, &url, None).await.status(), 400, "{wrong}");
    }
}
