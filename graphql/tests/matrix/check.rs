//! Walks an answer beside the truth and tells where it shows other than the policy says.

use super::oracle::{Judge, May, Told, masked};
use super::world::{Stage, Viewer};
use entity::{DataClass, Family};
use graphql::fields::{self, OBJECTS, ObjectType, Source};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the matrix found.
#[derive(Default)]
pub struct Report {
    /// role, channel, field.
    pub cells: BTreeSet<(String, &'static str, String)>,
    pub checked: usize,
    /// Fields that were once shown, once masked, once denied: no channel may be without.
    pub told: BTreeMap<Told, usize>,
    pub shown: BTreeSet<String>,
    /// By role and mutation, what came of it.
    pub acts: BTreeMap<(String, &'static str), BTreeSet<String>>,
    pub wrong: Vec<String>,
}

pub struct Answer {
    pub data: Value,
    errors: BTreeMap<String, Value>,
}

impl Answer {
    pub fn of(mut answer: Value) -> Answer {
        let mut errors = BTreeMap::new();
        for error in answer["errors"].as_array().into_iter().flatten() {
            let path: Vec<String> = error["path"].as_array().into_iter().flatten().map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned)).collect();
            errors.insert(path.join("/"), error.clone());
        }
        Answer { data: answer["data"].take(), errors }
    }
    /// The error at a path, once.
    pub fn error(&mut self, path: &str) -> Option<Value> {
        self.errors.remove(path)
    }
}

pub struct Walker<'w> {
    pub stage: &'w Stage,
    pub viewer: &'w Viewer,
    pub judge: Judge<'w>,
    pub role: &'w str,
    pub channel: &'static str,
    pub answer: Answer,
    pub report: &'w mut Report,
}

