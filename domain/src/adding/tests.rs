use super::*;
use crate::casework::{AddAttachment, OpenIntervention, RecordVisit};
use crate::clock::Clock;
use crate::command::{Told, is_overtaken};
use crate::demo::DEMO_CHILD;
use crate::problems::UserErrorCode;
use crate::read::Want;
use crate::registry::RecordFact;
use crate::signin::Asking;
use crate::store::meter;
use crate::testing::{self, TestDomain};
use entity::codes::{FactKind, InterventionKind, RiskLevel, VisitFinding, VisitKind};
use entity::tables::visit;
use std::time::Duration;

async fn officer(world: &TestDomain) -> Actor {
    world.act_as("county-officer", Asking::default()).await.expect("signs in")
}

fn a_visit(world: &TestDomain) -> RecordVisit {
    RecordVisit {
        id: Some(world.clock.id()),
        child: DEMO_CHILD,
        kind: VisitKind::Routine,
        finding: VisitFinding::Normal,
        visited_at: world.clock.now(),
        intervention: None,
        next_visit_on: None,
        notes: Some("at school".into()),
    }
}

fn keyed(key: &str) -> Meta {
    Meta { idempotency_key: Some(key.into()), body: key.into(), ..Meta::default() }
}

async fn number(world: &TestDomain, sql: &str) -> i64 {
    world.db.as_system("test").raw(sql).await.expect(sql)[0].try_get_by_index(0).expect("a number")
}

