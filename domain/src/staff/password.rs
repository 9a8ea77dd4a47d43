//! Passwords: Argon2id, what a good one is, and never more of them at once than memory allows.

use super::Secret;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::problems::{Problems, UserErrorCode};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

pub const SHORTEST: usize = 12;
pub const LONGEST: usize = 128;
const HASH: usize = 32;
const SALT: usize = 16;
/// Who waits longer than this for a place to hash in is told to come again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Argon2id's parameters; the OWASP password storage sheet's floor is 19 MiB, 2 passes, 1 lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Cost {
        Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

pub struct Hasher {
    cost: Cost,
    places: Arc<Semaphore>,
}

impl Hasher {
    pub fn new(cost: Cost, at_once: usize) -> Hasher {
        Hasher { cost, places: Arc::new(Semaphore::new(at_once.max(1))) }
    }

    /// The stored form, as PHC strings are written.
    pub async fn hash(&self, password: &Secret, clock: &dyn Clock) -> Result<Option<String>> {
        let mut salt = [0; SALT];
        clock.random(&mut salt);
        let cost = self.cost;
        let Some(hash) = self.work(cost, salt.to_vec(), password).await? else { return Ok(None) };
        let Cost { memory_kib, passes, lanes } = cost;
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        Ok(Some(format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")))
    }

    /// Whether the password is the stored one. Where nothing is stored the same work is done. None: there was no place to do it in.
    pub async fn verify(&self, stored: Option<&str>, password: &Secret) -> Result<Option<bool>> {
        let parts = stored.map(parse).transpose()?;
        let (cost, salt) = parts.as_ref().map_or((self.cost, vec![0; SALT]), |p| (p.cost, p.salt.clone()));
        let Some(hash) = self.work(cost, salt, password).await? else { return Ok(None) };
        Ok(Some(parts.is_some_and(|p| verify_slices_are_equal(&p.hash, &hash).is_ok())))
    }

    /// Whether the parameters have risen since.
    pub fn is_outdated(&self, stored: &str) -> bool {
        parse(stored).is_ok_and(|p| p.cost != self.cost)
    }

    async fn work(&self, cost: Cost, salt: Vec<u8>, password: &Secret) -> Result<Option<[u8; HASH]>> {
        let Ok(Ok(place)) = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await else { return Ok(None) };
        let password = password.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(HASH)).map_err(Error::internal)?;
            let mut out = [0; HASH];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(password.expose().as_bytes(), &salt, &mut out)
                .map_err(Error::internal)?;
            Ok::<_, Error>(out)
        });
        done.await.map_err(|_| Error::internal("hashing a password was interrupted"))?.map(Some)
    }
}

struct Parts {
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

fn parse(stored: &str) -> Result<Parts> {
    let broken = || Error::internal("a stored password cannot be read");
    let mut fields = stored.split('$').skip(1);
    let mut next = || fields.next().ok_or_else(broken);
    if next()? != "argon2id" || next()? != "v=19" {
        return Err(broken());
    }
    let mut cost = Cost { memory_kib: 0, passes: 0, lanes: 0 };
    for pair in next()?.split(',') {
        let (name, value) = pair.split_once('=').ok_or_else(broken)?;
        let value = value.parse().map_err(|_| broken())?;
        match name {
            "m" => cost.memory_kib = value,
            "t" => cost.passes = value,
            "p" => cost.lanes = value,
            _ => return Err(broken()),
        }
    }
    let salt = STANDARD_NO_PAD.decode(next()?).map_err(|_| broken())?;
    let hash = STANDARD_NO_PAD.decode(next()?).map_err(|_| broken())?;
    Ok(Parts { cost, salt, hash })
}

/// Words that many passwords are made of; what is left of a password without them and without digits at its ends must be something.
static COMMON: &str = include_str!("common_passwords.txt");

/// Length, and that nobody would guess it first (OWASP ASVS 5, 6.2): no rules on which characters.
pub fn check(problems: &mut Problems, field: &str, password: &Secret, context: &[&str]) {
    let text = password.expose();
    let length = text.chars().count();
    if length < SHORTEST {
        return problems.add_with(UserErrorCode::PasswordShort, field, SHORTEST.to_string());
    }
    if length > LONGEST {
        return problems.add_with(UserErrorCode::TooLong, field, LONGEST.to_string());
    }
    let folded: String = text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let core = folded.trim_matches(|c: char| c.is_ascii_digit());
    let disguised: String = text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || matches!(c, '@' | '$')).collect();
    let disguised = disguised.trim_end_matches(|c: char| c.is_ascii_digit());
    let forms = [folded.clone(), core.to_owned(), plain(&folded), plain(core), plain(disguised)];
    let common = COMMON.lines().filter(|l| !l.is_empty()).any(|word| forms.iter().any(|form| form == word));
    let same = |a: &str, b: &str| a == b || (b.chars().count() >= 4 && a.contains(b) && a.replace(b, "").chars().count() < 6);
    let of_context = context.iter().map(|c| c.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>()).filter(|c| c.chars().count() >= 3).any(|c| same(&folded, &c));
    if common || of_context || is_repeated(&text.to_lowercase()) || is_run(&folded) {
        problems.add(UserErrorCode::PasswordGuessable, field);
    }
}

