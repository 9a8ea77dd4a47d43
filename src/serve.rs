//! A server's life: listen, open, announce, answer, stop.

use crate::commands::{self, Failure};
use crate::config::{Config, Profile};
use crate::explorer::Explorer;
use crate::http::rates::Rates;
use crate::guard;
use crate::http::{self, App, Shared};
use crate::keys::{LiveKeys, partner};
use crate::listen::{self, Terms, accept, listen};
use crate::oauth::ClientKeys;
use crate::seams::{self, Behind};
use crate::signin::external::Provider;
use crate::telemetry;
use crate::token::{self, Verifier};
use domain::Domain;
use domain::clock::Clock;
use domain::demo::{self, PERSONAS};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// A review that is overdue is brought up within a minute.
const END_ACCESS_EVERY: Duration = Duration::from_secs(60);
/// Answers add what is not folded yet; the less, the quicker.
const FOLD_EVERY: Duration = Duration::from_secs(1);
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// What was accepted has so long to finish.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const METRICS_CONNECTIONS: usize = 16;
const FIRST_QUERY: &str = "{ viewer { displayName } children(first: 3) { totalCount nodes { fileNumber name birthDate } } }";

pub async fn serve(config: Config, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    // A certificate that cannot be used, and a port in use, stop us before anything is written.
    let tls = config.tls.as_ref().map(listen::tls::acceptor).transpose().map_err(|e| Failure::Other(e.to_string()))?;
    let listener = listen(config.listen).await?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let address = listener.local_addr().unwrap_or(config.listen);
    let keys = commands::local_keys(&config, clock.as_ref())?.map(|keys| Arc::new(LiveKeys::new(&config, keys)));
    let domain = commands::open(&config, !config.profile.is_production(), clock.clone()).await?;
    let is_demo = config.profile == Profile::Demo;
    let behind = Behind { children: if is_demo { config.demo_children } else { 0 }, divisions: config.load_divisions };
    if is_demo {
        demo::prepare(&domain).await.map_err(|e| Failure::Other(format!("the demonstration cannot be prepared: {}", commands::plainly(http::auth::detail(&e)))))?;
        let jwks = partner::demo_partner(&config.data, clock.as_ref()).map_err(|e| Failure::Other(format!("the key of the demonstration's partner cannot be used: {e}")))?;
        demo::register_clients(&domain, &jwks).await.map_err(|e| Failure::Other(http::auth::detail(&e)))?;
    }
    let other = |e: &dyn std::fmt::Display| Failure::Other(e.to_string());
    let (stop, stopped) = watch::channel(false);
    let (sockets, mut last_socket) = mpsc::channel(1);
    let app: Shared = Arc::new(App {
        schema: graphql::Schema::new(domain.clone(), config.limits.document.clone()),
        verifier: Verifier::new(&config, keys.clone(), clock.clone()),
        client_keys: ClientKeys::default(),
        providers: config.external.providers.iter().cloned().map(Provider::new).collect(),
        explorer: Explorer::new(config.profile, &domain.policy).map_err(|e| other(&e))?,
        metrics: telemetry::start_metrics().map_err(|e| other(&e))?,
        in_flight: Semaphore::new(config.limits.in_flight),
        rates: Rates::new(config.budgets.clone()),
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
        tokio::spawn(accept(listener, router, Terms { patience: app.config.limits.read, connections: METRICS_CONNECTIONS, tls: None }, stopped.clone()))
    });
    let terms = Terms { patience: app.config.limits.read, connections: app.config.limits.connections, tls };
    let public = tokio::spawn(accept(listener, http::router(app.clone()), terms, stopped));
    let watching = app.keys.clone().map(|keys| tokio::spawn(keys.watch(clock.clone())));
    let loading = tokio::spawn(load(domain.clone(), behind));
    let checkpoint_file = app.config.checkpoint_file.clone();
    let guarding = tokio::spawn(guard::guard(domain.clone(), checkpoint_file.clone(), stop.subscribe()));
    let tidying = tokio::spawn(tidy(domain.clone()));
    let ending = tokio::spawn(end_access(domain.clone()));
    let folding = tokio::spawn(fold_counts(domain.clone()));
    signal().await;
    loading.abort();
    if let Some(watching) = watching {
        watching.abort();
    }
    tidying.abort();
    ending.abort();
    folding.abort();
    tracing::info!("stopping: no new connections, finishing what was accepted");
    let _ = stop.send(true);
    // A second signal does not wait.
    let finished = async {
        let _ = loading.await;
        let _ = tidying.await;
        let _ = ending.await;
        let _ = folding.await;
        let _ = public.await;
        if let Some(private) = private {
            private.abort();
        }
        drop(app);
        // Ends when the last socket is gone.
        let _ = last_socket.recv().await;
        let _ = guarding.await;
        guard::last(&domain, checkpoint_file.as_deref()).await;
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

/// Marks grants and accesses whose time is over, and brings up emergencies that nobody reviewed.
async fn end_access(domain: Domain) {
    loop {
        if let Err(error) = domain.tidy_access().await {
            tracing::warn!(error = http::auth::detail(&error), "ended accesses could not be marked; tried again");
        }
        tokio::time::sleep(END_ACCESS_EVERY).await;
    }
}

/// Folds the changes of the counts, those of a long import without a rest.
async fn fold_counts(domain: Domain) {
    loop {
        match domain.fold_counts().await {
            Ok(domain::counts::BATCH..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = http::auth::detail(&error), "counts could not be folded; tried again"),
        }
        tokio::time::sleep(FOLD_EVERY).await;
    }
}

/// Forgets what is out of use: answers under idempotency keys, counts of windows and sessions that have ended, uploads.
async fn tidy(domain: Domain) {
    loop {
        let rows = [domain.forget_old_answers().await, domain.forget_old_windows().await, domain.forget_old_sessions().await];
        let rest = [domain.forget_old_uploads().await, domain.forget_used_proofs().await, domain.forget_old_unlisted().await];
        for forgotten in rows.into_iter().chain(rest) {
            if let Err(error) = forgotten {
                tracing::warn!(error = http::auth::detail(&error), "what is out of use could not be forgotten; tried again");
            }
        }
        tokio::time::sleep(TIDY_EVERY).await;
    }
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
        (Some(keys), Some(persona)) => token::mint(&keys.current(), &app.config.audience, persona.account, token::LONGEST_PERSONA_HOURS, app.domain.clock.as_ref())?,
        _ => String::new(),
    };
    let scheme = if app.config.tls.is_some() { "https" } else { "http" };
    Ok(format!(
        "\nchild-welfare, demonstration with synthetic data\n\n  \
         GraphQL   {scheme}://{host}/graphql\n  \
         Explorer  {scheme}://{host}/explorer\n\n  \
         Personas\n{}\n\n  \
         A first request, as the county officer (good for {} hours):\n\n\
         curl -s {scheme}://{host}/graphql -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' -d '{{\"query\":\"{FIRST_QUERY}\"}}'\n",
        names.join("\n"),
        token::LONGEST_PERSONA_HOURS,
    ))
}
