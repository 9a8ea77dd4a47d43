//! The first administrators.

use super::{Failure, open, say};
use crate::cli::Settings;
use crate::config::Config;
use domain::administrators::{FirstAdministrator, FirstAdministratorError};
use domain::clock::Clock;
use std::sync::Arc;

const LONGEST: usize = 64;

pub async fn create(settings: &Settings, first: FirstAdministrator<'_>, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let fits = |text: &str| !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    if !fits(first.username) || !fits(first.display_name) {
        return Err(Failure::Usage(format!("--username and --name take 1 to {LONGEST} characters")));
    }
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let made = domain.create_first_administrator(&first).await;
    domain.db.clone().close().await;
    match made {
        Ok((id, new)) => {
            say(&format!("The account of the first {} is {id}; its tokens carry that as `sub`.", first.role))?;
            match new.filter(|_| config.own_issuer.is_some()) {
                Some(new) => say(&format!(
                    "Activation code, shown this once, good until {}:\n{}",
                    new.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                    new.activation_code.expose()
                )),
                None => Ok(()),
            }
        }
        Err(FirstAdministratorError::Role) => Err(Failure::Usage(FirstAdministratorError::Role.to_string())),
        Err(FirstAdministratorError::Other(error)) => Err(Failure::Other(crate::http::auth::detail(&error))),
        Err(refused) => Err(Failure::Other(refused.to_string())),
    }
}
