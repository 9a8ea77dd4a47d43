//! What the program is made of, beside what `cargo deny` looks at; and that the document of threats names tests that exist.

#[path = "../support/packages.rs"]
mod packages;

use packages::{bill, packages as resolved};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_bill_of_materials_names_every_package_with_its_checksum() {
    let all = resolved(&root(), "normal,build").unwrap();
    assert!(all.len() > 200, "cargo names {} packages only", all.len());
    let bill = bill(&all, "0.1.0");
    let components = bill["components"].as_array().unwrap();
    assert_eq!(components.len(), all.len() - 1, "all but the program itself");
    for one in components {
        let ours = one["name"].as_str().unwrap().starts_with("child-welfare-");
        assert!(one["hashes"][0]["content"].as_str().is_some_and(|h| h.len() == 64) != ours, "{one}");
        assert!(!one["licenses"][0]["expression"].as_str().unwrap().is_empty(), "{one}");
    }
    assert!(!components.iter().any(|one| one["name"] == "insta"), "what only tests use is not shipped");
}

#[test]
fn unsafe_code_and_panics_are_forbidden_in_every_crate() {
    let workspace = text("Cargo.toml");
    for lint in ["unsafe_code = \"forbid\"", "unwrap_used = \"deny\"", "expect_used = \"deny\"", "panic = \"deny\"", "todo = \"deny\""] {
        assert!(workspace.contains(lint), "{lint}");
    }
    for crate_ in ["", "entity/", "migration/", "domain/", "graphql/"] {
        assert!(text(&format!("{crate_}Cargo.toml")).contains("[lints]\nworkspace = true"), "{crate_}");
    }
}

fn sources(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "node_modules" | ".git" | "data") {
                sources(&path, out);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_tests_that_the_document_of_threats_names_exist() {
    let document = text("docs/security.md");
    let mut source = String::new();
    sources(&root(), &mut source);
    // A test is named in backquotes, in small letters with underscores; nothing else there is.
    let named: BTreeSet<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('_') && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        .collect();
    assert!(named.len() > 30, "it names {} tests only", named.len());
    // Every line of its tables of threats and of both standards says which test looks at it.
    let tables = document.split_once("## Threats and their walls").unwrap().1;
    let is_line = |line: &&str| line.starts_with("| ") && line.matches('|').count() == 4;
    let lines: Vec<&str> = tables.lines().filter(is_line).filter(|line| !line.ends_with("| Tests |")).collect();
    assert!(lines.len() > 100, "its tables have {} lines only", lines.len());
    for line in lines {
        let tests = line.rsplit('|').nth(1).unwrap();
        assert!(tests.split('`').skip(1).step_by(2).any(|name| named.contains(name)), "no test in: {line}");
    }
    let missing: Vec<_> = named.iter().filter(|name| !source.contains(&format!("fn {name}(")) && !source.contains(&format!("mod {name} "))).collect();
    assert!(missing.is_empty(), "no test is called {missing:#?}");
}
