//! Counts against a count of the files themselves, made here in Rust.

use crate::access::Actor;
use crate::access::lens::Lens;
use crate::access::wall::Wall;
use crate::app::Domain;
use crate::command::{Meta, Outcome};
use crate::demo::{self, COUNTY, PROVINCE, TOWNSHIP, VILLAGE};
use crate::exchange::import::ImportOptions;
use crate::registry::{ClassifyChild, CloseFile, CorrectChild, Correction, RegisterChild, ReopenFile};
use crate::signin::Asking;
use crate::statistics::Cell;
use crate::store::meter;
use crate::testing::{self, TestDomain};
use crate::verify::verify;
use chrono::NaiveDate;
use entity::codes::{Category, ClosureReason, FileState, RiskLevel, Sex};
use entity::{CodedEnum, DivisionCode};
use migration::MigratorTrait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::Database;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;

const OTHER_VILLAGE: i64 = 520_324_202_202;
const PREFECTURE: i64 = 520_300_000_000;
const ELSEWHERE: i64 = 110_101_000_000;
const ASKED: [i64; 8] = [0, PROVINCE, PREFECTURE, COUNTY, TOWNSHIP, VILLAGE, OTHER_VILLAGE, ELSEWHERE];
/// Households on several levels, and none.
const PLACES: [Option<i64>; 5] = [Some(VILLAGE), Some(OTHER_VILLAGE), Some(TOWNSHIP), Some(COUNTY), None];

type Counts = BTreeMap<(Option<Category>, RiskLevel), i64>;

async fn prepared(world: TestDomain) -> TestDomain {
    demo::prepare(&world).await.expect("prepared");
    world
}

async fn actor(domain: &Domain) -> Actor {
    domain.act_as("county-officer", Asking::default()).await.expect("a persona")
}

/// One who may read the statistics of these ranges, cells of any size.
fn reader(actor: &Actor, ranges: &[(i64, i64)]) -> Actor {
    let statistics = ranges.iter().map(|range| (*range, 0)).collect();
    let mut lens = Lens::default();
    lens.statistics = statistics;
    Actor { lens: Arc::new(lens), ..actor.clone() }
}

fn code(value: i64) -> DivisionCode {
    DivisionCode::new(value).expect("a division")
}

async fn number(domain: &Domain, sql: &str) -> i64 {
    domain.db.as_system("test").raw(sql).await.expect("read")[0].try_get_by_index(0).expect("a number")
}

async fn unfolded(domain: &Domain) -> i64 {
    number(domain, "SELECT COUNT(*) FROM child_count_delta").await
}

async fn run(domain: &Domain, sql: &str) {
    let tx = domain.db.begin().await.expect("begun");
    tx.run(sql, []).await.expect("run");
    tx.commit_bare().await.expect("committed");
}

async fn fold_all(domain: &Domain) {
    while domain.fold_counts().await.expect("folded") > 0 {}
}

/// What there is of every file.
async fn recounted(domain: &Domain, division: i64) -> Counts {
    let mut counts = Counts::new();
    let files = "SELECT household_division, main_category, risk_level, state FROM child";
    for row in domain.db.as_system("test").raw(files).await.expect("read") {
        let household: Option<i64> = row.try_get_by_index(0).expect("a code");
        let category: Option<String> = row.try_get_by_index(1).expect("a category");
        let risk: String = row.try_get_by_index(2).expect("a level");
        let state = FileState::from_name(&row.try_get_by_index::<String>(3).expect("a state")).expect("known");
        let open = matches!(state, FileState::Active | FileState::Reopened | FileState::Transferring);
        if open && household.is_some_and(|household| code(division).contains(code(household))) {
            let cell = (category.as_deref().and_then(Category::from_name), RiskLevel::from_name(&risk).expect("known"));
            *counts.entry(cell).or_default() += 1;
        }
    }
    counts
}

fn told(cells: Vec<Cell>) -> Counts {
    cells.into_iter().map(|cell| ((cell.category, cell.risk_level), cell.count.expect("not withheld"))).collect()
}

async fn assert_right(domain: &Domain, reader: &Actor, when: &str) {
    for division in ASKED {
        let cells = domain.statistics(reader, code(division)).await.expect("answered");
        assert_eq!(told(cells), recounted(domain, division).await, "{division} {when}");
    }
    assert_eq!(domain.count_differences().await.expect("compared"), [], "{when}");
}

