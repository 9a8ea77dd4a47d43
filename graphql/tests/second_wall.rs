//! The application's own scope switched off: what the database alone still holds back. Random viewers look through every list,
//! edge, link, id and count; a row that no grant of theirs reaches is a leak. Classes and masks are not asked: they are the
//! program's, the database knows rows.

use crate::matrix::document;
use crate::matrix::oracle::Judge;
use crate::matrix::world::{ELSEWHERE, Stage, Void};
use domain::access::{Actor, Grant, NamedAccess, mutant};
use entity::codes::{AccessKind, AccessState, Category, DivisionLevel, LookupStatus, SealedKind};
use entity::tables::{child_access, identity_lookup, sealed_record};
use entity::{CodedEnum, DataClass, DivisionCode};
use graphql::fields::OBJECTS;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const VIEWERS: u32 = 24;

struct Random {
    actor: Actor,
    granted: Vec<crate::matrix::oracle::Granted>,
    named: BTreeSet<String>,
    purpose: String,
}

fn uuid(global: &str) -> Uuid {
    global.split_once(':').and_then(|(_, id)| id.parse().ok()).expect("a global id")
}

fn code(text: Option<&String>) -> Option<i64> {
    text.and_then(|code| code.parse().ok())
}

/// Somebody with one or two grants around a child that there is, and some children by name.
fn somebody(stage: &Stage, rng: &mut StdRng) -> Random {
    let (policy, children) = (&stage.world.domain.policy, &stage.children);
    let near = children.choose(rng).expect("a child");
    let role = policy.roles.choose(rng).expect("a role");
    let purposes: Vec<&String> = role.see.iter().flat_map(|see| &see.purposes).collect();
    let purpose = (*purposes.choose(rng).expect("a purpose")).clone();
    let someone = Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063);
    let account = if rng.random_bool(0.3) { domain::demo::VILLAGE_DIRECTOR } else { someone };
    let (mut grants, mut granted) = (Vec::new(), Vec::new());
    for n in 0..rng.random_range(1..=2_u128) {
        let places = [code(near.household.as_ref()), code(near.residence.as_ref()), code(near.accepting.as_ref()), Some(ELSEWHERE)];
        let place = places.choose(rng).copied().flatten().unwrap_or(ELSEWHERE);
        let division = DivisionCode::new(place).expect("a code").at(DivisionLevel::VALUES.choose(rng).expect("a level").0);
        let organisation = near.school.as_deref().or(near.institution.as_deref()).filter(|_| rng.random_bool(0.6)).and_then(|id| id.parse().ok());
        let category = rng.random_bool(0.2).then(|| Category::VALUES.choose(rng).expect("a category").0);
        grants.push(Grant { id: Uuid::from_u128(n + 1), role: role.name.clone(), division: division.value(), ranges: vec![division.range()], organisation, category, purpose: purpose.clone() });
        granted.push(stage.grant(&role.name, division.value(), organisation, category, &purpose, Void::No).1);
    }
    let mut named = Vec::new();
    for n in 0..rng.random_range(0..3_u128) {
        let child = uuid(&children.choose(rng).expect("a child").id);
        let classes = BTreeSet::from([DataClass::Registry, DataClass::Family]);
        named.push(NamedAccess { id: Uuid::from_u128(100 + n), child, purpose: purpose.clone(), classes, break_glass: false, valid_to: chrono::DateTime::<chrono::Utc>::MAX_UTC });
    }
    let mut actor = stage.world.viewer_with(grants.clone(), &named, &purpose);
    actor.account = account;
    actor.lens = std::sync::Arc::new(domain::access::Lens::new(policy, account, &grants, &purpose).with_named(account, &named, &purpose));
    Random { actor, granted, named: named.iter().map(|n| format!("Child:{}", n.child)).collect(), purpose }
}

