//! The rows of the matrix, and who looks at them.

use super::document;
use super::oracle::{ChildFacts, Granted, Judge, Keys, Rules, Truth};
use crate::support::World;
use domain::access::{Actor, Grant, Policy};
use domain::clock::Clock;
use entity::codes::{AccountState, Category};
use entity::tables::{access_grant, account};
use entity::{CodedEnum, DivisionCode, Family};
use graphql::fields::OBJECTS;
use graphql::{Limits, Schema};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, QueryResult};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Where nobody of the demonstration works.
pub const ELSEWHERE: i64 = 110_101_000_000;

/// Shows everything to one who reads the truth for the oracle.
const ALL: &str = r#"
[purposes]
truth = { zh = "", en = "", legal_basis = "" }
[[role]]
name = "all"
zh = ""
en = ""
actions = []
[[role.see]]
purposes = ["truth"]
rows = ["household", "residence", "accepting", "accounts", "imports", "audit", "alerts", "accesses"]
show = [CLASSES]
"#;

pub struct Stage {
    pub world: World,
    pub truth: Truth,
    /// By global id.
    pub keys: BTreeMap<String, Keys>,
    /// Ids in the matrix, by type.
    pub ids: BTreeMap<&'static str, Vec<String>>,
    /// Every child there is.
    pub children: Vec<ChildFacts>,
    pub see_all: Actor,
    pub rules: Rules,
    pub db: DatabaseConnection,
}

/// Whether a grant is in force.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Void {
    No,
    Ended,
    NotBegun,
}

pub struct Viewer {
    pub label: String,
    pub actor: Actor,
    pub grants: Vec<Granted>,
    /// A policy of its own and the grants for it; None: an account and grants in the database.
    pub own: Option<(Arc<Policy>, Vec<Grant>)>,
}

impl Viewer {
    pub fn account(&self) -> String {
        format!("Account:{}", self.actor.account)
    }
    pub fn judge<'j>(&'j self, rules: &'j Rules, account: &'j str) -> Judge<'j> {
        Judge { rules, grants: &self.grants, purpose: &self.actor.purpose, account }
    }
}

fn code(value: Option<i64>) -> Option<String> {
    value.map(|code| format!("{code:012}"))
}

fn id_of(type_name: &str, id: Uuid) -> String {
    format!("{type_name}:{id}")
}

/// The digits that all codes of a division's subtree begin with.
fn prefix(code: i64) -> String {
    let text = format!("{code:012}");
    for width in [2, 4, 6, 9] {
        if text[width..].bytes().all(|b| b == b'0') {
            return if code == 0 { String::new() } else { text[..width].to_owned() };
        }
    }
    text
}

