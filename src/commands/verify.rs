//! Prints what each check of the database found.

use super::audit::{read_checkpoints, read_key};
use super::{Failure, open, say};
use crate::cli::Settings;
use crate::config::Config;
use domain::clock::Clock;
use std::path::Path;
use std::sync::Arc;

pub async fn verify(settings: &Settings, checkpoints: Option<&Path>, keys: &[String], clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let options = domain::verify::Options {
        checkpoints: checkpoints.map_or_else(|| Ok(Vec::new()), read_checkpoints)?,
        keys: keys.iter().map(|key| read_key(key)).collect::<Result<_, _>>()?,
        strict: checkpoints.is_some(),
    };
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let findings = domain::verify::verify_with(&domain, &options).await;
    domain.db.clone().close().await;
    let findings = findings.map_err(|e| Failure::Other(crate::http::auth::detail(&e)))?;
    for finding in &findings {
        let mark = if finding.wrong == 0 { "ok  " } else { "FAIL" };
        say(&format!("{mark} {}: {} looked at, {} wrong", finding.check, finding.looked_at, finding.wrong))?;
        for example in &finding.examples {
            say(&format!("       {example}"))?;
        }
        for note in &finding.notes {
            say(&format!("       ({note})"))?;
        }
    }
    match findings.iter().map(|f| f.wrong).sum::<u64>() {
        0 => Ok(()),
        wrong => Err(Failure::Other(format!("{wrong} thing(s) in the database are wrong"))),
    }
}

pub async fn recount(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let counted = domain.recount().await;
    domain.db.clone().close().await;
    counted.map_err(|e| Failure::Other(crate::http::auth::detail(&e)))?;
    say("All files are counted anew.")
}
