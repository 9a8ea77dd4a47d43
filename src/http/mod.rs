//! The wire: routes, what every answer carries, and who is asking.

pub mod answer;
pub mod auth;
pub mod cors;
pub mod documents;
mod graphql;
mod health;
pub mod negotiate;
pub mod params;
pub mod rates;
mod sse;
mod uploads;
pub mod ws;

use crate::config::Config;
use crate::explorer::Explorer;
use crate::keys::LiveKeys;
use crate::signin::external::Provider;
use crate::listen::peer::{Client, Peer};
use crate::oauth::{self, ClientKeys};
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
use chrono::{DateTime, Utc};
use rates::{Figures, Rates};
use ::domain::Domain;
use ::domain::access::Language;
use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use std::panic::AssertUnwindSafe;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const PURPOSE: HeaderName = HeaderName::from_static("x-purpose");

/// What every request needs, opened once.
pub struct App {
    pub config: Config,
    pub domain: Domain,
    pub schema: ::graphql::Schema,
    pub keys: Option<Arc<LiveKeys>>,
    pub verifier: Verifier,
    pub client_keys: ClientKeys,
    pub providers: Vec<Provider>,
    pub explorer: Explorer,
    pub metrics: PrometheusHandle,
    pub in_flight: Semaphore,
    pub rates: Rates,
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
    pub at: DateTime<Utc>,
    pub client: Client,
    pub method: Method,
    pub path: String,
    /// What the account has left, once it is known.
    figures: Arc<Mutex<Option<Figures>>>,
}

impl Context {
    /// Of another operation over the same connection.
    pub fn again(&self, request_id: String) -> Context {
        Context { request_id, figures: Arc::default(), ..self.clone() }
    }
    pub fn note(&self, figures: Option<Figures>) {
        if let Ok(mut noted) = self.figures.lock()
            && figures.is_some()
        {
            *noted = figures;
        }
    }
    pub fn figures(&self) -> Option<Figures> {
        self.figures.lock().ok().and_then(|noted| *noted)
    }
}

pub fn router(app: Shared) -> Router {
    Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/uploads", any(uploads::handle))
        .route("/oauth/token", any(oauth::token))
        .route("/schema.graphql", any(health::schema))
        .route("/health/live", any(health::live))
        .route("/health/ready", any(health::ready))
        .route("/metrics", any(health::metrics))
        .route("/.well-known/jwks.json", any(health::jwks))
        .route("/", any(crate::explorer::pages::root))
        .route("/explorer", any(crate::explorer::pages::index))
        .route("/explorer/", any(crate::explorer::pages::slash))
        .route("/explorer/{file}", any(crate::explorer::pages::file))
        .merge(crate::signin::routes())
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
    let client = client(&app, &request);
    let context = Context {
        request_id: request_id(&app, request.headers()),
        language: negotiate::language(request.headers()),
        at: app.domain.clock.now(),
        client,
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        figures: Arc::default(),
    };
    let route = route_of(request.uri().path());
    let media = negotiate::for_errors(request.headers());
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let origin = request.headers().get(header::ORIGIN).cloned();
    request.extensions_mut().insert(context.clone());
    let mut answer = match cors::preflight(&app.config.cors_origins, &request) {
        Some(answer) => answer,
        None => match admit(&app, &context, route) {
            Err(refused) => refused.answer(&context, media),
            Ok(()) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
                Ok(answer) => answer,
                Err(_) => Refused::internal().answer(&context, media),
            },
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
    if client.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    if let Some(figures) = context.figures() {
        figures.mark(headers);
    }
    cors::mark(&app.config.cors_origins, origin.as_ref(), headers);
    crate::signin::let_credentials(&app.config.cors_origins, &path, origin.as_ref(), headers);
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
        tracing::info!(request_id = %context.request_id, client = %client.address, %method, route, operation, status, outcome = done.outcome, ms, statements = done.statements, "request");
    }
    answer
}

fn client(app: &App, request: &Request) -> Client {
    let nobody = Peer { address: SocketAddr::from((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)), secure: false };
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(nobody);
    Client::of(peer, request.headers(), &app.config.trusted_proxies, app.config.forwarded_by)
}

/// What comes in the clear over a network, in production, and what comes too often, goes no further. Probes may always ask.
fn admit(app: &App, context: &Context, route: &str) -> Result<(), Refused> {
    if route == "health" {
        return Ok(());
    }
    let client = context.client;
    if app.config.profile.is_production() && !client.secure && !client.local {
        return Err(Refused::without_tls());
    }
    app.rates.address(client.limited(), Instant::now())
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
        "/oauth/token" => "token",
        "/schema.graphql" => "schema",
        "/sign-out" => "sign-in",
        _ if path == "/sign-in" || path.starts_with("/sign-in/") => "sign-in",
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
