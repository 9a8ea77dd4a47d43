//! A query goes the short way or the general one: the answer is the same to the byte, and so is what stands on record.

use crate::leaks::{all_children, random_names, random_viewer};
use crate::matrix::Matrix;
use crate::matrix::document::{SDL, base};
use crate::support::{World, backends, written};
use domain::access::Actor;
use domain::read::links::Road;
use graphql::Request;
use graphql::fields::{OBJECTS, ObjectType, Source, camel};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use uuid::Uuid;

const ROUNDS: usize = 400;

/// Writes random selections of the objects that stand for rows.
struct Scribe<'r> {
    rng: &'r mut StdRng,
    fragments: Vec<String>,
    names: usize,
}

impl Scribe<'_> {
    fn chance(&mut self, p: f64) -> bool {
        self.rng.random_bool(p)
    }

    /// A name of its own, or none.
    fn alias(&mut self) -> String {
        if self.chance(0.15) {
            self.names += 1;
            return format!("a{}: ", self.names);
        }
        String::new()
    }

    fn object(&mut self, object: &ObjectType, depth: u32) -> String {
        let mut out = String::from("{ ");
        if self.chance(0.7) {
            out.push_str("id ");
        }
        if self.chance(0.2) {
            out.push_str("__typename ");
        }
        for field in object.fields {
            let name = camel(field.rust_name);
            let Some(served) = SDL.objects[object.name].iter().find(|f| f.name == name) else { continue };
            match field.source {
                Source::Columns(_) if SDL.objects.contains_key(base(&served.ty)) => {}
                Source::Columns(_) => {
                    if self.chance(0.25) {
                        let alias = self.alias();
                        let _ = write!(out, "{alias}{name} ");
                    }
                    // The same once more.
                    if self.chance(0.05) {
                        let _ = write!(out, "{name} ");
                    }
                }
                Source::One(_) | Source::List(_) | Source::Connection(_) if depth == 0 => {}
                _ => {
                    let link = field.link(object.table).expect("a link");
                    let hangs = object.name == "Child" || !matches!(link.road, Road::Many { .. });
                    let rare = !hangs || matches!(link.road, Road::Ancestors) || link.to.name == "child" || matches!(field.source, Source::List(_));
                    if !self.chance(if rare { 0.01 } else { 0.2 }) {
                        continue;
                    }
                    let Some(target) = OBJECTS.get(link.to.type_name).copied() else { continue };
                    let alias = self.alias();
                    let below = if matches!(field.source, Source::Connection(_)) { self.page(target, depth - 1) } else { self.object(target, depth - 1) };
                    let arguments = match (matches!(field.source, Source::Connection(_)), self.rng.random_range(0..6)) {
                        (true, 0) => "(first: 1)".to_owned(),
                        (true, 1) => "(last: 2)".to_owned(),
                        (true, 2) => "(first: $n)".to_owned(),
                        (true, 3) => "(first: 0)".to_owned(),
                        _ => String::new(),
                    };
                    let _ = write!(out, "{alias}{name}{arguments} {below} ");
                }
            }
        }
        if self.chance(0.05) && SDL.objects[object.name].iter().any(|f| f.name == "viewerAccess") {
            out.push_str("viewerAccess { actions classes { dataClass decision writable } } ");
        }
        if self.chance(0.1) {
            self.names += 1;
            let name = format!("F{}", self.names);
            let on = if self.chance(0.8) { object.name } else { "Node" };
            let body = if on == "Node" { "{ id }".to_owned() } else { self.object(object, 0) };
            self.fragments.push(format!("fragment {name} on {on} {body}"));
            let _ = write!(out, "...{name} ");
        }
        if self.chance(0.1) {
            let body = self.object(object, 0);
            let _ = write!(out, "... on {} {body} ", object.name);
        }
        if out == "{ " {
            out.push_str("id ");
        }
        out + "}"
    }

    fn page(&mut self, target: &ObjectType, depth: u32) -> String {
        let mut out = String::from("{ ");
        if self.chance(0.8) {
            let below = self.object(target, depth);
            let _ = write!(out, "nodes {below} ");
        }
        if self.chance(0.2) {
            let below = self.object(target, 0);
            let _ = write!(out, "edges {{ cursor node {below} }} ");
        }
        if self.chance(0.3) {
            out.push_str("pageInfo { hasNextPage hasPreviousPage startCursor endCursor } ");
        }
        if self.chance(0.01) {
            out.push_str("totalCount ");
        }
        if out == "{ " || self.chance(0.1) {
            out.push_str("__typename ");
        }
        out + "}"
    }
}

