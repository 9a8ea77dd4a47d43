//! Documents made to do harm, of any size.

use serde_json::{Value, json};

/// What scanners send, in pieces; they are sent 5, 50 and 500 times as large.
pub const USUAL: usize = 20;
pub const TIMES: [usize; 3] = [5, 50, 500];

/// The largest size whose text still passes the first limits, so that all later work is met as well.
pub fn largest(make: fn(usize) -> (String, Value)) -> usize {
    let limits = graphql::Limits::default();
    let fits = |n: usize| limits.check_text(&make(n).0).is_ok();
    let (mut low, mut high) = (1_usize, 40_000);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

pub struct Attack {
    pub name: &'static str,
    pub make: fn(usize) -> (String, Value),
}

fn many(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).map(one).collect()
}

fn plain(text: String) -> (String, Value) {
    (text, json!({}))
}

/// Each grows with its number; none is ever a request that a client has a use for.
pub const ATTACKS: &[Attack] = &[
    Attack { name: "aliases of a root field", make: |n| plain(format!("{{ {} }}", many(n, |i| format!("a{i}: viewer {{ id }} ")))) },
    Attack { name: "aliases of a leaf", make: |n| plain(format!("{{ viewer {{ {} }} }}", many(n, |i| format!("a{i}: id ")))) },
    Attack { name: "aliases in pages", make: |n| plain(format!("{{ children(first: 100) {{ nodes {{ {} }} }} }}", many(n, |i| format!("a{i}: fileNumber ")))) },
    Attack { name: "one field again and again", make: |n| plain(format!("{{ viewer {{ {} }} }}", "id ".repeat(n))) },
    Attack { name: "__typename again and again", make: |n| plain(format!("{{ {} }}", "__typename ".repeat(n))) },
    Attack { name: "unknown fields", make: |n| plain(format!("{{ {} }}", many(n, |i| format!("nothing{i} ")))) },
    Attack { name: "directives on a field", make: |n| plain(format!("{{ viewer {{ id {} }} }}", "@include(if: true) ".repeat(n))) },
    Attack { name: "unknown directives", make: |n| plain(format!("{{ viewer {{ id {} }} }}", many(n, |i| format!("@d{i} ")))) },
    Attack { name: "directives on an operation", make: |n| plain(format!("query {} {{ viewer {{ id }} }}", "@skip(if: false) ".repeat(n))) },
    Attack { name: "directives on a variable", make: |n| plain(format!("query($a: Int {}) {{ viewer {{ id }} }}", "@x ".repeat(n))) },
    Attack { name: "a chain of fragments", make: |n| plain(format!("{{ ...f0 }} {} fragment f{n} on Query {{ __typename }}", many(n, |i| format!("fragment f{i} on Query {{ ...f{} }} ", i + 1)))) },
    Attack { name: "fragments that double", make: |n| plain(format!("{{ ...f0 }} {} fragment f{n} on Query {{ __typename }}", many(n, |i| format!("fragment f{i} on Query {{ ...f{0} ...f{0} }} ", i + 1)))) },
    Attack { name: "fields that double through fragments", make: |n| plain(format!("{{ viewer {{ ...f0 }} }} {} fragment f{n} on Viewer {{ id }}", many(n, |i| format!("fragment f{i} on Viewer {{ a: division {{ parent {{ ...f{0} }} }} b: division {{ parent {{ ...f{0} }} }} }} ", i + 1)))) },
    Attack { name: "fragments in a circle", make: |n| plain(format!("{{ ...f0 }} {}", many(n, |i| format!("fragment f{i} on Query {{ ...f{} }} ", (i + 1) % n)))) },
    Attack { name: "one spread again and again", make: |n| plain(format!("{{ {} }} fragment f on Query {{ __typename }}", "...f ".repeat(n))) },
    Attack { name: "unused fragments", make: |n| plain(format!("{{ __typename }} {}", many(n, |i| format!("fragment f{i} on Query {{ __typename }} ")))) },
    Attack { name: "inline fragments in each other", make: |n| plain(format!("{{ {} __typename {} }}", "... { ".repeat(n), "} ".repeat(n))) },
    Attack { name: "inline fragments beside each other", make: |n| plain(format!("{{ {} }}", "... { __typename } ".repeat(n))) },
    Attack { name: "depth", make: |n| plain(format!("{{ division(code: \"52\") {} {} }}", "{ parent ".repeat(n), "} ".repeat(n).replacen('}', "{ name } }", 1))) },
    Attack { name: "brackets without an end", make: |n| plain("{ a ".repeat(n)) },
    Attack { name: "lists in lists", make: |n| plain(format!("{{ nodes(ids: {}{}) {{ id }} }}", "[".repeat(n), "]".repeat(n))) },
    Attack { name: "objects in objects", make: |n| plain(format!("{{ children(filter: {}1{}) {{ totalCount }} }}", "{ a: ".repeat(n), " }".repeat(n))) },
    Attack { name: "types in lists", make: |n| plain(format!("query($a: {}Int{}) {{ viewer {{ id }} }}", "[".repeat(n), "]".repeat(n))) },
    Attack { name: "arguments", make: |n| plain(format!("{{ children({}) {{ totalCount }} }}", many(n, |i| format!("a{i}: 1 ")))) },
    Attack { name: "one argument again and again", make: |n| plain(format!("{{ children({}) {{ totalCount }} }}", "first: 1 ".repeat(n))) },
    Attack { name: "fields of an input", make: |n| plain(format!("{{ children(filter: {{ {} }}) {{ totalCount }} }}", many(n, |i| format!("a{i}: 1 ")))) },
    Attack { name: "ids in the text", make: |n| plain(format!("{{ nodes(ids: [{}]) {{ id }} }}", many(n, |i| format!("\"Child:{i}\" ")))) },
    Attack { name: "ids in a variable", make: |n| ("query($i: [ID!]!) { nodes(ids: $i) { id } }".into(), json!({ "i": (0..n).map(|i| format!("Child:{i}")).collect::<Vec<_>>() })) },
    Attack { name: "variables of the text", make: |n| plain(format!("query({}) {{ viewer {{ id }} }}", many(n, |i| format!("$a{i}: Int ")))) },
    Attack { name: "variables beside the text", make: |n| ("{ viewer { id } }".into(), (0..n).map(|i| (format!("a{i}"), json!(i))).collect::<serde_json::Map<_, _>>().into()) },
    Attack { name: "a variable of many levels", make: |n| ("query($f: ChildFilter) { children(filter: $f) { totalCount } }".into(), json!({ "f": (0..n.min(100)).fold(json!(1), |inner, _| json!({ "a": inner })) })) },
    Attack { name: "a variable of many values", make: |n| ("query($f: ChildFilter) { children(filter: $f) { totalCount } }".into(), json!({ "f": { "categories": vec!["ORPHAN"; n] } })) },
    Attack { name: "undefined variables", make: |n| plain(format!("{{ viewer {{ id {} }} }}", many(n, |i| format!("@include(if: $a{i}) ")))) },
    Attack { name: "a long text", make: |n| plain(format!("{{ children(filter: {{ name: \"{}\" }}) {{ totalCount }} }}", "张".repeat(n * 10))) },
    Attack { name: "a long block text", make: |n| plain(format!("{{ children(filter: {{ name: \"\"\"{}\"\"\" }}) {{ totalCount }} }}", "\n   x".repeat(n * 10))) },
    Attack { name: "escapes", make: |n| plain(format!("{{ children(filter: {{ name: \"{}\" }}) {{ totalCount }} }}", "\\u0041\\n".repeat(n))) },
    Attack { name: "a text without an end", make: |n| plain(format!("{{ a(b: \"\"\"{}", "\"\" \\\"\"\" ".repeat(n))) },
    Attack { name: "a long number", make: |n| plain(format!("{{ children(first: {}) {{ totalCount }} }}", "9".repeat(n * 10))) },
    Attack { name: "a number with a long exponent", make: |n| plain(format!("{{ children(first: 1e{}) {{ totalCount }} }}", "9".repeat(n))) },
    Attack { name: "a long name", make: |n| plain(format!("{{ {} }}", "a".repeat(n * 10))) },
    Attack { name: "numbers that are none", make: |n| plain(format!("{{ a(b: {}) }}", "-".repeat(n))) },
    Attack { name: "Unicode", make: |n| plain(format!("{{ children(filter: {{ name: \"{}\" }}) {{ totalCount }} }}", "\u{202e}e\u{301}\u{200d}👩‍👩‍👧\u{0}\u{feff}".repeat(n))) },
    Attack { name: "Unicode where names stand", make: |n| plain(format!("{{ {} }}", "ﬁеld\u{301} ".repeat(n))) },
    Attack { name: "byte order marks", make: |n| plain(format!("{}{{ viewer {{ id }} }}", "\u{feff}".repeat(n))) },
    Attack { name: "zero bytes", make: |n| plain(format!("{{ viewer {{ id {} }} }}", "\0".repeat(n))) },
    Attack { name: "commas", make: |n| plain(format!("{{ viewer {{ id {} nothing }} }}", ",".repeat(n * 10))) },
    Attack { name: "comments", make: |n| plain(format!("{{ viewer {{ id nothing }} }} {}", "#\n".repeat(n * 5))) },
    Attack { name: "operations", make: |n| plain(many(n, |i| format!("query q{i} {{ viewer {{ id }} }} "))) },
    Attack { name: "operations of one name", make: |n| plain("query q { viewer { id } } ".repeat(n)) },
    Attack { name: "mutations", make: |n| plain(format!("mutation {{ {} }}", many(n, |i| format!("a{i}: closeFile(input: {{ childId: \"x\" }}) {{ userErrors {{ code }} }} ")))) },
    Attack { name: "introspection in depth", make: |n| plain(format!("{{ __schema {{ types {} name {} }} }}", "{ fields { type ".repeat(n), "} } ".repeat(n).replacen("} ", "{ name } } ", 1))) },
    Attack { name: "introspection under many names", make: |n| plain(format!("{{ {} }}", many(n, |i| format!("a{i}: __schema {{ types {{ name fields {{ name }} }} }} ")))) },
    Attack { name: "introspection with many names", make: |n| plain(format!("{{ __schema {{ types {{ {} }} }} }}", many(n, |i| format!("a{i}: fields {{ name }} ")))) },
    Attack { name: "introspection of a type again and again", make: |n| plain(format!("{{ {} }}", many(n, |i| format!("a{i}: __type(name: \"Child\") {{ fields {{ name description }} }} ")))) },
    Attack { name: "pages in pages", make: |n| plain(format!("{{ children(first: 100) {{ nodes {{ {} id {} }} }} }}", "visits(first: 100) { nodes { child { ".repeat(n / 10), "} } } ".repeat(n / 10))) },
    Attack { name: "long lists for a filter", make: |n| plain(format!("{{ children(filter: {{ categories: [{}] }}) {{ totalCount }} }}", "ORPHAN ".repeat(n))) },
    Attack { name: "nothing at all", make: |n| plain(" \n".repeat(n)) },
];
