use super::{ImportOptions, ImportReport};
use crate::access::Actor;
use crate::app::Domain;
use crate::clock::Clock;
use crate::command::{Meta, Outcome};
use crate::demo::{COUNTY, TOWNSHIP};
use crate::error::Error;
use crate::exchange::survey::tests::survey_sheet;
use crate::exchange::uploads::ImportSurvey;
use crate::problems::UserErrorCode;
use crate::signin::Asking;
use crate::store::meter;
use crate::testing::{each, each_prepared, sqlite, sqlite_prepared};
use crate::verify::verify;
use entity::DivisionCode;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const PLACE: &str = "贵州省遵义市正安县谢坝仡佬族苗族乡";

async fn actor(domain: &Domain, name: &str) -> Actor {
    domain.act_as(name, Asking::default()).await.expect("a persona")
}

fn options(path: &Path) -> ImportOptions {
    ImportOptions {
        path: path.to_owned(),
        file_name: "survey".into(),
        division: None,
        mapping: None,
        dry_run: false,
        problems: None,
        survey_date: None,
    }
}

async fn import(domain: &Domain, actor: &Actor, path: &Path) -> ImportReport {
    let report = domain.import_survey(actor, options(path), &|_| {}).await.expect("imported");
    assert!(report.stopped.is_none(), "{:?}", report.stopped);
    report
}

async fn number(domain: &Domain, sql: &str) -> i64 {
    domain.db.as_system("test").raw(sql).await.expect("read")[0].try_get_by_index(0).expect("a number")
}

/// Rows of every table an import writes.
async fn held(domain: &Domain) -> Vec<i64> {
    let mut all = Vec::new();
    for table in ["child", "person", "relation", "guardianship", "fact", "identity_registry", "name_gram"] {
        all.push(number(domain, &format!("SELECT COUNT(*) FROM {table}")).await);
    }
    all
}

fn counts(report: &ImportReport) -> [u64; 5] {
    [report.rows, report.landed, report.unchanged, report.rejected, report.review]
}

const TITLES: &str = "姓名,性别,出生日期,公民身份号码,所在村,父亲姓名,母亲姓名,父母双方同时外出,就学情况";

fn sheet(folder: &Path, name: &str, rows: &[&str]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("{TITLES}\n{}\n", rows.join("\n"))).expect("written");
    path
}

fn form(folder: &Path, rows: u32, seed: u64, wrong_one_in: u32) -> (PathBuf, survey_sheet::Sample) {
    let path = folder.join(format!("form{seed}.xlsx"));
    let options = survey_sheet::Options { rows, seed, villages: &["谢坝村"], place: PLACE, survey_year: 2026, wrong_one_in };
    let sample = survey_sheet::write_workbook(&path, &options).expect("a workbook");
    (path, sample)
}

#[tokio::test]
async fn good_rows_land_bad_ones_are_reported_and_sending_twice_adds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, sample) = form(folder.path(), 700, 11, 20);
    for domain in each_prepared().await {
        let officer = actor(&domain, "county-officer").await;
        let before = number(&domain, "SELECT COUNT(*) FROM child").await;
        let report = import(&domain, &officer, &path).await;
        let bad: u64 = sample.bad.values().sum();
        assert_eq!(counts(&report), [700, sample.good, 0, bad, 0], "{:?}", report.by_rule);
        assert!(sample.bad.iter().all(|(rule, n)| report.by_rule[*rule] == *n));
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM child").await - before, sample.good as i64);
        let logged = "SELECT COUNT(*) FROM change_log WHERE action = 'importSurvey' AND object_type = 'Child'";
        assert_eq!(number(&domain, logged).await, sample.good as i64);
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM change_log").await, number(&domain, "SELECT COUNT(*) FROM outbox").await);
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM import_row").await, bad as i64);
        let shared = "SELECT COUNT(*) - COUNT(DISTINCT person_id) FROM relation WHERE kind = 'FATHER' AND child_id IN (SELECT child_id FROM change_log WHERE action = 'importSurvey')";
        assert!(number(&domain, shared).await > 250, "brothers and sisters share their father");
        let away = "SELECT COUNT(*) FROM fact WHERE kind = 'AWAY_FOR_WORK' AND true_from = '2026-03-31'";
        assert!(number(&domain, away).await > 500);
        let carers = "SELECT COUNT(*) FROM guardianship WHERE kind = 'ENTRUSTED_CARE' AND actual AND started_on = '2026-03-31'";
        assert!(number(&domain, carers).await > 400);
        let wrong: Vec<_> = verify(&domain).await.expect("verified").into_iter().filter(|f| f.wrong > 0).collect();
        assert!(wrong.is_empty(), "{wrong:?}");

        let held_before = held(&domain).await;
        let again = import(&domain, &officer, &path).await;
        assert_eq!(counts(&again), [700, 0, sample.good, bad, 0], "{:?}", again.by_rule);
        assert_eq!(held(&domain).await, held_before);
        let finished = "SELECT COUNT(*) FROM import_batch WHERE state = 'FINISHED' AND rows = 700";
        assert_eq!(number(&domain, finished).await, 2);
    }
}

