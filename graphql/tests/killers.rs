//! What the matrix does not ask: each of these fails when one of the checks it walks past is switched off. They also stand
//! as tests of their own.

use crate::support::World;
use domain::access::{Actor, Grant, Language, Policy};
use domain::command::{Meta, Outcome};
use domain::exchange::import::ImportOptions;
use domain::exchange::uploads::ImportSurvey;
use domain::signin::{Asking, SignInError};
use domain::demo::{COUNTY, TOWNSHIP, VILLAGE_DIRECTOR};
use entity::DivisionCode;
use futures_util::StreamExt;
use graphql::Request;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

pub type Verdict = Result<(), String>;
pub type Killer = fn(&World) -> Pin<Box<dyn Future<Output = Verdict> + '_>>;

macro_rules! killers {
    ($list:ident: $($name:ident)+) => {
        pub const $list: &[(&str, Killer)] = &[$((stringify!($name), |world| Box::pin($name(world))),)+];
        $(
            mod $name {
                #[tokio::test]
                async fn holds_on_sqlite() {
                    let world = crate::support::World::demo("sqlite").await;
                    super::$name(&world).await.expect("holds");
                    world.end().await;
                }
            }
        )+
    };
}

pub(crate) use killers;

killers! {
    KILLERS: purposes grants_in_time accounts_that_left hidden_is_absent versions idempotency directors related_rows uploads imports_of_others
    import_classes import_comparisons subscriptions unread_columns questions_refused cursors moves
}

/// A demonstration to be copied.
pub struct Template(TempDir);

impl Template {
    pub async fn new() -> Template {
        Template(World::demo("sqlite").await.keep().await)
    }
    pub async fn copy(&self) -> World {
        World::copy_of(&self.0).await
    }
}

macro_rules! must {
    ($condition:expr, $($what:tt)+) => { if !$condition { return Err(format!($($what)+)); } };
}

fn asking(purpose: Option<&str>) -> Asking {
    Asking { language: Language::English, request_id: "test".into(), purpose: purpose.map(str::to_owned), ..Asking::default() }
}

async fn sql(world: &World, statement: impl sea_orm::StatementBuilder) {
    let db = Database::connect(&world.url).await.expect("opens");
    db.execute(&statement).await.expect("executed");
    db.close().await.expect("closed");
}

async fn children_of(world: &World, actor: &Actor) -> Vec<String> {
    let answer = world.ask(actor, "{ children(first: 100) { nodes { id } } }", json!({})).await;
    answer["data"]["children"]["nodes"].as_array().into_iter().flatten().filter_map(|n| n["id"].as_str().map(str::to_owned)).collect()
}

/// One that the county officer sees and the village director does not, and one that both see.
async fn hidden_and_seen(world: &World) -> (String, String) {
    let (officer, director) = (world.persona("county-officer").await, world.persona("village-director").await);
    let (all, few) = (children_of(world, &officer).await, children_of(world, &director).await);
    let hidden = all.iter().find(|id| !few.contains(id)).expect("somebody is hidden").clone();
    (hidden, few[0].clone())
}

