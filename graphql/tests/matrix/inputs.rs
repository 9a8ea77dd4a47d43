//! Mutations: which a viewer may use, on whom, and which fields of their inputs it may set. Nothing is changed: each is
//! refused after access was decided, for a version that is no more or an id that is none.

use super::check::{Answer, Report, Walker};
use super::document::{SDL, base, is_list};
use super::oracle::Rules;
use super::world::{Stage, Viewer};
use entity::{DataClass, Family};
use graphql::input::InputSpec;
use serde_json::{Map, Value, json};

const STALE: i64 = 999_999;
/// A UUIDv4, which no client may make.
const NOT_V7: &str = "c0ffee00-0000-4000-8000-000000000001";

pub struct Mutation {
    pub name: String,
    pub input: String,
    spec: &'static InputSpec,
    pub target: &'static graphql::fields::ObjectType,
}

pub fn of_child(mutation: &Mutation) -> bool {
    matches!(mutation.target.table.family, Family::Child | Family::OfChild)
}

/// `benefit_id` names a Benefit.
fn target_type(field: &str) -> Option<&'static graphql::fields::ObjectType> {
    let stem = graphql::fields::camel(field.strip_suffix("_id")?);
    let name = format!("{}{}", stem[..1].to_uppercase(), &stem[1..]);
    graphql::fields::OBJECTS.get(name.as_str()).copied()
}

/// Every mutation of the schema that works on a stored row, with what its input says of columns.
pub fn mutations() -> Vec<Mutation> {
    let mut all = Vec::new();
    for field in &SDL.objects["Mutation"] {
        let Some((_, ty, _)) = field.arguments.first() else { continue };
        let Some(spec) = graphql::mutation::inputs().find(|s| s.name == base(ty)) else { continue };
        let target = spec.fields.iter().filter(|(_, column)| column.is_none()).filter_map(|(name, _)| target_type(name)).next();
        // What one does with one's own account is no action of the policy.
        let by_policy = domain::access::policy::ACTIONS.contains(&field.name.as_str()) && !super::acts::is_here(&field.name);
        if let Some(target) = target.filter(|_| by_policy) {
            all.push(Mutation { name: field.name.clone(), input: base(ty).to_owned(), spec, target });
        }
    }
    all
}

/// A value that parses, by the type and the name of the field.
fn value(stage: &Stage, child: &str, field: &str, ty: &str, many: bool) -> Value {
    let of = |key: &str| stage.truth.of(child, key).clone();
    if let Some(values) = SDL.enums.get(ty) {
        return if many { json!([values[0]]) } else { json!(values[0]) };
    }
    let row = |table: &str| {
        let of_child = |id: &&String| stage.keys[*id].children.iter().any(|c| c.id == child);
        stage.ids[table].iter().find(of_child).cloned().unwrap_or_else(|| format!("{table}:01930000-0000-7000-8000-00000000ffff"))
    };
    match (field, ty) {
        (name, "ID") if name == format!("{}Id", child.split(':').next().unwrap_or_default().to_lowercase()) => json!(child),
        ("guardianshipId", _) => json!(row("Guardianship")),
        ("factId", _) => json!(row("Fact")),
        ("interventionId", _) => json!(row("Intervention")),
        ("benefitId", _) => json!(row("Benefit")),
        ("personId", _) => json!(row("Person")),
        ("directorId", _) => json!(format!("Account:{}", domain::demo::VILLAGE_DIRECTOR)),
        ("programmeId", _) => json!(stage.ids["Programme"][0]),
        (name, "ID") if name.to_lowercase().ends_with("organisationid") || name == "schoolId" || name == "institutionId" => json!(stage.ids["Organisation"][0]),
        (name, _) if name.ends_with("Division") => of("Child_householdDivisionCode"),
        ("identityNumber", _) => json!("110101201503070026"),
        ("expectedVersion", _) => json!(STALE),
        ("sha256", _) => json!("0".repeat(64)),
        ("mediaType", _) => json!("application/pdf"),
        ("phone", _) => json!("13800001234"),
        (_, "Date") => json!("2020-01-01"),
        (_, "DateTime") => json!("2026-11-01T00:00:00Z"),
        (_, "Int" | "Fen") => json!(1),
        (_, "Boolean") => json!(true),
        (_, "String") => json!("文字"),
        _ => match SDL.inputs.get(ty) {
            Some(fields) => Value::Object(fields.iter().filter(|(_, _, must)| *must).map(|(name, ty, _)| (name.clone(), value(stage, child, name, base(ty), is_list(ty)))).collect()),
            None => panic!("what to send as {field}: {ty}? give it a value here"),
        },
    }
}

