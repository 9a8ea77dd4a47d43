//! Data keys: what there is, a new one, everything under the newest, a drill for the day the key is lost.

use super::{Failure, open, say};
use crate::cli::{Sealing, Settings};
use crate::config::{Config, WrappingKey};
use crate::telemetry;
use domain::Domain;
use domain::clock::Clock;
use domain::sealing::{Algorithm, SETTLE, drill};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub async fn sealing(command: Sealing, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    match command {
        Sealing::Status { settings } => status(&settings, clock).await,
        Sealing::Rotate { settings, algorithm } => rotate(&settings, algorithm.as_deref(), clock).await,
        Sealing::Reseal { settings } => reseal(&settings, clock).await,
        Sealing::RotateIndex { settings } => rotate_index(&settings, clock).await,
        Sealing::Reindex { settings } => reindex(&settings, clock).await,
        Sealing::Rewrap { settings, from } => rewrap(&settings, from, clock).await,
        Sealing::Drill { settings, backup, key, sample } => run_drill(&settings, &backup, key, sample, clock).await,
    }
}

async fn opened(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(Config, Domain), Failure> {
    let config = Config::load(&settings.flags())?;
    telemetry::start_logs(config.log_format, "warn");
    let domain = open(&config, false, clock).await?;
    Ok((config, domain))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Other(super::plainly(error.to_string()))
}

async fn status(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let (config, domain) = opened(settings, clock).await?;
    let (keys, index) = (domain.sealing_status().await, domain.index_status().await);
    domain.db.clone().close().await;
    say(&format!("wrapping key: {}", config.sealing.wrapping.shown()))?;
    for key in keys.map_err(failed)? {
        let (day, values) = (key.created_at.format("%Y-%m-%d"), key.values);
        say(&format!("key {}: {} {} of {day}, {values} values, wrapped by {}", key.id, key.state, key.algorithm, key.wrapped_by))?;
    }
    for (id, state, day) in index.map_err(failed)? {
        say(&format!("index key {id}: {state} of {}", day.format("%Y-%m-%d")))?;
    }
    Ok(())
}

async fn rotate(settings: &Settings, algorithm: Option<&str>, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let known = || Algorithm::ALL.iter().map(|a| a.setting()).collect::<Vec<_>>().join(", ");
    let algorithm = match algorithm.map(|name| (name, Algorithm::from_name(name))) {
        Some((name, None)) => return Err(Failure::Usage(format!("--algorithm {name}: there are {}", known()))),
        other => other.and_then(|(_, found)| found),
    };
    let (config, domain) = opened(settings, clock).await?;
    let algorithm = algorithm.unwrap_or(config.sealing.algorithm);
    say(&format!("A new key is made; it seals in {} s, when every server knows it.", SETTLE.as_secs()))?;
    let rotated = domain.rotate_sealing(algorithm, SETTLE).await;
    domain.db.clone().close().await;
    let id = rotated.map_err(failed)?;
    say(&format!("Key {id} ({}) seals now. Older values still open; `child-welfare sealing reseal` brings them under it.", algorithm.setting()))
}

/// Progress once a second, and at the end.
fn teller() -> impl Fn(u64, u64) + Send + Sync {
    let started = Instant::now();
    let last = Mutex::new(None::<Instant>);
    move |done, total| {
        let Ok(mut last) = last.lock() else { return };
        if done < total && last.is_some_and(|last| last.elapsed() < Duration::from_secs(1)) {
            return;
        }
        *last = Some(Instant::now());
        let rate = done as f64 / started.elapsed().as_secs_f64().max(0.001);
        let _ = say(&format!("{done} of {total} rows, {} %, {rate:.0} rows/s", done * 100 / total.max(1)));
    }
}

async fn reseal(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let (_, domain) = opened(settings, clock).await?;
    let started = Instant::now();
    let report = domain.reseal(SETTLE, &teller()).await;
    let current = domain.keys.current();
    domain.db.clone().close().await;
    let report = report.map_err(failed)?;
    say(&format!("{} rows in {:.1} s are now under key {current}.", report.resealed_rows, started.elapsed().as_secs_f64()))?;
    for key in &report.retired {
        say(&format!("key {key} is retired: nothing is under it"))?;
    }
    for value in &report.broken {
        say(&format!("does not open: {value}"))?;
    }
    match report.broken.len() {
        0 => Ok(()),
        broken => Err(Failure::Other(format!("{broken} value(s) do not open; their keys are kept"))),
    }
}

async fn rotate_index(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let (_, domain) = opened(settings, clock).await?;
    say(&format!("A new index key is made; it is used in {} s, when every server knows it.", SETTLE.as_secs()))?;
    let rotated = domain.rotate_index(SETTLE).await;
    domain.db.clone().close().await;
    let id = rotated.map_err(failed)?;
    say(&format!("Index key {id} is used now, the one before still serves searches; `child-welfare sealing reindex` brings everything under it."))
}

async fn reindex(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let (_, domain) = opened(settings, clock).await?;
    let started = Instant::now();
    let report = domain.reindex(SETTLE, &teller()).await;
    let current = domain.keys.index_current();
    domain.db.clone().close().await;
    let report = report.map_err(failed)?;
    say(&format!("{} files and persons in {:.1} s are now under index key {current}.", report.changed, started.elapsed().as_secs_f64()))?;
    for key in &report.retired {
        say(&format!("index key {key} is retired: nothing is searched under it"))?;
    }
    for what in &report.broken {
        say(&format!("does not open: {what}"))?;
    }
    match report.broken.len() {
        0 => Ok(()),
        broken => Err(Failure::Other(format!("{broken} name(s) or number(s) do not open; the old index key is kept"))),
    }
}

async fn rewrap(settings: &Settings, from: PathBuf, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let config = Config::load(&settings.flags())?;
    config.keys_apart()?;
    let (old, new) = (WrappingKey::File(from), &config.sealing.wrapping);
    if old == *new {
        return Err(Failure::Usage("--from is the key that keys.sealing names already; name the new one there".into()));
    }
    let (from, to) = (old.open(&clock).map_err(Failure::Other)?, new.open(&clock).map_err(Failure::Other)?);
    let db = domain::store::Db::open(&domain::store::OpenOptions {
        url: config.database_url.clone(),
        owner_url: None,
        max_connections: 2,
        migrate: false,
        profile: config.profile.name(),
    })
    .await
    .map_err(failed)?;
    let rewrapped = Domain::rewrap_keys(&db, from, to).await;
    db.close().await;
    let keys = rewrapped.map_err(failed)?;
    say(&format!("{keys} keys are now wrapped by {}. Running servers go on; keep the former key for the backups made until now.", new.shown()))
}

async fn run_drill(settings: &Settings, backup: &str, key: Option<PathBuf>, sample: u64, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let url = if backup.contains("://") { backup.to_owned() } else { format!("sqlite://{backup}") };
    let wrapping = match key {
        Some(path) => WrappingKey::File(path),
        None => Config::load(&settings.flags())?.sealing.wrapping,
    };
    say(&format!("backup: {}, key: {}", crate::config::without_secret(&url), wrapping.shown()))?;
    let kms = wrapping.open(&clock).map_err(Failure::Other)?;
    let report = drill(&url, kms, sample).await?;
    say(&format!("{} data keys open", report.keys))?;
    for column in &report.columns {
        let mark = match (column.opened, column.broken) {
            (0, 0) => "none",
            (_, 0) => "ok  ",
            _ => "FAIL",
        };
        say(&format!("{mark} {}: {} opened, {} do not open", column.column, column.opened, column.broken))?;
    }
    let mark = if report.lost == 0 { "ok  " } else { "FAIL" };
    say(&format!("{mark} identity numbers are found by their fingerprints: {} found, {} lost", report.found, report.lost))?;
    if report.passed() {
        say("The drill is passed: this backup can be used with this key.")
    } else {
        Err(Failure::Other("the drill is not passed: with this key this backup is lost, in whole or in part".into()))
    }
}