/// Rows of the kinds that the demonstration has none of.
async fn plant(stage: &Stage, rng: &mut StdRng) {
    use domain::clock::Clock;
    let now = stage.world.clock.now();
    let officer = stage.world.persona("county-officer").await.account;
    let seal = |table: &'static str, column: &'static str, row: u128| {
        let place = domain::sealing::Place { table, column, row: Uuid::from_u128(row) };
        stage.world.domain.keys.seal(place, "what it says", stage.world.clock.as_ref()).expect("sealed")
    };
    for n in 0..12_u128 {
        let child = uuid(&stage.children.choose(rng).expect("a child").id);
        let account = if n % 3 == 0 { domain::demo::VILLAGE_DIRECTOR } else { officer };
        let division = Some(*[domain::demo::TOWNSHIP, domain::demo::COUNTY, ELSEWHERE].choose(rng).expect("a place"));
        sealed_record::ActiveModel {
            id: Set(Uuid::from_u128(1000 + n)),
            version: Set(1),
            child_id: Set(child),
            kind: Set(SealedKind::VALUES[0].0),
            content: Set(seal("sealed_record", "content", 1000 + n)),
            created_at: Set(now),
            created_by: Set(account),
        }
        .insert(&stage.db)
        .await
        .expect("a sealed record");
        identity_lookup::ActiveModel {
            id: Set(Uuid::from_u128(2000 + n)),
            version: Set(1),
            account_id: Set(account),
            division: Set(division),
            status: Set(LookupStatus::VALUES[0].0),
            child_id: Set(Some(child)),
            organisation_id: Set(None),
            purpose: Set("casework".into()),
            reason: Set(seal("identity_lookup", "reason", 2000 + n)),
            created_at: Set(now),
            valid_to: Set(now),
            used_at: Set(None),
        }
        .insert(&stage.db)
        .await
        .expect("a look-up");
        child_access::ActiveModel {
            id: Set(Uuid::from_u128(3000 + n)),
            version: Set(1),
            account_id: Set(account),
            child_id: Set(child),
            division: Set(division.unwrap_or(ELSEWHERE)),
            kind: Set(AccessKind::VALUES[0].0),
            state: Set(AccessState::VALUES[0].0),
            purpose: Set("casework".into()),
            classes: Set("registry".into()),
            reason: Set(seal("child_access", "reason", 3000 + n)),
            created_at: Set(now),
            created_by: Set(account),
            updated_at: Set(now),
            updated_by: Set(account),
            valid_to: Set(now),
            ..Default::default()
        }
        .insert(&stage.db)
        .await
        .expect("an access");
    }
}

#[derive(Default)]
struct Look {
    /// Rows seen that a grant reaches, by type.
    seen: BTreeMap<String, BTreeSet<String>>,
    counts: u32,
    leaks: Vec<String>,
}

impl Look {
    /// Every id in an answer, and every count beside the rows that it counts. `road` is the field that leads here; `named` says
    /// whether a row that is reached names this one: persons and accounts are shown as far as the row that names them is.
    fn at(&mut self, value: &Value, road: &str, named: bool, may: &dyn Fn(&str) -> Option<bool>) {
        let mut reached = false;
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.at(item, road, false, may)),
            Value::Object(fields) => {
                if let Some(id) = fields.get("id").and_then(Value::as_str)
                    && let Some(allowed) = may(id)
                {
                    reached = allowed;
                    if allowed {
                        self.seen.entry(id.split(':').next().unwrap_or_default().to_owned()).or_default().insert(id.to_owned());
                    } else if !(named && (id.starts_with("Account:") || id.starts_with("Person:"))) {
                        self.leaks.push(format!("{id} by {road}"));
                    }
                }
                if let (Some(count), Some(nodes)) = (fields.get("totalCount").and_then(Value::as_u64), fields.get("nodes").and_then(Value::as_array)) {
                    self.counts += 1;
                    if nodes.len() < 50 && count != nodes.len() as u64 {
                        self.leaks.push(format!("a count of {count} beside {} rows by {road}", nodes.len()));
                    }
                }
                fields.iter().for_each(|(road, item)| self.at(item, road, reached, may));
            }
            _ => {}
        }
    }
}

