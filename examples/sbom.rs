//! Prints the bill of materials of the binary: `cargo run -q --example sbom > sbom.json` (CycloneDX 1.6).

#![allow(clippy::print_stdout)]

#[path = "../tests/support/packages.rs"]
mod packages;

use std::path::Path;

fn main() -> Result<(), String> {
    let all = packages::packages(Path::new(env!("CARGO_MANIFEST_DIR")), "normal,build")?;
    println!("{:#}", packages::bill(&all, env!("CARGO_PKG_VERSION")));
    Ok(())
}
