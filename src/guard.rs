//! Watching over the audit trail: links, signed checkpoints and their copy elsewhere, patterns; metrics of all three.

use crate::http::auth::detail;
use crate::telemetry;
use domain::Domain;
use domain::chain::Checkpoint;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How soon a committed record is linked, unless many wait.
const EVERY: Duration = Duration::from_millis(500);
/// As many records make the next look come at once.
const MANY: u64 = 2000;
/// Between looks at patterns.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub async fn guard(domain: Domain, checkpoint_file: Option<PathBuf>, mut stop: watch::Receiver<bool>) {
    let mut looked: Option<Instant> = None;
    loop {
        let linked = tick(&domain, checkpoint_file.as_deref(), false).await;
        if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            looked = Some(Instant::now());
            if let Err(error) = domain.watch_audit().await {
                tracing::error!(error = detail(&error), "the audit trail could not be looked through; tried again");
            }
        }
        if linked < MANY {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = domain.audit.crowded() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// What is left when the last request is answered: the end of the chain is signed.
pub async fn last(domain: &Domain, checkpoint_file: Option<&Path>) {
    tick(domain, checkpoint_file, true).await;
}

async fn tick(domain: &Domain, checkpoint_file: Option<&Path>, last: bool) -> u64 {
    let linked = match domain.chain_audit().await {
        Ok(linked) => linked,
        Err(error) => {
            tracing::error!(error = detail(&error), "audit records could not be linked; tried again");
            0
        }
    };
    let state = domain.link_state().await;
    metrics::gauge!(telemetry::AUDIT_WAITING).set(state.waiting as f64);
    metrics::gauge!(telemetry::AUDIT_OLDEST).set(state.oldest.num_milliseconds() as f64 / 1000.0);
    metrics::counter!(telemetry::AUDIT_LINKED).absolute(state.linked);
    metrics::counter!(telemetry::AUDIT_LATE).absolute(state.late);
    match domain.checkpoint(last).await {
        Ok(None) => {}
        Ok(Some(_)) => {
            metrics::counter!(telemetry::AUDIT_CHECKPOINTS).increment(1);
            stands(domain).await;
            if let Some(file) = checkpoint_file
                && let Err(error) = export(domain, file).await
            {
                tracing::error!(error, "checkpoints could not be written to the file kept for them; tried again with the next");
            }
        }
        Err(error) => tracing::error!(error = detail(&error), "no checkpoint could be signed; tried again"),
    }
    linked
}

/// The chain in the database must end where this process left it.
async fn stands(domain: &Domain) {
    match domain.head_stands().await {
        Ok(true) => {}
        Ok(false) => {
            tracing::error!("the end of the audit chain is not where this process left it");
            if let Err(error) = domain.report_broken_chain("end=changed").await {
                tracing::error!(error = detail(&error), "the alert could not be raised");
            }
        }
        Err(error) => tracing::warn!(error = detail(&error), "the end of the audit chain could not be read"),
    }
}

/// Appends every checkpoint that the file does not have.
async fn export(domain: &Domain, file: &Path) -> Result<(), String> {
    let path = file.to_owned();
    let mut number = tokio::task::spawn_blocking(move || last_number(&path)).await.map_err(|e| e.to_string())??;
    loop {
        let page = domain.checkpoints(number).await.map_err(|e| detail(&e))?;
        let Some(last) = page.last() else { return Ok(()) };
        number = last.body.number;
        let text = lines(&page)?;
        let path = file.to_owned();
        tokio::task::spawn_blocking(move || append(&path, &text)).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    }
}

pub fn lines(checkpoints: &[Checkpoint]) -> Result<String, String> {
    let mut text = String::new();
    for one in checkpoints {
        text.push_str(&serde_json::to_string(&one.line()).map_err(|e| e.to_string())?);
        text.push('\n');
    }
    Ok(text)
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Number of the last whole checkpoint of a file; what was cut off while it was written is cut away.
fn last_number(path: &Path) -> Result<i64, String> {
    let mut file = match std::fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e.to_string()),
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
    file.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64).map_err(|e| e.to_string())?;
    }
    let text = std::str::from_utf8(&bytes[..whole]).map_err(|_| "the file is not one of checkpoints".to_owned())?;
    let Some(line) = text.lines().next_back() else { return Ok(0) };
    Checkpoint::parse(line).map(|checkpoint| checkpoint.body.number).map_err(|e| detail(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cut_off_is_cut_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        assert_eq!(last_number(&path), Ok(0));
        let head = domain::chain::Head { writer: uuid::Uuid::nil(), first: 1, position: 1, hash: String::new(), digests: String::new() };
        let body = domain::chain::Body { number: 7, at: chrono::DateTime::UNIX_EPOCH, previous: String::new(), heads: vec![head] };
        let text = serde_json::to_string(&body).unwrap();
        let one = Checkpoint { body, text, key: "k".into(), signature: vec![1], digests: vec![2] };
        append(&path, &lines(std::slice::from_ref(&one)).unwrap()).unwrap();
        append(&path, "{\"body\":").unwrap();
        assert_eq!(last_number(&path), Ok(7));
        assert!(std::fs::read_to_string(&path).unwrap().ends_with('\n'));
        std::fs::write(&path, "something else\n").unwrap();
        assert!(last_number(&path).is_err(), "a file of another kind is left alone");
    }
}