async fn rows(db: &DatabaseConnection, table: &str, columns: &[&'static str]) -> Vec<QueryResult> {
    let select = Query::select().columns(columns.iter().map(|c| Alias::new(*c))).from(Alias::new(table)).order_by(Alias::new(columns[0]), sea_orm::Order::Asc).to_owned();
    db.query_all(&select).await.expect("read")
}

impl Stage {
    pub async fn new(backend: &str) -> Stage {
        let mut world = World::demo(backend).await;
        let limits = Limits { bytes: 4 << 20, tokens: 400_000, depth: 32, aliases: 100_000, root_fields: 10_000, directives: 60, fragments: 60, operations: 10, cost: u64::MAX >> 8, ..Limits::default() };
        world.schema = Schema::new(world.domain.clone(), limits);
        let classes: Vec<String> = entity::DataClass::ALL.iter().map(|c| format!("{:?}", c.name())).collect();
        let policy = Policy::parse(&ALL.replace("CLASSES", &classes.join(", "))).expect("sound");
        let grant = Grant { id: Uuid::from_u128(1), role: "all".into(), division: 0, ranges: vec![(0, i64::MAX)], organisation: None, category: None, purpose: "truth".into() };
        let mut see_all = world.viewer(vec![grant.clone()], "truth");
        see_all.lens = std::sync::Arc::new(domain::access::Lens::new(&policy, see_all.account, &[grant], "truth"));
        let db = Database::connect(&world.owner_url).await.expect("opens");
        let rules = Rules::read(include_str!("../../../domain/src/access/policy.toml"));
        let stage = Stage { world, truth: Truth::default(), keys: BTreeMap::new(), ids: BTreeMap::new(), children: Vec::new(), see_all, rules, db };
        stage.plant().await;
        stage
    }

    /// What the demonstration lacks: files seen by one road alone, columns that are empty everywhere.
    async fn plant(&self) {
        let officer = self.world.persona("county-officer").await;
        let sheet = "姓名,身份证号,性别,出生日期,户籍地\n李四,,男,2015-05-05,不存在的村\n";
        let path = self.world.folder().join("one.csv");
        std::fs::write(&path, sheet).expect("written");
        let options = domain::exchange::import::ImportOptions {
            path,
            file_name: "one.csv".into(),
            division: DivisionCode::new(domain::demo::TOWNSHIP),
            mapping: None,
            dry_run: false,
            problems: None,
            survey_date: None,
        };
        self.world.domain.import_survey(&officer, options, &|_| {}).await.expect("imported");
        for (division, subject) in [(domain::demo::TOWNSHIP, Some(domain::demo::VILLAGE_DIRECTOR)), (domain::demo::VILLAGE, None), (ELSEWHERE, None)] {
            let alert = domain::alerts::NewAlert { subject, division: Some(division), detail: "n=1".into(), ..domain::alerts::NewAlert::of(entity::codes::AlertKind::VALUES[0].0) };
            self.world.domain.raise_alert(alert).await.expect("raised");
        }
        self.plant_accesses().await;
        let found = rows(&self.db, "child", &["id", "accepting_division"]).await;
        let ids: Vec<Uuid> = found.iter().map(|row| row.try_get_by_index(0).expect("id")).collect();
        let away = ELSEWHERE + 1_000;
        let set = |id: Uuid, values: Vec<(&'static str, sea_orm::Value)>| {
            let mut update = Query::update();
            update.table("child").and_where(Expr::col("id").eq(id));
            for (column, value) in values {
                update.value(column, value);
            }
            update.to_owned()
        };
        // Each of these is reached by one road alone, from the county's side.
        let lone = [
            vec![("residence_division", away.into()), ("accepting_division", away.into())],
            vec![("household_division", away.into()), ("accepting_division", away.into())],
            vec![("household_division", away.into()), ("residence_division", away.into())],
            vec![("household_division", away.into()), ("residence_division", away.into()), ("accepting_division", away.into())],
            vec![("school_id", domain::demo::SCHOOL.into()), ("institution_id", domain::demo::INSTITUTION.into())],
            vec![
                ("merged_into", ids[9].into()),
                ("state", "MERGED".into()),
                ("closed_on", sea_orm::Value::from(chrono::NaiveDate::from_ymd_opt(2026, 1, 2))),
                ("closure_reason", "DEATH".into()),
            ],
        ];
        for (at, values) in lone.into_iter().enumerate() {
            // Only where nobody but a road by division leads to it.
            let mut values = values;
            if at < 3 {
                values.extend([("director_id", None::<Uuid>.into()), ("school_id", None::<Uuid>.into()), ("institution_id", None::<Uuid>.into())]);
            }
            self.db.execute(&set(ids[at], values)).await.expect("planted");
        }
        // Who moves a file moves its grams.
        let moved = "INSERT INTO name_gram (gram, division, child_id, subject_id) \
            SELECT g.gram, p.division, g.child_id, g.subject_id FROM name_gram g JOIN (SELECT id, household_division AS division FROM child \
            UNION SELECT id, residence_division FROM child UNION SELECT id, accepting_division FROM child) p ON p.id = g.child_id AND p.division IS NOT NULL \
            WHERE true ON CONFLICT DO NOTHING";
        let left = "DELETE FROM name_gram WHERE NOT EXISTS (SELECT 1 FROM child c WHERE c.id = name_gram.child_id \
            AND name_gram.division IN (c.household_division, c.residence_division, c.accepting_division))";
        for sql in [moved, left] {
            self.db.execute_unprepared(sql).await.expect("moved");
        }
        // One person in the families of two of them: what one road shows of the person, the other does not.
        let relations = rows(&self.db, "relation", &["person_id", "id"]).await;
        let person: Uuid = relations[0].try_get_by_index(0).expect("a person");
        let other = relations.iter().find(|row| row.try_get_by_index::<Uuid>(0).is_ok_and(|id| id != person)).expect("another");
        for (row, child) in [(&relations[0], ids[0]), (other, ids[1])] {
            let relation: Uuid = row.try_get_by_index(1).expect("an id");
            let share = Query::update().table("relation").value("person_id", person).value("child_id", child).and_where(Expr::col("id").eq(relation)).to_owned();
            self.db.execute(&share).await.expect("planted");
        }
    }

    /// Requests and look-ups of two workers, one of them with an office elsewhere.
    async fn plant_accesses(&self) {
        let officer = self.world.persona("county-officer").await;
        let all = self.world.ask(&officer, "{ children(first: 100) { nodes { identityNumber } } }", json!({})).await;
        let number = all["data"]["children"]["nodes"].as_array().into_iter().flatten().map(|child| child["identityNumber"].clone()).find(|number| number.is_string());
        let request = "mutation($input: RequestAccessInput!) { requestAccess(input: $input) { userErrors { code field } } }";
        let look_up = "mutation($input: LookUpIdentityInput!) { lookUpIdentity(input: $input) { userErrors { code field } } }";
        for name in ["county-officer", "township-supervisor"] {
            let worker = self.world.persona(name).await;
            let seen = self.world.ask(&worker, "{ children(first: 1) { nodes { id } } }", json!({})).await["data"]["children"]["nodes"][0]["id"].clone();
            let input = json!({ "childRef": seen, "purpose": "casework", "dataClasses": ["contact"], "reason": "the family moved here this week", "until": "2026-12-24T00:00:00Z" });
            for _ in 0..2 {
                let answer = self.world.ask(&worker, request, json!({ "input": input })).await;
                assert_eq!(answer["data"]["requestAccess"]["userErrors"], json!([]), "{answer}");
            }
            let input = json!({ "identityNumber": number, "reason": "the family moved here this week" });
            let answer = self.world.ask(&worker, look_up, json!({ "input": input })).await;
            assert_eq!(answer["data"]["lookUpIdentity"]["userErrors"], json!([]), "{answer}");
        }
        for table in ["child_access", "identity_lookup"] {
            let first = rows(&self.db, table, &["id"]).await.remove(0).try_get_by_index::<Uuid>(0).expect("an id");
            let away = Query::update().table(table).value("division", ELSEWHERE).and_where(Expr::col("id").eq(first)).to_owned();
            self.db.execute(&away).await.expect("planted");
        }
    }

    /// Reads past all access what there is.
    pub async fn learn(&mut self) {
        let names = ["id", "household_division", "residence_division", "accepting_division", "school_id", "institution_id", "director_id", "main_category"];
        let mut facts: BTreeMap<Uuid, ChildFacts> = BTreeMap::new();
        for row in rows(&self.db, "child", &names).await {
            let id: Uuid = row.try_get_by_index(0).expect("id");
            let division = |at: usize| code(row.try_get_by_index::<Option<i64>>(at).expect("a code"));
            let uuid = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).expect("an id");
            let one = ChildFacts {
                id: id_of("Child", id),
                household: division(1),
                residence: division(2),
                accepting: division(3),
                school: uuid(4).map(|id| id.to_string()),
                institution: uuid(5).map(|id| id.to_string()),
                director: uuid(6).map(|id| id_of("Account", id)),
                category: row.try_get_by_index(7).expect("a category"),
            };
            facts.insert(id, one);
        }
        self.children = facts.values().cloned().collect();
        let chosen: BTreeSet<Uuid> = facts.keys().take(14).copied().collect();
        for table in entity::tables::TABLES {
            let Some(object) = OBJECTS.get(table.type_name).filter(|o| o.table.name == table.name) else { continue };
            let key = table.columns[0].name;
            let mut ids = Vec::new();
            let mut note = |stage: &mut Stage, id: String, keys: Keys, most: usize| {
                stage.keys.insert(id.clone(), keys);
                if ids.len() < most {
                    ids.push(id);
                }
            };
            match table.family {
                Family::Child => {
                    for (id, one) in &facts {
                        note(self, one.id.clone(), Keys { children: vec![one.clone()], ..Keys::default() }, if chosen.contains(id) { usize::MAX } else { 0 });
                    }
                }
                Family::OfChild => {
                    for row in rows(&self.db, table.name, &[key, "child_id"]).await {
                        let child: Uuid = row.try_get_by_index(1).expect("a child");
                        let keys = Keys { children: vec![facts[&child].clone()], ..Keys::default() };
                        note(self, id_of(table.type_name, row.try_get_by_index(0).expect("id")), keys, if chosen.contains(&child) { 24 } else { 0 });
                    }
                }
                Family::Person => {
                    let mut through: BTreeMap<Uuid, Vec<ChildFacts>> = BTreeMap::new();
                    for link in ["relation", "guardianship"] {
                        for row in rows(&self.db, link, &["person_id", "child_id"]).await {
                            let (Some(person), child) = (row.try_get_by_index::<Option<Uuid>>(0).expect("a person"), row.try_get_by_index::<Uuid>(1).expect("a child")) else { continue };
                            through.entry(person).or_default().push(facts[&child].clone());
                        }
                    }
                    for (person, children) in through {
                        let near = children.iter().any(|c| chosen.iter().any(|id| facts[id].id == c.id));
                        note(self, id_of(table.type_name, person), Keys { children, ..Keys::default() }, if near { 24 } else { 0 });
                    }
                }
                Family::Account | Family::Import => {
                    let (top, part, owner) = if table.family == Family::Account { ("account", "account_id", "id") } else { ("import_batch", "batch_id", "account_id") };
                    let mut tops: BTreeMap<Uuid, Keys> = BTreeMap::new();
                    for row in rows(&self.db, top, &["id", "division", owner]).await {
                        let keys = Keys {
                            division: code(row.try_get_by_index(1).expect("a code")).unwrap_or_default(),
                            account: id_of("Account", row.try_get_by_index(2).expect("an id")),
                            ..Keys::default()
                        };
                        tops.insert(row.try_get_by_index(0).expect("id"), keys);
                    }
                    let up = if table.name == top { "id" } else { part };
                    for row in rows(&self.db, table.name, &[key, up]).await {
                        let top: Uuid = row.try_get_by_index(1).expect("an id");
                        note(self, id_of(table.type_name, row.try_get_by_index(0).expect("id")), tops[&top].clone(), 40);
                    }
                }
                Family::Audit => {
                    for row in rows(&self.db, table.name, &[key, "account_id"]).await {
                        let account = row.try_get_by_index::<Option<Uuid>>(1).expect("an id").map(|id| id_of("Account", id)).unwrap_or_default();
                        note(self, id_of(table.type_name, row.try_get_by_index(0).expect("id")), Keys { account, ..Keys::default() }, 6);
                    }
                }
                Family::Alert | Family::Access => {
                    let about = if table.family == Family::Alert { "subject_id" } else { "account_id" };
                    for row in rows(&self.db, table.name, &[key, "division", about]).await {
                        let keys = Keys {
                            division: code(row.try_get_by_index(1).expect("a code")).unwrap_or_default(),
                            account: row.try_get_by_index::<Option<Uuid>>(2).expect("an id").map(|id| id_of("Account", id)).unwrap_or_default(),
                            ..Keys::default()
                        };
                        note(self, id_of(table.type_name, row.try_get_by_index(0).expect("id")), keys, 20);
                    }
                }
                Family::Reference if key == "code" => {
                    for code in [domain::demo::PROVINCE, domain::demo::COUNTY, domain::demo::VILLAGE] {
                        note(self, format!("{}:{code:012}", table.type_name), Keys::default(), 9);
                    }
                }
                Family::Reference => {
                    for row in rows(&self.db, table.name, &[key]).await {
                        note(self, id_of(table.type_name, row.try_get_by_index(0).expect("id")), Keys::default(), 6);
                    }
                }
                Family::Internal => continue,
            }
            self.ids.insert(object.name, ids);
        }
        let see_all = self.see_all.clone();
        for (name, ids) in self.ids.clone() {
            let query = document::by_id(name);
            for chunk in ids.chunks(100) {
                self.tell(&see_all, &query, json!({ "ids": chunk })).await;
            }
        }
    }

    pub async fn tell(&mut self, see_all: &Actor, query: &str, variables: serde_json::Value) {
        let answer = self.world.ask(see_all, query, variables).await;
        assert_eq!(answer["errors"], serde_json::Value::Null, "the truth cannot be read: {:.2000}", answer["errors"].to_string());
        self.truth.harvest(&answer["data"]);
    }

    /// An account with these grants, signed in for a purpose.
    pub async fn viewer(&self, label: String, division: i64, grants: Vec<(access_grant::ActiveModel, Granted)>, purpose: Option<&str>) -> Option<Viewer> {
        let (now, id) = (self.world.domain.clock.now(), self.world.domain.clock.id());
        account::ActiveModel {
            id: Set(id),
            version: Set(1),
            username: Set(format!("v{}", id.simple())),
            display_name: Set(label.clone()),
            organisation_id: Set(None),
            division: Set(division),
            state: Set(AccountState::Active),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
        }
        .insert(&self.db)
        .await
        .expect("inserted");
        let mut told = Vec::new();
        for (mut row, granted) in grants {
            row.account_id = Set(id);
            row.insert(&self.db).await.expect("inserted");
            told.push(granted);
        }
        let asking = domain::signin::Asking { language: domain::access::Language::English, request_id: "test".into(), purpose: purpose.map(str::to_owned), ..Default::default() };
        let actor = self.world.domain.sign_in(&id.to_string(), asking).await.ok()?;
        Some(Viewer { label, actor, grants: told, own: None })
    }

    /// A viewer under a policy that the shipped one is not.
    pub fn viewer_under(&self, policy: &Arc<Policy>, label: String, account: Uuid, grants: &[(&str, i64, Option<Uuid>, Option<Category>, &str)]) -> Viewer {
        let mut own = Vec::new();
        let mut told = Vec::new();
        for (role, division, organisation, category, purpose) in grants {
            told.push(self.grant(role, *division, *organisation, *category, purpose, Void::No).1);
            own.push(Grant {
                id: self.world.clock.id(),
                role: (*role).to_owned(),
                division: *division,
                ranges: DivisionCode::new(*division).map(DivisionCode::range).into_iter().collect(),
                organisation: *organisation,
                category: *category,
                purpose: (*purpose).to_owned(),
            });
        }
        let purpose = grants[0].4;
        let actor = self.world.under(policy, account, own.clone(), purpose);
        Viewer { label, actor, grants: told, own: Some((policy.clone(), own)) }
    }

    pub fn grant(&self, role: &str, division: i64, organisation: Option<Uuid>, category: Option<Category>, purpose: &str, void: Void) -> (access_grant::ActiveModel, Granted) {
        let (now, id) = (self.world.domain.clock.now(), self.world.domain.clock.id());
        let row = access_grant::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(id),
            role: Set(role.to_owned()),
            division: Set(division),
            organisation_id: Set(organisation),
            category: Set(category),
            purpose: Set(purpose.to_owned()),
            valid_from: Set(if void == Void::NotBegun { now + chrono::TimeDelta::days(1) } else { now - chrono::TimeDelta::days(30) }),
            valid_to: Set(if void == Void::Ended { now - chrono::TimeDelta::seconds(1) } else { now + chrono::TimeDelta::days(30) }),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
            state: Set(entity::codes::GrantState::InForce),
            reason: Set(None),
            decided_by: Set(None),
            decided_at: Set(None),
            decision_note: Set(None),
            ended_by: Set(None),
            ended_at: Set(None),
            end_reason: Set(None),
        };
        let granted = Granted {
            role: role.to_owned(),
            prefix: prefix(division),
            organisation: organisation.map(|id| id.to_string()),
            category: category.map(|c| c.name().to_owned()),
            purpose: purpose.to_owned(),
            void: void != Void::No,
        };
        (row, granted)
    }

    pub async fn end(self) {
        let _ = self.db.close().await;
        self.world.end().await;
    }
}
