//! From a selection set to what the read seam is asked for.

use crate::fields::{self, ObjectType, Source};
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Context, Name, Value};
use domain::read::{LinkWant, PageArgs, Want};
use domain::{Error, Result};
use std::fmt::Write;

/// Most rows a page may have.
pub const MOST: u32 = 100;

/// Under which a link's answer is kept: the same response key may stand elsewhere in the document for another field or other arguments.
pub fn link_key(field: &Field) -> String {
    let mut key = format!("{} {}", field.response_key().node, field.name.node);
    for (name, value) in &field.arguments {
        let _ = write!(key, " {}:{}", name.node, value.node);
    }
    key
}

/// Reads selections of one operation.
pub struct Walk<'c>(&'c Context<'c>);

impl<'c> Walk<'c> {
    pub fn of(ctx: &'c Context<'c>) -> Walk<'c> {
        Walk(ctx)
    }

    /// The selection of the field being resolved, as an object of this type.
    pub fn here(&self, object: &'static ObjectType) -> Result<Want> {
        let mut sets = Vec::new();
        self.same_key(&mut sets);
        self.want(object, &sets)
    }

    /// The selection below the payload's fields of this name; None when it is not selected.
    pub fn below(&self, payload: &str, name: &str, object: &'static ObjectType) -> Result<Option<Want>> {
        let mut outer = Vec::new();
        self.same_key(&mut outer);
        let mut inner = Vec::new();
        for set in outer {
            self.collect(set, payload, &mut inner);
        }
        let sets: Vec<&SelectionSet> =
            inner.into_iter().filter(|f| f.name.node == name).map(|f| &f.selection_set.node).collect();
        if sets.is_empty() { Ok(None) } else { self.want(object, &sets).map(Some) }
    }

    /// The page asked for by the connection being resolved, with the selection of its nodes.
    pub fn connection(&self, object: &'static ObjectType, args: PageArgs) -> Result<(Want, PageArgs)> {
        let mut sets = Vec::new();
        self.same_key(&mut sets);
        self.page(object, &sets, args)
    }

    /// A response key may be selected more than once at the root: every occurrence counts.
    fn same_key(&self, sets: &mut Vec<&'c SelectionSet>) {
        sets.push(&self.0.item.node.selection_set.node);
        let key = &self.0.item.node.response_key().node;
        let root = &self.0.query_env.operation.node.selection_set.node;
        let mut fields = Vec::new();
        self.collect(root, "", &mut fields);
        for field in fields {
            if &field.response_key().node == key && field.name.node == self.0.item.node.name.node {
                sets.push(&field.selection_set.node);
            }
        }
    }

    /// Fields of a set that apply to a type, fragments resolved. An empty type name takes any.
    fn collect(&self, set: &'c SelectionSet, type_name: &str, out: &mut Vec<&'c Field>) {
        let applies = |condition: &Name| type_name.is_empty() || condition == type_name || condition == "Node";
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => out.push(&field.node),
                Selection::InlineFragment(fragment) => {
                    if fragment.node.type_condition.as_ref().is_none_or(|c| applies(&c.node.on.node)) {
                        self.collect(&fragment.node.selection_set.node, type_name, out);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.0.query_env.fragments.get(&spread.node.fragment_name.node)
                        && applies(&fragment.node.type_condition.node.on.node)
                    {
                        self.collect(&fragment.node.selection_set.node, type_name, out);
                    }
                }
            }
        }
    }

    fn want(&self, object: &'static ObjectType, sets: &[&'c SelectionSet]) -> Result<Want> {
        let mut want = Want::of(object.table);
        let mut selected = Vec::new();
        for set in sets {
            self.collect(set, object.name, &mut selected);
        }
        let mut done: Vec<String> = Vec::new();
        for field in &selected {
            let Some(spec) = fields::field(object.name, &field.name.node) else { continue };
            if let Source::Columns(columns) = spec.source {
                columns.iter().for_each(|column| want.column(column));
                continue;
            }
            let key = link_key(field);
            if done.contains(&key) {
                continue;
            }
            done.push(key.clone());
            let (Some(link), below): (_, Vec<&SelectionSet>) = (
                spec.link(object.table),
                selected.iter().filter(|f| link_key(f) == key).map(|f| &f.selection_set.node).collect(),
            ) else {
                continue;
            };
            let Some(target) = fields::OBJECTS.get(link.to.type_name).copied() else { continue };
            let (inner, page) = match spec.source {
                Source::Connection(_) => self.page(target, &below, self.page_args(field)?)?,
                _ => (self.want(target, &below)?, PageArgs::default()),
            };
            want.links.push(LinkWant { key, link, page, want: inner });
        }
        Ok(want)
    }

    fn page(&self, object: &'static ObjectType, sets: &[&'c SelectionSet], mut args: PageArgs) -> Result<(Want, PageArgs)> {
        let mut selected = Vec::new();
        for set in sets {
            self.collect(set, "", &mut selected);
        }
        let mut nodes: Vec<&SelectionSet> = Vec::new();
        args.rows = false;
        for field in &selected {
            match field.name.node.as_str() {
                "totalCount" => args.count = true,
                "nodes" => {
                    args.rows = true;
                    nodes.push(&field.selection_set.node);
                }
                "edges" => {
                    args.rows = true;
                    let mut edge = Vec::new();
                    self.collect(&field.selection_set.node, "", &mut edge);
                    nodes.extend(edge.iter().filter(|f| f.name.node == "node").map(|f| &f.selection_set.node));
                }
                "pageInfo" => args.rows = true,
                _ => {}
            }
        }
        Ok((self.want(object, &nodes)?, args))
    }

    fn page_args(&self, field: &'c Field) -> Result<PageArgs> {
        let int = |name: &'static str| match self.argument(field, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(n)) => Ok(n.as_i64()),
            Some(_) => Err(Error::bad("PAGE_SIZE", name, format!("{name} is a whole number"))),
        };
        let text = |name: &'static str| match self.argument(field, name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        PageArgs::new(int("first")?, text("after"), int("last")?, text("before"), MOST)
    }

    fn argument(&self, field: &'c Field, name: &str) -> Option<Value> {
        let value = field.get_argument(name)?;
        let env = self.0.query_env;
        value
            .node
            .clone()
            .into_const_with(|variable: Name| {
                let given = env.variables.get(&variable).cloned();
                let default = || {
                    let definition = env.operation.node.variable_definitions.iter().find(|d| d.node.name.node == variable)?;
                    definition.node.default_value.as_ref().map(|d| d.node.clone())
                };
                given.or_else(default).ok_or(())
            })
            .ok()
    }
}
