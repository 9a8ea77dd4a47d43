//! Each code that the source can answer with is listed and documented, and each that is listed exists.

use domain::problems::UserErrorCode;
use entity::CodedEnum;
use graphql::codes::CODES;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOMS: &[&str] = &["src", "domain/src", "graphql/src"];
/// What stands before a code: the next text that looks like one is it.
const MAKERS: &[&str] = &["Refused::new(", "Error::bad(", "BadInput {", "refused(", "at_path(", "polish("];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn sources(folder: &Path, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_none_or(|n| n != "codes.rs") {
            out.push(std::fs::read_to_string(&path).expect("text"));
        }
    }
}

fn is_code(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && text.starts_with(|c: char| c.is_ascii_uppercase())
}

fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// Codes as the source makes errors with them.
fn made() -> BTreeSet<String> {
    let mut texts = Vec::new();
    ROOMS.iter().for_each(|room| sources(&root().join(room), &mut texts));
    let mut found = BTreeSet::new();
    for text in &texts {
        for maker in MAKERS {
            for (at, _) in text.match_indices(maker) {
                let after = &text[at + maker.len()..];
                // Elsewhere a function of that name turns an error into a refusal.
                if *maker == "refused(" && !after.trim_start().starts_with('"') {
                    continue;
                }
                let end = after.find(';').unwrap_or(after.len()).min(after.char_indices().nth(250).map_or(after.len(), |(n, _)| n));
                if let Some(code) = literals(&after[..end]).find(|l| is_code(l)) {
                    found.insert(code.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn every_code_is_listed_and_every_listed_code_exists() {
    let made = made();
    let listed: BTreeSet<String> = CODES.iter().map(|c| c.code.to_owned()).collect();
    assert!(made.len() > 20, "the search finds nothing: {made:?}");
    let missing: Vec<_> = made.difference(&listed).filter(|code| !UserErrorCode::VALUES.iter().any(|(_, c)| c.name == code.as_str())).collect();
    assert!(missing.is_empty(), "list these in graphql/src/codes.rs: {missing:?}");
    let mut all = Vec::new();
    ROOMS.iter().for_each(|room| sources(&root().join(room), &mut all));
    let stale: Vec<_> = listed.iter().filter(|code| !all.iter().any(|text| text.contains(&format!("\"{code}\"")))).collect();
    assert!(stale.is_empty(), "nothing answers with these any more: {stale:?}");
}

fn document() -> String {
    let mut text = "# Error codes\n\nMade from the source (`graphql/src/codes.rs`, `domain/src/problems.rs`) by a test; `UPDATE_DOCS=1 cargo test -p child-welfare-graphql` writes it anew.\nWhere each stands in an answer is told in [api.md](api.md#errors-have-two-homes). Every error carries `extensions.requestId`.\n\n## `errors[].extensions.code`\n\nStatus \"field\": a result with status 200, the error at the path of one field. \"400 / 200\": 400 for `application/graphql-response+json`, 200 for `application/json`.\n\n| Code | Status | Meaning | What to do |\n|---|---|---|---|\n".to_owned();
    for one in CODES {
        text.push_str(&format!("| `{}` | {} | {} | {} |\n", one.code, one.status, one.meaning, one.remedy));
    }
    text.push_str("\n## `userErrors[].code`\n\nOf a mutation: nothing was changed. The texts below are its `message`, in the caller's language.\n\n| Code | English | 中文 |\n|---|---|---|\n");
    for (_, coded) in UserErrorCode::VALUES {
        text.push_str(&format!("| `{}` | {} | {} |\n", coded.name, coded.label_en, coded.label_zh));
    }
    text
}

#[test]
fn the_document_of_errors_is_up_to_date() {
    let path = root().join("docs/errors.md");
    let text = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let on_file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(on_file == text, "docs/errors.md differs from the codes in the source; run this test with UPDATE_DOCS=1");
}
