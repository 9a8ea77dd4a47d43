//! No root field, node id, edge, filter or count tells a viewer of a row outside its scope.

use crate::support::{World, backends, no_variables};
use chrono::{DateTime, Utc};
use domain::access::{Basis, Grant, NamedAccess};
use entity::codes::Category;
use entity::{CodedEnum, DataClass, DivisionCode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A child as the oracle knows it, read past all access.
pub struct Known {
    pub id: Uuid,
    household: Option<i64>,
    residence: Option<i64>,
    accepting: i64,
    school: Option<Uuid>,
    institution: Option<Uuid>,
    director: Option<Uuid>,
    category: Option<String>,
}

pub async fn all_children(world: &World) -> Vec<Known> {
    let db = Database::connect(&world.owner_url).await.expect("opens");
    let sql = "SELECT id, household_division, residence_division, accepting_division, school_id, institution_id, director_id, main_category FROM child ORDER BY id";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.expect("read");
    let mut known = Vec::new();
    for row in rows {
        known.push(Known {
            id: row.try_get_by_index(0).expect("id"),
            household: row.try_get_by_index(1).expect("household"),
            residence: row.try_get_by_index(2).expect("residence"),
            accepting: row.try_get_by_index(3).expect("accepting"),
            school: row.try_get_by_index(4).expect("school"),
            institution: row.try_get_by_index(5).expect("institution"),
            director: row.try_get_by_index(6).expect("director"),
            category: row.try_get_by_index(7).expect("category"),
        });
    }
    db.close().await.expect("closes");
    known
}

/// The rule of the policy, told once more and in another way: which children one grant reaches.
fn reached(world: &World, grants: &[Grant], purpose: &str, account: Uuid, child: &Known) -> bool {
    grants.iter().filter(|g| g.purpose == purpose).any(|grant| {
        let under = |code: Option<i64>| {
            let prefix = grant.division.to_string();
            let prefix = if grant.division == 0 { "" } else { prefix.trim_end_matches('0') };
            // A subtree is a prefix, at the width of its level.
            let width = match prefix.len() {
                0 => 0,
                1..=2 => 2,
                3..=4 => 4,
                5..=6 => 6,
                7..=9 => 9,
                _ => 12,
            };
            let padded = format!("{prefix:0<width$}");
            code.is_some_and(|code| format!("{code:012}").starts_with(&padded))
        };
        let role = world.domain.policy.role(&grant.role).expect("a role");
        let category = grant.category.is_none_or(|c| child.category.as_deref() == Some(c.name()));
        category
            && role.see.iter().filter(|s| s.purposes.contains(purpose)).any(|see| {
                see.rows.iter().any(|basis| match basis {
                    Basis::Household => under(child.household),
                    Basis::Residence => under(child.residence),
                    Basis::Accepting => under(Some(child.accepting)),
                    Basis::Organisation => grant.organisation.is_some() && (grant.organisation == child.school || grant.organisation == child.institution),
                    Basis::Caseload => child.director == Some(account),
                    _ => false,
                })
            })
    })
}

pub fn random_viewer(world: &World, rng: &mut StdRng, children: &[Known]) -> (Vec<Grant>, String) {
    let roles = &world.domain.policy.roles;
    let some_child = &children[rng.random_range(0..children.len())];
    let role = &roles[rng.random_range(0..roles.len())];
    let purposes: Vec<&String> = role.see.iter().flat_map(|s| &s.purposes).collect();
    let purpose = purposes[rng.random_range(0..purposes.len())].clone();
    let mut grants = Vec::new();
    for n in 0..rng.random_range(1..=2) {
        let base = [some_child.household, some_child.residence, Some(some_child.accepting)][rng.random_range(0..3)].unwrap_or(some_child.accepting);
        let level = entity::codes::DivisionLevel::VALUES[rng.random_range(0..6)].0;
        let division = DivisionCode::new(base).expect("a code").at(level);
        grants.push(Grant {
            id: Uuid::from_u128(n + 1),
            role: role.name.clone(),
            division: division.value(),
            ranges: vec![division.range()],
            organisation: if rng.random_bool(0.6) { some_child.school.or(some_child.institution) } else { None },
            category: rng.random_bool(0.2).then(|| Category::VALUES[rng.random_range(0..8)].0),
            purpose: purpose.clone(),
        });
    }
    (grants, purpose)
}

/// Some children by name: for this purpose or another, with the classes of a request or fewer.
pub fn random_names(world: &World, rng: &mut StdRng, children: &[Known], purpose: &str) -> Vec<NamedAccess> {
    let mut named = Vec::new();
    for n in 0..rng.random_range(0..4_u128) {
        let other = world.domain.policy.purposes.keys().find(|p| *p != purpose).expect("another purpose");
        let mut classes = BTreeSet::from([DataClass::Registry]);
        if rng.random_bool(0.5) {
            classes.insert(DataClass::Family);
        }
        named.push(NamedAccess {
            id: Uuid::from_u128(100 + n),
            child: children[rng.random_range(0..children.len())].id,
            purpose: if rng.random_bool(0.7) { purpose.to_owned() } else { other.clone() },
            classes,
            break_glass: rng.random_bool(0.5),
            valid_to: DateTime::<Utc>::MAX_UTC,
        });
    }
    named
}

fn ids(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with("Child:") => {
            out.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, out)),
        Value::Object(fields) => fields.values().for_each(|item| ids(item, out)),
        _ => {}
    }
}