/// What random viewers find of a database when the program's own scope is switched off.
async fn look(backend: &str, viewers: u32) -> Look {
    let mut rng = StdRng::seed_from_u64(4);
    let mut stage = Stage::new(backend).await;
    stage.learn().await;
    plant(&stage, &mut rng).await;
    stage.learn().await;
    stage.world.clock.advance(chrono::TimeDelta::hours(1));
    let families: BTreeMap<&str, entity::Family> = OBJECTS.values().map(|o| (o.name, o.table.family)).collect();
    let mut by_type: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for id in stage.keys.keys() {
        let name = id.split(':').next().unwrap_or_default();
        if let Some((name, family)) = families.get_key_value(name)
            && *family != entity::Family::Reference
        {
            by_type.entry(name).or_default().push(id.clone());
        }
    }
    let roots = document::lists();
    let lists = document::all_of(&roots);
    let mut look = Look::default();
    for n in 0..viewers {
        let viewer = somebody(&stage, &mut rng);
        let account = format!("Account:{}", viewer.actor.account);
        let judge = Judge { rules: &stage.rules, grants: &viewer.granted, purpose: &viewer.purpose, account: &account };
        let may = |id: &str| {
            let keys = stage.keys.get(id)?;
            let family = *families.get(id.split(':').next()?)?;
            let named = matches!(family, entity::Family::Child | entity::Family::OfChild | entity::Family::Person) && keys.children.iter().any(|child| viewer.named.contains(&child.id));
            // The wall gives everybody the accesses that are their own, whatever the purpose stated.
            let own = family == entity::Family::Access && keys.account == account;
            Some(named || own || judge.reached(family, keys))
        };
        mutant::switch_off(Some("application.scope"));
        let mut answers = vec![stage.world.ask(&viewer.actor, &lists, json!({})).await];
        for (name, ids) in &mut by_type {
            ids.shuffle(&mut rng);
            let some = &ids[..ids.len().min(100)];
            answers.push(stage.world.ask(&viewer.actor, &document::by_id(name), json!({ "ids": some })).await);
        }
        for (_, query, object) in document::singles() {
            for id in by_type.get(object.name).into_iter().flatten().take(5) {
                answers.push(stage.world.ask(&viewer.actor, &query, json!({ "id": id })).await);
            }
        }
        mutant::switch_off(None);
        let before = look.leaks.len();
        for answer in &answers {
            let failed = answer["errors"].as_array().into_iter().flatten().find(|e| !matches!(e["extensions"]["code"].as_str(), Some("FORBIDDEN")));
            assert!(failed.is_none(), "{backend}, viewer {n}: {failed:?}");
            look.at(&answer["data"], "", false, &may);
        }
        for document::List { name, object, .. } in &roots {
            let all = by_type.get(object.name).into_iter().flatten().filter(|id| may(id) == Some(true)).count() as u64;
            if object.table.family != entity::Family::Audit
                && object.table.family != entity::Family::Reference
                && let Some(count) = answers[0]["data"][name]["totalCount"].as_u64().filter(|count| *count > all)
            {
                look.leaks.push(format!("{name}: a count of {count} where {all} rows are reached"));
            }
        }
        if look.leaks.len() > before {
            let first = look.leaks[before].clone();
            look.leaks[before] = format!("{first} by {:?} {:?} for {} as {account}", viewer.granted, viewer.named, viewer.purpose);
        }
    }
    stage.end().await;
    look
}

#[tokio::test]
async fn without_the_programs_scope_row_level_security_leaks_no_row() {
    if std::env::var_os("CHILD_WELFARE_TEST_POSTGRES").is_none() {
        return;
    }
    let found = look("postgres", VIEWERS).await;
    let seen: usize = found.seen.values().map(BTreeSet::len).sum();
    eprintln!("{VIEWERS} viewers behind row-level security alone: {seen} rows of {} types, {} counts, {} leaks", found.seen.len(), found.counts, found.leaks.len());
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for leak in &found.leaks {
        let kind = leak.split(':').next().unwrap_or_default().to_owned() + leak.rsplit(" by ").next().filter(|_| !leak.contains("Granted")).unwrap_or_default();
        *kinds.entry(kind).or_default() += 1;
    }
    assert!(found.leaks.is_empty(), "{} leaks, such as {}: {kinds:?}", found.leaks.len(), found.leaks[0]);
    let kinds: Vec<&str> = found.seen.keys().map(String::as_str).collect();
    for kind in ["Account", "Alert", "AuditRecord", "Child", "ChildAccess", "Grant", "IdentityLookup", "ImportBatch", "Person", "Relation", "Visit"] {
        assert!(kinds.contains(&kind), "nobody saw one of {kind}: {kinds:?}");
    }
    assert!(seen >= 500 && found.counts >= 500, "{seen} rows and {} counts are too few to prove anything", found.counts);
}

/// The same eyes, where there is no second wall: they would have seen it.
#[tokio::test]
async fn without_either_the_same_look_finds_leaks() {
    let found = look("sqlite", 4).await;
    assert!(found.leaks.len() > 100, "{} leaks", found.leaks.len());
}
