//! What makes an alert, and what does not.

use super::lease::WATCHER;
use super::*;
use crate::clock::Clock;
use crate::testing::{self, TestDomain};

const ACCOUNT: Uuid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0009_0000_0001);

fn entry(world: &TestDomain, children: &[Uuid], outcome: &'static str) -> Entry {
    Entry {
        id: world.clock.id(),
        at: world.clock.now(),
        account: Some(ACCOUNT),
        username: "somebody".into(),
        action: "children".into(),
        outcome,
        purpose: "casework".into(),
        children: children.to_vec(),
        ..Entry::default()
    }
}

async fn look(world: &TestDomain) {
    while world.chain_audit().await.expect("linked") > 0 {}
    while world.watch_audit().await.expect("looked") > 0 {}
}

async fn kinds(world: &TestDomain) -> Vec<String> {
    let rows = world.db.as_system("patterns show over all of the trail").raw("SELECT kind, detail FROM alert ORDER BY kind, detail").await.expect("read");
    rows.iter().map(|row| format!("{} {}", row.try_get_by_index::<String>(0).expect("text"), row.try_get_by_index::<String>(1).expect("text"))).collect()
}

#[tokio::test]
async fn many_children_within_an_hour_and_not_over_two() {
    for world in testing::each().await {
        let rules = WatchRules::default();
        let ids: Vec<Uuid> = (0..rules.children_per_hour).map(|n| Uuid::from_u128(n as u128 + 1)).collect();
        let (most, last) = ids.split_at(ids.len() - 1);
        world.audit.write(entry(&world, most, "DISCLOSED")).await.expect("written");
        world.audit.write(entry(&world, most, "DISCLOSED")).await.expect("written");
        look(&world).await;
        assert!(kinds(&world).await.is_empty(), "the same children again are no more children");
        world.clock.advance(TimeDelta::minutes(61));
        world.audit.write(entry(&world, last, "DISCLOSED")).await.expect("written");
        look(&world).await;
        assert!(kinds(&world).await.is_empty(), "an hour later they are forgotten");
        world.audit.write(entry(&world, most, "DISCLOSED")).await.expect("written");
        // A process that takes over reads the last hour again.
        *world.watcher.lock().await = Watcher::default();
        look(&world).await;
        look(&world).await;
        assert_eq!(kinds(&world).await, [format!("BULK_LOOKUP children={} hours=1", ids.len())]);
    }
}

#[tokio::test]
async fn one_process_watches_and_another_takes_over_when_it_is_gone() {
    for world in testing::each().await {
        world.chain_audit().await.expect("linked");
        let until = world.clock.now() + TimeDelta::seconds(10);
        let mut tx = world.db.begin().await.expect("begun");
        let other = format!("{} {}", until.to_rfc3339(), Uuid::from_u128(5));
        let insert = Query::insert().into_table("meta").columns(["name", "value"]).values_panic([WATCHER.into(), other.into()]).to_owned();
        tx.execute_insert(&insert).await.expect("held");
        tx.commit_bare().await.expect("committed");
        let rules = WatchRules::default();
        for _ in 0..rules.denials_per_hour {
            world.audit.write(entry(&world, &[], "DENIED")).await.expect("written");
        }
        look(&world).await;
        assert!(kinds(&world).await.is_empty(), "another process watches");
        world.clock.advance(TimeDelta::seconds(11));
        look(&world).await;
        assert_eq!(kinds(&world).await, ["MANY_DENIALS denials=30 hours=1"]);
    }
}

#[tokio::test]
async fn the_watch_costs_as_much_for_many_counties_as_for_one() {
    use crate::store::meter::{metered, statements};
    for world in testing::each().await {
        crate::demo::prepare(&world).await.expect("prepared");
        crate::demo::fill(&world, 200, &|_, _| {}).await.expect("filled");
        look(&world).await;
        let rows = world.db.as_system("patterns show over all of the trail").raw("SELECT id FROM child").await.expect("read");
        let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get_by_index(0).expect("an id")).collect();
        world.audit.write(entry(&world, &ids, "DISCLOSED")).await.expect("written");
        world.chain_audit().await.expect("linked");
        let (looked, took) = metered(async { (world.watch_audit().await.expect("looked"), statements()) }).await;
        assert!(looked > 0 && took < 25, "{took} statements for {looked} records");
    }
}

#[tokio::test]
async fn nights_and_denials() {
    for world in testing::each().await {
        let rules = WatchRules::default();
        let ids: Vec<Uuid> = (0..rules.children_per_night).map(|n| Uuid::from_u128(n as u128 + 1)).collect();
        // Ten in the morning in China.
        world.audit.write(entry(&world, &ids, "DISCLOSED")).await.expect("written");
        look(&world).await;
        assert!(kinds(&world).await.is_empty());
        world.clock.advance(TimeDelta::hours(15));
        for id in &ids {
            world.audit.write(entry(&world, &[*id], "DISCLOSED")).await.expect("written");
        }
        for _ in 0..rules.denials_per_hour {
            world.audit.write(entry(&world, &[], "DENIED")).await.expect("written");
        }
        look(&world).await;
        assert_eq!(kinds(&world).await, ["MANY_DENIALS denials=30 hours=1", "NIGHT_ACCESS children=20 night=2026-11-24"]);
    }
}

#[tokio::test]
async fn a_county_not_touched_for_three_months_is_outside_the_usual_area() {
    for world in testing::each().await {
        crate::demo::prepare(&world).await.expect("prepared");
        look(&world).await;
        let rows = world.db.as_system("patterns show over all of the trail").raw("SELECT id, household_division FROM child WHERE household_division IS NOT NULL ORDER BY household_division").await.expect("read");
        let county = |row: &sea_orm::QueryResult| row.try_get_by_index::<i64>(1).expect("a code") / 1_000_000;
        let (here, there) = (&rows[0], rows.iter().find(|row| county(row) != county(&rows[0])).expect("another county"));
        let id = |row: &sea_orm::QueryResult| row.try_get_by_index::<Uuid>(0).expect("an id");
        let touch = async |row: &sea_orm::QueryResult| {
            world.audit.write(entry(&world, &[id(row)], "DISCLOSED")).await.expect("written");
            look(&world).await;
        };
        touch(here).await;
        touch(there).await;
        assert!(kinds(&world).await.is_empty(), "still learning");
        world.clock.advance(TimeDelta::days(80));
        touch(here).await;
        world.clock.advance(TimeDelta::days(20));
        touch(here).await;
        assert!(kinds(&world).await.is_empty(), "touched twenty days ago");
        touch(there).await;
        touch(there).await;
        assert_eq!(kinds(&world).await, [format!("OUTSIDE_AREA county={} days=90", county(there))]);
    }
}
