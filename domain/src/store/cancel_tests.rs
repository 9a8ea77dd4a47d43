//! What becomes of a statement whose caller no longer waits.

use super::{Db, open};
use crate::clock::Clock;
use crate::testing;
use sea_orm::{ConnectionTrait, Statement};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A statement that takes seconds.
fn slow(db: &Db, seconds: f64) -> Statement {
    let sql = if db.is_postgres() {
        format!("SELECT pg_sleep({seconds})")
    } else {
        let rows = (seconds * 3_000_000.0) as u64;
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT count(*) FROM n")
    };
    Statement::from_string(db.read.get_database_backend(), sql)
}

async fn numbers(db: &Db, sql: &str) -> BTreeSet<i64> {
    db.raw(sql).await.expect("answers").iter().map(|row| row.try_get_by_index(0).expect("a number")).collect()
}

async fn number(db: &Db, sql: &str) -> i64 {
    numbers(db, sql).await.into_iter().next().expect("a row")
}

#[tokio::test]
async fn a_write_that_is_dropped_leaves_nothing_and_holds_nobody_up() {
    for world in testing::each().await {
        let db = &world.db;
        let id = world.clock.id();
        let work = async {
            let tx = db.begin().await.expect("begun");
            let insert = sea_orm::sea_query::Query::insert().into_table("meta").columns(["name", "value"]).values_panic([id.to_string().into(), "x".into()]).to_owned();
            tx.on().execute(&insert).await.expect("inserted");
            tx.on().query_all_raw(slow(db, 1.0)).await.expect("never heard");
            tx.commit_bare().await.expect("never reached");
        };
        assert!(tokio::time::timeout(Duration::from_millis(200), work).await.is_err());
        let started = Instant::now();
        let next = world.db.begin().await.expect("another begins");
        next.commit_bare().await.expect("and commits");
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        assert_eq!(number(db, &format!("SELECT count(*) FROM meta WHERE name = '{id}'")).await, 0);
    }
}

#[tokio::test]
async fn connections_outlive_the_statements_that_are_dropped_over_them() {
    let Some(world) = testing::postgres().await else { return };
    let db = &world.db;
    // The pool is filled, so that its members are known.
    let all = futures_util::future::join_all((0..4).map(|_| db.rows(slow(db, 0.2)))).await;
    assert!(all.iter().all(Result::is_ok));
    const OURS: &str = "SELECT pid::bigint FROM pg_stat_activity WHERE datname = current_database()";
    let before = numbers(db, OURS).await;
    for _ in 0..8 {
        assert!(tokio::time::timeout(Duration::from_millis(20), db.rows(slow(db, 0.1))).await.is_err());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = numbers(db, OURS).await;
    assert!(before.is_subset(&after), "a connection was closed because its caller went away");
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_cancelled_by_the_database() {
    let Some(world) = testing::postgres().await else { return };
    let db = &world.db;
    assert!(tokio::time::timeout(Duration::from_millis(100), db.rows(slow(db, 60.0))).await.is_err());
    const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()";
    assert_eq!(number(db, RUNNING).await, 1, "the statement runs");
    let until = Instant::now() + open::LONGEST_STATEMENT + Duration::from_secs(3);
    while number(db, RUNNING).await > 0 {
        assert!(Instant::now() < until, "the statement still runs");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Its connection is replaced, and the pool as large as before.
    let all = futures_util::future::join_all((0..4).map(|_| db.rows(slow(db, 0.1)))).await;
    assert!(all.iter().all(Result::is_ok));
}

#[tokio::test]
async fn transactions_get_the_connections_that_lie_idle() {
    let Some(world) = testing::postgres().await else { return };
    let db = &world.db;
    let all = futures_util::future::join_all((0..4).map(|_| db.rows(slow(db, 0.2)))).await;
    assert!(all.iter().all(Result::is_ok));
    // As many as there are connections, none of them ended before the last has begun.
    let begun = tokio::time::timeout(Duration::from_secs(4), futures_util::future::join_all((0..4).map(|_| db.begin()))).await.expect("none waits in vain");
    for tx in begun {
        tx.expect("begun").commit_bare().await.expect("committed");
    }
    assert_eq!(number(db, "SELECT 1::bigint").await, 1, "and reads go on");
}

#[tokio::test]
async fn connections_that_the_database_ended_are_replaced_after_one_failure() {
    let Some(world) = testing::postgres().await else { return };
    let db = &world.db;
    let all = futures_util::future::join_all((0..3).map(|_| db.rows(slow(db, 0.2)))).await;
    assert!(all.iter().all(Result::is_ok));
    // Those of the role's own are its to end.
    let _ = db.raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut failures = 0;
    for _ in 0..12 {
        let answers = futures_util::future::join_all((0..3).map(|_| db.rows(slow(db, 0.01)))).await;
        failures += answers.iter().filter(|answer| answer.is_err()).count();
    }
    assert!(failures <= 3, "{failures} statements failed");
    let all = futures_util::future::join_all((0..3).map(|_| db.rows(slow(db, 0.05)))).await;
    assert!(all.iter().all(Result::is_ok));
}