const EVERYWHERE: &str = "query Everywhere($all: [ID!]!) {
  children(first: 100) { totalCount nodes { id mergedInto { id } relations { nodes { person { relations { nodes { child { id } } } guardianships { nodes { child { id } } } } } } } }
  byCode: children(first: 100, filter: { division: \"52\" }) { edges { node { id } } }
  backwards: children(last: 100, orderBy: { field: FILE_NUMBER, direction: ASC }) { nodes { id } }
  visits(first: 100) { nodes { child { id } } }
  interventions(first: 100) { totalCount nodes { child { id } } }
  nodes(ids: $all) { ... on Child { id } }
}";

#[tokio::test]
async fn a_random_viewer_reaches_its_rows_and_no_other() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let children = all_children(&world).await;
        assert!(children.len() >= 50, "{} children are too few to prove anything", children.len());
        let all: Vec<String> = children.iter().map(|c| format!("Child:{}", c.id)).collect();
        let mut rng = StdRng::seed_from_u64(62);
        let (mut seen_some, mut seen_none) = (0, 0);
        for round in 0..60 {
            let (grants, purpose) = random_viewer(&world, &mut rng, &children);
            let named = random_names(&world, &mut rng, &children, &purpose);
            let about = format!("{backend}, round {round}: {grants:?} {named:?} for {purpose}");
            let actor = world.viewer_with(grants.clone(), &named, &purpose);
            let by_name = |c: &Known| named.iter().any(|n| n.purpose == purpose && n.child == c.id);
            let allowed: BTreeSet<String> =
                children.iter().filter(|c| by_name(c) || reached(&world, &grants, &purpose, actor.account, c)).map(|c| format!("Child:{}", c.id)).collect();
            if allowed.is_empty() { seen_none += 1 } else { seen_some += 1 }
            for chunk in all.chunks(100) {
                let answer = world.ask(&actor, EVERYWHERE, json!({ "all": chunk })).await;
                let mut found = BTreeSet::new();
                ids(&answer["data"], &mut found);
                assert!(found.is_subset(&allowed), "{about}: leaked {:?}", found.difference(&allowed));
                let mut listed = BTreeSet::new();
                ids(&answer["data"]["children"]["nodes"].as_array().map(|n| n.iter().map(|c| c["id"].clone()).collect::<Value>()).unwrap_or_default(), &mut listed);
                assert_eq!(listed.len(), allowed.len().min(100), "{about}: {answer:.600}");
                assert_eq!(answer["data"]["children"]["totalCount"], json!(allowed.len()), "{about}");
                let mut by_id = BTreeSet::new();
                ids(&answer["data"]["nodes"], &mut by_id);
                let expected: BTreeSet<String> = chunk.iter().filter(|id| allowed.contains(*id)).cloned().collect();
                assert_eq!(by_id, expected, "{about}");
            }
        }
        assert!(seen_some >= 15 && seen_none >= 5, "the viewers were not varied: {seen_some} saw something, {seen_none} nothing");
        world.end().await;
    }
}

#[tokio::test]
async fn hidden_and_absent_answer_alike() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let children = all_children(&world).await;
        let director = world.persona("village-director").await;
        let visible = world.ask(&director, "{ children(first: 100) { nodes { id } } }", no_variables()).await;
        let mut seen = BTreeSet::new();
        ids(&visible, &mut seen);
        let hidden = children.iter().map(|c| format!("Child:{}", c.id)).find(|id| !seen.contains(id)).expect("somebody is hidden");
        let absent = "Child:01930000-0000-7000-8000-ffffffffffff";
        for query in [
            "query($id: ID!) { node(id: $id) { id } }",
            "query($id: ID!) { child(id: $id) { name visits { totalCount } } }",
            "query($id: ID!) { nodes(ids: [$id]) { id } }",
            "mutation($id: ID!) { recordVisit(input: { childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: \"2026-11-20T00:00:00Z\" }) { userErrors { code field } } }",
            "mutation($id: ID!) { correctChild(input: { childId: $id, expectedVersion: 1, schooling: PRIMARY }) { userErrors { code field message } } }",
        ] {
            let for_hidden = world.counted(&director, query, json!({ "id": hidden })).await;
            let for_absent = world.counted(&director, query, json!({ "id": absent })).await;
            assert_eq!(for_hidden, for_absent, "{backend}: {query}");
        }
        world.end().await;
    }
}