pub fn codes(answer: &Value, mutation: &str) -> Vec<String> {
    let errors = answer["data"][mutation]["userErrors"].as_array().into_iter().flatten();
    errors.map(|e| format!("{}@{}", e["code"].as_str().unwrap_or_default(), e["field"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("."))).collect()
}

pub async fn act(world: &World, actor: &Actor, mutation: &str, input: Value) -> Value {
    let capital = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
    world.ask(actor, &format!("mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}"), json!({ "input": input })).await
}

pub async fn purposes(world: &World) -> Verdict {
    let id = VILLAGE_DIRECTOR.to_string();
    let other = world.domain.sign_in(&id, asking(Some("audit"))).await;
    must!(matches!(other, Err(SignInError::Purpose { .. })), "signed in for a purpose that was not granted");
    must!(world.domain.sign_in(&id, asking(Some("casework"))).await.is_ok(), "not let in for the purpose granted");
    Ok(())
}

pub async fn grants_in_time(world: &World) -> Verdict {
    let id = VILLAGE_DIRECTOR.to_string();
    let actor = world.domain.sign_in(&id, asking(None)).await.map_err(|e| e.to_string())?;
    must!(!actor.grants.is_empty(), "no grants");
    sql(world, Query::update().table("access_grant").value("valid_to", domain::clock::Clock::now(&*world.clock)).and_where(Expr::col("account_id").eq(VILLAGE_DIRECTOR)).to_owned()).await;
    // What was changed elsewhere takes effect within five seconds.
    world.clock.advance(chrono::TimeDelta::seconds(5));
    let actor = world.domain.sign_in(&id, asking(None)).await.map_err(|e| e.to_string())?;
    must!(actor.grants.is_empty(), "an ended grant counts");
    Ok(())
}

pub async fn accounts_that_left(world: &World) -> Verdict {
    sql(world, Query::update().table("account").value("state", "CLOSED").and_where(Expr::col("id").eq(VILLAGE_DIRECTOR)).to_owned()).await;
    world.domain.accounts.forget();
    must!(world.domain.sign_in(&VILLAGE_DIRECTOR.to_string(), asking(None)).await.is_err(), "an account that is not active signs in");
    Ok(())
}

/// Same answer, same statements, same number of rows read.
pub async fn hidden_is_absent(world: &World) -> Verdict {
    let (hidden, seen) = hidden_and_seen(world).await;
    let (officer, director) = (world.persona("county-officer").await, world.persona("village-director").await);
    let below = "query($id: ID!) { child(id: $id) { facts { nodes { id version } } relations { nodes { id person { id } } } guardianships { nodes { id } } interventions { nodes { id } } benefits { nodes { id } } visits { nodes { id } } } }";
    let mut rows: Vec<(&str, String)> = vec![("Child", hidden)];
    for id in children_of(world, &officer).await {
        if children_of(world, &director).await.contains(&id) {
            continue;
        }
        let parts = world.ask(&officer, below, json!({ "id": id })).await;
        for (table, list) in [("Fact", "facts"), ("Relation", "relations"), ("Guardianship", "guardianships"), ("Intervention", "interventions"), ("Benefit", "benefits"), ("Visit", "visits")] {
            if let Some(part) = parts["data"]["child"][list]["nodes"][0]["id"].as_str()
                && !rows.iter().any(|(known, _)| *known == table)
            {
                rows.push((table, part.to_owned()));
                if let Some(person) = parts["data"]["child"][list]["nodes"][0]["person"]["id"].as_str() {
                    rows.push(("Person", person.to_owned()));
                }
            }
        }
        if rows.len() > 7 {
            break;
        }
    }
    let seen = json!(seen);
    let date = json!("2026-11-20");
    let mut tried = 0;
    for (table, id) in &rows {
        let absent = format!("{table}:01930000-0000-7000-8000-ffffffffffff");
        let mut questions: Vec<(Actor, String, Value)> = vec![
            (director.clone(), "query($id: ID!) { node(id: $id) { id } }".into(), json!({ "id": id })),
            (director.clone(), "query($id: ID!) { nodes(ids: [$id, $id]) { id } }".into(), json!({ "id": id })),
        ];
        let mut ask = |actor: &Actor, mutation: &str, input: Value| {
            let capital = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
            let text = format!("mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code field message }} child {{ id }} }} }}");
            questions.push((actor.clone(), text, json!({ "input": input })));
        };
        // One that may do everything, elsewhere.
        let far = world.viewer(vec![Grant { id: Uuid::from_u128(7), role: "county-officer".into(), division: 110_101_000_000, ranges: vec![(110_101_000_000, 110_101_999_999)], organisation: None, category: None, purpose: "casework".into() }], "casework");
        match *table {
            "Child" => {
                ask(&director, "recordVisit", json!({ "childId": id, "kind": "ROUTINE", "finding": "NORMAL", "occurredAt": "2026-11-20T00:00:00Z" }));
                ask(&director, "correctChild", json!({ "childId": id, "expectedVersion": 1, "schooling": "PRIMARY" }));
                ask(&far, "closeFile", json!({ "childId": id, "expectedVersion": 1, "reason": "DEATH", "closedOn": date }));
                ask(&far, "assignDirector", json!({ "childId": id, "expectedVersion": 1, "directorId": format!("Account:{VILLAGE_DIRECTOR}") }));
            }
            "Fact" => ask(&far, "endFact", json!({ "factId": id, "expectedVersion": 1, "trueTo": date })),
            "Guardianship" => ask(&far, "endGuardianship", json!({ "guardianshipId": id, "expectedVersion": 1, "endedOn": date, "reason": "DEATH" })),
            "Intervention" => {
                ask(&far, "closeIntervention", json!({ "interventionId": id, "expectedVersion": 1, "closedOn": date, "outcome": "o" }));
                ask(&director, "recordVisit", json!({ "childId": seen, "kind": "ROUTINE", "finding": "NORMAL", "occurredAt": "2026-11-20T00:00:00Z", "interventionId": id }));
            }
            "Benefit" => ask(&far, "endEnrolment", json!({ "benefitId": id, "expectedVersion": 1, "endMonth": "2026-11-01", "reason": "DEATH" })),
            "Person" => {
                ask(&director, "recordFact", json!({ "childId": seen, "kind": "DEAD", "trueFrom": date, "personId": id }));
                ask(&director, "addGuardian", json!({ "childId": seen, "kind": "PARENTAL", "startedOn": date, "personId": id }));
            }
            _ => {}
        }
        for (actor, text, variables) in questions {
            tried += 1;
            let for_hidden = world.metered(&actor, &text, variables.clone()).await;
            let swapped: Value = serde_json::from_str(&variables.to_string().replace(id.as_str(), &absent)).expect("JSON");
            let for_absent = world.metered(&actor, &text, swapped).await;
            must!(for_hidden == for_absent, "{table}: {text}\nhidden {for_hidden:?}\nabsent {for_absent:?}");
        }
    }
    // A number that somebody hidden has, and one that nobody has.
    let numbers: Vec<String> = {
        let answer = world.ask(&officer, "{ children(first: 100) { nodes { id identityNumber } } }", json!({})).await;
        let few = children_of(world, &director).await;
        let hidden = answer["data"]["children"]["nodes"].as_array().into_iter().flatten().filter(|n| !few.iter().any(|id| n["id"] == *id));
        hidden.filter_map(|n| n["identityNumber"].as_str().map(str::to_owned)).collect()
    };
    must!(!numbers.is_empty(), "nobody hidden has a number");
    let search = "query($n: String!) { children(filter: { identityNumber: $n }) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } }";
    let for_hidden = world.metered(&director, search, json!({ "n": numbers[0] })).await;
    let for_absent = world.metered(&director, search, json!({ "n": "110101201503070026" })).await;
    must!(for_hidden == for_absent, "search: hidden {for_hidden:?}\nabsent {for_absent:?}");
    // Refused for its id, after the number was looked up: nothing changes between the two.
    let guard = |number: &str| json!({ "input": { "id": "Guardianship:c0ffee00-0000-4000-8000-000000000001", "childId": seen, "kind": "PARENTAL", "startedOn": "2026-11-01", "person": { "name": "乙", "identityNumber": number } } });
    let text = "mutation($input: AddGuardianInput!) { addGuardian(input: $input) { userErrors { code field } } }";
    let mut adult = json!({ "childId": rows[0].1, "kind": "PARENTAL", "startedOn": "2026-11-01", "person": { "name": "丙", "identityNumber": "110101198001010053" } });
    let known = act(world, &officer, "addGuardian", std::mem::take(&mut adult)).await;
    must!(known["data"]["addGuardian"]["userErrors"] == json!([]), "{known}");
    let for_hidden = world.metered(&director, text, guard("110101198001010053")).await;
    let for_absent = world.metered(&director, text, guard("110101198101010050")).await;
    must!(for_hidden == for_absent, "a guardian's number: hidden {for_hidden:?}\nabsent {for_absent:?}");
    must!(tried >= 20, "only {tried} questions: {rows:?}");
    Ok(())
}

pub async fn versions(world: &World) -> Verdict {
    let officer = world.persona("county-officer").await;
    let child = children_of(world, &officer).await[0].clone();
    let id = Uuid::try_parse(&child[6..]).map_err(|e| e.to_string())?;
    sql(world, Query::update().table("child").value("state", "CLOSED").and_where(Expr::col("id").eq(id)).to_owned()).await;
    // A version that is no more is told before all that hangs on the newer one.
    let answer = act(world, &officer, "correctChild", json!({ "childId": child, "expectedVersion": 77, "schooling": "PRIMARY" })).await;
    must!(codes(&answer, "correctChild") == ["STALE_VERSION@expectedVersion"], "{answer}");
    Ok(())
}

pub async fn idempotency(world: &World) -> Verdict {
    let (officer, director) = (world.persona("county-officer").await, world.persona("village-director").await);
    let (_, child) = hidden_and_seen(world).await;
    let visit = |notes: &str| json!({ "childId": child, "kind": "ROUTINE", "finding": "NORMAL", "occurredAt": "2026-11-20T00:00:00Z", "notes": notes, "idempotencyKey": "k" });
    let first = act(world, &officer, "recordVisit", visit("a")).await;
    must!(first["data"]["recordVisit"]["userErrors"] == json!([]), "{first}");
    let other = act(world, &officer, "recordVisit", visit("b")).await;
    must!(other["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED", "another body under the same key: {other}");
    let somebody = act(world, &director, "recordVisit", visit("c")).await;
    must!(somebody["data"]["recordVisit"]["userErrors"] == json!([]), "another's key: {somebody}");
    Ok(())
}

pub async fn directors(world: &World) -> Verdict {
    let officer = world.persona("county-officer").await;
    let child = children_of(world, &officer).await[0].clone();
    let assign = |director: Uuid| json!({ "childId": child, "expectedVersion": 1, "directorId": format!("Account:{director}") });
    for (what, change) in [("that left", ("state", sea_orm::Value::from("CLOSED"))), ("outside", ("division", sea_orm::Value::from(110_101_001_001_i64)))] {
        sql(world, Query::update().table("account").value(change.0, change.1).and_where(Expr::col("id").eq(VILLAGE_DIRECTOR)).to_owned()).await;
        let answer = act(world, &officer, "assignDirector", assign(VILLAGE_DIRECTOR)).await;
        must!(codes(&answer, "assignDirector") == ["NOT_FOUND@directorId"], "a director {what}: {answer}");
        sql(world, Query::update().table("account").value("state", "ACTIVE").and_where(Expr::col("id").eq(VILLAGE_DIRECTOR)).to_owned()).await;
    }
    Ok(())
}

/// A row named beside the child must be one of the child's own, or one in reach.
pub async fn related_rows(world: &World) -> Verdict {
    let (officer, director) = (world.persona("county-officer").await, world.persona("village-director").await);
    let (hidden, child) = hidden_and_seen(world).await;
    let guardian = json!({ "childId": hidden, "kind": "PARENTAL", "startedOn": "2020-01-01", "person": { "id": "Person:01a20c68-8e29-797b-82d1-00000000aaaa", "name": "乙", "birthDate": "1950-01-01" } });
    let mut guardian = guardian;
    guardian["startedOn"] = json!("2026-11-01");
    let made = act(world, &officer, "addGuardian", guardian).await;
    must!(made["data"]["addGuardian"]["userErrors"] == json!([]), "{made}");
    let person = "Person:01a20c68-8e29-797b-82d1-00000000aaaa";
    let add = act(world, &director, "addGuardian", json!({ "childId": child, "kind": "PARENTAL", "startedOn": "2026-11-01", "personId": person })).await;
    must!(codes(&add, "addGuardian") == ["NOT_FOUND@personId"], "a hidden person: {add}");
    let fact = act(world, &officer, "recordFact", json!({ "childId": child, "kind": "DEAD", "trueFrom": "2026-11-20", "personId": person })).await;
    must!(codes(&fact, "recordFact") == ["NOT_FOUND@personId"], "a person of another child: {fact}");
    let open = json!({ "id": "Intervention:01a20c68-8e29-797b-82d1-00000000bbbb", "childId": hidden, "kind": "ASSESSMENT", "riskLevel": "HIGH", "openedOn": "2026-11-20", "reason": "r" });
    let opened = act(world, &officer, "openIntervention", open).await;
    must!(opened["data"]["openIntervention"]["userErrors"] == json!([]), "{opened}");
    let visit = json!({ "childId": child, "kind": "ROUTINE", "finding": "NORMAL", "occurredAt": "2026-11-20T00:00:00Z", "interventionId": "Intervention:01a20c68-8e29-797b-82d1-00000000bbbb" });
    let visited = act(world, &officer, "recordVisit", visit).await;
    must!(codes(&visited, "recordVisit") == ["NOT_FOUND@interventionId"], "an intervention for another child: {visited}");
    Ok(())
}

pub async fn uploads(world: &World) -> Verdict {
    let (officer, supervisor, director) = (world.persona("county-officer").await, world.persona("township-supervisor").await, world.persona("village-director").await);
    let id = domain::clock::Clock::id(&*world.clock);
    must!(world.domain.announce_upload(&director, "a.csv", &[0; 32], 1, id).await.is_err(), "an upload of one who may not import");
    std::fs::write(world.domain.upload_path(id), "姓名\n").map_err(|e| e.to_string())?;
    world.domain.announce_upload(&officer, "a.csv", &[0; 32], 1, id).await.map_err(|e| e.to_string())?;
    let input = ImportSurvey { upload: id, division: Some("520324202".into()), dry_run: true, ..ImportSurvey::default() };
    let outcome = world.domain.import_survey_upload(&supervisor, &input, &Meta::default()).await;
    let refused = matches!(&outcome, Ok(Outcome::Refused(errors)) if errors[0].code == domain::problems::UserErrorCode::UploadNotFound);
    must!(refused, "another's upload: {outcome:?}");
    Ok(())
}

async fn import(world: &World, actor: &Actor, text: &str, dry_run: bool) -> Result<domain::exchange::import::ImportReport, String> {
    let path = world.folder().join("sheet.csv");
    std::fs::write(&path, text).map_err(|e| e.to_string())?;
    let problems = world.folder().join("problems.csv");
    let _ = std::fs::remove_file(&problems);
    let options = ImportOptions { path, file_name: "sheet".into(), division: DivisionCode::new(COUNTY), mapping: None, dry_run, problems: Some(problems), survey_date: None };
    world.domain.import_survey(actor, options, &|_| {}).await.map_err(|e| e.to_string())
}

fn village_grant(role: &str, division: i64) -> Grant {
    let range = DivisionCode::new(division).expect("a code").range();
    Grant { id: Uuid::from_u128(3), role: role.into(), division, ranges: vec![range], organisation: None, category: None, purpose: "casework".into() }
}

/// Rows land where the importer may import; what is on file elsewhere is named by its county alone.
pub async fn imports_of_others(world: &World) -> Verdict {
    let outside = world.viewer(vec![village_grant("township-supervisor", 520_324_113_000)], "casework");
    let report = import(world, &outside, "姓名,性别,出生日期,村\n甲,男,2016-01-01,谢坝村\n", true).await?;
    must!(report.landed == 0 && report.by_rule.contains_key("OUT_OF_SCOPE"), "a row outside the grants: {report:?}");
    // Sees the village, may import elsewhere.
    let reader = world.viewer(vec![village_grant("village-director", TOWNSHIP), village_grant("township-supervisor", 520_324_113_000)], "casework");
    let report = import(world, &reader, "姓名,性别,出生日期,村\n甲,男,2016-01-01,谢坝村\n", true).await?;
    must!(report.landed == 0 && report.by_rule.contains_key("OUT_OF_SCOPE"), "a row where one may only read: {report:?}");
    // Somebody of the same name and day in another township of the county is not told of.
    let officer = world.persona("county-officer").await;
    let text = "mutation($home: String!) { registerChild(input: { name: \"甲二\", sex: MALE, birthDate: \"2016-03-03\", householdDivision: $home }) { userErrors { code } } }";
    let made = world.ask(&officer, text, json!({ "home": "520324113205" })).await;
    must!(made["data"]["registerChild"]["userErrors"] == json!([]), "{made}");
    let township = world.persona("township-supervisor").await;
    let report = import(world, &township, "姓名,性别,出生日期,村\n甲二,男,2016-03-03,谢坝村\n", true).await?;
    must!(report.landed == 1, "a hidden double is told of: {report:?}");
    // The category is no word of the sheet: who may not classify leaves it open.
    let supervisor = world.persona("township-supervisor").await;
    let report = import(world, &supervisor, "姓名,性别,出生日期,村,残疾类别,残疾等级\n甲一,男,2016-01-01,谢坝村,肢体,一级\n", false).await?;
    must!(report.landed == 1, "{report:?}");
    let found = world.ask(&world.persona("county-officer").await, "{ children(filter: { name: \"甲一\" }) { nodes { mainCategory } } }", json!({})).await;
    must!(found["data"]["children"]["nodes"] == json!([{ "mainCategory": null }]), "{found}");
    Ok(())
}

const NARROW: &str = r#"
[purposes]
casework = { zh = "", en = "", legal_basis = "" }
[[role]]
name = "narrow"
zh = ""
en = ""
actions = ["importSurvey"]
[[role.see]]
purposes = ["casework"]
rows = ["household", "residence", "imports"]
show = ["registry", "identity"]
write = ["registry", "identity"]
"#;

/// Under a policy that opens identities alone, a sheet may set no more, and a comparison tells of no more.
pub async fn import_classes(world: &World) -> Verdict {
    let policy = Policy::parse(NARROW).map_err(|e| e.to_string())?;
    let grant = Grant { role: "narrow".into(), ..village_grant("narrow", COUNTY) };
    let narrow = world.under(&policy, Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063), vec![grant], "casework");
    for (column, text) in [("户籍地址", "谢坝村1组"), ("现居住地", "谢坝村2组"), ("身体状况", "健康"), ("患病情况", "哮喘"), ("就学情况", "小学"), ("父亲姓名", "王大山"), ("家庭收入来源", "务工"), ("享受救助", "低保")] {
        let report = import(world, &narrow, &format!("姓名,性别,出生日期,村,{column}\n甲,男,2016-01-01,谢坝村,{text}\n"), true).await?;
        must!(report.landed == 0, "{column} was written: {report:?}");
    }
    let report = import(world, &narrow, "姓名,性别,出生日期,村\n甲,男,2016-01-01,谢坝村\n", true).await?;
    must!(report.landed == 1, "{report:?}");
    // Of the two that every row needs, one is not enough.
    for one in ["registry", "identity"] {
        let policy = Policy::parse(&NARROW.replace("write = [\"registry\", \"identity\"]", &format!("write = [{one:?}]"))).map_err(|e| e.to_string())?;
        let grant = Grant { role: "narrow".into(), ..village_grant("narrow", COUNTY) };
        let narrower = world.under(&policy, Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063), vec![grant], "casework");
        let report = import(world, &narrower, "姓名,性别,出生日期,村\n甲,男,2016-01-01,谢坝村\n", true).await?;
        must!(report.landed == 0, "{one} was enough: {report:?}");
    }
    Ok(())
}