/// The input with the fields that must be there, and these.
pub fn input(stage: &Stage, mutation: &Mutation, child: &str, more: &[&str]) -> Map<String, Value> {
    let fields = &SDL.inputs[&mutation.input];
    let chosen = fields.iter().filter(|(name, _, must)| *must || more.contains(&name.as_str()));
    let mut all: Map<String, Value> = chosen.map(|(name, ty, _)| (name.clone(), value(stage, child, name, base(ty), is_list(ty)))).collect();
    if fields.iter().any(|(name, _, _)| name == "id") {
        let object = mutation.spec.fields.iter().find_map(|(_, column)| column.map(|(table, _)| table.type_name)).unwrap_or("Child");
        all.insert("id".into(), json!(format!("{object}:{NOT_V7}")));
    }
    all
}

fn text(mutation: &Mutation) -> String {
    format!("mutation($input: {}!) {{ {}(input: $input) {{ userErrors {{ code field }} }} }}", mutation.input, mutation.name)
}

#[derive(Debug, PartialEq)]
enum Expected {
    Forbidden(String),
    NotThere,
    Allowed,
}

pub async fn check(stage: &Stage, role: &str, viewer: &Viewer, rules: &Rules, mutations: &[Mutation], children: &[String], report: &mut Report) {
    let account = viewer.account();
    for mutation in mutations {
        let columns: Vec<(String, DataClass)> = mutation
            .spec
            .fields
            .iter()
            .filter_map(|(name, column)| {
                let (table, column) = (*column)?;
                table.column(column).map(|at| (graphql::fields::camel(name), table.columns[at].class))
            })
            .collect();
        let must: Vec<&str> = SDL.inputs[&mutation.input].iter().filter(|(_, _, must)| *must).map(|(name, _, _)| name.as_str()).collect();
        let of_child = of_child(mutation);
        let targets = if of_child { children } else { &stage.ids[mutation.target.name] };
        for (at, child) in targets.iter().enumerate() {
            let judge = viewer.judge(rules, &account);
            let table = if of_child { &entity::tables::child::TABLE } else { mutation.target.table };
            let may = judge.row(table, &stage.keys[child], &[]);
            // Field by field for the first child; for the others, and for those who may not use it, once.
            let usable = judge.actions().contains(&mutation.name);
            if at > 0 && !usable {
                break;
            }
            let own = columns.iter().map(|(name, _)| name.as_str()).filter(|name| at == 0 || must.contains(name));
            let fields: Vec<&str> = own.take(if may.is_some() && usable { 99 } else { 1 }).collect();
            for field in fields {
                let sent = input(stage, mutation, child, &[field]);
                let there = mutation.spec.fields.iter().filter(|(name, column)| column.is_none() && name.ends_with("_id") && *name != "upload_id");
                let dangling = there.map(|(name, _)| graphql::fields::camel(name)).any(|name| sent.get(&name).and_then(Value::as_str).is_some_and(|id| id.ends_with("00000000ffff")));
                let expected = if !judge.actions().contains(&mutation.name) {
                    Expected::Forbidden(mutation.name.clone())
                } else if dangling {
                    Expected::NotThere
                } else {
                    match &may {
                        None => Expected::NotThere,
                        Some(may) if !may.actions.contains(&mutation.name) => Expected::Forbidden(mutation.name.clone()),
                        Some(may) => {
                            let set = columns.iter().filter(|(name, _)| sent.contains_key(name));
                            let first = set.filter(|(_, class)| *class != DataClass::Public).find(|(_, class)| !may.write.contains(class.name()));
                            first.map_or(Expected::Allowed, |(name, _)| Expected::Forbidden(format!("input.{name}")))
                        }
                    }
                };
                let answer = Answer::of(stage.world.ask(&viewer.actor, &text(mutation), json!({ "input": sent })).await);
                let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "mutation input", answer, report: &mut *report };
                walker.cell(&format!("{}.{field}", mutation.input));
                let error = walker.answer.error(&mutation.name);
                let data = walker.answer.data[&mutation.name].clone();
                let codes: Vec<&str> = data["userErrors"].as_array().into_iter().flatten().filter_map(|e| e["code"].as_str()).collect();
                let found = match &error {
                    Some(error) if error["extensions"]["code"] == "FORBIDDEN" => Expected::Forbidden(error["extensions"]["subject"].as_str().unwrap_or_default().to_owned()),
                    None if codes == ["NOT_FOUND"] => Expected::NotThere,
                    None if !codes.is_empty() => Expected::Allowed,
                    _ => {
                        walker.wrong(&mutation.name, format!("{data} {error:?}"));
                        continue;
                    }
                };
                if found != expected {
                    walker.wrong(&mutation.name, format!("{field} for {child}: should be {expected:?}, is {found:?} {codes:?}"));
                }
                walker.end();
            }
        }
    }
}