struct Recorder(DatabaseConnection);

impl Recorder {
    /// What stands on record under a request id.
    async fn of(&self, request_id: &str) -> Vec<String> {
        let sql = format!("SELECT action, outcome, classes, objects, children FROM audit_record WHERE request_id = '{request_id}'");
        let rows = self.0.query_all_raw(Statement::from_string(self.0.get_database_backend(), sql)).await.expect("read");
        let text = |row: &sea_orm::QueryResult| {
            let mut all: Vec<String> = (0..4).map(|at| row.try_get_by_index::<String>(at).expect("a text")).collect();
            all.push(format!("{:?}", row.try_get_by_index::<Vec<u8>>(4).expect("bytes")));
            all.join("|")
        };
        rows.iter().map(text).collect()
    }
}

/// Whether it went the short way; if so, that the general one agrees.
async fn both(world: &World, recorder: &Recorder, actor: &Actor, round: usize, query: &str, variables: &Map<String, Value>, other: Option<Uuid>) -> (bool, Value) {
    let request = || Request { query: query.into(), variables: variables.clone(), ..Request::default() };
    let prepared = || world.schema.prepare(request()).unwrap_or_else(|response| panic!("{query}: {}", written(&(*response).into())));
    let under = |way: &str| Actor { request_id: format!("{way}-{round}"), ..actor.clone() };
    let answer = world.schema.answer(prepared(), under("short")).await;
    let text = written(&answer);
    let value: Value = serde_json::from_str(&text).expect("json");
    if answer.is_short() {
        let general = written(&world.schema.execute(prepared(), under("other")).await.into());
        assert_eq!(text.replace("short-", "other-"), general, "{query} with {variables:?}");
        let (first, second) = (recorder.of(&format!("short-{round}")).await, recorder.of(&format!("other-{round}")).await);
        assert_eq!(first, second, "on record: {query}");
        // The statement that was made for this child is used for another.
        if let Some(other) = other {
            let variables: Map<String, Value> = variables.iter().map(|(name, value)| (name.clone(), if name == "id" { json!(format!("Child:{other}")) } else { value.clone() })).collect();
            let request = || Request { query: query.into(), variables: variables.clone(), ..Request::default() };
            let prepared = || world.schema.prepare(request()).unwrap_or_else(|response| panic!("{query}: {}", written(&(*response).into())));
            let short = written(&world.schema.answer(prepared(), under("again")).await);
            let general = written(&world.schema.execute(prepared(), under("again")).await.into());
            assert_eq!(short, general, "{query} with {variables:?}, the second child");
        }
    }
    (answer.is_short(), value)
}

