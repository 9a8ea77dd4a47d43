//! Fills a database that is not for real data.

use super::{Failure, local_keys, open, say};
use crate::cli::Settings;
use crate::config::{Config, LoadDivisions};
use crate::seams::{self, Behind};
use crate::telemetry;
use domain::clock::Clock;
use domain::demo;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Arc;

pub async fn seed(settings: &Settings, children: usize, clock: Arc<dyn Clock>) -> Result<(), Failure> {
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
    seams::load(&domain, Behind { children, divisions: LoadDivisions::All }, &progress).await.map_err(failed)?;
    bar.finish_and_clear();
    domain.db.clone().close().await;
    say("The database is filled.")
}

/// On standard error, and only where somebody looks.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len} {per_sec} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
