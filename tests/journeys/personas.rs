//! Twelve viewers ask the same and get each their own fields, the same from both databases.

use super::support::{CHILD, ORPHAN};
use crate::harness::{Backend, Start, Viewer};
use domain::demo::PERSONAS;
use serde_json::{Map, Value, json};

on_both_databases!(each_persona_gets_its_own_fields);

async fn each_persona_gets_its_own_fields(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let query = whole_file(&server.viewer("county-officer")).await;
    for persona in PERSONAS {
        let viewer = server.viewer(persona.name);
        for (name, id) in [("child", CHILD), ("orphan", ORPHAN)] {
            let (status, mut body) = viewer.post(&query, json!({ "id": id })).await;
            let errors = body["errors"].take();
            let errors: Vec<String> = errors.as_array().into_iter().flatten().map(line).collect();
            let mut seen = json!({ "status": status, "data": body["data"].take(), "errors": sorted(errors) });
            steady(&mut seen);
            insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false, description => format!("{name} as {}", persona.name), omit_expression => true }, {
                insta::assert_json_snapshot!(format!("{}__{name}", persona.name), seen);
            });
        }
    }
}

/// A query for every field of a file and of what hangs on it, as the schema has them.
async fn whole_file(viewer: &Viewer<'_>) -> String {
    let mut fields = Map::new();
    for name in ["Child", "Guardianship", "Benefit", "Intervention", "Visit", "Person", "ViewerAccess"] {
        fields.insert(name.into(), own_fields(viewer, name).await.into());
    }
    let f = |name: &str| fields[name].as_str().unwrap().to_owned();
    let person = format!("person {{ {} }}", f("Person"));
    let organisation = "organisation { name }";
    let access = "viewerAccess { actions classes { dataClass decision writable } }";
    format!(
        "query($id: ID!) {{ child(id: $id) {{ {} {access}
            householdDivision {{ name }} residenceDivision {{ name }} acceptingDivision {{ name }}
            school {{ name }} institution {{ name }} director {{ displayName }} mergedInto {{ id }} createdBy {{ displayName }} updatedBy {{ displayName }}
            guardianships {{ totalCount nodes {{ {} {person} {organisation} }} }}
            benefits {{ totalCount nodes {{ {} programme {{ name }} }} }}
            interventions {{ totalCount nodes {{ {} {organisation} }} }}
            visits {{ totalCount nodes {{ {} worker {{ displayName }} }} }}
        }} }}",
        f("Child"),
        f("Guardianship"),
        f("Benefit"),
        f("Intervention"),
        f("Visit"),
    )
}

/// The fields of a type that are values.
async fn own_fields(viewer: &Viewer<'_>, type_name: &str) -> String {
    const TYPE: &str = "query($name: String!) { __type(name: $name) { fields { name type { kind ofType { kind ofType { kind ofType { kind } } } } } } }";
    let found = viewer.ask(TYPE, json!({ "name": type_name })).await;
    let kind = |mut of: &Value| {
        while of["ofType"].is_object() {
            of = &of["ofType"];
        }
        of["kind"].as_str().unwrap().to_owned()
    };
    let fields = found["__type"]["fields"].as_array().unwrap();
    let values: Vec<&str> = fields.iter().filter(|f| matches!(kind(&f["type"]).as_str(), "SCALAR" | "ENUM")).map(|f| f["name"].as_str().unwrap()).collect();
    assert!(!values.is_empty(), "{type_name} has no values");
    values.join(" ")
}

/// Where, which code, which class of data.
fn line(error: &Value) -> String {
    let path: Vec<String> = error["path"].as_array().into_iter().flatten().map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned)).collect();
    let extensions = &error["extensions"];
    assert!(extensions["requestId"].is_string(), "{error}");
    format!("{} {} {}", path.join("."), extensions["code"].as_str().unwrap_or("?"), extensions["dataClass"].as_str().unwrap_or(""))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Takes out what differs from day to day: dates, times, ids that are not fixed, numbers drawn or made of dates.
fn steady(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(steady),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), &mut *value) {
                    ("identityNumber" | "phone", Value::String(text)) => *text = text.chars().map(|c| if c.is_ascii_digit() || c == 'X' { '0' } else { c }).collect(),
                    ("fileNumber", Value::String(text)) => *text = format!("{}…", &text[..7]),
                    ("monthlyAmount", Value::Number(_)) => *value = json!("[fen]"),
                    _ => steady(value),
                }
            }
        }
        Value::String(text) if text.parse::<chrono::NaiveDate>().is_ok() => *text = "[date]".into(),
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => *text = "[time]".into(),
        Value::String(text) => {
            if let Some((type_name, id)) = text.split_once(':')
                && uuid::Uuid::parse_str(id).is_ok()
                && !id.starts_with("01930000-0000-7000-8000-")
            {
                *text = format!("{type_name}:[id]");
            }
        }
        _ => {}
    }
}