fn pick<T: Copy>(rng: &mut StdRng, all: &[T]) -> T {
    all[rng.random_range(0..all.len())]
}

fn category(rng: &mut StdRng) -> Category {
    pick(rng, &[Category::Orphan, Category::LeftBehind, Category::Other])
}

fn risk(rng: &mut StdRng) -> RiskLevel {
    pick(rng, &[RiskLevel::Unassessed, RiskLevel::Low, RiskLevel::High])
}

/// One in three is closed, as far as there are any.
async fn some_child(domain: &Domain, rng: &mut StdRng) -> (Uuid, i64) {
    let closed = if rng.random_bool(0.33) { "WHERE state = 'CLOSED' OR NOT EXISTS (SELECT 1 FROM child WHERE state = 'CLOSED')" } else { "" };
    let rows = domain.db.as_system("test").raw(&format!("SELECT id, version FROM child {closed} ORDER BY id")).await.expect("read");
    let row = &rows[rng.random_range(0..rows.len())];
    (row.try_get_by_index(0).expect("an id"), row.try_get_by_index(1).expect("a version"))
}

/// Brings in children of one village, born in one year; how many landed.
async fn import(domain: &Domain, officer: &Actor, folder: &Path, year: u32, rows: usize) -> u64 {
    let mut text = "姓名,性别,出生日期,公民身份号码,所在村,父亲姓名,母亲姓名,父母双方同时外出,就学情况\n".to_owned();
    for row in 0..rows {
        let name = ["一", "二", "三", "四"][row % 4];
        let _ = writeln!(text, "陈{name},女,{year}-{:02}-{:02},,谢坝村,陈大,李二,√,小学", row / 28 + 1, row % 28 + 1);
    }
    let path = folder.join(format!("{year}.csv"));
    std::fs::write(&path, text).expect("written");
    let survey_date = Some(domain.clock.today());
    let options = ImportOptions { path, file_name: "survey".into(), division: None, mapping: None, dry_run: false, problems: None, survey_date };
    let report = domain.import_survey(officer, options, &|_| {}).await.expect("imported");
    assert!(report.stopped.is_none(), "{:?}", report.stopped);
    report.landed
}

/// One thing that somebody does, which may be refused; its name.
async fn write(domain: &Domain, officer: &Actor, rng: &mut StdRng, folder: &Path) -> &'static str {
    let meta = Meta::default();
    let (child, version) = some_child(domain, rng).await;
    let today = domain.clock.today();
    let (name, outcome): (_, crate::Result<Outcome>) = match rng.random_range(0..13) {
        0..=3 => {
            let household = pick(rng, &PLACES);
            let input = RegisterChild {
                name: "陈小一".into(),
                sex: Some(Sex::Female),
                birth_date: NaiveDate::from_ymd_opt(2016, 5, 4),
                household_division: household.map(|code| code.to_string()),
                residence_division: Some(VILLAGE.to_string()),
                main_category: rng.random_bool(0.7).then(|| category(rng)),
                risk_level: Some(risk(rng)),
                ..RegisterChild::default()
            };
            ("register", domain.register_child(officer, &input, &meta).await)
        }
        4..=5 => {
            let input = ClassifyChild { id: None, child, expected_version: version, category: category(rng), risk_level: risk(rng), valid_from: today, reason: None };
            ("classify", domain.classify_child(officer, &input, &meta).await)
        }
        6..=7 => {
            let input = CloseFile { child, expected_version: version, reason: ClosureReason::OverAge, closed_on: today };
            ("close", domain.close_file(officer, &input, &meta).await)
        }
        8..=9 => ("reopen", domain.reopen_file(officer, &ReopenFile { child, expected_version: version }, &meta).await),
        10..=11 => {
            let to = pick(rng, &PLACES).map_or(Correction::Clear, |code| Correction::To(code.to_string()));
            let residence = Correction::To(VILLAGE.to_string());
            let input = CorrectChild { child, expected_version: version, household_division: to, residence_division: residence, ..CorrectChild::default() };
            ("correct", domain.correct_child(officer, &input, &meta).await)
        }
        _ => {
            let landed = import(domain, officer, folder, rng.random_range(2010..2021), 12).await;
            return if landed > 0 { "import" } else { "nothing imported" };
        }
    };
    match outcome.expect("answered") {
        Outcome::Done { .. } => name,
        Outcome::Refused(_) => "refused",
    }
}

