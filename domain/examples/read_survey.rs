//! Reads a survey sheet and prints what it found, the rate and the peak memory:
//! `cargo run -p child-welfare-domain --example read_survey -- FILE`, or `-- --sample ROWS FILE` to make one first.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use chrono::NaiveDate;
use domain::exchange::survey::{Item, Limits, Settings, open, propose, read};

#[path = "../../tests/support/survey_sheet.rs"]
mod survey_sheet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = match &arguments[..] {
        [flag, rows, file] if flag == "--sample" => {
            let sample = survey_sheet::sample_workbook(&PathBuf::from(file), rows.parse()?, 7)?;
            println!("wrote {file}: {sample:?}");
            return Ok(());
        }
        [file] => PathBuf::from(file),
        _ => return Err("usage: read_survey FILE | read_survey --sample ROWS FILE".into()),
    };
    let start = Instant::now();
    let mut source = open(&path, &Limits::default())?;
    println!("opened in {:.2?}, {}", start.elapsed(), peak());
    let proposal = propose(&mut *source, None)?;
    println!("{}", proposal.to_toml());
    println!("headers in {:.2?}", start.elapsed());

    let today = NaiveDate::from_ymd_opt(2026, 1, 1).ok_or("date")?;
    let mut rules: BTreeMap<&str, u64> = BTreeMap::new();
    let mut warnings: BTreeMap<&str, u64> = BTreeMap::new();
    let start = Instant::now();
    let summary = read(&mut *source, &Settings::on(today), &mut |item| {
        let (counts, problems) = match &item {
            Item::Good {
                warnings: found, ..
            } => (&mut warnings, found),
            Item::Bad { problems, .. } => (&mut rules, problems),
        };
        for problem in problems {
            *counts.entry(problem.rule.code()).or_default() += 1;
        }
        ControlFlow::Continue(())
    })?;
    let rate = (summary.good + summary.bad) as f64 / start.elapsed().as_secs_f64();
    println!(
        "good {}, bad {} {rules:?}, warnings {warnings:?}, skipped {}",
        summary.good, summary.bad, summary.skipped
    );
    println!("{:.2?}, {rate:.0} rows/s, {}", start.elapsed(), peak());
    Ok(())
}

/// The most memory the process held, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .map_or_else(|| "peak unknown".into(), |line| line.replace('\t', " "))
}
