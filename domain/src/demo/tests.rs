use super::bulk::fill_beyond;
use super::maker::identity_number;
use super::{DEMO_CHILD, DEMO_ORPHAN, FIRST, PERSONAS, Places, VILLAGE, fill, prepare};
use crate::access::Actor;
use crate::app::Domain;
use crate::command::{Meta, Outcome};
use crate::problems::UserErrorCode;
use crate::read::{ListQuery, PageArgs, Want};
use crate::registry::RegisterChild;
use crate::sealing::Place;
use crate::signin::Asking;
use crate::testing::{each, sqlite};
use crate::verify::verify;
use chrono::{NaiveDate, TimeDelta};
use entity::codes::{Category, Sex};
use entity::tables::child;
use entity::{CodedEnum, IdentityNumber};
use sea_orm::sea_query::{Expr, Query};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

fn silent(_: u64, _: u64) {}

async fn count(domain: &Domain, table: &'static str) -> i64 {
    let select = Query::select().expr(Expr::cust("COUNT(*)")).from(table).to_owned();
    domain.db.as_system("test").one(&select).await.expect("read").expect("a row").try_get_by_index(0).expect("a number")
}

/// The open text of a sealed column of every row, by id.
async fn opened(domain: &Domain, table: &'static str, column: &'static str) -> BTreeMap<Uuid, Option<String>> {
    let select = Query::select().columns(["id", column]).from(table).to_owned();
    let rows = domain.db.as_system("test").all(&select).await.expect("read");
    rows.iter()
        .map(|row| {
            let id: Uuid = row.try_get_by_index(0).expect("id");
            let sealed: Option<Vec<u8>> = row.try_get_by_index(1).expect("sealed");
            (id, sealed.map(|s| domain.keys.open(Place { table, column, row: id }, &s).expect("opens")))
        })
        .collect()
}

/// What a database holds, apart from how it is sealed.
async fn content(domain: &Domain) -> Vec<String> {
    let mut all = Vec::new();
    for (table, column) in [("child", "name"), ("child", "identity_number"), ("person", "name"), ("person", "phone"), ("visit", "notes"), ("intervention", "reason")] {
        all.extend(opened(domain, table, column).await.into_iter().map(|(id, text)| format!("{table} {id} {column} {text:?}")));
    }
    let select = Query::select().columns(["id", "file_number", "risk_level", "main_category"]).from("child").to_owned();
    for row in domain.db.as_system("test").all(&select).await.expect("read") {
        let text = |at| row.try_get_by_index::<Option<String>>(at).expect("text");
        all.push(format!("{} {:?} {:?} {:?}", row.try_get_by_index::<Uuid>(0).expect("id"), text(1), text(2), text(3)));
    }
    for table in ["benefit", "fact", "relation", "guardianship", "attachment", "classification", "name_gram"] {
        all.push(format!("{table} {}", count(domain, table).await));
    }
    all.sort();
    all
}

#[test]
fn identity_numbers_are_valid_under_99_and_unique() {
    let birth = NaiveDate::from_ymd_opt(2016, 2, 29).expect("a date");
    let mut seen = HashSet::new();
    for index in (0..20_000).chain(4_980_000..5_000_000) {
        for sex in [Sex::Male, Sex::Female] {
            let number = identity_number(index, birth, sex).expect("valid");
            // When those are used up, others that no place has.
            assert!(identity_number(index + 35_000_000, birth, sex).is_some_and(|other| other.as_str().starts_with("92") && other != number));
            assert!(number.as_str().starts_with("99") && number.birth_date() == birth && number.sex() == sex);
            assert!(seen.insert(number.as_str().to_owned()), "{index}");
        }
    }
}

#[test]
fn places_are_real_and_have_addresses() {
    let places = Places::read().expect("reads");
    assert_eq!(places.village(VILLAGE).expect("there").address, "贵州省遵义市正安县谢坝仡佬族苗族乡谢坝村");
    assert_eq!(places.county.len(), 154);
    assert!(places.province.len() > 1_000 && places.country.len() > 35_000);
    let beijing = places.country.iter().find(|p| p.code == 110_101_001_000).expect("there");
    assert_eq!(beijing.address, "北京市东城区东华门街道");
}

