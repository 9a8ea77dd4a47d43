//! Sign-in by an external OpenID provider: we are its client (authorization code, PKCE, state and nonce bound to the browser),
//! our front end is ours (a code of its own, redeemed with its own PKCE verifier).

use super::{cookie, own_keys, read, refused, source, tokens};
use crate::config::ProviderConfig;
use crate::http::answer::Refused;
use crate::http::negotiate::Media;
use crate::http::{App, Context, Shared, auth, only};
use crate::token::issuer::{RemoteIssuer, client, get, json_within};
use crate::token::strict::{self, IdToken};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::clock::Clock;
use domain::staff::{Arrival, NotSignedIn, Secret};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Ties the way back to the browser that left. Lax: the provider sends it back from another site.
const COOKIE: &str = "__Host-child-welfare-external";
const AWAY_SECONDS: i64 = 600;
/// Endpoints older than this are discovered again.
const STALE: Duration = Duration::from_secs(600);
const MOST_TEXT: usize = 512;
/// How far the clock of a provider may be off, in seconds.
const LEEWAY: i64 = 60;
/// The `error` a front end gets when nobody was signed in; why is on record, not in an address.
const DENIED: &str = "access_denied";

pub struct Provider {
    pub config: ProviderConfig,
    keys: RemoteIssuer,
    endpoints: Mutex<Option<(Instant, Arc<Endpoints>)>>,
}

struct Endpoints {
    authorization: Url,
    token: Url,
}

/// What is kept, sealed, while the browser is away.
#[derive(Serialize, Deserialize)]
struct Away {
    provider: String,
    nonce: String,
    verifier: String,
    browser: String,
    challenge: String,
    return_to: String,
    front_state: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedeemInput {
    code: String,
    verifier: String,
    #[serde(default)]
    cookie: bool,
}

impl Provider {
    pub fn new(config: ProviderConfig) -> Provider {
        Provider { keys: RemoteIssuer::new(config.issuer()), config, endpoints: Mutex::default() }
    }

    /// One discovery at a time; the others wait for it.
    async fn endpoints(&self) -> Result<Arc<Endpoints>, String> {
        let mut known = self.endpoints.lock().await;
        if let Some((at, endpoints)) = known.as_ref().filter(|(at, _)| at.elapsed() < STALE) {
            let _ = at;
            return Ok(endpoints.clone());
        }
        let issuer = &self.config.issuer;
        let found = get(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).await?;
        if found.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err("the discovery document names another issuer".into());
        }
        let url = |name: &str| -> Result<Url, String> {
            let text = found.get(name).and_then(Value::as_str).ok_or(format!("no {name} in the discovery document"))?;
            if issuer.starts_with("https:") && !text.starts_with("https:") {
                return Err(format!("the {name} is not https"));
            }
            Url::parse(text).map_err(|_| format!("the {name} is no URL"))
        };
        let endpoints = Arc::new(Endpoints { authorization: url("authorization_endpoint")?, token: url("token_endpoint")? });
        *known = Some((Instant::now(), endpoints.clone()));
        Ok(endpoints)
    }

