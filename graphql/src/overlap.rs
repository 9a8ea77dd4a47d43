//! Fields of one response key must mean one thing (GraphQL, 5.3.2): the executor's own rule looks at one selection set at a time.

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet};
use std::collections::BTreeMap;

/// The one interface of the schema: a fragment on it applies to every object.
const INTERFACE: &str = "Node";
/// No document within the limits goes so deep or so far; only fragments in a cycle do, which validation names.
const DEEPEST: usize = 64;
const MOST_STEPS: u32 = 100_000;

/// A field with the object type that a fragment narrows it to.
type Selected<'d> = (Option<&'d Name>, &'d Field);

struct Overlap<'d> {
    document: &'d ExecutableDocument,
    steps: u32,
}

/// A response key that stands for two things, or for a mutation that would be carried out twice.
pub fn conflict(document: &ExecutableDocument, operation: &OperationDefinition) -> Option<String> {
    let mut overlap = Overlap { document, steps: 0 };
    let root = &operation.selection_set.node;
    if operation.ty == OperationType::Mutation {
        let mut fields = Vec::new();
        overlap.collect(root, None, &mut Vec::new(), &mut fields);
        let mut keys: Vec<&Name> = fields.iter().map(|(_, field)| &field.response_key().node).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Some(pair[0].to_string());
        }
    }
    overlap.sets(vec![root], 0)
}

/// The fields at the root, each once, as written: what an operation does, whatever its caller named it.
pub fn root_fields(document: &ExecutableDocument, operation: &OperationDefinition) -> String {
    at_root(document, operation, |field| &field.name.node).join(",")
}

/// The keys of an answer, in the order in which they were selected.
pub fn root_keys(document: &ExecutableDocument, operation: &OperationDefinition) -> Vec<String> {
    at_root(document, operation, |field| &field.response_key().node).into_iter().map(str::to_owned).collect()
}

fn at_root<'d>(document: &'d ExecutableDocument, operation: &'d OperationDefinition, name: impl Fn(&'d Field) -> &'d Name) -> Vec<&'d str> {
    let mut fields = Vec::new();
    Overlap { document, steps: 0 }.collect(&operation.selection_set.node, None, &mut Vec::new(), &mut fields);
    let mut names: Vec<&str> = Vec::new();
    for (_, field) in fields {
        let name = name(field).as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn meaning(field: &Field) -> String {
    let mut arguments: Vec<String> = field.arguments.iter().map(|(name, value)| format!(" {}:{}", name.node, value.node)).collect();
    arguments.sort_unstable();
    format!("{}{}", field.name.node, arguments.concat())
}

impl<'d> Overlap<'d> {
    fn sets(&mut self, sets: Vec<&'d SelectionSet>, depth: usize) -> Option<String> {
        let (mut fields, mut seen) = (Vec::new(), Vec::new());
        for set in sets {
            self.collect(set, None, &mut seen, &mut fields);
        }
        let mut groups: BTreeMap<&str, Vec<Selected<'d>>> = BTreeMap::new();
        for one in fields {
            groups.entry(one.1.response_key().node.as_str()).or_default().push(one);
        }
        for (key, group) in groups {
            let mut meanings: BTreeMap<Option<&Name>, String> = BTreeMap::new();
            for (on, field) in &group {
                let one = meaning(field);
                if meanings.get(on).is_some_and(|other| *other != one) {
                    return Some(key.to_owned());
                }
                meanings.insert(*on, one);
            }
            // Narrowed to two object types, fields never meet; one that is not narrowed meets them all.
            if let Some(any) = meanings.get(&None)
                && meanings.values().any(|other| other != any)
            {
                return Some(key.to_owned());
            }
            if depth >= DEEPEST || self.steps > MOST_STEPS {
                return None;
            }
            let narrowed = meanings.len() > 1;
            for on in meanings.keys().filter(|on| on.is_some() || !narrowed) {
                let meets = group.iter().filter(|(other, _)| other.is_none() || other == on);
                let below = meets.map(|(_, field)| &field.selection_set.node).filter(|set| !set.items.is_empty()).collect();
                if let Some(key) = self.sets(below, depth + 1) {
                    return Some(key);
                }
            }
        }
        None
    }

    fn collect(&mut self, set: &'d SelectionSet, on: Option<&'d Name>, seen: &mut Vec<&'d Name>, out: &mut Vec<Selected<'d>>) {
        let narrowed = |to: &'d Name| if to == INTERFACE { on } else { Some(to) };
        for item in &set.items {
            self.steps += 1;
            match &item.node {
                Selection::Field(field) => out.push((on, &field.node)),
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map_or(on, |condition| narrowed(&condition.node.on.node));
                    self.collect(&fragment.node.selection_set.node, on, seen, out);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if !seen.contains(&name)
                        && let Some(fragment) = self.document.fragments.get(name)
                    {
                        seen.push(name);
                        self.collect(&fragment.node.selection_set.node, narrowed(&fragment.node.type_condition.node.on.node), seen, out);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn found(text: &str) -> Option<String> {
        let document = parse_query(text).expect("parses");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        conflict(&document, &operation.node)
    }

    #[test]
    fn one_key_means_one_thing() {
        for (text, key) in [
            ("{ a { x: b } a { x: c } }", "x"),
            ("{ a { x: b(n: 1) } ...F } fragment F on Query { a { x: b(n: 2) } }", "x"),
            ("{ node { x: id ... on Child { x: name } } }", "x"),
            ("{ a b: a { c } b: d { c } }", "b"),
            ("mutation { a { b } a { c } }", "a"),
            ("mutation { a { b } ...F } fragment F on Mutation { a { c } }", "a"),
        ] {
            assert_eq!(found(text).as_deref(), Some(key), "{text}");
        }
        for text in [
            "{ a { x: b } a { x: b y: c } }",
            "{ a(m: 1, n: 2) { b } a(n: 2, m: 1) { c } }",
            "{ node { ... on Child { x: name } ... on Visit { x: kind } } }",
            "{ a: b { x: c } d: b { x: e } }",
            "mutation { a { b } c: a { b } }",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn an_operation_is_what_it_does() {
        let document = parse_query("query ping { a { b } x: a { c } ...F } fragment F on Query { d }").expect("parses");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        assert_eq!(root_fields(&document, &operation.node), "a,d");
    }

    #[test]
    fn a_cycle_ends() {
        assert_eq!(found("{ ...F } fragment F on Q { a { ...F } b { ...F } c { ...F } d { ...F } }"), None);
    }
}