/// Both databases must hold bulk rows in the very form in which single rows are held.
#[tokio::test]
async fn a_bulk_row_is_stored_as_a_single_one() {
    use entity::tables::person;
    for domain in each().await {
        let now = domain.clock.now();
        let made = |id: Uuid, number: Option<&str>| crate::registry::person::CheckedPerson {
            id,
            name: "张\"伟\\𠮷".into(),
            identity_number: number.and_then(|n| entity::IdentityNumber::parse(n).ok()),
            sex: None,
            birth_date: chrono::NaiveDate::from_ymd_opt(1980, 1, 2),
            phone: None,
            address: None,
            workplace: None,
        };
        let (one, two) = (domain.clock.id(), domain.clock.id());
        let (one, two) = (made(one, Some("11010519491231002X")), made(two, Some("11010519491231002X")));
        let mut tx = domain.db.begin().await.expect("begun");
        tx.insert(one.row(&domain, one.id, now).expect("a row")).await.expect("inserted");
        tx.insert_all(&person::TABLE, &[two.row(&domain, one.id, now).expect("a row")], "").await.expect("inserted");
        tx.commit_bare().await.expect("committed");
        let same = if domain.db.is_postgres() {
            "SELECT COUNT(*) FROM person a JOIN person b ON a.created_at = b.created_at AND a.birth_date = b.birth_date AND a.created_by = b.created_by AND a.version = b.version AND length(a.identity_number) = length(b.identity_number) WHERE a.id <> b.id"
        } else {
            "SELECT COUNT(*) FROM person a JOIN person b ON a.created_at = b.created_at AND a.birth_date = b.birth_date AND a.created_by = b.created_by AND a.version = b.version AND length(a.identity_number) = length(b.identity_number) \
             AND typeof(a.id) = typeof(b.id) AND typeof(a.created_at) = typeof(b.created_at) AND typeof(a.name) = typeof(b.name) AND typeof(a.sex) = typeof(b.sex) AND typeof(a.version) = typeof(b.version) WHERE a.id <> b.id"
        };
        assert_eq!(number(&domain, same).await, 2);
        let stored = Query::select().columns(["id", "name"]).from("person").to_owned();
        for row in domain.db.as_system("test").all(&stored).await.expect("read") {
            let id: Uuid = row.try_get_by_index(0).expect("an id");
            let name: Vec<u8> = row.try_get_by_index(1).expect("a name");
            let place = crate::sealing::Place { table: "person", column: "name", row: id };
            assert_eq!(domain.keys.open(place, &name).expect("opens"), "张\"伟\\𠮷");
        }
    }
}

#[tokio::test]
async fn a_mended_file_of_problems_lands() {
    let folder = tempfile::tempdir().expect("a folder");
    for domain in each_prepared().await {
        let officer = actor(&domain, "county-officer").await;
        let path = sheet(folder.path(), "one.csv", &["陈一一,男,2015-03-15,,谢坝村,陈大,李二,√,小学", "陈一二,不明,2015-03-15,,谢坝村,陈大,李二,√,小学", "陈一三,女,2015-03-16,,无此地村,陈大,李二,√,小学"]);
        let report = import(&domain, &officer, &path).await;
        assert_eq!(counts(&report), [3, 1, 0, 2, 0], "{:?}", report.by_rule);
        assert_eq!(report.by_rule.keys().collect::<Vec<_>>(), ["SEX_UNKNOWN", "UNKNOWN_PLACE"]);
        let problems = report.problems_file.expect("a file of problems");
        let text = std::fs::read_to_string(&problems).expect("read");
        let mended = folder.path().join("mended.csv");
        std::fs::write(&mended, text.replace("不明", "女").replace("无此地村", "谢坝村")).expect("written");
        let report = import(&domain, &officer, &mended).await;
        assert_eq!(counts(&report), [2, 2, 0, 0, 0], "{:?}", report.by_rule);
        // Rows without a number are known again by name, birth date, sex, village and parents.
        assert_eq!(counts(&import(&domain, &officer, &mended).await), [2, 0, 2, 0, 0]);
        assert_eq!(counts(&import(&domain, &officer, &path).await), [3, 0, 1, 2, 0]);
    }
}

