//! What becomes of a statement whose caller no longer waits.

use super::{Db, open};
use crate::clock::Clock;
use crate::testing;
use sea_orm::{ConnectionTrait, Statement};
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

async fn number(db: &Db, sql: &str) -> i64 {
    db.raw(sql).await.expect("answers")[0].try_get_by_index(0).expect("a number")
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
    let all = futures_util::future::join_all((0..4).map(|_| db.read.query_all_raw(slow(db, 0.2)))).await;
    assert!(all.iter().all(Result::is_ok));
    const OURS: &str = "SELECT coalesce(sum(pid), 0)::bigint FROM pg_stat_activity WHERE datname = current_database()";
    let before = number(db, OURS).await;
    for _ in 0..8 {
        assert!(tokio::time::timeout(Duration::from_millis(20), db.read.query_all_raw(slow(db, 0.1))).await.is_err());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(number(db, OURS).await, before, "a connection was closed because its caller went away");
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_cancelled_by_the_database() {
    let Some(world) = testing::postgres().await else { return };
    let db = &world.db;
    assert!(tokio::time::timeout(Duration::from_millis(100), db.read.query_all_raw(slow(db, 60.0))).await.is_err());
    const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()";
    assert_eq!(number(db, RUNNING).await, 1, "the statement runs");
    let until = Instant::now() + open::LONGEST_STATEMENT + Duration::from_secs(3);
    while number(db, RUNNING).await > 0 {
        assert!(Instant::now() < until, "the statement still runs");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Its connection is replaced, and the pool as large as before.
    let all = futures_util::future::join_all((0..4).map(|_| db.read.query_all_raw(slow(db, 0.1)))).await;
    assert!(all.iter().all(Result::is_ok));
}