/// Rows of everything that a visit leaves.
async fn census(world: &TestDomain) -> Vec<i64> {
    let mut all = Vec::new();
    for table in ["visit", "idempotency", "audit_record WHERE outcome = 'CHANGED'", "change_log", "outbox"] {
        all.push(number(world, &format!("SELECT COUNT(*) FROM {table}")).await);
    }
    all
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(world: &TestDomain) {
    for _ in 0..500 {
        if number(world, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").await > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody waits");
}

fn refused(outcome: Result<Outcome>) -> Vec<(UserErrorCode, Vec<String>)> {
    match outcome.expect("answered") {
        Outcome::Refused(errors) => errors.into_iter().map(|e| (e.code, e.field)).collect(),
        Outcome::Done { .. } => panic!("done"),
    }
}

#[tokio::test]
async fn what_adds_to_a_file_takes_two_statements() {
    for world in testing::each_prepared().await {
        let (officer, meta) = (officer(&world).await, [keyed("a"), keyed("b"), keyed("c"), keyed("d")]);
        let before = census(&world).await;
        let mut taken = Vec::new();
        let (visit, today) = (a_visit(&world), world.clock.today());
        let attachment = AddAttachment { id: None, child: DEMO_CHILD, file_name: "a.pdf".into(), media_type: "application/pdf".into(), byte_size: 1, sha256: "0".repeat(64) };
        let intervention =
            OpenIntervention { id: None, child: DEMO_CHILD, kind: InterventionKind::VALUES[0].0, risk_level: RiskLevel::VALUES[0].0, opened_on: today, organisation: None, reason: "r".into() };
        let fact = RecordFact { id: None, child: DEMO_CHILD, person: None, kind: FactKind::VALUES[0].0, true_from: today, true_to: None, evidence: None };
        macro_rules! counted {
            ($run:expr) => {
                taken.push(meter::metered(async {
                    let outcome = $run.await;
                    assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
                    meter::statements()
                }).await)
            };
        }
        counted!(world.record_visit(&officer, &visit, &meta[0]));
        counted!(world.add_attachment(&officer, &attachment, &meta[1]));
        counted!(world.open_intervention(&officer, &intervention, &meta[2]));
        counted!(world.record_fact(&officer, &fact, &meta[3]));
        // On SQLite a statement is no round trip.
        let most = if world.db.is_postgres() { 2 } else { 9 };
        assert!(taken.iter().all(|n| *n <= most), "{taken:?}");
        let grown: Vec<i64> = census(&world).await.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(grown, [1, 4, 4, 4, 4]);
        assert_eq!(number(&world, &format!("SELECT COUNT(*) FROM child WHERE id = {} AND changed_at = (SELECT MAX(created_at) FROM visit)", literal(&world))).await, 1, "the file was touched");
        let again = meter::metered(async { (world.record_visit(&officer, &visit, &meta[0]).await, meter::statements()) }).await;
        assert!(matches!(again.0, Ok(Outcome::Done { object, told: Told::No, .. }) if Some(object) == visit.id));
        assert!(again.1 <= most);
    }
}

fn literal(world: &TestDomain) -> String {
    if world.db.is_postgres() { format!("'{DEMO_CHILD}'") } else { format!("x'{}'", DEMO_CHILD.simple()) }
}

#[tokio::test]
async fn a_visit_in_use_and_a_key_in_use_are_told_apart() {
    for world in testing::each_prepared().await {
        let (officer, visit) = (officer(&world).await, a_visit(&world));
        assert!(matches!(world.record_visit(&officer, &visit, &keyed("a")).await, Ok(Outcome::Done { .. })));
        let before = census(&world).await;
        assert_eq!(refused(world.record_visit(&officer, &visit, &keyed("b")).await), [(UserErrorCode::IdTaken, vec!["id".to_owned()])]);
        let other = Meta { body: "other".into(), ..keyed("a") };
        assert!(matches!(world.record_visit(&officer, &a_visit(&world), &other).await, Err(crate::error::Error::BadInput { code: "IDEMPOTENCY_KEY_REUSED", .. })));
        let nowhere = RecordVisit { child: world.clock.id(), ..a_visit(&world) };
        assert_eq!(refused(world.record_visit(&officer, &nowhere, &keyed("c")).await), [(UserErrorCode::NotFound, vec!["childId".to_owned()])]);
        assert_eq!(census(&world).await, before);
    }
}

#[tokio::test]
async fn the_same_key_sent_together_is_carried_out_once() {
    for world in testing::each_prepared().await {
        let (officer, visit, meta, before) = (officer(&world).await, a_visit(&world), keyed("a"), census(&world).await);
        let one = async {
            let outcome = world.record_visit(&officer, &visit, &meta).await;
            world.settle(&officer, "recordVisit", &meta, outcome).await
        };
        let again = async {
            let outcome = world.record_visit(&officer, &visit, &meta).await;
            world.settle(&officer, "recordVisit", &meta, outcome).await
        };
        for outcome in <[_; 2]>::from(tokio::join!(one, again)) {
            assert!(matches!(outcome, Ok(Outcome::Done { object, .. }) if Some(object) == visit.id), "{outcome:?}");
        }
        let grown: Vec<i64> = census(&world).await.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(grown, [1; 5]);
    }
}

/// The file is moved after it was read, before the visit is written: the write waits, finds it moved, and the answer is that of now.
#[tokio::test]
async fn a_file_that_moves_between_read_and_write_is_read_anew() {
    let Some(world) = testing::postgres().await else { return };
    crate::demo::prepare(&world).await.expect("prepared");
    let (officer, visit) = (officer(&world).await, a_visit(&world));
    let home = number(&world, &format!("SELECT accepting_division FROM child WHERE id = '{DEMO_CHILD}'")).await;
    let moved = |to: i64| format!("UPDATE child SET version = version + 1, household_division = {to}, residence_division = {to}, accepting_division = {to} WHERE id = '{DEMO_CHILD}'");
    for (to, there) in [(110_000_000_000, false), (home, true)] {
        let before = census(&world).await;
        let moving = world.db.begin().await.expect("begun");
        moving.run(&moved(to), []).await.expect("moved");
        let write = async {
            meter::metered(async { (world.record_visit(&officer, &visit, &keyed("a")).await, meter::statements()) }).await
        };
        let commit = async {
            somebody_waits(&world).await;
            moving.commit_bare().await.expect("committed");
        };
        let ((outcome, statements), ()) = tokio::join!(write, commit);
        let grown: Vec<i64> = census(&world).await.iter().zip(before).map(|(after, before)| after - before).collect();
        if there {
            assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
            assert_eq!((grown, statements), (vec![1; 5], 6), "two, and begin, read, write, commit");
        } else {
            assert_eq!(refused(outcome), [(UserErrorCode::NotFound, vec!["childId".to_owned()])]);
            assert_eq!(grown, [0; 5], "nothing is written to a file that has gone");
            let back = world.db.begin().await.expect("begun");
            back.run(&moved(home), []).await.expect("back");
            back.commit_bare().await.expect("committed");
        }
    }
}

#[tokio::test]
async fn the_write_by_itself_finds_that_it_was_overtaken() {
    let Some(world) = testing::postgres().await else { return };
    crate::demo::prepare(&world).await.expect("prepared");
    let (officer, meta, before) = (officer(&world).await, keyed("a"), census(&world).await);
    let start = || async {
        match world.start_adding(&officer, "recordVisit", &meta, DEMO_CHILD, Way::Unlocked).await.expect("started") {
            Adding::To(work, file) => (work, file),
            Adding::Ended(outcome) => panic!("{outcome:?}"),
        }
    };
    let row = |id: Uuid| visit::ActiveModel {
        id: sea_orm::ActiveValue::Set(id),
        version: sea_orm::ActiveValue::Set(1),
        child_id: sea_orm::ActiveValue::Set(DEMO_CHILD),
        kind: sea_orm::ActiveValue::Set(VisitKind::Routine),
        finding: sea_orm::ActiveValue::Set(VisitFinding::Normal),
        visited_at: sea_orm::ActiveValue::Set(world.clock.now()),
        visitor_id: sea_orm::ActiveValue::Set(officer.account),
        intervention_id: sea_orm::ActiveValue::Set(None),
        next_visit_on: sea_orm::ActiveValue::Set(None),
        notes: sea_orm::ActiveValue::Set(None),
        created_at: sea_orm::ActiveValue::Set(world.clock.now()),
        created_by: sea_orm::ActiveValue::Set(officer.account),
        updated_at: sea_orm::ActiveValue::Set(world.clock.now()),
        updated_by: sea_orm::ActiveValue::Set(officer.account),
    };
    let (mut work, file) = start().await;
    let correct = world.db.begin().await.expect("begun");
    correct.run(&format!("UPDATE child SET version = version + 1 WHERE id = '{DEMO_CHILD}'"), []).await.expect("corrected");
    correct.commit_bare().await.expect("committed");
    let id = world.clock.id();
    work.add_to(&file, &visit::TABLE, id, &row(id)).await.expect("left");
    assert!(is_overtaken(&work.finish(id, Some(DEMO_CHILD)).await));
    assert_eq!(census(&world).await, before);
    // Another visit in between changes nothing that was decided on.
    let (mut work, file) = start().await;
    assert!(matches!(world.record_visit(&officer, &a_visit(&world), &keyed("b")).await, Ok(Outcome::Done { .. })));
    work.add_to(&file, &visit::TABLE, id, &row(id)).await.expect("left");
    assert!(matches!(work.finish(id, Some(DEMO_CHILD)).await, Ok(Outcome::Done { .. })));
}

#[tokio::test]
async fn an_answer_of_the_row_alone_stands_in_the_record_of_the_change() {
    for world in testing::each_prepared().await {
        let (officer, visit) = (officer(&world).await, a_visit(&world));
        let want = Want::of(&visit::TABLE).with(&["kind", "finding", "visited_at", "notes", "next_visit_on"]);
        let meta = Meta { asked: Asked::Object(want.clone()), ..keyed("a") };
        let Ok(Outcome::Done { object, told: Told::Row(row), .. }) = world.record_visit(&officer, &visit, &meta).await else { panic!("done and shown") };
        let read = world.reader(&officer).object(&want, Cell::Uuid(object)).await.expect("read").expect("there");
        for column in ["kind", "finding", "visited_at", "notes", "next_visit_on", "created_at"] {
            assert_eq!(row.cell(column), read.cell(column), "{column}");
        }
        assert_eq!((row.key(), row.child, &row.access), (read.key(), read.child, &read.access));
        let sql = "SELECT classes || ' ' || objects FROM audit_record WHERE outcome = 'CHANGED' AND action = 'recordVisit'";
        let said: String = world.db.as_system("test").raw(sql).await.expect("read")[0].try_get_by_index(0).expect("a text");
        assert_eq!(said, format!("casework,protection Visit#3:{}", object.simple()));
    }
}
