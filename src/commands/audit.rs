//! The audit trail from the command line: checkpoints for elsewhere, the public key, retention, the yearly report.

use super::{Failure, open, say};
use crate::cli::{Audit, Settings};
use crate::config::Config;
use crate::guard;
use crate::http::auth::detail;
use domain::Domain;
use domain::chain::{Checkpoint, PublicKey};
use domain::clock::Clock;
use domain::signin::Asking;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub async fn audit(command: Audit, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    match command {
        Audit::ExportCheckpoints { settings, out, after } => with(&settings, clock, async |domain| export(domain, out.as_deref(), after).await).await,
        Audit::Key { settings } => with(&settings, clock, async |domain| say(&domain.checkpoint_key.public().text())).await,
        Audit::Retain { settings, months, account } => with(&settings, clock, async |domain| retain(domain, months, &account).await).await,
    }
}

pub async fn report(settings: &Settings, year: i32, out: Option<PathBuf>, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    with(settings, clock, async |domain| {
        let text = domain.compliance_report(year).await.map_err(|e| Failure::Other(detail(&e)))?;
        match out {
            Some(path) => std::fs::write(&path, text).map_err(|e| Failure::Other(format!("{}: {e}", path.display()))),
            None => say(text.trim_end()),
        }
    })
    .await
}

async fn with(settings: &Settings, clock: Arc<dyn Clock>, work: impl AsyncFnOnce(&Domain) -> Result<(), Failure>) -> Result<(), Failure> {
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let done = work(&domain).await;
    domain.db.clone().close().await;
    done
}

async fn export(domain: &Domain, out: Option<&Path>, after: i64) -> Result<(), Failure> {
    use std::io::Write;
    let mut file = match out {
        Some(path) => Some(std::fs::File::create(path).map_err(|e| Failure::Other(format!("{}: {e}", path.display())))?),
        None => None,
    };
    let mut number = after;
    loop {
        let page = domain.checkpoints(number).await.map_err(|e| Failure::Other(detail(&e)))?;
        let Some(last) = page.last() else { break };
        number = last.body.number;
        let text = guard::lines(&page).map_err(Failure::Other)?;
        match &mut file {
            Some(file) => file.write_all(text.as_bytes()).map_err(|e| Failure::Other(e.to_string()))?,
            None => say(text.trim_end())?,
        }
    }
    if let Some(file) = file {
        file.sync_all().map_err(|e| Failure::Other(e.to_string()))?;
    }
    Ok(())
}

async fn retain(domain: &Domain, months: u32, account: &str) -> Result<(), Failure> {
    let asking = Asking { purpose: Some("audit".into()), request_id: "command-line".into(), ..Asking::default() };
    let actor = domain.act_as(account, asking).await.map_err(|e| Failure::Other(format!("{account}: {e}")))?;
    let dropped = domain.retain_audit(&actor, months).await.map_err(|e| Failure::Other(detail(&e)))?;
    say(&format!("{} records of {} blocks were dropped, under {} anchors", dropped.records, dropped.blocks, dropped.anchors))
}

/// Checkpoints of a file, `-` for standard input.
pub fn read_checkpoints(path: &Path) -> Result<Vec<Checkpoint>, Failure> {
    let text = if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
    let mut all = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        all.push(Checkpoint::parse(line).map_err(|_| Failure::Usage(format!("{}: line {} is no checkpoint", path.display(), n + 1)))?);
    }
    Ok(all)
}

/// A public key: 64 hexadecimal digits, or a file that holds them.
pub fn read_key(text: &str) -> Result<PublicKey, Failure> {
    let wrong = || Failure::Usage(format!("--key {text}: neither 64 hexadecimal digits nor a file that holds them"));
    PublicKey::parse(text).or_else(|| std::fs::read_to_string(text).ok().and_then(|text| PublicKey::parse(&text))).ok_or_else(wrong)
}