#[tokio::test]
async fn an_answer_is_a_recount_at_any_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    for world in testing::each().await {
        let world = prepared(world).await;
        let officer = actor(&world).await;
        let reader = reader(&officer, &[code(0).range()]);
        let mut rng = StdRng::seed_from_u64(20_160_708);
        let mut done: BTreeMap<&str, u32> = BTreeMap::new();
        assert_right(&world, &reader, "at the beginning").await;
        for step in 0..60 {
            let what = write(&world, &officer, &mut rng, folder.path()).await;
            *done.entry(what).or_default() += 1;
            match rng.random_range(0..10) {
                0..=2 => {
                    world.fold(rng.random_range(1..9)).await.expect("folded");
                }
                3 => fold_all(&world).await,
                4 if step % 3 == 0 => world.recount().await.expect("counted"),
                _ => {}
            }
            assert_right(&world, &reader, &format!("after step {step}, {what}")).await;
        }
        for what in ["register", "classify", "close", "reopen", "correct", "import"] {
            assert!(done.contains_key(what), "{what} was never done: {done:?}");
        }
        fold_all(&world).await;
        assert_eq!(unfolded(&world).await, 0);
        assert_right(&world, &reader, "all folded").await;
        run(&world, "DELETE FROM child_count").await;
        assert!(!world.count_differences().await.expect("compared").is_empty(), "nothing counted, nothing missed");
    }
}

#[tokio::test]
async fn writers_folders_and_a_recount_at_the_same_time_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(world) = testing::postgres().await else { return };
    let world = prepared(world).await;
    let officer = actor(&world).await;
    let reader = reader(&officer, &[code(0).range()]);
    let (first, second) = (world.beside().await, world.beside().await);
    let writing = AtomicBool::new(true);
    let folding = async |domain: &Domain| {
        let mut folded = 0;
        while writing.load(Ordering::Relaxed) {
            folded += domain.fold(3).await.expect("folded");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        folded
    };
    let watching = async {
        let mut looks = 0;
        while writing.load(Ordering::Relaxed) {
            assert_eq!(world.count_differences().await.expect("compared"), [], "look {looks}");
            looks += 1;
            if looks % 4 == 0 {
                second.recount().await.expect("counted");
            }
        }
        looks
    };
    let writer = async |seed: u64| {
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..25 {
            write(&world, &officer, &mut rng, folder.path()).await;
        }
    };
    let all = async {
        tokio::join!(writer(1), writer(2), writer(3));
        writing.store(false, Ordering::Relaxed);
    };
    let ((), one, two, looks) = tokio::join!(all, folding(&first), folding(&second), watching);
    assert!(one + two > 0 && looks > 4, "{one} and {two} folded, {looks} looks: too few to show anything");
    assert_right(&world, &reader, "after the writers").await;
    fold_all(&world).await;
    assert_right(&world, &reader, "all folded").await;
}

#[tokio::test]
async fn only_what_is_counted_appends_and_what_comes_together_appends_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for world in testing::each().await {
        let world = prepared(world).await;
        fold_all(&world).await;
        for idle in ["changed_at = updated_at", "risk_level = risk_level, state = state", "residence_division = NULL"] {
            run(&world, &format!("UPDATE child SET {idle}")).await;
            assert_eq!(unfolded(&world).await, 0, "{idle}");
        }
        run(&world, "UPDATE child SET risk_level = 'URGENT' WHERE state = 'CLOSED'").await;
        assert_eq!(unfolded(&world).await, 0, "closed files are not counted");
        let rolled_back = world.db.begin().await.expect("begun");
        rolled_back.run("UPDATE child SET risk_level = 'URGENT'", []).await.expect("run");
        rolled_back.rollback().await.expect("rolled back");
        assert_eq!(unfolded(&world).await, 0, "what did not happen");
        assert_eq!(import(&world, &actor(&world).await, folder.path(), 2015, 40).await, 40);
        let appended = unfolded(&world).await;
        assert_eq!(appended, if world.db.is_postgres() { 1 } else { 40 });
    }
}

