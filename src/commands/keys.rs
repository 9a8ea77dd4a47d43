//! The signing keys: which there are, a new one, the end of an old one.

use super::{Failure, say};
use crate::cli::Keys;
use crate::config::Config;
use crate::keys::{self, Home, Rotation};
use domain::clock::Clock;

fn failure(error: Rotation) -> Failure {
    match error {
        Rotation::Key(error) => Failure::Keys(error),
        other => Failure::Other(other.to_string()),
    }
}

pub fn keys(command: Keys, clock: &dyn Clock) -> Result<(), Failure> {
    let (Keys::List { settings } | Keys::Rotate { settings, .. } | Keys::Retire { settings, .. }) = &command;
    let config = Config::load(&settings.flags())?;
    let home = Home::of(&config);
    match command {
        Keys::List { .. } => {
            let found = keys::open_existing(home, clock)?.ok_or_else(|| failure(Rotation::SignsNothing))?;
            let now = clock.now().timestamp();
            for key in &found.keys {
                say(&format!("{}  {:?}  {}", key.kid, key.alg, keys::state(&found, &key.kid, now)))?;
            }
            Ok(())
        }
        Keys::Rotate { lead, .. } => {
            let kid = keys::rotate(home, lead, clock).map_err(failure)?;
            say(&format!("{kid} is published; it signs in {lead} s, and the key before it verifies what it signed until those tokens are gone."))
        }
        Keys::Retire { kid, now, .. } => {
            keys::retire(home, &kid, now, clock).map_err(failure)?;
            say(&format!("{kid} is gone; servers notice within seconds."))
        }
    }
}