/// How its tables are indexed, bound and guarded.
async fn shape(domain: &Domain) -> Vec<String> {
    let sql = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid::regclass::text NOT LIKE 'pg_%' \
        UNION ALL SELECT conrelid::regclass::text || conname::text || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace \
        UNION ALL SELECT tgname::text || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal \
        UNION ALL SELECT relname::text || relforcerowsecurity::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace ORDER BY 1";
    let rows = domain.db.raw(sql).await.expect("read");
    rows.iter().map(|row| row.try_get_by_index(0).expect("text")).collect()
}

#[tokio::test]
async fn a_database_filled_in_bulk_holds_together_and_keeps_its_shape() {
    let Some(test) = crate::testing::postgres().await else { return };
    let owner = test.owner_url.clone().expect("an owner");
    let before = shape(&test).await;
    let report = fill_beyond(&test, &owner, (FIRST, 2_500), &|_| {}).await.expect("filled");
    assert_eq!((count(&test, "child").await, report.children), (2_500, 2_500 - FIRST));
    assert_eq!(shape(&test).await, before);
    assert!(report.built.iter().any(|one| one.name == "name_gram_pkey" && one.bytes > Some(0)));
    fill(&test, 2_600, &silent).await.expect("goes on from there");
    assert_eq!(count(&test, "child").await, 2_600);
    while test.chain_audit().await.expect("linked") > 0 {}
    for finding in verify(&test).await.expect("checks run") {
        assert!(finding.looked_at > 0 && finding.wrong == 0, "{finding:?}");
    }
    // The same again, whoever makes it and however the work is divided.
    let Some(again) = crate::testing::postgres().await else { return };
    fill_beyond(&again, &again.owner_url.clone().expect("an owner"), (FIRST, 2_500), &|_| {}).await.expect("filled");
    fill(&again, 2_600, &silent).await.expect("goes on");
    assert!(content(&test).await == content(&again).await);
}

#[tokio::test]
async fn a_filled_database_holds_together() {
    for test in each().await {
        prepare(&test).await.expect("prepared");
        assert_eq!(count(&test, "child").await, FIRST as i64);
        fill(&test, 260, &silent).await.expect("filled");
        assert_eq!(count(&test, "child").await, 260);
        let tables = ["organisation", "account", "access_grant", "person", "visit", "benefit", "intervention", "attachment", "audit_record", "outbox"];
        let mut before = Vec::new();
        for table in tables {
            before.push(count(&test, table).await);
        }
        // Neither does anything twice.
        prepare(&test).await.expect("prepared again");
        fill(&test, 260, &silent).await.expect("filled again");
        for (table, n) in tables.into_iter().zip(before) {
            assert!(n > 0, "{table} is empty");
            assert_eq!(count(&test, table).await, n, "{table} grew");
        }
        // Another day goes on from there.
        test.clock.advance(TimeDelta::days(1));
        fill(&test, 300, &silent).await.expect("filled on");
        assert_eq!(count(&test, "child").await, 300);
        while test.chain_audit().await.expect("linked") > 0 {}
        for finding in verify(&test).await.expect("checks run") {
            assert!(finding.looked_at > 0 && finding.wrong == 0, "{finding:?}");
        }
    }
}

#[tokio::test]
async fn nobody_real_is_in_it() {
    let test = sqlite().await;
    fill(&test, 360, &silent).await.expect("filled");
    let mut without = 0;
    for table in ["child", "person"] {
        for (id, number) in opened(&test, table, "identity_number").await {
            match number {
                Some(number) => assert!(number.starts_with("99") && IdentityNumber::parse(&number).is_ok(), "{table} {id}"),
                None => without += 1,
            }
        }
        assert!(opened(&test, table, "phone").await.values().flatten().all(|phone| phone.len() == 11 && phone.starts_with("1990000")));
    }
    assert!((5..40).contains(&without), "{without} without a number");
    let categories: HashSet<String> = {
        let select = Query::select().distinct().column("main_category").from("child").to_owned();
        test.db.as_system("test").all(&select).await.expect("read").iter().map(|row| row.try_get_by_index(0).expect("text")).collect()
    };
    assert_eq!(categories.len(), Category::VALUES.len(), "{categories:?}");
    let names = opened(&test, "child", "name").await;
    assert_eq!(names[&DEMO_CHILD].as_deref(), Some("石小满"));
    assert_eq!(names[&DEMO_ORPHAN].as_deref(), Some("欧阳𠮷"));
}

