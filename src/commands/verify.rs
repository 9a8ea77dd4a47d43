//! Prints what each check of the database found.

use super::{Failure, open, say};
use crate::cli::Settings;
use crate::config::Config;
use domain::clock::Clock;
use std::sync::Arc;

pub async fn verify(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let findings = domain::verify::verify(&domain).await;
    domain.db.clone().close().await;
    let findings = findings.map_err(|e| Failure::Other(crate::http::auth::detail(&e)))?;
    for finding in &findings {
        let mark = if finding.wrong == 0 { "ok  " } else { "FAIL" };
        say(&format!("{mark} {}: {} looked at, {} wrong", finding.check, finding.looked_at, finding.wrong))?;
        for example in &finding.examples {
            say(&format!("       {example}"))?;
        }
    }
    match findings.iter().map(|f| f.wrong).sum::<u64>() {
        0 => Ok(()),
        wrong => Err(Failure::Other(format!("{wrong} thing(s) in the database are wrong"))),
    }
}
