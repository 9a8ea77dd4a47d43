//! A survey sheet from the command line, taken in as a named account.

use super::{Failure, open, say};
use crate::cli::Settings;
use crate::config::Config;
use crate::telemetry;
use chrono::NaiveDate;
use domain::access::Language;
use domain::clock::Clock;
use domain::exchange::import::{ImportOptions, ImportReport, propose_mapping};
use domain::exchange::survey::Mapping;
use domain::signin::{Asking, SignInError};
use entity::DivisionCode;
use indicatif::ProgressBar;
use std::path::PathBuf;
use std::sync::Arc;

pub struct Job {
    pub file: PathBuf,
    pub account: Option<String>,
    pub division: Option<String>,
    pub survey_date: Option<NaiveDate>,
    pub mapping: Option<PathBuf>,
    pub propose_mapping: bool,
    pub dry_run: bool,
    pub problems: Option<PathBuf>,
}

pub async fn import(settings: &Settings, job: Job, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let mapping = match &job.mapping {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            Some(Mapping::from_toml(&text).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?)
        }
    };
    if job.propose_mapping {
        let file = job.file.clone();
        // Reading a workbook is work for a thread of its own.
        let proposed = tokio::task::spawn_blocking(move || propose_mapping(&file, mapping.as_ref())).await.map_err(|e| Failure::Other(e.to_string()))?;
        let (text, _) = proposed.map_err(|error| Failure::Other(format!("{}: {error}", job.file.display())))?;
        return say(text.trim_end());
    }
    let Some(account) = &job.account else {
        return Err(Failure::Usage("say --as NAME: the import has that account's access, and is on record under it".into()));
    };
    let division = match job.division.as_deref().map(|code| (code, DivisionCode::parse(code))) {
        Some((code, None)) => return Err(Failure::Usage(format!("--division {code}: a division code has 2, 4, 6, 9 or 12 digits"))),
        other => other.and_then(|(_, parsed)| parsed),
    };
    let config = Config::load(&settings.flags())?;
    telemetry::start_logs(config.log_format, "warn");
    let domain = open(&config, true, clock).await?;
    let asking = Asking { language: Language::Chinese, request_id: format!("cli-{}", domain.clock.id()), purpose: None, session: None };
    let actor = domain.act_as(account, asking).await.map_err(|error| match error {
        SignInError::Unknown => Failure::Usage(format!("--as {account}: there is no active account of that name")),
        SignInError::Purpose { .. } => Failure::Usage(error.to_string()),
        SignInError::Other(error) => Failure::Other(crate::http::auth::detail(&error)),
    })?;
    let options = ImportOptions {
        file_name: job.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        path: job.file.clone(),
        division,
        mapping,
        dry_run: job.dry_run,
        problems: job.problems,
        survey_date: job.survey_date,
    };
    let bar = ProgressBar::new_spinner().with_message("rows");
    let report = domain.import_survey(&actor, options, &|rows| bar.set_position(rows)).await;
    bar.finish_and_clear();
    domain.db.clone().close().await;
    let report = report.map_err(|error| Failure::Other(format!("{}: {}", job.file.display(), crate::http::auth::detail(&error))))?;
    tell(&report, job.dry_run)
}

fn tell(report: &ImportReport, dry_run: bool) -> Result<(), Failure> {
    let done = if dry_run { "would land" } else { "landed" };
    say(&format!(
        "{} rows in {:.1} s: {} {done}, {} were there already, {} refused, {} may be doubles and await review",
        report.rows, report.seconds, report.landed, report.unchanged, report.rejected, report.review
    ))?;
    for (rule, rows) in &report.by_rule {
        say(&format!("  {rule}: {rows}"))?;
    }
    for sheet in &report.sheets_without_header {
        say(&format!("sheet {sheet}: no roster"))?;
    }
    if let Some(path) = &report.problems_file {
        say(&format!("What is wrong stands in {}; mend the rows there and send that file again", path.display()))?;
    }
    match &report.stopped {
        Some(error) => Err(Failure::Other(format!("stopped: {}; what landed is whole, send the file again", crate::http::auth::detail(error)))),
        None => Ok(()),
    }
}