impl Walker<'_> {
    pub fn wrong(&mut self, path: &str, what: impl std::fmt::Display) {
        if self.report.wrong.len() < 200 {
            self.report.wrong.push(format!("{} for {}: {} {path}: {what}", self.viewer.label, self.viewer.actor.purpose, self.channel));
        } else {
            self.report.wrong.push(String::new());
        }
    }

    pub fn cell(&mut self, field: &str) {
        self.report.cells.insert((self.role.to_owned(), self.channel, field.to_owned()));
        self.report.checked += 1;
    }

    /// What the viewer may do with an object that it comes to by itself.
    pub fn may(&self, id: &str, needs: &[DataClass]) -> Option<May> {
        let object = OBJECTS[id.split(':').next().unwrap_or_default()];
        let nothing = super::oracle::Keys::default();
        self.judge.row(object.table, self.stage.keys.get(id).unwrap_or(&nothing), needs)
    }

    fn refused(&mut self, value: &Value, path: &str, class: DataClass) {
        let error = self.answer.error(path);
        let code = error.as_ref().map(|e| (e["extensions"]["code"].clone(), e["extensions"]["dataClass"].clone()));
        if !value.is_null() || code != Some(("FORBIDDEN".into(), class.name().into())) {
            self.wrong(path, format!("should be denied for {}, is {value:.80} with {code:?}", class.name()));
        }
    }

    fn quiet(&mut self, path: &str) {
        if let Some(error) = self.answer.error(path) {
            self.wrong(path, format!("should have no error, has {}", error["extensions"]));
        }
    }

    /// One object, all that was selected of it.
    pub fn object(&mut self, value: &Value, may: &May, path: &str) {
        let Some(id) = value["id"].as_str().map(str::to_owned) else { return self.wrong(path, "an object without an id") };
        let object = OBJECTS[id.split(':').next().unwrap_or_default()];
        for (key, value) in value.as_object().into_iter().flatten() {
            let Some(name) = key.strip_prefix(&format!("{}_", object.name)) else { continue };
            let here = format!("{path}/{key}");
            self.cell(&format!("{}.{name}", object.name));
            if name == "viewerAccess" {
                self.viewer_access(value, may, &here);
                continue;
            }
            let Some(field) = fields::field(object.name, name) else { continue };
            match field.source {
                Source::Columns(columns) => self.value(object, columns, value, &id, key, may, &here),
                _ => self.link(object, field, value, &id, key, may, &here),
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn value(&mut self, object: &ObjectType, columns: &[&str], value: &Value, id: &str, key: &str, may: &May, path: &str) {
        let truth = self.stage.truth.of(id, key).clone();
        let mut classes: Vec<DataClass> = columns.iter().filter_map(|c| object.table.column(c)).map(|at| object.table.columns[at].class).collect();
        classes.sort_by_key(|class| may.of(*class));
        let class = classes[0];
        let sealed = object.table.column(columns[0]).is_some_and(|at| object.table.columns[at].kind == entity::Kind::Sealed);
        let told = may.of(class);
        *self.report.told.entry(told).or_default() += 1;
        match told {
            Told::Shown => {
                self.quiet(path);
                if !truth.is_null() {
                    self.report.shown.insert(format!("{}.{key}", self.channel));
                }
                if *value != truth {
                    self.wrong(path, format!("should be shown as {truth:.80}, is {value:.80}"));
                }
            }
            Told::Masked if sealed => {
                self.quiet(path);
                let expected = truth.as_str().map_or(Value::Null, |text| masked(columns[0], text).into());
                if *value != expected {
                    self.wrong(path, format!("should be masked as {expected:.80}, is {value:.80}"));
                }
            }
            Told::Masked | Told::Denied => self.refused(value, path, class),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn link(&mut self, object: &ObjectType, field: &graphql::fields::Field, value: &Value, id: &str, key: &str, may: &May, path: &str) {
        let Some(link) = field.link(object.table) else { return };
        if may.of(link.class) != Told::Shown {
            return self.refused(value, path, link.class);
        }
        self.quiet(path);
        let truth = self.stage.truth.of(id, key).clone();
        let many = !matches!(field.source, Source::One(_));
        let came = self.channel;
        self.channel = if many { "nested list" } else { "link" };
        if !many {
            let target = truth["id"].as_str();
            // Persons and accounts are shown as far as the row that names them; all else by itself.
            let there = target.and_then(|to| match link.to.family {
                Family::Person | Family::Account => Some(may.clone()),
                _ => self.may(to, &row_needs(link.to)),
            });
            match (there, value.is_null()) {
                (None, true) => {}
                (Some(there), false) if value["id"] == truth["id"] => self.object(value, &there, path),
                (there, _) => self.wrong(path, format!("should be {}, is {:.80}", if there.is_some() { truth["id"].to_string() } else { "absent".into() }, value.to_string())),
            }
        } else {
            let whole = if truth.is_array() { &truth } else { &truth["nodes"] };
            let mut expected: Vec<(String, May)> = Vec::new();
            for one in whole.as_array().into_iter().flatten() {
                let Some(to) = one["id"].as_str() else { continue };
                let there = match link.from.family {
                    // What hangs on it is decided as it is.
                    Family::Child | Family::Account | Family::Import => Some(may.clone()),
                    _ => self.may(to, &[link.class]),
                };
                expected.extend(there.map(|there| (to.to_owned(), there)));
            }
            if value.is_array() {
                self.rows(value, &expected, path);
            } else {
                self.rows(&value["nodes"], &expected, &format!("{path}/nodes"));
                let ids: Vec<&str> = value["edges"].as_array().into_iter().flatten().filter_map(|e| e["node"]["id"].as_str()).collect();
                if ids != expected.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>() {
                    self.wrong(path, "its edges are not its nodes");
                }
                let total = if link.to.family == Family::Reference { truth["totalCount"].clone() } else { expected.len().into() };
                self.channel = "count";
                self.cell(&format!("{}.{}", object.name, key));
                if value["totalCount"] != total {
                    self.wrong(path, format!("should count {total}, counts {}", value["totalCount"]));
                }
            }
        }
        self.channel = came;
    }

    /// A list of objects: these and no other, in this order.
    pub fn rows(&mut self, value: &Value, expected: &[(String, May)], path: &str) {
        let found: Vec<&str> = value.as_array().into_iter().flatten().map(|one| one["id"].as_str().unwrap_or_default()).collect();
        if found != expected.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>() {
            let extra: Vec<&&str> = found.iter().filter(|id| !expected.iter().any(|(e, _)| e == *id)).collect();
            return self.wrong(path, format!("should have {} rows, has {}; not to be there: {extra:?}", expected.len(), found.len()));
        }
        for (at, one) in value.as_array().into_iter().flatten().enumerate() {
            self.object(one, &expected[at].1, &format!("{path}/{at}"));
        }
    }

    fn viewer_access(&mut self, value: &Value, may: &May, path: &str) {
        let actions: BTreeSet<String> = value["actions"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(str::to_owned)).collect();
        if actions != may.actions {
            self.wrong(path, format!("actions {actions:?}, should be {:?}", may.actions));
        }
        for one in value["classes"].as_array().into_iter().flatten() {
            let Some(class) = one["dataClass"].as_str().and_then(DataClass::parse) else { continue };
            let decision = match may.of(class) {
                Told::Shown => "SHOWN",
                Told::Masked => "MASKED",
                Told::Denied => "DENIED",
            };
            let writable = may.write.contains(class.name());
            if one["decision"] != decision || one["writable"] != writable {
                self.wrong(path, format!("{}: {one}, should be {decision}, writable {writable}", class.name()));
            }
        }
    }

    /// Every error must have been called for.
    pub fn end(mut self) {
        let left: Vec<String> = self.answer.errors.iter().map(|(path, error)| format!("{path}: {}", error["extensions"])).collect();
        for one in left.into_iter().take(3) {
            self.wrong("", format!("an error that nothing calls for: {one}"));
        }
    }
}

/// What a row tells by being there: that it belongs to a child of that link, or that a person is related.
pub fn row_needs(table: &entity::Table) -> Vec<DataClass> {
    match table.family {
        Family::OfChild => domain::read::links::LINKS.iter().filter(|l| l.from.family == Family::Child && l.to.name == table.name).map(|l| l.class).collect(),
        _ => Vec::new(),
    }
}

/// What a list at the root is ordered by and tells of.
pub fn list_needs(table: &entity::Table) -> Vec<DataClass> {
    match table.family {
        Family::Account if table.name != "account" => vec![DataClass::Account],
        Family::Access => vec![DataClass::Access],
        Family::Child | Family::Account | Family::Import => vec![DataClass::Registry],
        Family::Audit => vec![DataClass::Audit],
        Family::Alert => vec![DataClass::Alert],
        _ => row_needs(table),
    }
}
