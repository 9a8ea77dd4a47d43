//! A text, from its arrival to the cost of what it asks.
#![no_main]

use async_graphql::Variables;
use graphql::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    if limits.check_text(text).is_err() {
        return;
    }
    let Ok(document) = async_graphql::parser::parse_query(text) else { return };
    for (_, operation) in document.operations.iter() {
        let _ = limits.check_document(&document, &operation.node, &Variables::default());
    }
});