#[tokio::test]
pub(crate) async fn doubles_and_differences_go_to_review_and_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = "陈二一,男,2015-03-15,,谢坝村,陈大,李二,√,小学";
    for domain in each_prepared().await {
        let officer = actor(&domain, "county-officer").await;
        let twice = sheet(folder.path(), "twice.csv", &[one, one, "赵三,男,2014-05-06,990123201405060037,谢坝村,赵大,,,小学"]);
        let report = import(&domain, &officer, &twice).await;
        assert_eq!(counts(&report), [3, 2, 0, 0, 1], "{:?}", report.by_rule);
        assert_eq!(report.by_rule["TWICE_IN_FILE"], 1);
        let before = held(&domain).await;
        // The other father tells another family, or a mistake: a person decides.
        let double = sheet(folder.path(), "double.csv", &["陈二一,男,2015-03-15,,谢坝村,陈小,李二,√,小学"]);
        let report = import(&domain, &officer, &double).await;
        assert_eq!((counts(&report), report.by_rule.keys().next().map(String::as_str)), ([1, 0, 0, 0, 1], Some("LIKELY_DOUBLE")));
        let unnumbered = sheet(folder.path(), "unnumbered.csv", &["赵三,男,2014-05-06,,谢坝村,赵大,,,小学"]);
        let report = import(&domain, &officer, &unnumbered).await;
        assert_eq!((counts(&report), report.by_rule.keys().next().map(String::as_str)), ([1, 0, 0, 0, 1], Some("LIKELY_DOUBLE")));
        let other = sheet(folder.path(), "other.csv", &["陈二一,男,2015-03-15,,谢坝村,陈大,李二,√,初中"]);
        let report = import(&domain, &officer, &other).await;
        assert_eq!((counts(&report), report.by_rule.keys().next().map(String::as_str)), ([1, 0, 0, 0, 1], Some("DIFFERS_FROM_FILE")));
        assert_eq!(held(&domain).await, before);
        let candidates = "SELECT COUNT(*) FROM import_row r JOIN child c ON c.id = r.candidate_id WHERE r.state = 'REVIEW'";
        assert_eq!(number(&domain, candidates).await, 4);
    }
}

#[tokio::test]
pub(crate) async fn nothing_lands_outside_the_importer_s_reach() {
    let folder = tempfile::tempdir().expect("a folder");
    let domain = sqlite_prepared().await;
    let village: String = {
        let select = Query::select()
            .column("name")
            .from("division")
            .and_where(Expr::col("level").eq(5_i16))
            .and_where(Expr::col("code").between(COUNTY, COUNTY + 999_999))
            .and_where(Expr::col("code").not_between(TOWNSHIP, TOWNSHIP + 999))
            .limit(1)
            .to_owned();
        domain.db.as_system("test").one(&select).await.expect("read").expect("a village").try_get_by_index(0).expect("a name")
    };
    let path = sheet(folder.path(), "far.csv", &[&format!("陈三一,男,2015-03-15,,{village},陈大,李二,√,小学"), "陈三二,男,2015-03-15,,谢坝村,陈大,李二,√,小学"]);
    let supervisor = actor(&domain, "township-supervisor").await;
    let county = DivisionCode::new(COUNTY);
    let report = domain.import_survey(&supervisor, ImportOptions { division: county, ..options(&path) }, &|_| {}).await.expect("imported");
    assert_eq!((counts(&report), report.by_rule.get("OUT_OF_SCOPE")), ([2, 1, 0, 1, 0], Some(&1)), "{:?}", report.by_rule);
    // Help is of class benefit: the sheet asks for it, and the township writes it.
    let help = folder.path().join("help.csv");
    std::fs::write(&help, "姓名,性别,出生日期,所在村,享受救助\n陈三三,男,2015-03-17,谢坝村,低保\n").expect("written");
    let report = import(&domain, &supervisor, &help).await;
    assert_eq!((counts(&report), report.by_rule.get("OUT_OF_SCOPE")), ([1, 1, 0, 0, 0], None), "{:?}", report.by_rule);
    for other in ["school-partner", "auditor", "stranger", "village-director"] {
        let error = domain.import_survey(&actor(&domain, other).await, options(&path), &|_| {}).await.expect_err("refused");
        assert!(matches!(error, Error::Forbidden { .. }), "{other}");
    }
}

