//! What a document may cost, found out before anything runs.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};
use std::collections::HashMap;

#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    pub tokens: usize,
    pub depth: usize,
    pub aliases: usize,
    pub root_fields: usize,
    pub directives: usize,
    pub fragments: usize,
    pub operations: usize,
    /// Each field costs one, times the rows of the pages above it.
    pub cost: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 64 << 10, tokens: 4000, depth: 16, aliases: 60, root_fields: 20, directives: 60, fragments: 60, operations: 10, cost: 50_000 }
    }
}

/// A limit that a document broke.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    pub limit: &'static str,
    pub most: u64,
}

/// How deep brackets may nest: the parser's own recursion stays far below its stack.
const BRACKETS: usize = 60;
/// How long a name or a number may be: what a misspelt name may have meant is looked for letter by letter.
const NAME: usize = 128;
/// How deep lists of fields may nest in introspection: types → fields → type → fields explodes.
const INTROSPECTION_LISTS: usize = 3;
/// Roads into introspection in one document; below them nothing is given another name, for each name is a copy of much.
const INTROSPECTION_ROOTS: u64 = 3;

impl Limits {
    /// Before parsing: bytes, tokens, names, brackets.
    pub fn check_text(&self, text: &str) -> Result<(), Broken> {
        let broken = |limit, most: usize| Err(Broken { limit, most: most as u64 });
        if text.len() > self.bytes {
            return broken("bytes", self.bytes);
        }
        let (mut tokens, mut open) = (0_usize, 0_usize);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                    at += 1;
                    continue;
                }
                b'#' => {
                    while at < bytes.len() && bytes[at] != b'\n' && bytes[at] != b'\r' {
                        at += 1;
                    }
                    continue;
                }
                b'"' => at = string_end(bytes, at),
                b'{' | b'[' | b'(' => {
                    open += 1;
                    at += 1;
                }
                b'}' | b']' | b')' => {
                    open = open.saturating_sub(1);
                    at += 1;
                }
                b if b.is_ascii_alphanumeric() || b == b'_' => {
                    let start = at;
                    while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                        at += 1;
                    }
                    if at - start > NAME {
                        return broken("name", NAME);
                    }
                }
                _ => at += 1,
            }
            tokens += 1;
            if tokens > self.tokens {
                return broken("tokens", self.tokens);
            }
            if open > BRACKETS {
                return broken("nesting", BRACKETS);
            }
        }
        Ok(())
    }

    /// After parsing: everything else, on the operation that will run. Gives its static cost.
    pub fn check_document(&self, document: &ExecutableDocument, operation: &OperationDefinition, variables: &Variables) -> Result<u64, Broken> {
        let broken = |limit, most: usize| Err(Broken { limit, most: most as u64 });
        if document.fragments.len() > self.fragments {
            return broken("fragments", self.fragments);
        }
        if let DocumentOperations::Multiple(all) = &document.operations
            && all.len() > self.operations
        {
            return broken("operations", self.operations);
        }
        let mut tally = Tally::default();
        for (_, other) in document.operations.iter() {
            tally.add(&other.node.selection_set.node);
            tally.directives += other.node.directives.len();
        }
        for fragment in document.fragments.values() {
            tally.add(&fragment.node.selection_set.node);
            tally.directives += fragment.node.directives.len();
        }
        if tally.aliases > self.aliases {
            return broken("aliases", self.aliases);
        }
        if tally.directives > self.directives {
            return broken("directives", self.directives);
        }
        let mut measure = Measure { fragments: &document.fragments, operation, variables, known: HashMap::new(), open: Vec::new() };
        let whole = measure.set(&operation.selection_set.node);
        if whole.fields > self.root_fields as u64 {
            return broken("rootFields", self.root_fields);
        }
        if whole.depth > self.depth {
            return broken("depth", self.depth);
        }
        if whole.introspection > INTROSPECTION_LISTS || whole.meta > INTROSPECTION_ROOTS {
            return broken("introspection", INTROSPECTION_LISTS);
        }
        if whole.cost > self.cost {
            return Err(Broken { limit: "cost", most: self.cost });
        }
        Ok(whole.cost)
    }
}

