//! A survey sheet from the command line.

use super::{Failure, say};
use chrono::NaiveDate;
use domain::exchange::survey::{self, Item, Limits, Mapping, OpenError, ProblemFile, Settings};
use indicatif::ProgressBar;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub struct Job {
    pub file: PathBuf,
    pub mapping: Option<PathBuf>,
    pub propose_mapping: bool,
    pub dry_run: bool,
    pub problems: Option<PathBuf>,
}

pub fn import(job: &Job, today: NaiveDate) -> Result<(), Failure> {
    let unreadable = |error: OpenError| Failure::Other(format!("{}: {error}", job.file.display()));
    let mapping = match &job.mapping {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            Some(Mapping::from_toml(&text).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?)
        }
    };
    let mut source = survey::open(&job.file, &Limits::default()).map_err(unreadable)?;
    let proposal = survey::propose(&mut *source, mapping.as_ref()).map_err(unreadable)?;
    if job.propose_mapping {
        return say(proposal.to_toml().trim_end());
    }
    if !job.dry_run {
        return Err(Failure::Usage("say --dry-run to check the rows, or --propose-mapping to see which column holds what".into()));
    }
    let problems_path = job.problems.clone().unwrap_or_else(|| job.file.with_extension("problems.csv"));
    let unwritable = |e: std::io::Error| Failure::Data { path: problems_path.clone(), source: e };
    let mut problems = None;
    let mut broken = None;
    let (mut warnings, bar) = (0_u64, ProgressBar::new_spinner().with_message("rows"));
    let settings = Settings { mapping, ..Settings::on(today) };
    let summary = survey::read(&mut *source, &settings, &mut |item| {
        bar.inc(1);
        match item {
            Item::Good { warnings: some, .. } => warnings += some.len() as u64,
            Item::Bad { at, problems: found } => {
                let written = match &mut problems {
                    Some(file) => ProblemFile::write(file, &at, &found),
                    None => create(&problems_path, &proposal.columns).and_then(|file| problems.insert(file).write(&at, &found)),
                };
                if let Err(error) = written {
                    broken = Some(error);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    if let Some(error) = broken {
        return Err(unwritable(error));
    }
    let summary = summary.map_err(unreadable)?;
    let bad = problems.map_or(Ok(0), ProblemFile::finish).map_err(unwritable)?;
    say(&format!("{} rows can be taken ({warnings} remarks), {bad} cannot, {} lines are no rows", summary.good, summary.skipped))?;
    for sheet in &summary.sheets_without_header {
        say(&format!("sheet {sheet}: no roster"))?;
    }
    if bad > 0 {
        say(&format!("What is wrong with them stands in {}; mend the rows there and send that file again", problems_path.display()))?;
    }
    Ok(())
}

fn create(path: &Path, columns: &[String]) -> std::io::Result<ProblemFile<std::io::BufWriter<std::fs::File>>> {
    ProblemFile::create(path, columns)
}
