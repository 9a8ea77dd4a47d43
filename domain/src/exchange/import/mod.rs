//! The survey sheet into the registry: good rows land, the others are reported; sending a file again adds nothing.
//!
//! A reader thread hands over chunks of rows. Each chunk is checked, matched against what is on file with a fixed
//! number of statements, and lands in one transaction with its audit, change-log and outbox rows.

mod batch;
mod chunk;
mod draft;
mod known;
mod landing;
mod places;
mod reader;

#[cfg(test)]
pub(crate) mod tests;

pub(super) use batch::batch_row;
pub(super) use reader::{Opened, open_file};

use crate::access::Actor;
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use crate::exchange::survey::{Input, Item, Mapping, OpenError, ProblemFile, Proposal, Settings, Summary};
use crate::store::is_double;
use chrono::NaiveDate;
use batch::finding_rows;
use chunk::{Finding, Importer};
use entity::DivisionCode;
use entity::codes::{DivisionLevel, ImportRowState, ImportState};
use entity::tables::import_row;
use places::Places;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Instant;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct ImportOptions {
    pub path: PathBuf,
    /// The name it is known by.
    pub file_name: String,
    /// Villages are looked for below it; rows that name none are filed in it, if it is a township or a village.
    /// Absent: the divisions of the actor's grants.
    pub division: Option<DivisionCode>,
    pub mapping: Option<Mapping>,
    /// Checks everything and writes nothing but the batch.
    pub dry_run: bool,
    /// Where the rows that did not land are written; `NAME.problems.csv` beside the file when absent.
    pub problems: Option<PathBuf>,
    /// The day of the survey, before the date in the sheet's head.
    pub survey_date: Option<NaiveDate>,
}

#[derive(Debug, Default)]
pub struct ImportReport {
    pub batch: Option<Uuid>,
    pub rows: u64,
    pub landed: u64,
    /// On file already, and nothing differs.
    pub unchanged: u64,
    pub rejected: u64,
    /// Likely doubles and rows that differ from the file: for a person to look at.
    pub review: u64,
    /// Rows by the rule that kept them from landing; a row may break several.
    pub by_rule: BTreeMap<String, u64>,
    pub problems_file: Option<PathBuf>,
    /// Notes, totals, repeated headers.
    pub skipped: u64,
    pub sheets_without_header: Vec<String>,
    /// What stopped the import before its end; what is counted above holds.
    pub stopped: Option<Error>,
    pub seconds: f64,
}

pub(super) enum Place {
    /// A file of the caller's own.
    File(PathBuf),
    /// Sealed, in the data folder.
    Upload(Domain, Uuid),
}

/// What is read, and how.
pub(super) struct Source {
    pub place: Place,
    pub mapping: Option<Mapping>,
    pub survey_date: Option<NaiveDate>,
}

impl Source {
    /// The bytes, and the name of a sheet that has none.
    fn input(&self) -> std::io::Result<(Input, String)> {
        Ok(match &self.place {
            Place::File(path) => (Box::new(std::fs::File::open(path)?), path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()),
            Place::Upload(domain, id) => (Box::new(domain.open_upload(*id)?), id.to_string()),
        })
    }
}

/// An import whose batch is written.
pub(super) struct Job {
    pub batch: Uuid,
    pub opened: Opened,
    pub source: Source,
    pub file_name: String,
    pub division: Option<DivisionCode>,
    pub dry_run: bool,
    pub problems: Option<PathBuf>,
}

/// The mapping file that the headers of a file suggest.
pub fn propose_mapping(path: &Path, given: Option<&Mapping>) -> std::result::Result<(String, Proposal), OpenError> {
    let mut source = crate::exchange::survey::open(path, &Default::default())?;
    let proposal = crate::exchange::survey::propose(&mut *source, given)?;
    Ok((proposal.to_toml(), proposal))
}

pub(super) fn unreadable(actor: &Actor, error: &OpenError) -> Error {
    let message = match actor.language {
        crate::access::Language::Chinese => error.zh(),
        crate::access::Language::English => error.to_string(),
    };
    Error::bad(error.code(), "file", message)
}