    /// The ID token for a code.
    async fn exchange(&self, code: &str, verifier: &str, redirect_uri: &str) -> Result<String, String> {
        let endpoints = self.endpoints().await?;
        let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri), ("code_verifier", verifier)];
        let mut request = client().map_err(|e| e.without_url().to_string())?.post(endpoints.token.clone());
        match &self.config.client_secret {
            // RFC 6749 section 2.3.1: both are form-encoded before they are put together.
            Some(secret) => {
                let pair = format!("{}:{}", encoded(&[("", &self.config.client_id)]).trim_start_matches('='), encoded(&[("", secret.expose())]).trim_start_matches('='));
                request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
            }
            None => form.push(("client_id", &self.config.client_id)),
        }
        let answer = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded(&form)).send().await;
        let answer = answer.map_err(|e| e.without_url().to_string())?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("the token endpoint answered {status}"));
        }
        let body = json_within(answer).await?;
        body.get("id_token").and_then(Value::as_str).map(str::to_owned).ok_or("there is no id_token in the answer".into())
    }

    async fn check(&self, token: &str, nonce: &str, now: i64) -> Result<IdToken, String> {
        let parsed = strict::parse_id_token(token).map_err(|e| e.to_string())?;
        fits(&self.config, &parsed.claims, nonce, now)?;
        let key = self.keys.key(&parsed.kid).await.map_err(|e| e.to_string())?;
        crate::token::check_signed(&key.decoding, key.alg, parsed.alg, parsed.message, parsed.signature).map_err(|e| e.to_string())?;
        Ok(parsed.claims)
    }
}

/// OpenID Connect Core 1.0, section 3.1.3.7, without its liberties.
fn fits(config: &ProviderConfig, claims: &IdToken, nonce: &str, now: i64) -> Result<(), &'static str> {
    if claims.issuer != config.issuer {
        return Err("iss");
    }
    if !claims.audience.contains(&config.client_id) {
        return Err("aud");
    }
    // With several audiences the one it was made for must be named, and whoever is named must be us.
    if claims.authorized.as_ref().map_or(claims.audience.len() > 1, |azp| *azp != config.client_id) {
        return Err("azp");
    }
    if verify_slices_are_equal(claims.nonce.as_bytes(), nonce.as_bytes()).is_err() {
        return Err("nonce");
    }
    if now >= claims.expires {
        return Err("exp");
    }
    if claims.issued > now + LEEWAY || claims.issued < now - AWAY_SECONDS {
        return Err("iat");
    }
    if !config.acr.is_empty() && !claims.acr.as_ref().is_some_and(|acr| config.acr.contains(acr)) {
        return Err("acr: not the strength that is asked for");
    }
    if !config.amr.iter().all(|wanted| claims.amr.contains(wanted)) {
        return Err("amr: not the strength that is asked for");
    }
    Ok(())
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("http://localhost/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

fn random(clock: &dyn Clock) -> String {
    let mut bytes = [0; 32];
    clock.random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn s256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn redirect(to: &str, cookie: &str) -> Result<Response, Refused> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_str(to).map_err(|_| Refused::internal())?);
    answer.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(cookie).map_err(|_| Refused::internal())?);
    Ok(answer)
}

/// Each parameter once.
fn query(request: &Parts) -> Result<HashMap<String, String>, Refused> {
    let wrong = || Refused::bad_request("参数不正确", "the parameters are not right");
    let uri = format!("http://localhost/?{}", request.uri.query().unwrap_or_default());
    let url = Url::parse(&uri).map_err(|_| wrong())?;
    let mut found = HashMap::new();
    for (name, value) in url.query_pairs() {
        if value.len() > 8 * MOST_TEXT || found.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(wrong());
        }
    }
    Ok(found)
}

fn callback_uri(app: &App) -> String {
    format!("{}/sign-in/external/callback", app.config.external.base_url)
}