#[tokio::test]
pub(crate) async fn a_number_on_file_elsewhere_tells_the_county_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let domain = sqlite_prepared().await;
    let officer = actor(&domain, "county-officer").await;
    let (path, sample) = form(folder.path(), 5, 3, 0);
    assert_eq!(counts(&import(&domain, &officer, &path).await), [5, sample.good, 0, 0, 0]);
    // The files move out of the township's sight.
    let mut tx = domain.db.begin().await.expect("begun");
    let away = COUNTY + 100_000_000;
    let update = Query::update()
        .table("child")
        .value("household_division", away)
        .value("residence_division", away)
        .value("accepting_division", away)
        .and_where(Expr::cust("id IN (SELECT child_id FROM change_log WHERE action = 'importSurvey')"))
        .to_owned();
    tx.execute_update(&update).await.expect("moved");
    tx.commit_bare().await.expect("committed");
    let report = import(&domain, &officer, &path).await;
    assert_eq!((counts(&report), report.by_rule.get("ALREADY_ON_FILE_ELSEWHERE")), ([5, 0, 0, 5, 0], Some(&5)), "{:?}", report.by_rule);
}

#[tokio::test]
async fn a_dry_run_writes_its_batch_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for domain in each_prepared().await {
        let officer = actor(&domain, "county-officer").await;
        let (path, sample) = form(folder.path(), 350, 5, 30);
        let before = held(&domain).await;
        let report = domain.import_survey(&officer, ImportOptions { dry_run: true, ..options(&path) }, &|_| {}).await.expect("checked");
        assert_eq!((report.landed, report.rejected), (sample.good, sample.bad.values().sum()));
        assert!(report.problems_file.is_some());
        assert_eq!(held(&domain).await, before);
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM import_row").await, 0);
        assert_eq!(number(&domain, "SELECT COUNT(*) FROM import_batch WHERE state = 'CHECKED'").await, 1);
        let real = import(&domain, &officer, &path).await;
        assert_eq!(real.landed, report.landed);
    }
}

#[tokio::test]
async fn the_statements_of_a_chunk_do_not_grow_with_its_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    for domain in each_prepared().await {
        let officer = actor(&domain, "county-officer").await;
        let mut used = Vec::new();
        for (rows, seed) in [(20, 21), (290, 22), (900, 23)] {
            let (path, _) = form(folder.path(), rows, seed, 10);
            used.push(meter::metered(async { import(&domain, &officer, &path).await; meter::statements() }).await);
        }
        let (small, full, three) = (used[0], used[1], used[2]);
        assert!(full <= small + 2, "{used:?}");
        assert!(full < 45 && three - full <= 2 * 30, "{used:?}");
    }
}

/// Cut in the middle: the file stops being readable after some chunks, as when a process dies between two of them.
#[tokio::test]
async fn what_was_cut_off_goes_on_by_whole_chunks() {
    let folder = tempfile::tempdir().expect("a folder");
    for domain in each_prepared().await {
        let officer = actor(&domain, "county-officer").await;
        let (path, sample) = form(folder.path(), 900, 31, 0);
        let before = number(&domain, "SELECT COUNT(*) FROM child").await;
        let (running, cut) = (domain.domain.clone(), path.clone());
        let (seen, mut first) = tokio::sync::mpsc::channel(8);
        let task = tokio::spawn(async move {
            let tell = move |rows: u64| {
                let _ = seen.try_send(rows);
            };
            running.import_survey(&officer, options(&cut), &tell).await
        });
        first.recv().await.expect("a chunk");
        task.abort();
        let _ = task.await;
        let there = number(&domain, "SELECT COUNT(*) FROM child").await - before;
        assert!(there > 0 && there % super::reader::CHUNK as i64 == 0, "{there}");
        let officer = actor(&domain, "county-officer").await;
        let report = import(&domain, &officer, &path).await;
        assert_eq!(counts(&report), [900, sample.good - there as u64, there as u64, 0, 0], "{:?}", report.by_rule);
    }
}