#[tokio::test]
async fn an_answer_is_one_statement() {
    for world in testing::each().await {
        let world = prepared(world).await;
        let reader = reader(&actor(&world).await, &[code(0).range()]);
        for _ in 0..2 {
            let (cells, statements) = meter::metered(async { (world.statistics(&reader, code(PROVINCE)).await, meter::statements()) }).await;
            assert_eq!(statements, 1);
            assert!(cells.expect("answered").len() > 3);
            fold_all(&world).await;
        }
        let idle = meter::metered(async { (world.fold_counts().await, meter::statements()) }).await;
        assert_eq!((idle.0.expect("folded"), idle.1), (0, 1), "with nothing to fold, one look");
    }
}

#[tokio::test]
async fn verify_finds_a_wrong_count_and_a_recount_mends_it() {
    for world in testing::each().await {
        let world = prepared(world).await;
        let wrong = async || verify(&world).await.expect("verified").into_iter().filter(|f| f.wrong > 0).collect::<Vec<_>>();
        assert_eq!(wrong().await, []);
        fold_all(&world).await;
        assert_eq!(wrong().await, []);
        run(&world, "UPDATE child_count SET n = n + 2 WHERE division = 520324202201 AND category = 'ORPHAN' AND risk_level = (SELECT MIN(risk_level) FROM child_count WHERE division = 520324202201 AND category = 'ORPHAN')").await;
        run(&world, "INSERT INTO child_count (division, category, risk_level, n) VALUES (110101000000, '', 'LOW', 1)").await;
        run(&world, "INSERT INTO child_count_delta (division, category, risk_level, n) VALUES (0, 'MIGRANT', 'URGENT', -1)").await;
        let found = wrong().await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].check, found[0].wrong), ("the counts of the statistics are those of the files", 3));
        assert!(found[0].examples[0].starts_with("division 000000000000 MIGRANT URGENT: -1"), "{found:?}");
        assert!(found[0].examples[2].starts_with("division 520324202201 ORPHAN") && found[0].examples[2].ends_with(": +2"), "{found:?}");
        world.recount().await.expect("counted");
        assert_eq!(wrong().await, []);
        assert_eq!(number(&world, "SELECT COUNT(*) FROM child_count WHERE n = 0 OR division = 110101000000").await, 0);
    }
}

#[tokio::test]
async fn files_from_before_are_counted() {
    for world in testing::each().await {
        let world = prepared(world).await;
        let owner = Database::connect(world.owner_url.as_deref().unwrap_or(&world.url)).await.expect("connects");
        let all = migration::Migrator::migrations();
        let counts = all.iter().find(|m| m.name().ends_with("_child_counts")).expect("there");
        let schema = migration::SchemaManager::new(&owner);
        counts.down(&schema).await.expect("gone");
        assert!(world.fold_counts().await.is_err(), "the table is gone");
        counts.up(&schema).await.expect("there again");
        drop(schema);
        owner.close().await.expect("closed");
        let after = world.beside().await;
        let reader = reader(&actor(&after).await, &[code(0).range()]);
        assert!(!recounted(&after, PROVINCE).await.is_empty());
        assert_right(&after, &reader, "after the migration").await;
        fold_all(&after).await;
        assert_right(&after, &reader, "all folded").await;
    }
}

#[tokio::test]
async fn the_second_wall_shows_counts_to_statistics_alone() {
    let Some(world) = testing::postgres().await else { return };
    let world = prepared(world).await;
    let officer = actor(&world).await;
    let rows = async |wall: &Wall, table: &str| {
        let found = world.db.behind(wall.clone()).raw(&format!("SELECT COUNT(*) FROM {table}")).await.expect("read");
        found[0].try_get_by_index::<i64>(0).expect("a number")
    };
    let county = Wall::statistics(&reader(&officer, &[code(COUNTY).range()]).lens);
    for folded in [false, true] {
        if folded {
            fold_all(&world).await;
        }
        let (table, own) = if folded { ("child_count", "child_count WHERE division BETWEEN 520324000000 AND 520324999999") } else { ("child_count_delta", "child_count_delta WHERE division BETWEEN 520324000000 AND 520324999999") };
        let there = number(&world, &format!("SELECT COUNT(*) FROM {own}")).await;
        assert!(there > 0 && number(&world, &format!("SELECT COUNT(*) FROM {table}")).await > there, "rows within and without");
        assert_eq!(rows(&county, table).await, there, "{table} of the county");
        assert_eq!(rows(&Wall::of(&officer.lens), table).await, 0, "{table}, to one who reads files");
    }
    assert_eq!(rows(&county, "child").await, 0, "who counts sees no file");
}