/// No birth, start or visit lies where it cannot.
#[tokio::test]
async fn dates_are_in_order() {
    let test = sqlite().await;
    fill(&test, 360, &silent).await.expect("filled");
    for (what, sql) in [
        ("of age", "SELECT COUNT(*) FROM child WHERE birth_date <= '2008-11-24' OR birth_date > '2026-11-24'"),
        ("left behind over 16", "SELECT COUNT(*) FROM child WHERE main_category = 'LEFT_BEHIND' AND birth_date <= '2010-11-24'"),
        ("opened before birth", "SELECT COUNT(*) FROM child WHERE opened_on < birth_date OR opened_on > '2026-11-24'"),
        ("changed in the future", "SELECT COUNT(*) FROM child WHERE changed_at < created_at OR changed_at > '2026-11-24 02:00:00'"),
        ("young guardian", "SELECT COUNT(*) FROM relation r JOIN person p ON p.id = r.person_id JOIN child c ON c.id = r.child_id WHERE p.birth_date >= c.birth_date"),
        ("guardianship order", "SELECT COUNT(*) FROM guardianship g JOIN child c ON c.id = g.child_id WHERE started_on < birth_date OR ended_on < started_on OR started_on > '2026-11-24'"),
        ("visit before opening", "SELECT COUNT(*) FROM visit v JOIN child c ON c.id = v.child_id WHERE date(visited_at) < opened_on"),
        ("follow-up before its intervention", "SELECT COUNT(*) FROM visit v JOIN intervention i ON i.id = v.intervention_id WHERE date(visited_at) < opened_on"),
        ("intervention order", "SELECT COUNT(*) FROM intervention i JOIN child c ON c.id = i.child_id WHERE i.opened_on < c.opened_on OR i.closed_on < i.opened_on OR i.closed_on > '2026-11-24'"),
        ("benefit order", "SELECT COUNT(*) FROM benefit b JOIN child c ON c.id = b.child_id WHERE start_month < opened_on OR end_month < start_month OR strftime('%d', start_month) <> '01'"),
        ("paid twice", "SELECT COUNT(*) FROM benefit a JOIN benefit b ON a.child_id = b.child_id AND a.programme_id = b.programme_id AND a.id < b.id"),
        ("fact in the future", "SELECT COUNT(*) FROM fact WHERE true_from > '2026-11-24'"),
    ] {
        let rows = test.db.as_system("test").raw(sql).await.expect(what);
        assert_eq!(rows[0].try_get_by_index::<i64>(0).expect("a number"), 0, "{what}");
    }
}

