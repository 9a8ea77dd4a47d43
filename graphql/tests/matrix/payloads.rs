//! What a mutation answers with, and what a subscription brings: the row as it is then, as far as its viewer sees it.

use super::Matrix;
use super::check::{Answer, Report, Walker};
use super::document::{self, SDL, base};
use super::inputs;
use super::oracle::Keys;
use futures_util::StreamExt;
use graphql::Request;
use graphql::fields::OBJECTS;
use serde_json::{Value, json};

/// Every mutation as every role that may use it, really carried out. Comes last: it changes what the others looked at.
/// Gives the mutations that were done by somebody.
pub async fn check(matrix: &mut Matrix, report: &mut Report) -> std::collections::BTreeSet<String> {
    let mut done = std::collections::BTreeSet::new();
    let acting = |label: &str| label.ends_with(", county") || label.starts_with("without-");
    for at in (0..matrix.count()).filter(|at| acting(&matrix.every(*at).1.label)).collect::<Vec<_>>() {
        for mutation in inputs::mutations() {
            let payload = format!("{}{}Payload", mutation.name[..1].to_uppercase(), &mutation.name[1..]);
            let Some(fields) = SDL.objects.get(&payload) else { continue };
            let objects: Vec<(&str, &'static graphql::fields::ObjectType)> =
                fields.iter().filter_map(|f| OBJECTS.get(base(&f.ty)).map(|object| (f.name.as_str(), *object))).collect();
            let selection: String = objects.iter().map(|(name, object)| format!("{name} {{ {} }} ", document::whole(object))).collect();
            let text = format!("mutation($input: {}!) {{ {}(input: $input) {{ {selection} userErrors {{ code field }} }} }}", mutation.input, mutation.name);
            let child = matrix.stage.ids["Child"][6 + at % 4].clone();
            // Of some types this world has no row: their mutations are driven in journeys.
            let Some(target) = (if inputs::of_child(&mutation) { Some(child.clone()) } else { matrix.stage.ids[mutation.target.name].first().cloned() }) else { continue };
            let mut input = inputs::input(&matrix.stage, &mutation, &target, &[]);
            input.remove("id");
            if input.contains_key("expectedVersion") {
                let named = input.values().filter_map(Value::as_str).find(|id| id.starts_with(&format!("{}:", mutation.target.name))).unwrap_or(&target).to_owned();
                input.insert("expectedVersion".into(), matrix.stage.truth.of(&named, &format!("{}_version", mutation.target.name)).clone());
            }
            let answer = matrix.stage.world.ask(&matrix.every(at).1.actor, &text, json!({ "input": input })).await;
            if answer["data"][&mutation.name]["userErrors"] != json!([]) {
                continue;
            }
            done.insert(mutation.name.clone());
            let see_all = matrix.stage.see_all.clone();
            for (name, object) in &objects {
                let Some(id) = answer["data"][&mutation.name][name]["id"].as_str() else { continue };
                if let Some(facts) = matrix.stage.keys[&target].children.first().cloned() {
                    matrix.stage.keys.entry(id.to_owned()).or_insert(Keys { children: vec![facts], ..Keys::default() });
                }
                matrix.stage.tell(&see_all, &document::by_id(object.name), json!({ "ids": [id] })).await;
            }
            let (role, viewer, rules) = matrix.every(at);
            let account = viewer.account();
            let mut walker = Walker { stage: &matrix.stage, viewer, judge: viewer.judge(rules, &account), role, channel: "mutation payload", answer: Answer::of(answer), report: &mut *report };
            for (name, _) in &objects {
                let found = walker.answer.data[&mutation.name][name].clone();
                let path = format!("{}/{name}", mutation.name);
                if let Some(id) = found["id"].as_str() {
                    match walker.may(id, &super::check::row_needs(OBJECTS[id.split(':').next().unwrap_or_default()].table)) {
                        Some(may) => walker.object(&found, &may, &path),
                        None => walker.wrong(&path, "a row out of reach came back"),
                    }
                }
            }
            walker.end();
        }
    }
    done
}

/// The first event of a subscription to a child, seen or hidden. Only as one who has an account: grants are read anew.
pub async fn first_event(matrix: &Matrix, at: usize, report: &mut Report) {
    let (role, viewer, rules) = matrix.every(at);
    if viewer.own.is_some() {
        return;
    }
    let account = viewer.account();
    for child in &matrix.stage.ids["Child"][2..5] {
        let query = format!("subscription {{ childChanged(childId: {child:?}) {{ {} }} }}", document::whole(OBJECTS["Child"]));
        let Ok(prepared) = matrix.stage.world.schema.prepare(Request { query, ..Request::default() }) else { continue };
        let Some(event) = matrix.stage.world.schema.subscribe(prepared, viewer.actor.clone()).next().await else { continue };
        let answer = Answer::of(serde_json::to_value(event).expect("JSON"));
        let mut walker = Walker { stage: &matrix.stage, viewer, judge: viewer.judge(rules, &account), role, channel: "subscription", answer, report: &mut *report };
        let found = walker.answer.data["childChanged"].clone();
        match walker.may(child, &[]) {
            None if found.is_null() => {}
            Some(may) if found["id"] == **child => walker.object(&found, &may, "childChanged"),
            may => walker.wrong("childChanged", format!("{child} should be {}", if may.is_some() { "there" } else { "absent" })),
        }
        walker.end();
    }
}
