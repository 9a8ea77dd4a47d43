//! New keys, and the end of old ones, in the key file itself.

use super::{Home, KeyError, KeyFile, LEEWAY, LONGEST_TOKEN, LocalKeys, draft, new_key};
use domain::clock::Clock;
use std::path::Path;

#[derive(Debug, thiserror::Error)]
pub enum Rotation {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("this profile signs no tokens; production does with a key file named by keys.signing")]
    SignsNothing,
    #[error("{0} is published and waits for its time already; retire it first, or wait")]
    Waiting(String),
    #[error("there is no key {0}; `child-welfare keys list` shows them")]
    Unknown(String),
    #[error("{0} signs the tokens of today; rotate first")]
    Signing(String),
    #[error("tokens that {0} signed may be good for {1} seconds more; repeat after that, or with --now if the key is no longer secret")]
    InUse(String, i64),
}

/// What a key does at this time.
pub fn state(keys: &LocalKeys, kid: &str, now: i64) -> String {
    let Some(key) = keys.keys.iter().find(|k| k.kid == kid) else { return String::new() };
    match keys.signs_until(kid) {
        _ if keys.signing(now).is_some_and(|k| k.kid == kid) => "signs".to_owned(),
        None | Some(_) if key.signs_from > now => format!("published; signs in {} s", key.signs_from - now),
        Some(until) if now < until + LONGEST_TOKEN + LEEWAY => format!("verifies for {} s more", until + LONGEST_TOKEN + LEEWAY - now),
        _ => "out of use".to_owned(),
    }
}

/// One change at a time, by whichever process.
fn change(home: Home<'_>, clock: &dyn Clock, edit: impl FnOnce(&mut KeyFile, &LocalKeys) -> Result<String, Rotation>) -> Result<String, Rotation> {
    let path = home.path();
    let io = |source| KeyError::Io { path: path.clone(), source };
    let keys = super::open_existing(home, clock)?.ok_or(Rotation::SignsNothing)?;
    drop(keys);
    let lock = std::fs::File::create(path.with_extension("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let keys = super::open_existing(home, clock)?.ok_or(Rotation::SignsNothing)?;
    let mut file = read(&path)?;
    let kid = edit(&mut file, &keys)?;
    let draft = draft(&path, &file).map_err(io)?;
    std::fs::rename(&draft, &path).map_err(io)?;
    Ok(kid)
}

fn read(path: &Path) -> Result<KeyFile, KeyError> {
    let text = std::fs::read_to_string(path).map_err(|source| KeyError::Io { path: path.into(), source })?;
    serde_json::from_str(&text).map_err(|e| KeyError::Damaged { path: path.into(), what: e.to_string() })
}

/// Adds a key that is published now and signs after `lead` seconds; keys that are out of use go.
pub fn rotate(home: Home<'_>, lead: i64, clock: &dyn Clock) -> Result<String, Rotation> {
    let now = clock.now().timestamp();
    change(home, clock, |file, keys| {
        if let Some(waiting) = keys.keys.iter().find(|k| k.signs_from > now) {
            return Err(Rotation::Waiting(waiting.kid.clone()));
        }
        file.keys.retain(|k| keys.signs_until(&k.kid).is_none_or(|until| now < until + LONGEST_TOKEN + LEEWAY));
        let key = new_key(home.profile, now + lead, clock).map_err(|source| KeyError::Io { path: home.path(), source })?;
        let kid = key.kid.clone();
        file.keys.push(key);
        Ok(kid)
    })
}

/// Takes a key away: at once its tokens are no longer good.
pub fn retire(home: Home<'_>, kid: &str, at_once: bool, clock: &dyn Clock) -> Result<String, Rotation> {
    let now = clock.now().timestamp();
    change(home, clock, |file, keys| {
        let key = keys.keys.iter().find(|k| k.kid == kid).ok_or_else(|| Rotation::Unknown(kid.to_owned()))?;
        if keys.signing(now).is_some_and(|k| k.kid == kid) {
            return Err(Rotation::Signing(kid.to_owned()));
        }
        let left = keys.signs_until(kid).filter(|_| key.signs_from <= now).map_or(0, |until| until + LONGEST_TOKEN + LEEWAY - now);
        if left > 0 && !at_once {
            return Err(Rotation::InUse(kid.to_owned(), left));
        }
        file.keys.retain(|k| k.kid != kid);
        Ok(kid.to_owned())
    })
}
