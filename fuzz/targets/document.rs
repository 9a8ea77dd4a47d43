//! A text, from its arrival to the cost of what it asks, with variables behind a zero byte.
#![no_main]

use async_graphql::Variables;
use graphql::Limits;
use libfuzzer_sys::fuzz_target;

#[path = "../../graphql/src/overlap.rs"]
mod overlap;

fuzz_target!(|bytes: &str| {
    let (text, variables) = bytes.split_once('\0').unwrap_or((bytes, "{}"));
    let variables = serde_json::from_str(variables).map(Variables::from_json).unwrap_or_default();
    let limits = Limits::default();
    if limits.check_text(text).is_err() {
        return;
    }
    let Ok(document) = async_graphql::parser::parse_query(text) else { return };
    for (_, operation) in document.operations.iter() {
        if let Ok(cost) = limits.check_document(&document, &operation.node, &variables) {
            assert!(cost <= limits.cost);
            let _ = overlap::conflict(&document, &operation.node);
            let _ = overlap::root_fields(&document, &operation.node);
        }
    }
});