/// A comparison tells of no field that the importer is not shown, and finds no adult in a family that is hidden.
pub async fn import_comparisons(world: &World) -> Verdict {
    let (officer, township) = (world.persona("county-officer").await, world.persona("township-supervisor").await);
    let sheet = |schooling: &str| format!("姓名,身份证号,性别,出生日期,村,就学情况\n甲三,110101201503070026,女,2015-03-07,谢坝村,{schooling}\n");
    let report = import(world, &officer, &sheet("小学"), false).await?;
    must!(report.landed == 1, "{report:?}");
    let policy = Policy::parse(&NARROW.replace("write = [\"registry\", \"identity\"]", "write = [\"registry\", \"identity\", \"education\"]")).map_err(|e| e.to_string())?;
    let grant = Grant { role: "narrow".into(), ..village_grant("narrow", COUNTY) };
    let blind = world.under(&policy, Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063), vec![grant], "casework");
    let report = import(world, &blind, &sheet("初中"), true).await?;
    must!(report.unchanged == 1 && report.review == 0, "what the importer is not shown is told of: {report:?}");
    let hidden = "姓名,性别,出生日期,村,父亲姓名,父亲身份证号\n甲四,男,2016-04-04,VILLAGE,NAME,110101198001010053\n";
    let far = world.ask(&officer, "{ division(code: \"520324113205\") { name } }", json!({})).await["data"]["division"]["name"].as_str().unwrap_or_default().to_owned();
    let other = world.viewer(vec![village_grant("township-supervisor", 520_324_113_000)], "casework");
    let report = import(world, &other, &hidden.replace("VILLAGE", &far).replace("NAME", "王甲"), false).await?;
    must!(report.landed == 1, "{far}: {report:?}");
    let report = import(world, &township, &hidden.replace("VILLAGE", "谢坝村").replace("NAME", "王甲").replace("甲四", "甲五"), false).await?;
    must!(report.landed == 1, "{report:?}");
    let text = "{ a: children(filter: { name: \"甲四\" }) { nodes { ...f } } b: children(filter: { name: \"甲五\" }) { nodes { ...f } } } fragment f on Child { relations { nodes { person { id } } } }";
    let found = world.ask(&officer, text, json!({})).await;
    let father = |child: &str| found["data"][child]["nodes"][0]["relations"]["nodes"][0]["person"]["id"].clone();
    must!(father("a").is_string() && father("b").is_string() && father("a") != father("b"), "somebody of a hidden family: {found}");
    Ok(())
}