/// `GET /sign-in/external/{provider}?challenge=…&returnTo=…&state=…`: away to the provider.
pub async fn start(State(app): State<Shared>, Extension(context): Extension<Context>, Path(name): Path<String>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let run = async {
        own_keys(&app)?;
        if let Some(answer) = only("GET", &request.method, &context) {
            return Ok(answer);
        }
        let provider = app.providers.iter().find(|p| p.config.name == name).ok_or_else(Refused::not_found)?;
        let mut given = query(&request)?;
        let mut take = |key: &str| given.remove(key).unwrap_or_default();
        let (challenge, return_to, front_state) = (take("challenge"), take("returnTo"), take("state"));
        let shaped = challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !shaped || front_state.len() > MOST_TEXT || !app.config.external.return_to.contains(&return_to) {
            return Err(Refused::bad_request(
                "challenge 应为 PKCE S256 摘要，returnTo 应为设置中列出的地址",
                "challenge should be a PKCE S256 challenge, returnTo one of the addresses in the settings",
            ));
        }
        let endpoints = provider.endpoints().await.map_err(|error| {
            tracing::warn!(provider = %provider.config.name, error, "the provider cannot be discovered");
            Refused::unavailable()
        })?;
        let clock = app.domain.clock.as_ref();
        let (nonce, verifier, browser) = (random(clock), random(clock), random(clock));
        let mut url = endpoints.authorization.clone();
        let kept = Away { provider: name.clone(), browser: s256(&browser), nonce, verifier, challenge, return_to, front_state };
        let content = serde_json::to_string(&kept).map_err(|_| Refused::internal())?;
        let state = app.domain.keep_external(&content).await.map_err(|e| refused(e.into(), &context))?;
        let redirect_uri = callback_uri(&app);
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", provider.config.client_id.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", "openid"),
            ("state", state.expose()),
            ("nonce", kept.nonce.as_str()),
            ("code_challenge", s256(&kept.verifier).as_str()),
            ("code_challenge_method", "S256"),
        ]);
        if !provider.config.acr.is_empty() {
            url.query_pairs_mut().append_pair("acr_values", &provider.config.acr.join(" "));
        }
        redirect(url.as_str(), &format!("{COOKIE}={browser}; Path=/; Max-Age={AWAY_SECONDS}; Secure; HttpOnly; SameSite=Lax"))
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

