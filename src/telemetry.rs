//! Logs to standard error, and metrics. Neither holds variables, tokens, bodies or personal data.

use crate::config::LogFormat;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

pub const REQUESTS: &str = "child_welfare_requests_total";
pub const SECONDS: &str = "child_welfare_request_duration_seconds";
pub const IN_FLIGHT: &str = "child_welfare_requests_in_flight";
pub const STATEMENTS: &str = "child_welfare_sql_statements_total";
pub const UNTRUSTED: &str = "child_welfare_untrusted_documents_total";
pub const SOCKETS: &str = "child_welfare_websockets_open";
pub const SUBSCRIPTIONS: &str = "child_welfare_subscriptions_open";

pub const AUDIT_WAITING: &str = "child_welfare_audit_unlinked";
pub const AUDIT_OLDEST: &str = "child_welfare_audit_unlinked_oldest_seconds";
pub const AUDIT_LINKED: &str = "child_welfare_audit_linked_total";
pub const AUDIT_LATE: &str = "child_welfare_audit_linked_late_total";
pub const AUDIT_CHECKPOINTS: &str = "child_welfare_audit_checkpoints_total";

const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub fn start_logs(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A subscriber that is there already, in a test, stays.
    let _ = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => logs.compact().with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    };
    // The message of a panic may quote data; its place may not.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

pub fn start_metrics() -> Result<PrometheusHandle, Box<dyn std::error::Error>> {
    let handle = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(SECONDS.into()), BUCKETS)?.install_recorder()?;
    metrics::describe_counter!(REQUESTS, "Requests by route and outcome");
    metrics::describe_histogram!(SECONDS, "Time from the head of a request to its answer");
    metrics::describe_gauge!(IN_FLIGHT, "Requests being answered");
    metrics::describe_counter!(STATEMENTS, "SQL statements run for requests");
    metrics::describe_counter!(UNTRUSTED, "Documents on no list, by client: refused, or only reported");
    metrics::describe_gauge!(SOCKETS, "Open WebSockets");
    metrics::describe_gauge!(SUBSCRIPTIONS, "Running subscriptions");
    metrics::describe_gauge!(AUDIT_WAITING, "Audit records committed here that wait for their link");
    metrics::describe_gauge!(AUDIT_OLDEST, "How long the oldest of them has waited, in seconds; more than 5 is a fault");
    metrics::describe_counter!(AUDIT_LINKED, "Audit records linked by this process");
    metrics::describe_counter!(AUDIT_LATE, "Audit records linked more than 5 seconds after their time");
    metrics::describe_counter!(AUDIT_CHECKPOINTS, "Checkpoints of the audit chain signed by this process");
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// A gauge that goes down again however the work ends.
pub struct Gauge(&'static str);

impl Gauge {
    pub fn up(name: &'static str) -> Gauge {
        metrics::gauge!(name).increment(1.0);
        Gauge(name)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        metrics::gauge!(self.0).decrement(1.0);
    }
}