#[tokio::test]
async fn both_ways_answer_alike_and_leave_the_same_record() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let recorder = Recorder(Database::connect(&world.owner_url).await.expect("opens"));
        let children = all_children(&world).await;
        let mut rng = StdRng::seed_from_u64(4);
        let (mut short, mut errors, mut rows) = (0, 0, 0);
        let mut after = Value::Null;
        for round in 0..ROUNDS {
            let actor = match round % 3 {
                0 => world.persona(["county-officer", "township-supervisor", "village-director", "province-officer", "health-partner", "institution-worker"][round / 3 % 6]).await,
                _ => {
                    let (grants, purpose) = random_viewer(&world, &mut rng, &children);
                    let named = random_names(&world, &mut rng, &children, &purpose);
                    world.viewer_with(grants, &named, &purpose)
                }
            };
            let child = OBJECTS["Child"];
            let mut scribe = Scribe { rng: &mut rng, fragments: Vec::new(), names: 0 };
            let mut body = String::new();
            if scribe.chance(0.6) {
                let below = scribe.object(child, 3);
                let alias = scribe.alias();
                let _ = write!(body, "{alias}child(id: $id) {below} ");
            }
            if body.is_empty() || scribe.chance(0.5) {
                let below = scribe.page(child, 2);
                let order = ["", ", orderBy: { field: CHANGED_AT }", ", orderBy: { field: DIVISION, direction: ASC }", ", orderBy: { field: BIRTH_DATE }"][scribe.rng.random_range(0..4)];
                let filter = ["", ", filter: { householdDivision: $d }", ", filter: { division: \"35\" }", ", filter: { states: [ACTIVE], riskLevels: [HIGH, MEDIUM] }"][scribe.rng.random_range(0..4)];
                let page = ["first: $n", "last: $n", "first: 3, after: $after"][scribe.rng.random_range(0..3)];
                let _ = write!(body, "children({page}{order}{filter}) {below} ");
            }
            if scribe.chance(0.12) {
                let alias = scribe.alias();
                let argument = ["", "(divisionCode: \"35\")", "(divisionCode: \"350102\")", "(divisionCode: \"0\")", "(divisionCode: $d)"][scribe.rng.random_range(0..5)];
                let fields = ["category riskLevel count", "count", "riskLevel k: category __typename"][scribe.rng.random_range(0..3)];
                let _ = write!(body, "{alias}childStatistics{argument} {{ {fields} }} ");
            }
            let fragments = scribe.fragments.join(" ");
            // A variable that is not used is an error of its own.
            let used = |name: &str| body.contains(&format!("${name}")) || fragments.contains(&format!("${name}"));
            let declared = [("id", "ID!"), ("n", "Int"), ("after", "String"), ("d", "String")];
            let declared: Vec<String> = declared.iter().filter(|(name, _)| used(name)).map(|(name, ty)| format!("${name}: {ty}")).collect();
            let declared = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
            let query = format!("query Q{declared} {{ {body} }} {fragments}");
            let some = children[rng.random_range(0..children.len())].id;
            let other = children[(round * 7) % children.len()].id;
            let mut variables = Map::new();
            variables.insert("id".into(), json!(format!("Child:{some}")));
            if rng.random_bool(0.8) {
                variables.insert("n".into(), json!(rng.random_range(0..12)));
            }
            if rng.random_bool(0.5) {
                variables.insert("after".into(), after.clone());
            }
            if rng.random_bool(0.8) {
                variables.insert("d".into(), json!(["35", "3501", "350102", "350102001"][rng.random_range(0..4)]));
            }
            let (went, value) = both(&world, &recorder, &actor, round, &query, &variables, Some(other)).await;
            short += usize::from(went);
            errors += usize::from(value["errors"].is_array());
            rows += usize::from(value["data"]["child"].is_object());
            if let Some(cursor) = value["data"]["children"]["pageInfo"]["endCursor"].as_str() {
                after = json!(cursor);
            }
        }
        println!("{backend}: {short} short, {errors} with errors, {rows} rows");
        assert!(short * 5 > ROUNDS * 2 && errors > ROUNDS / 20 && rows > ROUNDS / 20, "{backend}: too little was tried: {short} short, {errors} with errors, {rows} rows");
        recorder.0.close().await.expect("closed");
        world.end().await;
    }
}