#[tokio::test]
async fn a_filter_or_an_order_tells_no_more_than_its_field() {
    let world = World::demo("sqlite").await;
    // Identity is masked for this role: neither search nor order may get round the mask.
    let officer = world.persona("province-officer").await;
    for query in [
        "{ children(filter: { name: \"王\" }) { totalCount } }",
        "{ children(filter: { bornFrom: \"2015-01-01\" }) { totalCount } }",
        "{ children(filter: { identityNumber: \"11010519491231002X\" }) { totalCount } }",
        "{ children(orderBy: { field: BIRTH_DATE }) { nodes { id } } }",
    ] {
        let answer = world.ask(&officer, query, no_variables()).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{query}: {answer}");
        assert_eq!(answer["data"]["children"], Value::Null, "{query}: {answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn statements_do_not_grow_with_the_page() {
    let query = "query($n: Int!) { children(first: $n) { totalCount nodes { id name householdDivision { name path { name } } director { displayName }
        relations { nodes { kind person { name phone } } } guardianships { totalCount nodes { kind person { name } } }
        benefits { nodes { programme { name } monthlyAmount } } interventions { nodes { kind reason } } visits(first: 3) { nodes { finding worker { displayName } } } } } }";
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let (few, statements_for_few) = world.counted(&officer, query, json!({ "n": 10 })).await;
        let (many, statements_for_many) = world.counted(&officer, query, json!({ "n": 50 })).await;
        assert_eq!(few["errors"], Value::Null, "{few}");
        assert_eq!(few["data"]["children"]["nodes"].as_array().map(Vec::len), Some(10));
        assert!(many["data"]["children"]["nodes"].as_array().is_some_and(|n| n.len() >= 40), "{many:.500}");
        assert_eq!(statements_for_few, statements_for_many, "{backend}");
        assert!(statements_for_many <= 17, "{statements_for_many} statements");
        let (_, single) = world.counted(&officer, "{ children(first: 20) { nodes { id name state } } }", no_variables()).await;
        assert_eq!(single, 1, "{backend}");
        world.end().await;
    }
}

/// The field worker's commonest write: one read, one write, one record, whatever the answer shows of the visit.
#[tokio::test]
async fn a_visit_is_recorded_and_answered_in_two_statements() {
    let query = "mutation($id: ID!, $key: String!) { recordVisit(input: { childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: \"2026-11-20T00:00:00Z\", notes: \"好\", idempotencyKey: $key })
        { visit { id version kind finding occurredAt notes } userErrors { code } } }";
    let records = "{ viewer { accessHistory(first: 5) { nodes { action outcome dataClasses objectIds } } } }";
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let children = world.ask(&officer, "{ children(first: 1) { nodes { id } } }", no_variables()).await;
        let child = &children["data"]["children"]["nodes"][0]["id"];
        let (done, statements) = world.counted(&officer, query, json!({ "id": child, "key": "k" })).await;
        let visit = &done["data"]["recordVisit"]["visit"];
        assert_eq!((&visit["notes"], &visit["version"], done.get("errors")), (&json!("好"), &json!(1), None), "{done}");
        assert!(backend != "postgres" || statements == 2, "{statements} statements");
        let read = world.ask(&officer, "query($id: ID!) { node(id: $id) { ... on Visit { id version kind finding occurredAt notes } } }", json!({ "id": visit["id"] })).await;
        assert_eq!(&read["data"]["node"], visit, "{backend}");
        let history = world.ask(&officer, records, no_variables()).await;
        let nodes = history["data"]["viewer"]["accessHistory"]["nodes"].as_array().cloned().unwrap_or_else(|| panic!("{history}"));
        let of_visit: Vec<_> = nodes.iter().filter(|n| n["action"] == "recordVisit").collect();
        assert_eq!(of_visit.len(), 1, "one operation, one record: {history}");
        assert_eq!(of_visit[0]["outcome"], "CHANGED", "{history}");
        assert!(of_visit[0].to_string().contains("casework") && of_visit[0]["objectIds"] == json!([visit["id"]]), "{history}");
        // Sent again it is read again, and that is on record.
        let again = world.ask(&officer, query, json!({ "id": child, "key": "k" })).await;
        assert_eq!(again, done, "{backend}");
        let more = world.ask(&officer, records, no_variables()).await;
        assert!(more.to_string().contains("DISCLOSED"), "{more}");
        world.end().await;
    }
}
