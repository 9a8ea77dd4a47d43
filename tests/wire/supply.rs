//! What the program is made of: licences, bans, sources, unsafe code; and that the document of threats names tests that exist.

#[path = "../support/packages.rs"]
mod packages;

use packages::{Package, bill, packages as resolved};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn all() -> Vec<Package> {
    let all = resolved(&root(), "normal,build,dev").unwrap();
    assert!(all.len() > 200, "cargo names {} packages only", all.len());
    all
}

/// The quoted words between two marks of `deny.toml`.
fn listed(start: &str, end: &str) -> BTreeSet<String> {
    let deny = text("deny.toml");
    let part = deny.split_once(start).unwrap().1.split_once(end).unwrap().0.to_owned();
    part.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a licence expression can be kept with what is allowed: `OR` binds least, `AND` more, brackets most.
fn kept(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let mut depth = 0;
    let expression = expression.trim();
    for (separator, any) in [(" OR ", true), ("/", true), (" AND ", false)] {
        let mut parts = vec![0];
        for (at, c) in expression.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ if depth == 0 && expression[at..].starts_with(separator) => parts.extend([at, at + separator.len()]),
                _ => {}
            }
        }
        if parts.len() > 1 {
            parts.push(expression.len());
            let mut parts = parts.chunks(2).map(|pair| kept(&expression[pair[0]..pair[1]], allowed));
            return if any { parts.any(|ok| ok) } else { parts.all(|ok| ok) };
        }
    }
    match expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        Some(inner) => kept(inner, allowed),
        None => allowed.contains(expression),
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, wanted) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("(AGPL-3.0 OR GPL-3.0) AND Apache-2.0", false),
        ("GPL-3.0 OR Apache-2.0 WITH LLVM-exception", true),
        ("MIT OR GPL-3.0 AND AGPL-3.0", true),
    ] {
        assert_eq!(kept(expression, &allowed), wanted, "{expression}");
    }
}

#[test]
fn every_package_has_a_licence_that_is_allowed() {
    let allowed = listed("allow = [", "]");
    let wrong: Vec<_> = all().into_iter().filter(|p| !kept(&p.licence, &allowed)).map(|p| format!("{} {}: {:?}", p.name, p.version, p.licence)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!allowed.iter().any(|licence| licence.contains("GPL")));
}

#[test]
fn nothing_that_is_banned_and_nothing_from_elsewhere_is_built_in() {
    let deny = text("deny.toml");
    let banned: Vec<_> = deny.split("crate = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(banned.len() >= 3);
    let found: Vec<_> = all().into_iter().filter(|p| banned.contains(&p.name.as_str())).collect();
    assert!(found.is_empty(), "{found:?}");
    let lock = text("Cargo.lock");
    let foreign: Vec<_> = lock.lines().filter(|l| l.starts_with("source = ") && *l != "source = \"registry+https://github.com/rust-lang/crates.io-index\"").collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn the_bill_of_materials_names_every_package_with_its_checksum() {
    let all = resolved(&root(), "normal,build").unwrap();
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
    let missing: Vec<_> = named.iter().filter(|name| !source.contains(&format!("fn {name}(")) && !source.contains(&format!("mod {name} "))).collect();
    assert!(missing.is_empty(), "no test is called {missing:#?}");
}