/// Behind the closing quotes of a string or block string.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let block = bytes[start..].starts_with(b"\"\"\"");
    let mut at = start + if block { 3 } else { 1 };
    while at < bytes.len() {
        if block && bytes[at..].starts_with(b"\\\"\"\"") {
            at += 4;
        } else if block && bytes[at..].starts_with(b"\"\"\"") {
            return at + 3;
        } else if !block && bytes[at] == b'\\' {
            at += 2;
        } else if !block && (bytes[at] == b'"' || bytes[at] == b'\n') {
            return at + 1;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[derive(Default)]
struct Tally {
    aliases: usize,
    directives: usize,
}

impl Tally {
    fn add(&mut self, set: &SelectionSet) {
        for item in &set.items {
            self.directives += item.node.directives().len();
            match &item.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    self.add(&field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => self.add(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Size {
    cost: u64,
    depth: usize,
    /// Fields at the top, through fragments.
    fields: u64,
    introspection: usize,
    /// `__schema` and `__type`, each time they are asked for.
    meta: u64,
    /// Whether anything in it has another name than its own.
    renamed: bool,
}

struct Measure<'d> {
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    operation: &'d OperationDefinition,
    variables: &'d Variables,
    /// Each fragment is measured once, however often it is spread.
    known: HashMap<&'d Name, Size>,
    open: Vec<&'d Name>,
}

impl<'d> Measure<'d> {
    fn set(&mut self, set: &'d SelectionSet) -> Size {
        let mut all = Size::default();
        for item in &set.items {
            let one = match &item.node {
                Selection::Field(field) => self.field(&field.node),
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node),
            };
            all.cost = all.cost.saturating_add(one.cost);
            all.fields = all.fields.saturating_add(one.fields);
            all.depth = all.depth.max(one.depth);
            all.introspection = all.introspection.max(one.introspection);
            all.meta = all.meta.saturating_add(one.meta);
            all.renamed |= one.renamed;
        }
        all
    }

    fn fragment(&mut self, name: &'d Name) -> Size {
        if let Some(size) = self.known.get(name) {
            return *size;
        }
        let Some(fragment) = self.fragments.get(name) else { return Size::default() };
        if self.open.contains(&name) {
            // A cycle: validation names it; here it must only end.
            return Size::default();
        }
        self.open.push(name);
        let size = self.set(&fragment.node.selection_set.node);
        self.open.pop();
        self.known.insert(name, size);
        size
    }

    fn field(&mut self, field: &'d Field) -> Size {
        let below = self.set(&field.selection_set.node);
        let name = field.name.node.as_str();
        let meta = matches!(name, "__schema" | "__type");
        let listed = below.introspection.saturating_add(usize::from(matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes")));
        Size {
            cost: 1_u64.saturating_add(below.cost.saturating_mul(self.rows(field))),
            depth: below.depth + 1,
            fields: 1,
            introspection: if meta && below.renamed { usize::MAX } else { listed },
            meta: below.meta.saturating_add(u64::from(meta)),
            renamed: below.renamed || field.alias.is_some(),
        }
    }

    /// How many rows a field may bring.
    fn rows(&self, field: &'d Field) -> u64 {
        if let Some(ids) = field.get_argument("ids") {
            return match self.value(&ids.node) {
                Some(Value::List(items)) => items.len() as u64,
                _ => 1,
            };
        }
        for argument in ["first", "last"] {
            if let Some(value) = field.get_argument(argument)
                && let Some(Value::Number(n)) = self.value(&value.node)
            {
                return n.as_u64().unwrap_or(0).clamp(1, 1000);
            }
        }
        if field.name.node == "searchDivisions" {
            return 10;
        }
        if self.is_page(&field.selection_set.node, &mut Vec::new()) { 20 } else { 1 }
    }

    /// Whether rows of a connection are selected, directly or through fragments.
    fn is_page(&self, set: &'d SelectionSet, seen: &mut Vec<&'d Name>) -> bool {
        set.items.iter().any(|item| match &item.node {
            Selection::Field(inner) => matches!(inner.node.name.node.as_str(), "edges" | "nodes"),
            Selection::InlineFragment(fragment) => self.is_page(&fragment.node.selection_set.node, seen),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if seen.contains(&name) {
                    return false;
                }
                seen.push(name);
                self.fragments.get(name).is_some_and(|fragment| self.is_page(&fragment.node.selection_set.node, seen))
            }
        })
    }

    fn value(&self, value: &async_graphql_value::Value) -> Option<Value> {
        value
            .clone()
            .into_const_with(|name: Name| {
                let default = || {
                    let definition = self.operation.variable_definitions.iter().find(|d| d.node.name.node == name)?;
                    definition.node.default_value.as_ref().map(|d| d.node.clone())
                };
                self.variables.get(&name).cloned().or_else(default).ok_or(())
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn check(text: &str) -> Result<u64, Broken> {
        let limits = Limits::default();
        limits.check_text(text)?;
        let document = parse_query(text).expect("parses");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        limits.check_document(&document, &operation.node, &Variables::default())
    }

    fn limit(text: &str) -> &'static str {
        check(text).expect_err("too much").limit
    }

    #[test]
    fn each_limit_stops_its_attack() {
        assert_eq!(limit(&"{ a }".repeat(20_000)), "bytes");
        assert_eq!(limit(&format!("{{ {} }}", "a ".repeat(5000))), "tokens");
        assert_eq!(limit(&format!("{{ {} }}", "a".repeat(129))), "name");
        assert!(check(&format!("{{ {} }}", "a".repeat(128))).is_ok());
        assert_eq!(limit(&format!("{}{}", "{a".repeat(100), "}".repeat(100))), "nesting");
        assert_eq!(limit(&format!("{}{}", "{a".repeat(20), "}".repeat(20))), "depth");
        assert_eq!(limit(&format!("{{ a {{ {} }} }}", (0..61).map(|n| format!("x{n}: b ")).collect::<String>())), "aliases");
        assert_eq!(limit(&format!("{{ {} }}", (0..21).map(|n| format!("x{n}: b ")).collect::<String>())), "rootFields");
        assert_eq!(limit(&format!("{{ a {} }}", "@include(if: true) ".repeat(61))), "directives");
        assert_eq!(limit(&format!("{{ a }} {}", (0..61).map(|n| format!("fragment f{n} on Q {{ a }} ")).collect::<String>())), "fragments");
        assert_eq!(limit(&(0..11).map(|n| format!("query q{n} {{ a }} ")).collect::<String>()), "operations");
        assert_eq!(limit("{ a(first: 100) { nodes { b(first: 100) { nodes { c d e f g } } } } }"), "cost");
        assert_eq!(limit("{ __schema { types { a: name } } }"), "introspection");
        assert_eq!(limit("{ a: __typename ...F b: __type(name: \"A\") { name } c: __type(name: \"A\") { name } d: __type(name: \"A\") { name } } fragment F on Query { __schema { queryType { name } } }"), "introspection");
        assert!(check("{ __schema { types { name fields { name args { name } } } } a: viewer { id } }").is_ok());
        assert_eq!(limit("{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"), "introspection");
    }

    #[test]
    fn doubled_fragments_are_measured_once() {
        let mut text = "{ a { ...f0 } } ".to_owned();
        for n in 0..25 {
            text.push_str(&format!("fragment f{n} on Q {{ ...f{} ...f{} }} ", n + 1, n + 1));
        }
        text.push_str("fragment f25 on Q { a }");
        assert_eq!(limit(&text), "cost");
    }

    #[test]
    fn a_page_costs_its_rows_through_fragments_too() {
        assert_eq!(check("{ a { nodes { b c } } }"), Ok(61));
        assert_eq!(check("{ a { ...F } } fragment F on A { ... { nodes { b c } } }"), Ok(61));
        assert_eq!(check("{ searchDivisions(text: \"x\") { name } }"), Ok(11));
    }

    #[test]
    fn strings_and_comments_are_one_token_or_none() {
        assert_eq!(check("{ a(x: \"} { \\\" {{{{\") # {{{{{\n }"), Ok(1));
        assert_eq!(check("{ a(x: \"\"\" { \" \\\"\"\" { \"\"\") }"), Ok(1));
    }
}
