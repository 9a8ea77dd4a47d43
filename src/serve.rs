//! A server's life: listen, open, announce, answer, stop.

use crate::commands::{self, Failure};
use crate::config::{Config, Profile};
use crate::explorer::Explorer;
use crate::http::{self, App, Shared};
use crate::seams::{self, Behind};
use crate::telemetry;
use crate::token::{self, Verifier};
use axum::Router;
use domain::Domain;
use domain::clock::Clock;
use domain::demo::{self, PERSONAS};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

/// How soon a committed audit record is linked.
const CHAIN_EVERY: Duration = Duration::from_secs(1);
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// What was accepted has so long to finish.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const MOST_HEADERS: usize = 64;
const MOST_HEAD_BYTES: usize = 64 * 1024;
const METRICS_CONNECTIONS: usize = 16;
const FIRST_QUERY: &str = "{ viewer { displayName } children(first: 3) { totalCount nodes { fileNumber name birthDate } } }";

pub async fn serve(config: Config, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    // A port in use stops us before anything is written.
    let listener = listen(config.listen).await?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let address = listener.local_addr().unwrap_or(config.listen);
    let keys = commands::local_keys(&config, clock.as_ref())?;
    let domain = commands::open(&config, !config.profile.is_production(), clock.clone()).await?;
    let is_demo = config.profile == Profile::Demo;
    let behind = Behind { children: if is_demo { config.demo_children } else { 0 }, divisions: config.load_divisions };
    if is_demo {
        demo::prepare(&domain).await.map_err(|e| Failure::Other(format!("the demonstration cannot be prepared: {}", commands::plainly(http::auth::detail(&e)))))?;
    }
    let other = |e: &dyn std::fmt::Display| Failure::Other(e.to_string());
    let (stop, stopped) = watch::channel(false);
    let (sockets, mut last_socket) = mpsc::channel(1);
    let app: Shared = Arc::new(App {
        schema: graphql::Schema::new(domain.clone(), config.limits.document.clone(), !config.profile.is_production()),
        verifier: Verifier::new(&config, keys.as_ref(), clock.clone()).map_err(|e| other(&e))?,
        explorer: Explorer::new(config.profile, &domain.policy).map_err(|e| other(&e))?,
        metrics: telemetry::start_metrics().map_err(|e| other(&e))?,
        in_flight: Semaphore::new(config.limits.in_flight),
        stop: stopped.clone(),
        sockets,
        keys,
        domain: domain.clone(),
        config,
    });
    if is_demo {
        commands::say(&banner(&app, address)?)?;
    } else {
        tracing::info!(%address, profile = app.config.profile.name(), "listening");
    }
    let private = metrics_listener.map(|listener| {
        let router = http::metrics_router(app.clone());
        tokio::spawn(accept(listener, router, Limits { read: app.config.limits.read, connections: METRICS_CONNECTIONS }, stopped.clone()))
    });
    let limits = Limits { read: app.config.limits.read, connections: app.config.limits.connections };
    let public = tokio::spawn(accept(listener, http::router(app.clone()), limits, stopped));
    let loading = tokio::spawn(load(domain.clone(), behind));
    let chaining = tokio::spawn(chain(domain.clone()));
    let tidying = tokio::spawn(tidy(domain.clone()));
    signal().await;
    loading.abort();
    chaining.abort();
    tidying.abort();
    tracing::info!("stopping: no new connections, finishing what was accepted");
    let _ = stop.send(true);
    // A second signal does not wait.
    let finished = async {
        let _ = loading.await;
        let _ = chaining.await;
        let _ = tidying.await;
        let _ = public.await;
        if let Some(private) = private {
            private.abort();
        }
        drop(app);
        // Ends when the last socket is gone.
        let _ = last_socket.recv().await;
    };
    tokio::select! {
        () = finished => tracing::info!("stopped"),
        () = tokio::time::sleep(STOP_WITHIN) => tracing::warn!("some requests did not finish in time"),
        () = signal() => tracing::warn!("stopped at once"),
    }
    domain.db.clone().close().await;
    Ok(())
}

/// Loads what the first start has not waited for, and says how far it is at each tenth.
async fn load(domain: Domain, behind: Behind) {
    let shown = Mutex::new(HashMap::new());
    let progress = |what: &'static str, done: u64, total: u64| {
        let tenth = done.saturating_mul(10) / total.max(1);
        let before = shown.lock().ok().and_then(|mut shown| shown.insert(what, tenth));
        if before != Some(tenth) {
            tracing::info!("loading {what}: {} %", tenth * 10);
        }
    };
    if let Err(error) = seams::load(&domain, behind, &progress).await {
        tracing::error!(error = http::auth::detail(&error), "loading stopped; it goes on at the next start");
    }
}

/// Links audit records soon after they are committed.
async fn chain(domain: Domain) {
    loop {
        match domain.chain_audit().await {
            Ok(0) => tokio::time::sleep(CHAIN_EVERY).await,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::error!(error = http::auth::detail(&error), "audit records could not be linked; tried again");
                tokio::time::sleep(CHAIN_EVERY).await;
            }
        }
    }
}

/// Forgets what is out of use: answers under idempotency keys, counts of windows that have ended.
async fn tidy(domain: Domain) {
    loop {
        for forgotten in [domain.forget_old_answers().await, domain.forget_old_windows().await] {
            if let Err(error) = forgotten {
                tracing::warn!(error = http::auth::detail(&error), "what is out of use could not be forgotten; tried again");
            }
        }
        tokio::time::sleep(TIDY_EVERY).await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => Failure::PortInUse { address },
        _ => Failure::Listen { address, source },
    })
}

#[derive(Clone, Copy)]
struct Limits {
    read: Duration,
    connections: usize,
}

/// Takes connections until told to stop, then waits for those it has.
async fn accept(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let (open, mut last_closed) = mpsc::channel::<()>(1);
    let slots = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Over the limit a connection is closed at once.
        let Ok(slot) = slots.clone().try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.read)
            .max_headers(MOST_HEADERS)
            .max_buf_size(MOST_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()))
            .with_upgrades();
        let (mut stop, open) = (stop.clone(), open.clone());
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // What a peer does to its own connection is no event of ours.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = told(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
            drop((slot, open));
        });
    }
    drop(listener);
    drop(open);
    let _ = last_closed.recv().await;
}

async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = interrupt.await;
}

fn banner(app: &App, address: SocketAddr) -> Result<String, Failure> {
    let host = if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() };
    let names: Vec<_> = PERSONAS.iter().map(|p| format!("    {:22} {}  {}", p.name, p.title_en, p.title_zh)).collect();
    let first = PERSONAS.iter().find(|p| p.name == "county-officer").or(PERSONAS.first());
    let token = match (&app.keys, first) {
        (Some(keys), Some(persona)) => token::mint(keys, &app.config.audience, persona.account, token::LONGEST_PERSONA_HOURS, app.domain.clock.as_ref())?,
        _ => String::new(),
    };
    Ok(format!(
        "\nchild-welfare, demonstration with synthetic data\n\n  \
         GraphQL   http://{host}/graphql\n  \
         Explorer  http://{host}/explorer\n\n  \
         Personas\n{}\n\n  \
         A first request, as the county officer (good for {} hours):\n\n\
         curl -s http://{host}/graphql -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' -d '{{\"query\":\"{FIRST_QUERY}\"}}'\n",
        names.join("\n"),
        token::LONGEST_PERSONA_HOURS,
    ))
}
