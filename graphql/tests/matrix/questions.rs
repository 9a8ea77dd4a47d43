//! Filters, searches, orders and statistics: a question may tell no more than the fields it looks at.

use super::check::{Answer, Report, Walker};
use super::document::{List, OLD, SDL, base, is_list, node_type};
use super::oracle::Rules;
use super::world::{Stage, Viewer};
use entity::DataClass;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The columns that filter fields, orders and searches look at, where their name does not say it. A table before the
/// column where it is another's.
const LOOKS_AT: &[(&str, &[&str])] = &[
    ("division", &["household_division", "residence_division", "accepting_division"]),
    ("states", &["state"]),
    ("categories", &["main_category"]),
    ("riskLevels", &["risk_level"]),
    ("bornFrom", &["birth_date"]),
    ("bornTo", &["birth_date"]),
    ("changedSince", &["changed_at"]),
    ("name", &["name", "person.name"]),
    ("findings", &["finding"]),
    ("kinds", &["kind"]),
    ("endsBefore", &["valid_to"]),
    ("unreviewed", &["review_outcome"]),
    ("DIVISION", &["household_division"]),
];

fn snake(name: &str) -> String {
    if name.chars().all(|c| !c.is_lowercase()) {
        return name.to_lowercase();
    }
    name.chars().flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] }).collect()
}

/// The classes that a question about `name` looks at.
fn looks_at(table: &'static entity::Table, name: &str) -> Vec<DataClass> {
    let own = snake(name);
    let columns: Vec<&str> = LOOKS_AT.iter().find(|(known, _)| *known == name).map_or_else(|| vec![own.as_str()], |(_, columns)| columns.to_vec());
    let class = |column: &str| {
        let (of, column) = match column.split_once('.') {
            Some((of, column)) => (entity::tables::TABLES.iter().copied().find(|t| t.name == of).expect("a table"), column),
            None => (table, column),
        };
        // Where a time filter is meant that bears the list's own order, the list's class covers it.
        of.column(column).map(|at| of.columns[at].class)
    };
    columns.into_iter().filter_map(class).collect()
}

pub struct Question {
    pub key: String,
    pub channel: &'static str,
    pub field: String,
    pub list: &'static str,
    pub needs: Vec<DataClass>,
    /// The arguments beside the page.
    pub argument: String,
}

impl Question {
    /// By what it asks, so that it is found again.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.channel, self.list, self.argument).trim_end().to_owned()
    }

    fn text(&self, after: Option<&str>) -> String {
        let from = after.map(|cursor| format!(", after: {cursor:?}")).unwrap_or_default();
        let argument = if self.argument.is_empty() { String::new() } else { format!(", {}", self.argument) };
        format!("{}: {}(first: 100{from}{argument}) {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} ", self.key, self.list)
    }
}

/// Values to ask a filter for: those the truth has.
fn values(stage: &Stage, list: &str, name: &str, ty: &str, many: bool) -> Vec<String> {
    let child = &stage.ids["Child"][6];
    let of = |key: &str| stage.truth.of(child, key).as_str().unwrap_or_default().to_owned();
    let quoted = |text: String| format!("{text:?}");
    if let Some(all) = SDL.enums.get(ty) {
        return match many {
            true => [0, 1].map(|from| format!("[{}]", all.iter().skip(from).step_by(2).cloned().collect::<Vec<_>>().join(", "))).to_vec(),
            false => all.iter().take(3).cloned().collect(),
        };
    }
    match name {
        "division" | "householdDivision" | "residenceDivision" => vec![quoted("520324".into()), quoted("110101".into())],
        "role" => vec![quoted("county-officer".into())],
        "endsBefore" => vec![quoted("2027-06-01T00:00:00Z".into())],
        "unreviewed" => vec!["true".into()],
        "bornFrom" | "bornTo" => vec![quoted("2014-01-01".into())],
        "changedSince" | "since" | "until" => vec![quoted("2026-06-01T00:00:00Z".into())],
        "directorId" => vec![quoted(format!("Account:{}", domain::demo::VILLAGE_DIRECTOR))],
        "accountId" | "subjectId" => vec![quoted(format!("Account:{}", domain::demo::VILLAGE_DIRECTOR))],
        "childId" => vec![quoted(child.clone())],
        "fileNumber" => vec![quoted(of("Child_fileNumber"))],
        "name" => vec![quoted(of("Child_name")), quoted(of("Child_name").chars().take(1).collect())],
        "identityNumber" => stage.ids["Child"].iter().filter_map(|id| stage.truth.of(id, "Child_identityNumber").as_str()).take(3).map(|n| quoted(n.to_owned())).collect(),
        _ => panic!("what to ask {list} for by {name}? give it a value here"),
    }
}

