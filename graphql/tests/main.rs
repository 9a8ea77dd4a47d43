//! The schema as clients build on it: a change shows up here, and is made on purpose.

#![allow(clippy::expect_used, clippy::panic)]

mod access;
mod attacks;
mod codes;
mod hostile;
mod killers;
mod leaks;
mod matrix;
mod mutants;
mod named;
mod second_wall;
mod strangers;
mod support;
mod ways;

use graphql::Schema;
use std::path::Path;

#[test]
fn the_schema_file_is_what_the_server_serves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let sdl = Schema::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &sdl).expect("writable");
    }
    let on_file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(on_file == sdl, "graphql/schema.graphql differs from the schema served; if that is meant, run this test with UPDATE_SCHEMA=1");
}
