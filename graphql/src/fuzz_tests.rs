//! Random texts and random heaps of language against everything that happens before a document runs. `PROPTEST_CASES` runs more of them.

use crate::limits::Limits;
use crate::overlap;
use async_graphql::Variables;
use proptest::prelude::*;

const PIECES: &[&str] = &[
    "{", "}", "(", ")", "[", "]", "!", ":", "=", "@", "$", "...", "|", "&", ",", "#", "\n", " ", "\"", "\"\"\"", "\\", "\\u", "\\\"\"\"", "\u{feff}", "\0", "é", "张", "👩‍👩‍👧",
    "query ", "mutation ", "subscription ", "fragment ", "on ", "true", "null", "-", "1", "1e999", "99999999999999999999", "0.0",
    "a", "b: a ", "f ", "...f ", "fragment f on Q { a } ", "{ a ", "first: 100 ", "ids: $i ", "$i: [ID!]! ", "nodes ", "__schema ", "types ", "fields ", "@include(if: $i) ", "child(id: \"1\") ",
    "query q($i: Int = 1) { a(first: $i) { nodes { a } } } ", "{ ...f ...g } fragment g on Q { ...f } ",
];

/// Everything between the arrival of a text and its execution; gives the cost.
fn examine(text: &str) -> Option<u64> {
    let limits = Limits::default();
    limits.check_text(text).ok()?;
    let document = async_graphql::parser::parse_query(text).ok()?;
    let mut most = None;
    for (_, operation) in document.operations.iter() {
        if let Ok(cost) = limits.check_document(&document, &operation.node, &Variables::default()) {
            let _ = overlap::conflict(&document, &operation.node);
            let _ = overlap::root_fields(&document, &operation.node);
            most = most.max(Some(cost));
        }
    }
    most
}

proptest! {
    #[test]
    fn no_text_breaks_what_reads_it(text in "\\PC{0,300}") {
        examine(&text);
    }

    #[test]
    fn no_heap_of_language_breaks_what_reads_it(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..120)) {
        prop_assert!(examine(&pieces.concat()).is_none_or(|cost| cost <= Limits::default().cost));
    }

    #[test]
    fn what_stands_in_a_document_costs_at_least_its_fields(n in 1_u64..20, m in 1_u64..50) {
        let text = format!("{{ {} }}", format!("a {{ {} }} ", "b ".repeat(m as usize)).repeat(n as usize));
        prop_assert_eq!(examine(&text), Some(n * (1 + m)));
    }
}