/// Every filter field and every order of every list at the root.
pub fn questions(stage: &Stage) -> Vec<Question> {
    let mut all = Vec::new();
    for root in &SDL.objects["Query"] {
        let Some(object) = node_type(base(&root.ty)) else { continue };
        if object.table.family == entity::Family::Reference {
            continue;
        }
        let list: &'static str = Box::leak(root.name.clone().into_boxed_str());
        let mut ask = |channel, name: &str, argument: String, mut needs: Vec<DataClass>, ordered: bool| {
            if !ordered {
                needs.extend(super::check::list_needs(object.table));
            }
            needs.extend(super::check::row_needs(object.table));
            needs.sort_unstable();
            needs.dedup();
            all.push(Question { key: format!("q{}", all.len()), channel, field: format!("{}.{name}", object.name), list, needs, argument });
        };
        for (argument, ty, _) in &root.arguments {
            let Some(fields) = SDL.inputs.get(base(ty)) else { continue };
            if argument == "orderBy" {
                for value in &SDL.enums["ChildOrderField"] {
                    for direction in ["ASC", "DESC"] {
                        ask("order", value, format!("orderBy: {{ field: {value}, direction: {direction} }}"), looks_at(object.table, value), true);
                    }
                }
                continue;
            }
            for (name, ty, _) in fields {
                let mut needs = looks_at(object.table, name);
                if needs.is_empty() {
                    needs = super::check::list_needs(object.table);
                }
                let channel = if matches!(name.as_str(), "name" | "identityNumber") { "search" } else { "filter" };
                for value in values(stage, list, name, base(ty), is_list(ty)) {
                    let old = if object.table.family == entity::Family::Audit && name != "until" { OLD } else { "" };
                    ask(channel, name, format!("{argument}: {{ {name}: {value} {old} }}"), needs.clone(), false);
                }
                if object.table.family == entity::Family::Child {
                    // Ordered by another class than its own, so that each need stands for itself.
                    for value in values(stage, list, name, base(ty), is_list(ty)) {
                        let mut both = needs.clone();
                        both.extend(looks_at(object.table, "BIRTH_DATE"));
                        ask(channel, name, format!("{argument}: {{ {name}: {value} }}, orderBy: {{ field: BIRTH_DATE, direction: ASC }}"), both, true);
                    }
                }
            }
        }
    }
    all
}

pub fn document(questions: &[Question]) -> String {
    format!("{{ {} }}", questions.iter().map(|q| q.text(None)).collect::<String>())
}

/// The answers of one who sees all, by key, to the last page.
pub type Known = BTreeMap<String, Vec<String>>;

pub async fn known(stage: &mut Stage, questions: &[Question]) -> Known {
    let mut known = Known::new();
    let see_all = stage.see_all.clone();
    for question in questions {
        let ids: &mut Vec<String> = known.entry(question.key.clone()).or_default();
        let mut after: Option<String> = None;
        loop {
            let answer = stage.world.ask(&see_all, &format!("{{ {} }}", question.text(after.as_deref())), json!({})).await;
            let page = &answer["data"][&question.key];
            assert!(page["nodes"].is_array(), "{answer:.500}");
            ids.extend(page["nodes"].as_array().into_iter().flatten().filter_map(|n| n["id"].as_str().map(str::to_owned)));
            if page["pageInfo"]["hasNextPage"] != true {
                break;
            }
            after = page["pageInfo"]["endCursor"].as_str().map(str::to_owned);
        }
    }
    known
}