/// Without the usual disguises.
fn plain(text: &str) -> String {
    text.chars().map(|c| match c { '0' => 'o', '1' => 'l', '3' => 'e', '4' => 'a', '5' => 's', '7' => 't', '@' => 'a', '$' => 's', c => c }).collect::<String>()
}

/// Made of one short piece again and again, or of very few characters.
fn is_repeated(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let few = chars.iter().collect::<std::collections::BTreeSet<_>>().len() < 5;
    few || (1..=4).any(|period| chars.len() > period && chars.iter().zip(&chars[period..]).all(|(a, b)| a == b))
}

/// Along the alphabet, the digits or the keyboard.
fn is_run(text: &str) -> bool {
    const ROWS: [&str; 5] = ["01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "1q2w3e4r5t6y7u8i9o0p"];
    !text.is_empty() && ROWS.iter().any(|row| row.contains(text) || row.chars().rev().collect::<String>().contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn hasher() -> Hasher {
        Hasher::new(Cost::default(), 2)
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let hasher = hasher();
        let stored = hasher.hash(&Secret::new("正确的马 电池 订书钉"), &SystemClock).await.unwrap().unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !stored.contains("马"));
        assert_eq!(hasher.verify(Some(&stored), &Secret::new("正确的马 电池 订书钉")).await.unwrap(), Some(true));
        assert_eq!(hasher.verify(Some(&stored), &Secret::new("正确的马 电池 订书针")).await.unwrap(), Some(false));
        assert_eq!(hasher.verify(None, &Secret::new("正确的马 电池 订书钉")).await.unwrap(), Some(false));
        assert!(!hasher.is_outdated(&stored));
        assert!(Hasher::new(Cost { passes: 3, ..Cost::default() }, 1).is_outdated(&stored));
    }

    #[tokio::test]
    async fn a_stored_password_of_others_is_verified_by_its_own_parameters() {
        // Argon2's reference test vector shape: made by the reference implementation of argon2 with m=64, t=1, p=1.
        let weak = Hasher::new(Cost { memory_kib: 64, passes: 1, lanes: 1 }, 1);
        let stored = weak.hash(&Secret::new("a password of old"), &SystemClock).await.unwrap().unwrap();
        assert_eq!(hasher().verify(Some(&stored), &Secret::new("a password of old")).await.unwrap(), Some(true));
        assert!(hasher().verify(Some("$argon2i$v=19$m=64$AAAA$AAAA"), &Secret::new("x")).await.is_err());
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_so() {
        let hasher = Hasher::new(Cost::default(), 1);
        let _taken = hasher.places.clone().acquire_owned().await.unwrap();
        assert_eq!(hasher.verify(None, &Secret::new("x")).await.unwrap(), None);
    }

    #[test]
    fn guessable_passwords_are_refused_and_long_phrases_are_not() {
        let refused = |text: &str| {
            let mut problems = Problems::default();
            check(&mut problems, "password", &Secret::new(text), &["li.wei", "正安县民政局", "child-welfare"]);
            problems.0.first().map(|e| e.code)
        };
        for short in ["", "short", "eleven char"] {
            assert_eq!(refused(short), Some(UserErrorCode::PasswordShort), "{short}");
        }
        assert_eq!(refused(&"长".repeat(129)), Some(UserErrorCode::TooLong));
        for bad in ["password1234", "P@ssw0rd2026!", "aaaaaaaaaaaaaaa", "abcabcabcabcabc", "123456789012", "qwertyuiopasdf", "1qaz2wsx3edc", "administrator1", "woaini1314520", "li.wei-li.wei", "LiWeiLiWei2026", "childwelfare12", "正安县民政局正安县民政局"] {
            assert_eq!(refused(bad), Some(UserErrorCode::PasswordGuessable), "{bad}");
        }
        for good in ["correct horse battery staple", "正确的马电池订书钉我的猫喜欢", "vT8#kq-Lm2!xZ", "three blind mice ran", "?!#§%&/()=*~"] {
            assert_eq!(refused(good), None, "{good}");
        }
    }
}
