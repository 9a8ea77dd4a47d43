//! What the audit trail costs: the same requests with and without, interleaved in one run. CPU is that of this process and,
//! on PostgreSQL, of the backends of its database.
//!
//! `cargo bench --bench audit_cost --features unaudited -- [SECONDS]`; SQLite, and PostgreSQL where
//! `CHILD_WELFARE_TEST_POSTGRES` names a server.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::audit::unaudited::{MARK, OFF};
use domain::clock::SystemClock;
use domain::signin::Asking;
use domain::{Domain, DomainOptions};
use graphql::{Limits, Request, Schema};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WORKERS: usize = 32;
const ROUNDS: usize = 10;
const PAGE: &str = "{ children(first: 20) { nodes { id fileNumber name identityNumber birthDate residenceAddress mainCategory riskLevel householdDivisionCode } } }";
const ONE: &str = "{ child(id: \"Child:01930000-0000-7000-8000-000700000001\") { fileNumber name birthDate visits(first: 5) { nodes { occurredAt } } } }";

fn main() {
    let seconds: u64 = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(3);
    eprintln!("{MARK}");
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("cost.db").display());
        measure("SQLite", &url, &folder.path().join("sqlite"), None, seconds).await;
        if let Ok(server) = std::env::var("CHILD_WELFARE_TEST_POSTGRES") {
            let name = format!("cw_cost_{}", std::process::id());
            let admin = Database::connect(&server).await.expect("the server answers");
            admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("made");
            let (base, _) = server.rsplit_once('/').expect("an url");
            measure("PostgreSQL", &format!("{base}/{name}"), &folder.path().join("postgres"), Some((&admin, &name)), seconds).await;
            admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
        }
    });
}

/// CPU seconds of a process.
fn cpu(pid: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

async fn used(server: Option<(&DatabaseConnection, &str)>) -> f64 {
    let mut all = cpu("self");
    if let Some((admin, name)) = server {
        let sql = format!("SELECT pid::text FROM pg_stat_activity WHERE datname = '{name}'");
        for row in admin.query_all_raw(Statement::from_string(admin.get_database_backend(), sql)).await.expect("read") {
            all += cpu(&row.try_get_by_index::<String>(0).expect("a pid"));
        }
    }
    all
}

async fn measure(what: &str, url: &str, data: &std::path::Path, server: Option<(&DatabaseConnection, &str)>, seconds: u64) {
    let options = DomainOptions {
        migrate_database_url: None,
        database_url: url.to_owned(),
        data: data.to_owned(),
        profile: "demo",
        max_connections: 10,
        migrate: true,
        clock: Arc::new(SystemClock),
        sealing: Default::default(),
        rules: Default::default(),
        sign_in: Default::default(),
        terms: Default::default(),
        audit: Default::default(),
    };
    let domain = Domain::open(options).await.expect("opens");
    domain::demo::prepare(&domain).await.expect("prepared");
    let schema = Schema::new(domain.clone(), Limits::default());
    let actor = domain.act_as("county-officer", Asking::default()).await.expect("signs in");
    // What a server does beside: linking, checkpoints, the look for patterns.
    let beside = {
        let domain = domain.clone();
        tokio::spawn(async move {
            loop {
                domain.chain_audit().await.expect("linked");
                domain.checkpoint(false).await.expect("signed");
                domain.watch_audit().await.expect("looked");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        })
    };
    for (name, query) in [("page of 20 children", PAGE), ("one child with visits", ONE)] {
        let mut sums = [(0.0, 0_u64, 0.0); 2];
        for round in 0..ROUNDS * 2 {
            let off = round % 2 == 1;
            OFF.store(off, Ordering::SeqCst);
            let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
            let (start, before) = (Instant::now(), used(server).await);
            let tasks: Vec<_> = (0..WORKERS)
                .map(|_| {
                    let (schema, actor, stop, done) = (schema.clone(), actor.clone(), stop.clone(), done.clone());
                    tokio::spawn(async move {
                        while !stop.load(Ordering::Relaxed) {
                            let prepared = schema.prepare(Request { query: query.into(), ..Request::default() }).unwrap_or_else(|e| panic!("{e:?}"));
                            let answer = schema.answer(prepared, actor.clone()).await;
                            assert!(answer.response.errors.is_empty(), "{:?}", answer.response.errors);
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            stop.store(true, Ordering::Relaxed);
            for task in tasks {
                task.await.expect("done");
            }
            // What is left to link belongs to the requests that left it.
            domain.chain_audit().await.expect("linked");
            // The first two rounds warm up.
            if round >= 2 {
                let sum = &mut sums[usize::from(off)];
                sum.0 += start.elapsed().as_secs_f64();
                sum.1 += done.load(Ordering::Relaxed);
                sum.2 += used(server).await - before;
            }
        }
        let rate = |(time, count, _): (f64, u64, f64)| count as f64 / time;
        let each = |(_, count, cpu): (f64, u64, f64)| cpu * 1e6 / count as f64;
        println!(
            "{what}, {name}: with {:.0} a second, {:.0} µs of CPU each; without {:.0} a second, {:.0} µs; cost {:.1} % of CPU, {:.1} % of throughput",
            rate(sums[0]),
            each(sums[0]),
            rate(sums[1]),
            each(sums[1]),
            (each(sums[0]) / each(sums[1]) - 1.0) * 100.0,
            (1.0 - rate(sums[0]) / rate(sums[1])) * 100.0,
        );
    }
    beside.abort();
    domain.db.clone().close().await;
}
