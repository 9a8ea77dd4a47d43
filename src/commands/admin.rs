//! The first administrator.

use super::{Failure, open, say};
use crate::cli::Settings;
use crate::config::Config;
use domain::administrators::FirstAdministratorError;
use domain::clock::Clock;
use std::sync::Arc;
use uuid::Uuid;

const LONGEST: usize = 64;

pub async fn create(settings: &Settings, id: Option<Uuid>, username: &str, name: &str, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    if !fits(username) || !fits(name) {
        return Err(Failure::Usage(format!("--username and --name take 1 to {LONGEST} characters")));
    }
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let made = domain.create_first_administrator(id, username.trim(), name.trim()).await;
    domain.db.clone().close().await;
    match made {
        Ok(id) => say(&format!("The account of the first administrator is {id}; its tokens carry that as `sub`.")),
        Err(FirstAdministratorError::Other(error)) => Err(Failure::Other(crate::http::auth::detail(&error))),
        Err(refused) => Err(Failure::Other(refused.to_string())),
    }
}