/// The next event of a subscription, if one comes.
async fn next(events: &mut futures_util::stream::BoxStream<'static, async_graphql::Response>) -> Option<Value> {
    let answer = tokio::time::timeout(Duration::from_millis(300), events.next()).await.ok().flatten()?;
    serde_json::to_value(answer).ok().map(|answer| answer["data"]["childChanged"].clone())
}

pub async fn subscriptions(world: &World) -> Verdict {
    let (hidden, seen) = hidden_and_seen(world).await;
    let (officer, director) = (world.persona("county-officer").await, world.persona("village-director").await);
    let open = |id: &str| {
        let request = Request { query: format!("subscription {{ childChanged(childId: {id:?}) {{ id phone }} }}"), ..Request::default() };
        world.schema.subscribe(world.schema.prepare(request).map_err(|_| ()).expect("valid"), director.clone())
    };
    let (mut on_hidden, mut on_seen) = (open(&hidden), open(&seen));
    must!(next(&mut on_hidden).await == Some(Value::Null) && next(&mut on_seen).await.is_some_and(|c| c["id"] == seen), "the first event is the file as it is");
    let fact = |id: &str| json!({ "childId": id, "kind": "DEAD", "trueFrom": "2026-11-20" });
    for id in [&hidden, &seen] {
        act(world, &officer, "recordFact", fact(id)).await;
    }
    must!(next(&mut on_hidden).await.is_none(), "a hidden file speaks");
    must!(next(&mut on_seen).await.is_some_and(|c| c["id"] == seen), "a file in reach is silent");
    sql(world, Query::delete().from_table("access_grant").and_where(Expr::col("account_id").eq(VILLAGE_DIRECTOR)).to_owned()).await;
    world.clock.advance(chrono::TimeDelta::seconds(5));
    act(world, &officer, "recordFact", fact(&seen)).await;
    must!(next(&mut on_seen).await == Some(Value::Null), "a grant that was taken away still shows the file");
    Ok(())
}

