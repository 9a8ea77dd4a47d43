//! Looks at everything a server needs, and changes nothing.

use super::{Failure, open, say};
use crate::cli::Settings;
use crate::config::{Config, Flags, WrappingKey};
use crate::keys::{self, KeyError};
use domain::StartError;
use domain::clock::Clock;
use domain::store::OpenError;
use std::path::Path;
use std::sync::Arc;

pub async fn doctor(settings: &Settings, listen: Option<String>, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let config = Config::load(&Flags { listen, ..settings.flags() })?;
    let mut bad = 0;
    let mut check = |what: &str, found: Result<String, String>| {
        let (mark, text) = match found {
            Ok(text) => ("ok  ", text),
            Err(text) => {
                bad += 1;
                ("FAIL", text)
            }
        };
        say(&format!("{mark} {what}: {text}"))
    };
    let serving = config.clone().for_serving().map(|c| format!("profile {}", c.profile.name())).map_err(|e| e.0.join("; "));
    check("settings", serving)?;
    let exists = config.data.is_dir();
    let folder = if exists { Ok(config.data.display().to_string()) } else { Err(format!("{} does not exist; start the server once, or create it", config.data.display())) };
    check("data folder", folder)?;
    if exists {
        let keys = match keys::open_existing(keys::Home::of(&config), clock.as_ref()) {
            Ok(Some(keys)) => Ok(format!("{} of {}", keys.keys.len(), keys.issuer)),
            Ok(None) => Ok("none, as it should be".into()),
            Err(KeyError::None(_)) if config.profile.is_production() => Ok("none yet; the first start makes them".into()),
            Err(error) => Err(error.to_string()),
        };
        check("signing keys", keys)?;
        let shown = crate::config::without_secret(&config.database_url);
        check("sealing key", private(&config.sealing.wrapping))?;
        let signing = config.checkpoint_folder().join("audit-checkpoint.key");
        check("checkpoint key", if signing.exists() { readable_by_owner(&signing) } else { Ok(format!("{}, to be made", signing.display())) })?;
        match open(&config, false, clock).await {
            Ok(domain) => {
                check("data keys", Ok(format!("key {} seals", domain.keys.current())))?;
                check("database", domain.db.ping().await.map(|()| format!("{shown}, schema up to date")).map_err(|e| e.to_string()))?;
                let standing = domain.db.standing().await.map_err(|e| e.to_string());
                let wall = standing.and_then(|standing| match (domain.db.is_postgres(), standing.weakness) {
                    (false, _) => Ok("none on SQLite: the file's rights are its only guard".to_owned()),
                    (true, None) => Ok("forced on every table that needs it; the role cannot pass it".to_owned()),
                    (true, Some(weakness)) => Err(format!("the database role could pass it: {weakness}")),
                });
                check("row-level security", wall)?;
                domain.db.clone().close().await;
            }
            Err(Failure::Start(StartError::Open(weak @ (OpenError::WeakRole(_) | OpenError::NoWall(_))))) => check("row-level security", Err(weak.to_string()))?,
            Err(failure) => check("database", Err(failure.to_string()))?,
        }
    }
    let port = tokio::net::TcpListener::bind(config.listen).await;
    check("address", port.map(|_| format!("{} is free", config.listen)).map_err(|e| format!("{}: {e} (a running server?)", config.listen)))?;
    if bad > 0 { Err(Failure::Other(format!("{bad} thing(s) to mend"))) } else { Ok(()) }
}

fn private(key: &WrappingKey) -> Result<String, String> {
    match key {
        WrappingKey::File(path) => readable_by_owner(path),
        WrappingKey::Transit { .. } => Ok(key.shown()),
    }
}

/// A key file that others can read is no secret.
fn readable_by_owner(path: &Path) -> Result<String, String> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!("{} may be read by others (mode {mode:o}): chmod 600", path.display()));
        }
    }
    Ok(path.display().to_string())
}
