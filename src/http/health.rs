//! Liveness, readiness, metrics and our public keys.

use super::answer::{Refused, json_answer};
use super::negotiate::Media;
use super::{Context, Shared, auth, only};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::clients::documents::{hash_of, hex};
use serde_json::json;
use std::sync::LazyLock;
use std::time::Duration;

const GET: &str = "GET, HEAD";

pub async fn live(Extension(context): Extension<Context>, request: Request) -> Response {
    only(GET, request.method(), &context).unwrap_or_else(|| json_answer(StatusCode::OK, Media::Json, json!({ "status": "live" }).to_string()))
}

/// The database was opened with every migration in; what may change is whether it answers.
pub async fn ready(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    if let Some(answer) = only(GET, request.method(), &context) {
        return answer;
    }
    let stopping = *app.stop.borrow();
    let answers = !stopping && matches!(tokio::time::timeout(Duration::from_secs(2), app.domain.db.ping()).await, Ok(Ok(())));
    let (status, word) = match (stopping, answers) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (_, false) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
        _ => (StatusCode::OK, "ready"),
    };
    let mut detail = json!({ "status": word });
    // Not a reason to send nobody here any more, but one to look.
    let (waiting, since) = app.domain.audit.waiting();
    if let Some(late) = since.map(|since| app.domain.clock.now() - since).filter(|waited| *waited > domain::chain::LATE) {
        detail["audit"] = json!({ "unlinked": waiting, "oldestSeconds": late.num_seconds() });
    }
    json_answer(status, Media::Json, detail.to_string())
}

pub async fn jwks(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    if let Some(answer) = only(GET, request.method(), &context) {
        return answer;
    }
    let set = app.keys.as_ref().map_or_else(|| json!({ "keys": [] }), |keys| keys.current().jwks());
    let mut answer = json_answer(StatusCode::OK, Media::Json, set.to_string());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    answer
}

/// The schema as text, open to everyone: it is documentation.
pub async fn schema(Extension(context): Extension<Context>, request: Request) -> Response {
    if let Some(answer) = only(GET, request.method(), &context) {
        return answer;
    }
    static SDL: LazyLock<(String, String)> = LazyLock::new(|| {
        let sdl = graphql::Schema::sdl();
        let hash = hex(&hash_of(&sdl));
        (sdl, format!("\"{}\"", hash.get(..32).unwrap_or_default()))
    });
    let (sdl, tag) = &*SDL;
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let unchanged = known.map(|v| v.trim().trim_start_matches("W/")).any(|v| v == tag || v == "*");
    let mut answer = Response::new(if unchanged { Body::empty() } else { Body::from(sdl.as_str()) });
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/graphql; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

/// On the main listener for those who have signed in, unless the metrics have a listener of their own or must have one.
pub async fn metrics(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    if let Err(refused) = auth::sign_in(&app, request.headers(), &context).await {
        return refused.answer(&context, Media::Json);
    }
    if app.config.metrics_listen.is_some() || app.config.profile.is_production() {
        return Refused::not_found().answer(&context, Media::Json);
    }
    only(GET, request.method(), &context).unwrap_or_else(|| rendered(&app))
}

pub async fn private_metrics(State(app): State<Shared>) -> Response {
    rendered(&app)
}

fn rendered(app: &Shared) -> Response {
    let mut answer = Response::new(Body::from(app.metrics.render()));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    answer
}