/// `GET /sign-in/external/callback?code=…&state=…`: back from the provider, on to the front end.
pub async fn callback(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let run = async {
        own_keys(&app)?;
        if request.method != Method::GET {
            return Err(Refused::method("GET"));
        }
        let given = query(&request)?;
        let source = source(&context, true);
        let lost = || Refused::bad_request("登录过程已失效，请重新开始", "this sign-in is no longer under way: begin again");
        let browser = cookie::named(&request.headers, COOKIE);
        let kept = match (given.get("state"), &browser) {
            (Some(state), Some(_)) => app.domain.take_external(state).await.map_err(|e| refused(e.into(), &context))?,
            _ => None,
        };
        let kept: Option<Away> = kept.and_then(|k| serde_json::from_str(k.expose()).ok());
        let same = |kept: &Away| browser.as_ref().is_some_and(|b| verify_slices_are_equal(s256(b).as_bytes(), kept.browser.as_bytes()).is_ok());
        let Some(kept) = kept.filter(same) else {
            app.domain.external_refused(&source).await.map_err(|e| refused(e.into(), &context))?;
            return Err(lost());
        };
        let provider = app.providers.iter().find(|p| p.config.name == kept.provider).ok_or_else(lost)?;
        let arrived = async {
            if given.get("iss").is_some_and(|iss| *iss != provider.config.issuer) {
                return Err("another issuer sent the browser back (RFC 9207)".to_owned());
            }
            let code = given.get("code").ok_or("the provider sent no code")?;
            let token = provider.exchange(code, &kept.verifier, &callback_uri(&app)).await?;
            provider.check(&token, &kept.nonce, app.domain.clock.now().timestamp()).await
        };
        let mut back = Url::parse(&kept.return_to).map_err(|_| Refused::internal())?;
        let outcome = match arrived.await {
            Ok(claims) => {
                let arrival = Arrival { issuer: &claims.issuer, subject: &claims.subject, methods: &claims.amr, challenge: &kept.challenge };
                match app.domain.arrive(&source, &arrival).await {
                    Ok(code) => ("code", code.expose().to_owned()),
                    Err(NotSignedIn::Other(error)) => {
                        tracing::error!(request_id = %context.request_id, error = auth::detail(&error), "a sign-in failed");
                        ("error", "temporarily_unavailable".to_owned())
                    }
                    Err(_) => ("error", DENIED.to_owned()),
                }
            }
            Err(error) => {
                tracing::warn!(request_id = %context.request_id, provider = %provider.config.name, error, "an external sign-in was refused");
                app.domain.external_refused(&source).await.map_err(|e| refused(e.into(), &context))?;
                ("error", DENIED.to_owned())
            }
        };
        back.query_pairs_mut().append_pair(outcome.0, &outcome.1).append_pair("state", &kept.front_state);
        redirect(back.as_str(), &format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"))
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

/// `POST /sign-in/external/redeem`: the front end's code for tokens.
pub async fn redeem(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let run = async {
        let keys = own_keys(&app)?;
        let (_, input) = match read::<RedeemInput>(&app, &context, request).await? {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let opened = app.domain.redeem(&source(&context, input.cookie), &Secret::new(input.code), &Secret::new(input.verifier)).await;
        tokens(&app, &keys, &opened.map_err(|e| refused(e, &context))?, input.cookie)
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn config() -> ProviderConfig {
        ProviderConfig { name: "p".into(), issuer: "https://id".into(), client_id: "us".into(), client_secret: None, acr: vec!["high".into()], amr: vec!["mfa".into()] }
    }

    fn claims() -> Value {
        json!({ "iss": "https://id", "aud": "us", "sub": "wang", "nonce": "n", "acr": "high", "amr": ["pwd", "mfa"], "iat": NOW, "exp": NOW + 60 })
    }

    fn verdict(header: &Value, claims: &Value) -> Result<(), String> {
        let token = SigningKey::for_test("ES256").sign(header, claims).unwrap();
        let parsed = strict::parse_id_token(&token).map_err(|e| e.to_string())?;
        fits(&config(), &parsed.claims, "n", NOW).map_err(str::to_owned)
    }

    #[test]
    fn every_claim_of_an_id_token_is_checked() {
        let header = json!({ "alg": "ES256", "kid": "k" });
        assert_eq!(verdict(&header, &claims()), Ok(()));
        let several = |azp: &str| (json!(["us", "them"]), json!(azp));
        for (key, value, wanted) in [
            ("iss", json!("https://other"), "iss"),
            ("aud", json!("them"), "aud"),
            ("aud", json!(["us", "them"]), "azp"),
            ("azp", json!("them"), "azp"),
            ("nonce", json!("other"), "nonce"),
            ("nonce", Value::Null, "nonce"),
            ("exp", json!(NOW), "exp"),
            ("iat", json!(NOW + 61), "iat"),
            ("iat", json!(NOW - 601), "iat"),
            ("acr", json!("low"), "acr"),
            ("amr", json!(["pwd"]), "amr"),
            ("amr", json!("mfa"), "amr"),
            ("sub", json!(""), "sub"),
        ] {
            let mut wrong = claims();
            wrong[key] = value.clone();
            assert!(verdict(&header, &wrong).is_err_and(|e| e.contains(wanted)), "{key}: {value}: {:?}", verdict(&header, &wrong));
        }
        let (aud, azp) = several("us");
        let mut shared = claims();
        (shared["aud"], shared["azp"]) = (aud, azp);
        assert_eq!(verdict(&header, &shared), Ok(()));
    }

    #[test]
    fn headers_and_algorithms_that_are_not_ours_are_refused() {
        for header in [
            json!({ "alg": "none", "kid": "k" }),
            json!({ "alg": "RS256", "kid": "k" }),
            json!({ "alg": "HS256", "kid": "k" }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "ES256", "kid": "k", "typ": "at+jwt" }),
            json!({ "alg": "ES256", "kid": "k", "crit": ["exp"] }),
            json!({ "alg": "ES256", "kid": "k", "jku": "https://evil.example/keys" }),
        ] {
            assert!(verdict(&header, &claims()).is_err(), "{header}");
        }
    }
}