#[tokio::test]
async fn the_same_for_the_same_count() {
    let (one, other) = (sqlite().await, sqlite().await);
    fill(&one, 200, &silent).await.expect("filled");
    fill(&other, 200, &silent).await.expect("filled");
    let content_of_one = content(&one).await;
    assert!(content_of_one.len() > 1_000);
    assert_eq!(content_of_one, content(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_after_a_kill() {
    let (whole, killed) = (sqlite().await, sqlite().await);
    fill(&whole, 760, &silent).await.expect("filled");
    prepare(&killed).await.expect("prepared");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let domain = killed.domain.clone();
    let task = tokio::spawn(async move {
        fill(&domain, 760, &move |made, _| {
            let _ = tell.send(made);
        })
        .await
    });
    while told.recv().await.is_some_and(|made| made < 200) {}
    task.abort();
    let _ = task.await;
    assert!(count(&killed, "child").await < 760, "the kill came too late to show anything");
    fill(&killed, 760, &silent).await.expect("filled");
    assert_eq!(content(&whole).await, content(&killed).await);
}

async fn children_seen(domain: &Domain, actor: &Actor) -> i64 {
    let want = Want::of(&child::TABLE).with(&["file_number"]);
    let query = ListQuery { page: PageArgs { count: true, ..PageArgs::default() }, ..ListQuery::default() };
    domain.reader(actor).list(&want, &query).await.expect("a page").total.expect("a count")
}

#[tokio::test]
async fn every_persona_sees_its_own() {
    for test in each().await {
        fill(&test, 260, &silent).await.expect("filled");
        let mut seen = BTreeMap::new();
        for persona in PERSONAS {
            let actor = test.sign_in(&persona.account.to_string(), Asking::default()).await.expect("signs in");
            assert_eq!(actor.username, persona.name);
            let roles: Vec<&str> = actor.grants.iter().map(|g| g.role.as_str()).collect();
            if persona.name == "stranger" {
                assert!(roles.is_empty());
            } else {
                assert_eq!(roles, [persona.name]);
                assert!(!actor.lens.views.is_empty(), "{} sees nothing under its own purpose", persona.name);
            }
            seen.insert(persona.name, children_seen(&test, &actor).await);
        }
        let n = |name: &str| seen[name];
        assert!(n("village-director") >= 10 && n("village-director") < n("township-supervisor"), "{seen:?}");
        assert!(n("township-supervisor") < n("county-officer") && n("county-officer") < n("province-officer"), "{seen:?}");
        assert!(n("province-officer") < 260 && n("police-officer") > 0 && n("health-partner") > 0, "{seen:?}");
        assert!(n("school-partner") > 2 && n("school-partner") < n("county-officer"), "{seen:?}");
        assert!(n("institution-worker") > 0 && n("institution-worker") < n("school-partner"), "{seen:?}");
        for none in ["auditor", "system-administrator", "national-statistician", "stranger"] {
            assert_eq!(n(none), 0, "{none}");
        }
        // Nobody signs in as the program.
        assert!(test.sign_in(&super::SYSTEM.to_string(), Asking::default()).await.is_err());
    }
}

/// Who writes a code that ended is told what came after it.
#[tokio::test]
async fn ended_divisions_name_their_successors() {
    let test = sqlite().await;
    prepare(&test).await.expect("prepared");
    let officer = test.act_as("county-officer", Asking::default()).await.expect("signs in");
    for (ended, successors) in [
        ("990101001201", "990103001201 东乡一村"),
        ("990104001000", "990105001000 城东镇、990106001000 城西镇"),
        ("990108001000", "990109001000 河口街道"),
    ] {
        let input = RegisterChild {
            name: "测试".to_owned(),
            sex: Some(Sex::Female),
            birth_date: NaiveDate::from_ymd_opt(2020, 1, 1),
            household_division: Some(ended.to_owned()),
            ..RegisterChild::default()
        };
        let Outcome::Refused(errors) = test.register_child(&officer, &input, &Meta::default()).await.expect("an outcome") else {
            panic!("{ended} was taken");
        };
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].code, UserErrorCode::DivisionEnded);
        assert_eq!(errors[0].detail.as_deref(), Some(successors));
    }
}

#[tokio::test]
async fn what_is_spoilt_is_found() {
    let test = sqlite().await;
    prepare(&test).await.expect("prepared");
    let mut tx = test.db.begin().await.expect("begun");
    use sea_orm::sea_query::ExprTrait;
    for (table, column) in [("name_gram", "child_id"), ("change_log", "child_id"), ("identity_registry", "subject_id")] {
        let delete = Query::delete().from_table(table).and_where(Expr::col(column).eq(DEMO_CHILD)).to_owned();
        assert!(tx.execute_delete(&delete).await.expect("deleted") > 0);
    }
    // A name moved to another row.
    let name = Query::select().column("name").from("child").and_where(Expr::col("id").eq(DEMO_CHILD)).to_owned();
    let name: Vec<u8> = tx.rows(&name).await.expect("read")[0].try_get_by_index(0).expect("sealed");
    let update = Query::update().table("child").value("name", name).and_where(Expr::col("id").eq(DEMO_ORPHAN)).to_owned();
    tx.execute_update(&update).await.expect("updated");
    tx.commit_bare().await.expect("committed");
    let wrong: Vec<(&str, u64)> = verify(&test).await.expect("checks run").into_iter().filter(|f| f.wrong > 0).map(|f| (f.check, f.wrong)).collect();
    assert_eq!(
        wrong,
        [
            ("identity numbers of children are in the registry", 1),
            ("every child can be found by name", 1),
            ("every child is in the change log", 1),
            ("sealed columns open", 1),
        ]
    );
}

