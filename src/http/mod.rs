//! The wire: routes, what every answer carries, and who is asking.

pub mod answer;
pub mod auth;
mod cors;
mod graphql;
mod health;
pub mod negotiate;
pub mod params;
mod uploads;
pub mod ws;

use crate::config::Config;
use crate::explorer::Explorer;
use crate::keys::LocalKeys;
use crate::telemetry::{self, Gauge};
use crate::token::Verifier;
use answer::{Done, Refused};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::any;
use ::domain::Domain;
use ::domain::access::Language;
use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const PURPOSE: HeaderName = HeaderName::from_static("x-purpose");

/// What every request needs, opened once.
pub struct App {
    pub config: Config,
    pub domain: Domain,
    pub schema: ::graphql::Schema,
    pub keys: Option<LocalKeys>,
    pub verifier: Verifier,
    pub explorer: Explorer,
    pub metrics: PrometheusHandle,
    pub in_flight: Semaphore,
    /// Becomes true when the server is to stop.
    pub stop: watch::Receiver<bool>,
    /// Held by each socket, so that the stop can wait for the last.
    pub sockets: mpsc::Sender<()>,
}

pub type Shared = Arc<App>;

/// What is known about a request before anything else.
#[derive(Clone, Debug)]
pub struct Context {
    pub request_id: String,
    pub language: Language,
}

pub fn router(app: Shared) -> Router {
    Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/uploads", any(uploads::handle))
        .route("/health/live", any(health::live))
        .route("/health/ready", any(health::ready))
        .route("/metrics", any(health::metrics))
        .route("/.well-known/jwks.json", any(health::jwks))
        .route("/", any(crate::explorer::pages::root))
        .route("/explorer", any(crate::explorer::pages::index))
        .route("/explorer/", any(crate::explorer::pages::slash))
        .route("/explorer/{file}", any(crate::explorer::pages::file))
        .fallback(unknown)
        .layer(from_fn_with_state(app.clone(), frame))
        .with_state(app)
}

/// The private listener of the metrics.
pub fn metrics_router(app: Shared) -> Router {
    Router::new().route("/metrics", any(health::private_metrics)).with_state(app)
}

/// Around every request: its id, its time, its outcome, and the headers of every answer.
async fn frame(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let _in_flight = Gauge::up(telemetry::IN_FLIGHT);
    let context = Context { request_id: request_id(&app, request.headers()), language: negotiate::language(request.headers()) };
    let route = route_of(request.uri().path());
    let method = request.method().clone();
    let origin = request.headers().get(header::ORIGIN).cloned();
    request.extensions_mut().insert(context.clone());
    let mut answer = match cors::preflight(&app.config.cors_origins, &request) {
        Some(answer) => answer,
        None => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(answer) => answer,
            Err(_) => Refused::internal().answer(&context, negotiate::Media::Json),
        },
    };
    let done = answer.extensions_mut().remove::<Done>().unwrap_or_else(|| Done::of(answer.status()));
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    cors::mark(&app.config.cors_origins, origin.as_ref(), headers);
    let elapsed = started.elapsed();
    metrics::counter!(telemetry::REQUESTS, "route" => route, "outcome" => done.outcome).increment(1);
    metrics::histogram!(telemetry::SECONDS, "route" => route).record(elapsed.as_secs_f64());
    metrics::counter!(telemetry::STATEMENTS).increment(done.statements.into());
    let quiet = matches!(route, "health" | "metrics" | "explorer");
    let (status, ms) = (answer.status().as_u16(), elapsed.as_secs_f64() * 1000.0);
    let operation = done.operation.as_deref().unwrap_or_default();
    if quiet && answer.status().is_success() {
        tracing::debug!(request_id = %context.request_id, %method, route, status, ms, "request");
    } else {
        tracing::info!(request_id = %context.request_id, %method, route, operation, status, outcome = done.outcome, ms, statements = done.statements, "request");
    }
    answer
}

/// A caller's id, if it can go into a log and a header as it is; otherwise a new one.
fn request_id(app: &App, headers: &HeaderMap) -> String {
    let sane = |id: &&str| (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(sane);
    given.map_or_else(|| app.domain.clock.id().to_string(), str::to_owned)
}

/// Names of routes, so that a stranger's paths make no new series.
fn route_of(path: &str) -> &'static str {
    match path {
        "/graphql" => "graphql",
        "/uploads" => "uploads",
        "/metrics" => "metrics",
        "/.well-known/jwks.json" => "keys",
        _ if path.starts_with("/health/") => "health",
        _ if path == "/" || path.starts_with("/explorer") => "explorer",
        _ => "other",
    }
}

/// Says nothing of what exists to those who have not signed in.
async fn unknown(State(app): State<Shared>, axum::Extension(context): axum::Extension<Context>, request: Request) -> Response {
    let media = negotiate::for_errors(request.headers());
    match auth::sign_in(&app, request.headers(), &context).await {
        Ok(_) => Refused::not_found().answer(&context, media),
        Err(refused) => refused.answer(&context, media),
    }
}

/// `None` when the method is one of these; otherwise the answer to `OPTIONS` or to a wrong method.
pub fn only(allowed: &'static str, method: &Method, context: &Context) -> Option<Response> {
    if allowed.split(", ").any(|m| m == method.as_str()) {
        return None;
    }
    if method == Method::OPTIONS {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = http::StatusCode::NO_CONTENT;
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return Some(answer);
    }
    Some(Refused::method(allowed).answer(context, negotiate::Media::Json))
}
