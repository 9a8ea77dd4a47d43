//! Fills a database that is not for real data.

use super::{Failure, local_keys, open, say};
use crate::cli::Settings;
use crate::config::{Config, LoadDivisions};
use crate::{seams, telemetry};
use domain::clock::Clock;
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
    seams::prepare_demo(&domain, &config.database_url).await.map_err(failed)?;
    let bar = bar("divisions");
    let loaded = seams::load_behind(&domain, LoadDivisions::All, |_, done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    loaded.await.map_err(failed)?;
    bar.finish();
    let bar = self::bar("children");
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    seams::fill_demo(&domain, children, &progress).await.map_err(failed)?;
    bar.finish();
    domain.db.clone().close().await;
    say("The database is filled.")
}

/// On standard error, and only where somebody looks.
pub fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len} {per_sec} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(what)
}
