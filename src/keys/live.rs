//! The keys of a running server: it takes up a changed file within seconds.

use super::{Home, KeyError, LocalKeys, open_existing};
use crate::config::Config;
use domain::clock::Clock;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

pub struct LiveKeys {
    home: Option<(Config, PathBuf)>,
    keys: RwLock<Arc<LocalKeys>>,
    /// Rises with each change.
    generation: AtomicU64,
    seen: Mutex<Option<(SystemTime, u64)>>,
}

impl LiveKeys {
    pub fn new(config: &Config, keys: LocalKeys) -> LiveKeys {
        let path = Home::of(config).path();
        let live = LiveKeys { home: Some((config.clone(), path)), keys: RwLock::new(Arc::new(keys)), generation: AtomicU64::new(0), seen: Mutex::default() };
        live.changed();
        live
    }

    #[cfg(test)]
    pub fn fixed(keys: LocalKeys) -> LiveKeys {
        LiveKeys { home: None, keys: RwLock::new(Arc::new(keys)), generation: AtomicU64::new(0), seen: Mutex::default() }
    }

    #[cfg(test)]
    pub fn put(&self, keys: LocalKeys) {
        *self.keys.write().unwrap() = Arc::new(keys);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub fn current(&self) -> Arc<LocalKeys> {
        match self.keys.read() {
            Ok(keys) => keys.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the file is another than it was when last asked.
    fn changed(&self) -> bool {
        let Some((_, path)) = &self.home else { return false };
        // A file that is gone for a moment is one that is being replaced.
        let Ok(found) = std::fs::metadata(path).and_then(|m| Ok((m.modified()?, m.len()))) else { return false };
        self.seen.lock().is_ok_and(|mut seen| seen.replace(found) != Some(found))
    }

    fn refresh(&self, clock: &dyn Clock) -> Result<bool, KeyError> {
        let Some((config, _)) = self.home.as_ref().filter(|_| self.changed()) else { return Ok(false) };
        let Some(fresh) = open_existing(Home::of(config), clock)? else { return Ok(false) };
        if fresh.jwks() == self.current().jwks() {
            return Ok(false);
        }
        if let Ok(mut keys) = self.keys.write() {
            *keys = Arc::new(fresh);
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(true)
    }

    /// Runs beside the server.
    pub async fn watch(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.refresh(clock.as_ref()) {
                Ok(false) => {}
                Ok(true) => tracing::info!(keys = self.current().keys.len(), "the signing keys have changed"),
                // The keys in use stay in use.
                Err(error) => tracing::error!(%error, "the changed signing keys cannot be used"),
            }
        }
    }
}