#[tokio::test]
async fn a_full_database_stops_the_import_and_what_landed_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let domain = sqlite_prepared().await;
    let officer = actor(&domain, "county-officer").await;
    let (path, _) = form(folder.path(), 1500, 41, 0);
    let pages = number(&domain, "PRAGMA page_count").await;
    let tx = domain.db.begin().await.expect("begun");
    tx.run(&format!("PRAGMA max_page_count = {}", pages + 900), []).await.expect("limited");
    tx.commit_bare().await.expect("committed");
    let before = number(&domain, "SELECT COUNT(*) FROM child").await;
    let report = domain.import_survey(&officer, options(&path), &|_| {}).await.expect("a report");
    assert!(matches!(report.stopped, Some(Error::Unavailable(_))), "{:?}", report.stopped);
    assert_eq!(number(&domain, "SELECT COUNT(*) FROM child").await - before, report.landed as i64);
    assert!(report.landed < 1500);
    let sound: String = domain.db.as_system("test").raw("PRAGMA integrity_check").await.expect("checked")[0].try_get_by_index(0).expect("a word");
    assert_eq!(sound, "ok");
}

fn keep(domain: &Domain, id: Uuid, bytes: &[u8]) {
    let (mut sealer, mut sealed) = domain.keys.seal_stream(id, domain.clock.as_ref()).expect("a sealer");
    sealer.update(bytes, &mut sealed).expect("sealed");
    sealer.finish(&mut sealed).expect("sealed");
    std::fs::write(domain.upload_path(id), sealed).expect("written");
}

#[tokio::test]
async fn uploads_are_kept_for_a_day() {
    let domain = sqlite().await;
    let (old, broken) = (domain.clock.id(), domain.clock.id());
    keep(&domain, old, b"1");
    std::fs::write(domain.data.join(format!("uploads/.{broken}.part")), b"2").expect("written");
    std::fs::write(domain.data.join("uploads/notes.txt"), b"3").expect("written");
    domain.clock.advance(chrono::TimeDelta::hours(23));
    let new = domain.clock.id();
    keep(&domain, new, b"4");
    assert_eq!(domain.forget_old_uploads().await.expect("tidied"), 0);
    domain.clock.advance(chrono::TimeDelta::hours(2));
    assert_eq!(domain.forget_old_uploads().await.expect("tidied"), 2);
    let left: Vec<_> = std::fs::read_dir(domain.data.join("uploads")).expect("read").map(|f| f.expect("a file").file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(domain.upload_path(new).exists());
}

#[tokio::test]
pub(crate) async fn an_upload_is_imported_by_its_own_account_once_for_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let domain = sqlite_prepared().await;
    let officer = actor(&domain, "county-officer").await;
    let (path, sample) = form(folder.path(), 40, 51, 0);
    let id = domain.clock.id();
    keep(&domain, id, &std::fs::read(&path).expect("read"));
    domain.announce_upload(&officer, "摸底表.xlsx", &[0; 32], 1, id).await.expect("announced");
    let input = ImportSurvey { upload: id, ..ImportSurvey::default() };
    let meta = Meta { idempotency_key: Some("k".into()), body: "b".into(), ..Meta::default() };
    let done = |outcome: Outcome| match outcome {
        Outcome::Done { object, child: None, .. } => object,
        other => panic!("{other:?}"),
    };
    let batch = done(domain.import_survey_upload(&officer, &input, &meta).await.expect("imported"));
    let finished = "SELECT landed FROM import_batch WHERE state = 'FINISHED'";
    assert_eq!(number(&domain, finished).await, sample.good as i64);
    assert_eq!(done(domain.import_survey_upload(&officer, &input, &meta).await.expect("replayed")), batch);
    assert_eq!(number(&domain, "SELECT COUNT(*) FROM import_batch").await, 1);
    let refused = |outcome: Outcome| match outcome {
        Outcome::Refused(errors) => errors[0].code,
        other => panic!("{other:?}"),
    };
    let other = actor(&domain, "township-supervisor").await;
    let plain = Meta::default();
    assert_eq!(refused(domain.import_survey_upload(&other, &input, &plain).await.expect("answered")), UserErrorCode::UploadNotFound);
    let lost = domain.clock.id();
    keep(&domain, lost, b"%PDF-1.7");
    domain.announce_upload(&officer, "x.pdf", &[0; 32], 8, lost).await.expect("announced");
    let input = ImportSurvey { upload: lost, ..ImportSurvey::default() };
    assert_eq!(refused(domain.import_survey_upload(&officer, &input, &plain).await.expect("answered")), UserErrorCode::FileUnreadable);
}