/// What a viewer is denied everywhere is not even read: the column may as well be gone.
pub async fn unread_columns(world: &World) -> Verdict {
    let police = world.persona("police-officer").await;
    let text = "{ children(first: 5) { nodes { id illness } } }";
    let before = world.ask(&police, text, json!({})).await;
    let db = Database::connect(&world.url).await.map_err(|e| e.to_string())?;
    db.execute_unprepared("ALTER TABLE child RENAME COLUMN illness TO gone").await.map_err(|e| e.to_string())?;
    db.close().await.map_err(|e| e.to_string())?;
    let after = world.ask(&police, text, json!({})).await;
    must!(before == after && after["data"]["children"]["nodes"][0]["id"].is_string(), "a denied column was read: {after:.300}");
    Ok(())
}

/// Where no grant shows what a question looks at, the answer is a refusal, not an empty list.
pub async fn questions_refused(world: &World) -> Verdict {
    let officer = world.persona("province-officer").await;
    let answer = world.ask(&officer, "{ children(filter: { name: \"王\" }) { totalCount } }", json!({})).await;
    must!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "{answer}");
    Ok(())
}

/// A cursor made by hand, or taken from another's list, opens nothing.
pub async fn cursors(world: &World) -> Verdict {
    let (officer, director) = (world.persona("county-officer").await, world.persona("village-director").await);
    let few = children_of(world, &director).await;
    let page = world.ask(&officer, "{ children(first: 100) { edges { cursor } } }", json!({})).await;
    for edge in page["data"]["children"]["edges"].as_array().into_iter().flatten() {
        for way in ["first: 100, after", "last: 100, before"] {
            let text = format!("{{ children({way}: {}) {{ nodes {{ id }} }} }}", edge["cursor"]);
            let answer = world.ask(&director, &text, json!({})).await;
            for node in answer["data"]["children"]["nodes"].as_array().into_iter().flatten() {
                must!(few.iter().any(|id| node["id"] == *id), "a cursor opened {node}");
            }
        }
    }
    Ok(())
}

/// A correction may not carry a child out of the grants, nor a registration begin outside them.
pub async fn moves(world: &World) -> Verdict {
    let officer = world.persona("county-officer").await;
    let child = children_of(world, &officer).await[0].clone();
    let away = "110101001000";
    let answer = act(world, &officer, "correctChild", json!({ "childId": child, "expectedVersion": 1, "householdDivision": away, "residenceDivision": away })).await;
    must!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "carried out: {answer}");
    let answer = act(world, &officer, "registerChild", json!({ "name": "甲", "sex": "MALE", "birthDate": "2016-01-01", "householdDivision": away })).await;
    must!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "registered outside: {answer}");
    Ok(())
}