pub(super) fn may_import(actor: &Actor) -> Result<()> {
    if check!("import.action", actor.lens.actions.contains("importSurvey")) {
        return Ok(());
    }
    Err(Error::forbidden("importSurvey", "none of your grants allows this for the stated purpose"))
}

impl Domain {
    /// Imports a file to its end. An error before the first row is an `Err`; later ones are in the report.
    pub async fn import_survey(&self, actor: &Actor, options: ImportOptions, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<ImportReport> {
        may_import(actor)?;
        let problems = options.problems.unwrap_or_else(|| options.path.with_extension("problems.csv"));
        if problems == options.path {
            return Err(Error::bad("PROBLEM_FILE", "problems", "the file of problems would overwrite the survey sheet: name another"));
        }
        let source = Source { place: Place::File(options.path), mapping: options.mapping, survey_date: options.survey_date };
        let (opened, source) = tokio::task::spawn_blocking(move || (open_file(&source), source)).await.map_err(Error::internal)?;
        let opened = opened.map_err(|error| unreadable(actor, &error))?;
        let batch = self.clock.id();
        let division = options.division.map_or(actor.division, DivisionCode::value);
        let row = batch_row(self, actor, batch, division, &options.file_name, &opened.sha256)?;
        batch::insert(self, actor, row, batch).await?;
        let job = Job {
            batch,
            opened,
            source,
            file_name: options.file_name,
            division: options.division,
            dry_run: options.dry_run,
            problems: Some(problems),
        };
        Ok(self.run_import(actor, job, progress).await)
    }

    /// Runs a job to its end and closes its batch, whatever happens.
    pub(super) async fn run_import(&self, actor: &Actor, job: Job, progress: &(dyn Fn(u64) + Send + Sync)) -> ImportReport {
        let started = Instant::now();
        let (batch, dry_run) = (job.batch, job.dry_run);
        let mut report = ImportReport { batch: Some(batch), ..ImportReport::default() };
        if let Err(error) = self.import_rows(actor, job, &mut report, progress).await {
            report.stopped = Some(error);
        }
        let state = match report.stopped {
            Some(_) => ImportState::Failed,
            None if dry_run => ImportState::Checked,
            None => ImportState::Finished,
        };
        if let Err(error) = batch::finish(self, actor, &report, batch, state).await {
            tracing::error!(%error, %batch, "the end of an import could not be recorded");
            report.stopped.get_or_insert(error);
        }
        report.seconds = started.elapsed().as_secs_f64();
        tracing::info!(
            %batch, rows = report.rows, landed = report.landed, unchanged = report.unchanged, rejected = report.rejected,
            review = report.review, seconds = report.seconds, "import ended"
        );
        report
    }

    async fn import_rows(&self, actor: &Actor, job: Job, report: &mut ImportReport, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<()> {
        let ranges: Vec<(i64, i64)> = match job.division {
            Some(division) => vec![division.range()],
            None => actor.grants.iter().filter(|g| g.purpose == actor.purpose).flat_map(|g| g.ranges.iter().copied()).collect(),
        };
        let today = self.clock.today();
        let places = Places::load(&self.db, &ranges, job.division, today).await?;
        let lock = ranges.first().and_then(|range| DivisionCode::new(range.0)).map_or(0, |code| code.at(DivisionLevel::County).value());
        let mut problems = Problems { path: job.problems, columns: job.opened.columns.clone(), file: None };
        let settings = Settings { today, survey_date: job.source.survey_date, mapping: job.source.mapping };
        let (mut chunks, reader) = reader::start(job.opened.into_source(), settings);
        let mut importer = Importer { domain: self, actor, places, file_name: job.file_name, memory: Default::default() };
        let mut failed = None;
        while let Some(items) = chunks.recv().await {
            if let Err(error) = importer.take(items, job.batch, job.dry_run, lock, report, &mut problems).await {
                failed = Some(error);
                break;
            }
            progress(report.rows);
        }
        drop(chunks);
        let summary = reader.await.map_err(Error::internal)?;
        report.problems_file = problems.finish()?;
        if let Some(error) = failed {
            return Err(error);
        }
        let summary: Summary = summary.map_err(|error| unreadable(actor, &error))?;
        report.skipped = summary.skipped;
        report.sheets_without_header = summary.sheets_without_header;
        Ok(())
    }
}

/// How often a chunk is tried again when another writer was quicker.
const TRIES: usize = 3;

impl Importer<'_> {
    async fn take(&mut self, items: Vec<Item>, batch: Uuid, dry_run: bool, lock: i64, report: &mut ImportReport, problems: &mut Problems) -> Result<()> {
        let rows = items.len() as u64;
        let mut checked = self.check(items);
        let mut tries = 0;
        let (outcome, findings) = loop {
            tries += 1;
            let mut tx = self.domain.db.begin().await?;
            if tx.is_postgres() {
                // Two imports of one county see each other's rows, numbered or not.
                tx.run("SELECT pg_advisory_xact_lock($1)", [lock.into()]).await?;
            }
            let outcome = match self.decide(&mut tx, &checked.drafts, !dry_run).await {
                Err(error) if is_double(&error) && tries < TRIES => {
                    tx.rollback().await?;
                    continue;
                }
                other => other?,
            };
            let findings: Vec<Finding> = outcome
                .findings
                .iter()
                .map(|(at, state, problem, candidate)| Finding {
                    state: *state,
                    at: checked.drafts[*at].at.clone(),
                    problems: vec![problem.clone()],
                    candidate: *candidate,
                })
                .chain(checked.refused.drain(..))
                .collect();
            let mut after = ImportReport { by_rule: BTreeMap::new(), ..counted(report) };
            after.rows += rows;
            after.landed += outcome.landed;
            after.unchanged += outcome.unchanged;
            for finding in &findings {
                match finding.state {
                    ImportRowState::Review => after.review += 1,
                    _ => after.rejected += 1,
                }
            }
            if dry_run {
                tx.rollback().await?;
            } else {
                tx.insert_all(&import_row::TABLE, &finding_rows(self.domain, self.actor, batch, &findings)?, "").await?;
                batch::count(&mut tx, &after, batch).await?;
                self.domain.commit(tx, self.actor, "importSurvey").await?;
            }
            (report.rows, report.landed, report.unchanged) = (after.rows, after.landed, after.unchanged);
            (report.rejected, report.review) = (after.rejected, after.review);
            break (outcome, findings);
        };
        self.remember(outcome.memory);
        for finding in &findings {
            let rules: BTreeSet<&str> = finding.problems.iter().map(|p| p.rule.code()).collect();
            for rule in rules {
                *report.by_rule.entry(rule.to_owned()).or_default() += 1;
            }
            problems.write(finding)?;
        }
        Ok(())
    }
}

fn counted(report: &ImportReport) -> ImportReport {
    ImportReport {
        rows: report.rows,
        landed: report.landed,
        unchanged: report.unchanged,
        rejected: report.rejected,
        review: report.review,
        ..ImportReport::default()
    }
}

/// The file of rows that did not land, made when the first comes.
struct Problems {
    path: Option<PathBuf>,
    columns: Vec<String>,
    file: Option<ProblemFile<BufWriter<std::fs::File>>>,
}

impl Problems {
    fn failed(error: &std::io::Error) -> Error {
        Error::bad("PROBLEM_FILE", "problems", format!("the file of problems cannot be written: {error}"))
    }

    fn write(&mut self, finding: &Finding) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(ProblemFile::create(path, &self.columns).map_err(|e| Problems::failed(&e))?),
        };
        file.write(&finding.at, &finding.problems).map_err(|e| Problems::failed(&e))
    }

    fn finish(self) -> Result<Option<PathBuf>> {
        let Some(file) = self.file else { return Ok(None) };
        file.finish().map_err(|e| Problems::failed(&e))?;
        Ok(self.path)
    }
}
