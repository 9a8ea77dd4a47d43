//! Signing in over HTTP, for our own front ends: JSON in, JSON out.

mod cookie;
pub mod external;

use crate::http::answer::{Done, Refused, json_answer};
use crate::http::negotiate::{self, Media};
use crate::http::{App, Context, Shared, auth, cors, only, params};
use crate::keys::LocalKeys;
use crate::token;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use domain::problems::UserError;
use domain::staff::{Activated, Factor, FirstFactor, NotSignedIn, Opened, Secret, Source};
use entity::CodedEnum;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use serde_json::{Value, json};

const MOST_BYTES: usize = 8 * 1024;
/// Longest life of an access token of a session, in seconds.
const ACCESS: i64 = 15 * 60;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/sign-in", any(password))
        .route("/sign-in/second-factor", any(second_factor))
        .route("/sign-in/refresh", any(refresh))
        .route("/sign-in/activate", any(activate))
        .route("/sign-out", any(sign_out))
        .route("/sign-in/external/callback", any(external::callback))
        .route("/sign-in/external/redeem", any(external::redeem))
        .route("/sign-in/external/{provider}", any(external::start))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PasswordInput {
    username: String,
    password: String,
    /// The refresh token is to travel in a cookie that scripts cannot read.
    #[serde(default)]
    cookie: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SecondFactorInput {
    challenge: String,
    code: Option<String>,
    recovery_code: Option<String>,
    #[serde(default)]
    cookie: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RefreshInput {
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ActivateInput {
    activation_code: String,
    password: String,
}

async fn password(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let run = async {
        let keys = own_keys(&app)?;
        let (_, input) = match read::<PasswordInput>(&app, &context, request).await? {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let source = source(&context, input.cookie);
        let first = app.domain.sign_in_with_password(&source, &input.username, &Secret::new(input.password)).await.map_err(|e| refused(e, &context))?;
        match first {
            FirstFactor::Challenge(challenge) => Ok(ok(json!({
                "status": "SECOND_FACTOR_NEEDED", "challenge": challenge.expose(), "expiresIn": app.domain.sign_in.challenge.num_seconds(),
            }))),
            FirstFactor::Enrol(opened) => tokens(&app, &keys, &opened, input.cookie),
        }
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

async fn second_factor(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let run = async {
        let keys = own_keys(&app)?;
        let (_, input) = match read::<SecondFactorInput>(&app, &context, request).await? {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let factor = match (input.code, input.recovery_code) {
            (Some(code), None) => Factor::Code(Secret::new(code)),
            (None, Some(code)) => Factor::Recovery(Secret::new(code)),
            _ => return Err(Refused::bad_request("请提供 code 或 recoveryCode 其中之一", "send code or recoveryCode, one of them")),
        };
        let opened = app.domain.sign_in_with_second_factor(&source(&context, input.cookie), &Secret::new(input.challenge), &factor).await;
        tokens(&app, &keys, &opened.map_err(|e| refused(e, &context))?, input.cookie)
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

async fn refresh(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let run = async {
        let keys = own_keys(&app)?;
        let (headers, input) = match read::<RefreshInput>(&app, &context, request).await? {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let (token, by_cookie) = match (input.refresh_token, cookie::read(&headers)) {
            (Some(token), _) => (token, false),
            (None, Some(token)) => (token, true),
            (None, None) => return Err(wrong()),
        };
        match app.domain.refresh(&source(&context, by_cookie), &Secret::new(token)).await {
            Ok(opened) => tokens(&app, &keys, &opened, by_cookie),
            Err(error) => {
                let mut answer = refused(error, &context).answer(&context, Media::Json);
                if by_cookie && answer.status() == StatusCode::UNAUTHORIZED {
                    answer.headers_mut().insert(header::SET_COOKIE, cookie::gone());
                }
                Ok(answer)
            }
        }
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

async fn sign_out(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let run = async {
        let (headers, input) = match read::<RefreshInput>(&app, &context, request).await? {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(auth::bearer);
        let session = match bearer {
            Some(token) => app.verifier.verify(token).await.ok().and_then(|v| Some((v.subject.parse().ok()?, v.session?))),
            None => None,
        };
        let token = input.refresh_token.or_else(|| cookie::read(&headers)).map(Secret::new);
        app.domain.sign_out(&source(&context, false), session, token.as_ref()).await.map_err(|e| refused(e.into(), &context))?;
        let mut answer = json_answer(StatusCode::OK, Media::Json, json!({ "status": "SIGNED_OUT" }).to_string());
        answer.headers_mut().insert(header::SET_COOKIE, cookie::gone());
        Ok(answer)
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

async fn activate(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    let run = async {
        own_keys(&app)?;
        let (_, input) = match read::<ActivateInput>(&app, &context, request).await? {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let done = app.domain.activate(&source(&context, false), &Secret::new(input.activation_code), &Secret::new(input.password)).await;
        let done = done.map_err(|e| refused(e, &context))?;
        match done {
            Activated::Done => Ok(ok(json!({ "status": "ACTIVATED" }))),
            Activated::Refused(errors) => Err(not_this_password(&context, &errors)),
        }
    };
    run.await.unwrap_or_else(|refused: Refused| refused.answer(&context, Media::Json))
}

/// Without keys of our own nobody signs in here.
fn own_keys(app: &App) -> Result<Arc<LocalKeys>, Refused> {
    app.keys.as_ref().map(|keys| keys.current()).ok_or_else(Refused::not_found)
}

fn source(context: &Context, browser: bool) -> Source {
    Source { address: context.client.limited().to_string(), client: if browser { "browser" } else { "app" }, request_id: context.request_id.clone() }
}

/// The body as JSON, from our own pages or from no page at all: a form of another site cannot send JSON, and its scripts have an origin.
async fn read<T: DeserializeOwned>(app: &App, context: &Context, request: Request) -> Result<Result<(HeaderMap, T), Response>, Refused> {
    if let Some(answer) = only("POST", request.method(), context) {
        return Ok(Err(answer));
    }
    if !cors::may_open_socket(&app.config.cors_origins, request.headers()) {
        return Err(Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", "不接受来自此网站的请求", "requests from pages of that origin are not accepted"));
    }
    if !negotiate::is_json(request.headers()) {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            "请求体应为 application/json，编码 UTF-8",
            "the body should be application/json in UTF-8",
        ));
    }
    let (parts, body) = request.into_parts();
    let body = params::read_body(body, &parts.headers, MOST_BYTES, app.config.limits.read).await?;
    // What serde says would repeat values: passwords.
    let input = serde_json::from_slice(&body)
        .map_err(|_| Refused::bad_request("请求体的字段不正确，见接口文档“登录”", "the body does not have the fields of this step, see \"Signing in\" in the documentation"))?;
    Ok(Ok((parts.headers, input)))
}

fn ok(body: Value) -> Response {
    json_answer(StatusCode::OK, Media::Json, body.to_string())
}

fn tokens(app: &App, keys: &LocalKeys, opened: &Opened, by_cookie: bool) -> Result<Response, Refused> {
    let now = app.domain.clock.now().timestamp();
    let expires = (now + ACCESS).min(opened.ends_at.timestamp());
    let access = token::mint_for_session(keys, &app.config.audience, opened, expires, app.domain.clock.as_ref()).map_err(|error| {
        tracing::error!(%error, "no access token could be made");
        Refused::internal()
    })?;
    let mut answer = ok(json!({
        "status": if opened.strong { "SIGNED_IN" } else { "SECOND_FACTOR_TO_ENROL" },
        "tokenType": "Bearer",
        "accessToken": access,
        "expiresIn": expires - now,
        "refreshToken": if by_cookie { None } else { Some(opened.refresh.expose()) },
        "sessionId": opened.session,
        "sessionEndsAt": opened.ends_at,
    }));
    if by_cookie {
        answer.headers_mut().insert(header::SET_COOKIE, cookie::set(opened.refresh.expose(), opened.ends_at.timestamp() - now)?);
    }
    answer.extensions_mut().insert(Done { outcome: "ok", operation: None, statements: 0 });
    Ok(answer)
}

fn wrong() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "SIGN_IN_REFUSED",
        "未能登录：用户名、密码或验证码不正确，或已过期，或因多次失败暂时锁定",
        "not signed in: the name, password or code is not right, or no longer, or locked for a while after too many tries",
    )
    .with(header::WWW_AUTHENTICATE, r#"Bearer realm="child-welfare""#)
    .outcome("unauthenticated")
}

fn refused(error: NotSignedIn, context: &Context) -> Refused {
    match error {
        NotSignedIn::Wrong => wrong(),
        NotSignedIn::TooMany { seconds } => Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_TRIES",
            "登录尝试过多或过于频繁，请稍后再试",
            "too many tries, or too quickly one after the other: wait",
        )
        .with(header::RETRY_AFTER, seconds.to_string()),
        NotSignedIn::Busy => Refused::overloaded(),
        NotSignedIn::Other(error) => {
            tracing::error!(request_id = %context.request_id, error = auth::detail(&error), "a sign-in failed");
            Refused::unavailable()
        }
    }
}

fn not_this_password(context: &Context, errors: &[UserError]) -> Refused {
    let reasons: Vec<Value> = errors
        .iter()
        .map(|e| {
            let coded = e.code.coded();
            json!({ "code": coded.name, "message": context.language.choose(coded.label_zh, coded.label_en) })
        })
        .collect();
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "PASSWORD_REFUSED", "密码不符合要求，请换一个", "that password is not good enough: choose another")
        .extra("reasons", reasons.into())
}

/// A page of a listed origin on the same site may use the cookie.
pub fn let_credentials(origins: &[String], path: &str, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if (path.starts_with("/sign-in") || path == "/sign-out") && cors::listed(origins, origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}
