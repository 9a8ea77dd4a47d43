//! How staff sign in and stay signed in: password, second factor, sessions, and what administrators do to accounts.

mod administration;
mod demonstration;
mod enter;
mod external;
mod factors;
mod identities;
pub mod password;
mod record;
mod sessions;
mod tickets;
mod totp;

#[cfg(test)]
pub(crate) mod tests;

pub use administration::{CreateAccount, NewAccount, OnAccount};
pub use enter::{Activated, Factor, FirstFactor, NotSignedIn, Source};
pub use external::Arrival;
pub use factors::{ChangePassword, Enrolment};
pub(crate) use identities::Link;
pub(crate) use tickets::Kind;
pub use identities::OnIdentity;
pub use sessions::{Opened, SessionInfo, Sessions};

use chrono::TimeDelta;
use password::Cost;

/// Why this passes the second wall.
const WHY: &str = "who somebody is has to be found out before there is a scope";

/// A text that neither logs nor messages may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Costs and lifetimes.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cost: Cost,
    /// Passwords hashed at once: each takes the memory of `cost`.
    pub hashes_at_once: usize,
    /// A session ends when its refresh token was not used for so long.
    pub idle: TimeDelta,
    /// A session ends so long after sign-in, whatever happens.
    pub longest: TimeDelta,
    /// From the password to the second factor; also for enrolling one.
    pub challenge: TimeDelta,
    pub activation: TimeDelta,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cost: Cost::default(),
            hashes_at_once: 4,
            idle: TimeDelta::minutes(30),
            longest: TimeDelta::hours(12),
            challenge: TimeDelta::minutes(5),
            activation: TimeDelta::hours(72),
        }
    }
}

/// A session that has no second factor yet lives so long: enough to enrol one.
const WEAK_SESSION: TimeDelta = TimeDelta::minutes(15);
/// A refresh token that is shown again so soon after it was used had its answer lost, and gets the same one.
const LOST_ANSWER: TimeDelta = TimeDelta::seconds(10);