/// The lists as they are, without a question.
pub fn plain(lists: &[List]) -> Vec<Question> {
    let plain = lists.iter().map(|List { name, object, .. }| Question {
        key: format!("list_{name}"),
        channel: "list",
        field: format!("{}.id", object.name),
        list: Box::leak(name.clone().into_boxed_str()),
        needs: super::check::list_needs(object.table),
        argument: if object.table.family == entity::Family::Audit { format!("filter: {{ {OLD} }}") } else { String::new() },
    });
    plain.collect()
}

pub fn check(walker: &mut Walker<'_>, questions: &[Question], known: &Known) {
    for question in questions {
        walker.channel = question.channel;
        walker.cell(&question.field);
        let key = &question.key;
        let found = walker.answer.data[key].clone();
        if question.list == "children" && walker.judge.refuses(&question.needs) {
            let code = walker.answer.error(key).map(|e| e["extensions"]["code"].clone());
            if !found.is_null() || code != Some("FORBIDDEN".into()) {
                walker.wrong(key, format!("{} should be refused, is {found:.80} with {code:?}", question.field));
            }
            continue;
        }
        let expected: Vec<(String, _)> = known[key].iter().filter_map(|id| walker.may(id, &question.needs).map(|may| (id.clone(), may))).collect();
        walker.rows(&found["nodes"], &expected[..expected.len().min(100)], &format!("{key} {}", question.text(None)));
        walker.channel = "count";
        walker.cell(&question.field);
        if found["totalCount"] != expected.len() {
            walker.wrong(key, format!("{} should count {}, counts {}", question.text(None), expected.len(), found["totalCount"]));
        }
        if found["pageInfo"]["hasNextPage"] != (expected.len() > 100) {
            walker.wrong(key, "tells of more, or of no more");
        }
    }
}

/// Counts by category and risk, made here from the children themselves.
pub async fn statistics(stage: &Stage, viewer: &Viewer, role: &str, rules: &Rules, report: &mut Report) {
    let codes = ["000000000000", "520000000000", "520324000000", "520324202000", "520324202201", "110101000000"];
    let mut text = "{ ".to_owned();
    for code in codes {
        text += &format!("s{code}: childStatistics(divisionCode: \"{code}\") {{ category riskLevel count }} ");
    }
    let answer = Answer::of(stage.world.ask(&viewer.actor, &(text + "}"), json!({})).await);
    let account = viewer.account();
    let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "statistics", answer, report };
    for code in codes {
        let key = format!("s{code}");
        walker.cell("StatisticsCell.count");
        let found = walker.answer.data[&key].clone();
        let Some(least) = walker.judge.statistics(code) else {
            if walker.answer.error(&key).is_none_or(|e| e["extensions"]["code"] != "FORBIDDEN") || !found.is_null() {
                walker.wrong(&key, format!("should be refused, is {found:.80}"));
            }
            continue;
        };
        let prefix = code.trim_end_matches('0');
        let mut cells: BTreeMap<(String, String), i64> = BTreeMap::new();
        for child in &stage.children {
            let of = |key: &str| stage.truth.of(&child.id, key).as_str().unwrap_or_default().to_owned();
            let open = ["ACTIVE", "REOPENED", "TRANSFERRING"].contains(&of("Child_state").as_str());
            if open && child.household.as_deref().is_some_and(|c| c.starts_with(prefix)) {
                *cells.entry((of("Child_mainCategory"), of("Child_riskLevel"))).or_default() += 1;
            }
        }
        let mut counted = BTreeMap::new();
        for cell in found.as_array().into_iter().flatten() {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            counted.insert((text(&cell["category"]), text(&cell["riskLevel"])), cell["count"].as_i64());
        }
        let expected: BTreeMap<_, _> = cells.into_iter().map(|(cell, n)| (cell, (n >= least).then_some(n))).collect();
        if counted != expected {
            walker.wrong(&key, format!("should be {expected:?}, is {counted:?}"));
        }
    }
    walker.end();
}
