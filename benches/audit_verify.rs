//! How long a check of the audit trail takes over many records, and that it names what was done to them.
//!
//! `cargo bench --bench audit_verify -- [RECORDS]`, a million by default; on SQLite, and on PostgreSQL where
//! `CHILD_WELFARE_TEST_POSTGRES` names a server.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::audit::Entry;
use domain::chain::{Checkpoint, Problem};
use domain::clock::{Clock, SystemClock};
use domain::{Domain, DomainOptions};
use sea_orm::{ConnectionTrait, Database, Statement};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const AT_ONCE: usize = 1024;

fn main() {
    let records = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        measure(&format!("sqlite://{}", folder.path().join("verify.db").display()), folder.path(), records).await;
        if let Ok(server) = std::env::var("CHILD_WELFARE_TEST_POSTGRES") {
            let name = format!("cw_verify_{}", std::process::id());
            let admin = Database::connect(&server).await.expect("the server answers");
            admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("made");
            let (base, _) = server.rsplit_once('/').expect("an url");
            measure(&format!("{base}/{name}"), folder.path(), records).await;
            admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
        }
    });
}

fn entry(n: usize) -> Entry {
    let id = |k: usize| Uuid::from_u128(0x0193_0000_0000_7000_8000_0007_0000_0000 + ((n * 7 + k) % 1_000_000) as u128);
    let children: Vec<Uuid> = (0..5).map(id).collect();
    let ids: Vec<String> = children.iter().map(|id| id.simple().to_string()).collect();
    Entry {
        id: SystemClock.id(),
        at: SystemClock.now(),
        account: Some(id(1)),
        username: "county-officer".into(),
        client: "browser".into(),
        action: "children".into(),
        outcome: "DISCLOSED",
        purpose: "casework".into(),
        legal_basis: "未成年人保护法第81、92条；国发〔2016〕36号；个人信息保护法第34条".into(),
        request_id: SystemClock.id().to_string(),
        classes: "registry,identity,contact".into(),
        objects: format!("Child#7:{}", ids.join(",")),
        children,
    }
}

async fn measure(url: &str, folder: &std::path::Path, records: usize) {
    let data = folder.join(if url.starts_with("sqlite") { "sqlite" } else { "postgres" });
    let options = DomainOptions {
        migrate_database_url: None,
        database_url: url.to_owned(),
        data,
        profile: "development",
        max_connections: 8,
        migrate: true,
        clock: Arc::new(SystemClock),
        sealing: Default::default(),
        rules: Default::default(),
        sign_in: Default::default(),
        terms: Default::default(),
        audit: Default::default(),
    };
    let domain = Domain::open(options).await.expect("opens");
    println!("{}", if url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" });
    let start = Instant::now();
    let mut exported: Vec<Checkpoint> = Vec::new();
    let mut written = 0;
    while written < records {
        let count = (records - written).min(50_000);
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|task| {
                let domain = domain.clone();
                tokio::spawn(async move {
                    for n in (written + task..written + count).step_by(AT_ONCE) {
                        domain.audit.write(entry(n)).await.expect("written");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("done");
        }
        while domain.chain_audit().await.expect("linked") > 0 {}
        exported.extend(domain.checkpoint(true).await.expect("signed"));
        written += count;
    }
    println!("  {records} records written and linked in {:.1} s", start.elapsed().as_secs_f64());
    let keys = [domain.checkpoint_key.public().clone()];
    let start = Instant::now();
    let report = domain.check_audit_chain(&exported, &keys).await.expect("checked");
    assert!(report.problems.is_empty() && report.records == records as u64, "{:?}", report.problems.first());
    println!("  checked untouched in {:.1} s, {} checkpoints", start.elapsed().as_secs_f64(), report.checkpoints);

    // The intruder edits one record, deletes another, lets two change places, cuts off the newest block and the last checkpoint.
    let db = Database::connect(url).await.expect("connects");
    let backend = db.get_database_backend();
    let row = async |sql: String| db.query_one_raw(Statement::from_string(backend, sql)).await.expect("read").expect("a row");
    let at = async |offset: usize| -> Uuid { row(format!("SELECT id FROM audit_record ORDER BY at, id LIMIT 1 OFFSET {offset}")).await.try_get_by_index(0).expect("an id") };
    let (edited, deleted) = (at(records / 2).await, at(records / 4).await);
    let block = row("SELECT number, ids FROM audit_block ORDER BY number LIMIT 1 OFFSET 1".into()).await;
    let (number, mut ids): (i64, Vec<u8>) = (block.try_get_by_index(0).expect("a number"), block.try_get_by_index(1).expect("ids"));
    let moved: Vec<Uuid> = ids.as_chunks::<16>().0[..2].iter().map(|id| Uuid::from_bytes(*id)).collect();
    ids[..32].rotate_left(16);
    for (sql, values) in [
        ("UPDATE audit_record SET username = 'nobody' WHERE id = $1", vec![edited.into()]),
        ("DELETE FROM audit_record WHERE id = $1", vec![deleted.into()]),
        ("UPDATE audit_block SET ids = $1 WHERE number = $2", vec![ids.into(), number.into()]),
        ("DELETE FROM audit_block WHERE number = (SELECT MAX(number) FROM audit_block)", vec![]),
        ("DELETE FROM audit_checkpoint WHERE number = (SELECT MAX(number) FROM audit_checkpoint)", vec![]),
    ] {
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await.expect("run");
    }
    let start = Instant::now();
    let report = domain.check_audit_chain(&exported, &keys).await.expect("checked");
    let took = start.elapsed();
    println!("  checked after the intruder in {:.1} s:", took.as_secs_f64());
    for problem in report.problems.iter().filter(|p| !matches!(p, Problem::Unlinked { .. })) {
        println!("    {problem}");
    }
    let named = |id: Uuid| report.problems.iter().any(|p| matches!(p, Problem::Edited { record, .. } | Problem::Moved { record, .. } if *record == id));
    assert!(named(edited), "the edited record {edited} is named");
    assert!(report.problems.iter().any(|p| matches!(p, Problem::Deleted { record, .. } if *record == deleted)), "the deleted record {deleted} is named");
    assert!(moved.iter().all(|id| named(*id)), "the reordered records {moved:?} are named");
    assert!(report.problems.iter().any(|p| matches!(p, Problem::Truncated { .. })), "what was cut off is named");
    let others = report.problems.iter().filter_map(|p| if let Problem::Edited { record, .. } = p { Some(*record) } else { None });
    let others = others.filter(|id| *id != edited && !moved.contains(id)).count();
    assert_eq!(others, 0, "nothing else is accused");
    if records <= 1_000_000 {
        assert!(took <= Duration::from_secs(60), "a million in a minute: {took:?}");
    }
    let _ = db.close().await;
    domain.db.clone().close().await;
}
