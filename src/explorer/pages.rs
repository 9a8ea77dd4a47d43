//! What the explorer's page asks the server for.

use crate::config::Profile;
use crate::http::answer::{Refused, json_answer};
use crate::http::negotiate::{self, Media};
use crate::http::{Context, Shared, only, params};
use ::domain::demo::PERSONAS;
use crate::token;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PERSONA_HOURS: i64 = 1;
const MOST_BYTES: usize = 4096;
const GET: &str = "GET, HEAD";

pub async fn root(Extension(context): Extension<Context>, request: Request) -> Response {
    only(GET, request.method(), &context).unwrap_or_else(|| redirect("/explorer"))
}

pub async fn slash(Extension(context): Extension<Context>, request: Request) -> Response {
    only(GET, request.method(), &context).unwrap_or_else(|| redirect("/explorer"))
}

pub async fn index(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    only(GET, request.method(), &context).unwrap_or_else(|| asset(&app, "index.html", request.headers(), &context))
}

pub async fn file(State(app): State<Shared>, Extension(context): Extension<Context>, Path(name): Path<String>, request: Request) -> Response {
    if name == "token" {
        return persona_token(&app, &context, request).await;
    }
    if let Some(answer) = only(GET, request.method(), &context) {
        return answer;
    }
    if name == "config.json" {
        return page(Body::from(app.explorer.config.clone()), HeaderValue::from_static("application/json; charset=utf-8"), false);
    }
    asset(&app, &name, request.headers(), &context)
}

fn asset(app: &Shared, name: &str, headers: &HeaderMap, context: &Context) -> Response {
    let Some(asset) = app.explorer.assets.get(name) else { return Refused::not_found().answer(context, Media::Json) };
    let packs = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("gzip"));
    let packed = asset.gzip.as_ref().filter(|_| packs);
    let body = Body::from(packed.unwrap_or(&asset.plain).clone());
    let mut answer = page(body, asset.content_type.clone(), asset.hashed);
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if packed.is_some() {
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

fn page(body: Body, content_type: HeaderValue, lasting: bool) -> Response {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    let cache = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    answer
}

fn redirect(to: &'static str) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    answer
}

/// A short token for a persona: in the demo alone. JSON only, so that no form of another site can ask for it.
async fn persona_token(app: &Shared, context: &Context, request: Request) -> Response {
    let keys = app.keys.as_ref().filter(|_| app.config.profile == Profile::Demo);
    let Some(keys) = keys else { return Refused::not_found().answer(context, Media::Json) };
    if let Some(answer) = only("POST", request.method(), context) {
        return answer;
    }
    let media_type_is_json = negotiate::is_json(request.headers());
    let (parts, body) = request.into_parts();
    let body = params::read_body(body, &parts.headers, MOST_BYTES, app.config.limits.read).await;
    let persona = match body {
        Err(refused) => return refused.answer(context, Media::Json),
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes).ok().filter(|_| media_type_is_json).and_then(|body| {
            let name = body.get("persona")?.as_str()?;
            PERSONAS.iter().find(|p| p.name == name)
        }),
    };
    let Some(persona) = persona else {
        let names: Vec<_> = PERSONAS.iter().map(|p| p.name).collect();
        let names = names.join(", ");
        let refused = Refused::bad_request(
            format!("请以 JSON 指明 persona，取其一：{names}"),
            format!("name a persona in JSON, one of: {names}"),
        );
        return refused.answer(context, Media::Json);
    };
    match token::mint(&keys.current(), &app.config.audience, persona.account, PERSONA_HOURS, app.domain.clock.as_ref()) {
        Ok(token) => {
            let body = json!({ "accessToken": token, "tokenType": "Bearer", "expiresIn": PERSONA_HOURS * 3600 });
            json_answer(StatusCode::OK, Media::Json, body.to_string())
        }
        Err(error) => {
            tracing::error!(%error, "no persona token could be made");
            Refused::internal().answer(context, Media::Json)
        }
    }
}
