//! Fills a database that is not for real data.

use super::{Failure, local_keys, open, say};
use crate::cli::Settings;
use crate::config::{Config, LoadDivisions};
use crate::seams::{self, Behind};
use crate::telemetry;
use domain::clock::Clock;
use domain::demo::{self, BulkReport, Progress};
use domain::store::Built;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;

pub async fn seed(settings: &Settings, children: usize, bulk: bool, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let config = Config::load(&settings.flags())?;
    if config.profile.is_production() {
        return Err(Failure::Usage("synthetic data never goes into a production database; use --demo or --profile development".into()));
    }
    telemetry::start_logs(config.log_format, "warn");
    local_keys(&config, clock.as_ref())?;
    let domain = open(&config, true, clock).await?;
    let failed = |e: domain::Error| Failure::Other(crate::http::auth::detail(&e));
    demo::prepare(&domain).await.map_err(failed)?;
    let bar = bar();
    let progress = |what: &'static str, done, total| {
        bar.set_message(what);
        bar.set_length(total);
        bar.set_position(done);
    };
    let children = if bulk {
        let owner = config.migrate_database_url.as_ref().unwrap_or(&config.database_url);
        let told = |now: Progress<'_>| match now {
            Progress::Children { done, of } => progress("children", done, of),
            Progress::Indexes => bar.set_message("indexes"),
            Progress::Built(one) => bar.println(index(one)),
        };
        let report = demo::fill_in_bulk(&domain, owner, children as u64, &told).await.map_err(failed)?;
        bar.suspend(|| say(&told_of(&report)))?;
        0
    } else {
        children
    };
    seams::load(&domain, Behind { children, divisions: LoadDivisions::All }, &progress).await.map_err(failed)?;
    bar.finish_and_clear();
    domain.db.clone().close().await;
    say("The database is filled.")
}

fn mib(bytes: i64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn index(one: &Built) -> String {
    let size = one.bytes.map_or(String::new(), |bytes| format!("{:.1} MiB", mib(bytes)));
    format!("{:45} {:7.1} s {size:>13}", one.name, one.took.as_secs_f64())
}

fn told_of(report: &BulkReport) -> String {
    let seconds = report.copying.as_secs_f64();
    let building: f64 = report.built.iter().map(|one| one.took.as_secs_f64()).sum();
    let mut lines = vec![format!(
        "{} files copied in {seconds:.0} s ({:.0}/s), indexes and references made in {building:.0} s",
        report.children,
        report.children as f64 / seconds.max(0.001)
    )];
    lines.extend(report.built.iter().map(index));
    lines.push(format!("{:25} {:>13} {:>10} {:>11}", "", "rows", "table MiB", "indexes MiB"));
    lines.extend(report.sizes.iter().map(|one| format!("{:25} {:13} {:10.1} {:11.1}", one.table, one.rows, mib(one.bytes), mib(one.indexes))));
    lines.join("\n")
}

/// On standard error, and only where somebody looks.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len} {per_sec} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