/// What the matrix finds of the general way holds of the short one: every viewer of it asks for every field and every link by
/// itself, of an object and of a list.
#[tokio::test]
async fn every_viewer_of_the_matrix_gets_by_the_short_way_what_the_general_one_gives() {
    let child = OBJECTS["Child"];
    let mut selections = vec![crate::matrix::document::own(child)];
    for field in child.fields {
        let Some(link) = field.link(child.table) else { continue };
        let Some(target) = OBJECTS.get(link.to.type_name) else { continue };
        let (name, own) = (camel(field.rust_name), crate::matrix::document::own(target));
        selections.push(match field.source {
            Source::Connection(_) => format!("id {name}(first: 50) {{ nodes {{ {own} }} edges {{ cursor node {{ id }} }} }}"),
            _ => format!("id {name} {{ {own} }}"),
        });
    }
    for backend in backends() {
        let matrix = Matrix::new(backend).await;
        let world = &matrix.stage.world;
        let some = all_children(world).await;
        let (mut round, mut short, mut viewers) = (0, 0, 0);
        let recorder = Recorder(Database::connect(&world.owner_url).await.expect("opens"));
        for at in 0..matrix.made.len() + matrix.viewers.len() {
            let (_, viewer, _) = matrix.every(at);
            viewers += 1;
            // All fields by each; the links in turn.
            for (n, selection) in selections.iter().enumerate().filter(|(n, _)| *n == 0 || (n + at) % 6 == 0) {
                let mut variables = Map::new();
                let list = format!("{{ children(first: 100) {{ nodes {{ {selection} }} edges {{ cursor node {{ id }} }} pageInfo {{ endCursor }} }} }}");
                short += usize::from(both(world, &recorder, &viewer.actor, round, &list, &variables, None).await.0);
                variables.insert("id".into(), json!(format!("Child:{}", some[(at * 7 + n) % some.len()].id)));
                let one = format!("query($id: ID!) {{ child(id: $id) {{ {selection} }} }}");
                short += usize::from(both(world, &recorder, &viewer.actor, round + 1, &one, &variables, None).await.0);
                round += 2;
            }
        }
        println!("{backend}: {viewers} viewers, {round} queries, {short} by the short way");
        assert!(viewers > 100 && short * 10 > round * 8, "{backend}: {short} of {round} went the short way");
        recorder.0.close().await.expect("closed");
        matrix.stage.end().await;
    }
}

/// Unused variables are no part of a valid document: each of these uses what it declares.
#[tokio::test]
async fn what_front_ends_ask_for_goes_the_short_way_in_one_statement() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let page = "query($n: Int) { children(first: $n) { nodes { id name householdDivision { name } \
            guardianships(first: 5) { nodes { kind person { name phone } } } benefits(first: 5) { nodes { state programme { name } } } \
            interventions(first: 5) { edges { cursor node { kind state openedOn } } } } pageInfo { hasNextPage endCursor } } }";
        let one = "query($id: ID!) { child(id: $id) { id name identityNumber guardianships { nodes { person { name } } } benefits { nodes { id } } visits(last: 2) { nodes { id occurredAt } } } }";
        let prepared = |query: &str, variables: Value| {
            let request = Request { query: query.into(), variables: variables.as_object().cloned().unwrap_or_default(), ..Request::default() };
            world.schema.prepare(request).unwrap_or_else(|_| panic!("prepared"))
        };
        for n in [2, 20] {
            let (answer, statements) = domain::store::meter::metered(async {
                let answer = world.schema.answer(prepared(page, json!({ "n": n })), officer.clone()).await;
                (answer, domain::store::meter::statements())
            })
            .await;
            assert!(answer.is_short(), "{backend}");
            assert_eq!(statements, 1, "{backend}: a page of {n}");
            let value: Value = serde_json::from_str(&written(&answer)).expect("json");
            let id = value["data"]["children"]["nodes"][0]["id"].as_str().expect("an id").to_owned();
            let (answer, statements) = domain::store::meter::metered(async {
                let answer = world.schema.answer(prepared(one, json!({ "id": id })), officer.clone()).await;
                (answer, domain::store::meter::statements())
            })
            .await;
            assert!(answer.is_short(), "{backend}");
            assert_eq!(statements, 1, "{backend}: a child");
        }
        world.end().await;
    }
}
