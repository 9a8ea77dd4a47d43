//! Each check that access hangs on is switched off, one at a time, in this one build: something here must then fail.

use crate::matrix::check::Report;
use crate::matrix::oracle::Rules;
use crate::matrix::world::Viewer;
use crate::matrix::{Matrix, inputs, questions};
use crate::killers::{KILLERS, Template};
use domain::access::mutant;
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::Path;

/// The names in the sources: a check that is added is on trial without anybody saying so.
fn named_in_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join("domain/src"), root.join("graphql/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("access/mutant.rs") {
                let text = std::fs::read_to_string(&path).expect("readable");
                // Each way to ask for a check; whitespace may stand before the name.
                for way in ["check!(", "mutant::off(", "named(", "mutant::off_for("] {
                    for (at, _) in text.match_indices(way) {
                        if let Some(name) = text[at + way.len()..].trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                            found.insert(name.0.to_owned());
                        }
                    }
                }
            }
        }
    }
    found
}

/// Reads and inputs by the matrix, cheap and telling viewers first.
async fn matrix_fails(matrix: &Matrix, at: usize) -> bool {
    let (role, viewer, rules) = matrix.every(at);
    let mut report = Report::default();
    let Some(viewer) = matrix.again(viewer).await else { return true };
    one(matrix, role, &viewer, rules, &mut report).await;
    !report.wrong.is_empty()
}

async fn one(matrix: &Matrix, role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
    matrix.reads(role, viewer, rules, report).await;
    questions::statistics(&matrix.stage, viewer, role, rules, report).await;
    inputs::check(&matrix.stage, role, viewer, rules, &matrix.written(), report).await;
}

/// Whether any of what is here notices that a check is off; which.
async fn killer_of(name: &str, matrix: &Matrix, template: &Template, asked: &BTreeMap<String, BTreeSet<String>>, order: &mut Vec<usize>) -> Option<String> {
    let reaches = |who: &str| asked.get(who).is_none_or(|all| all.contains(name));
    for (killer, run) in KILLERS {
        if !reaches(killer) {
            continue;
        }
        let world = template.copy().await;
        mutant::switch_off(Some(name));
        let outcome = AssertUnwindSafe(run(&world)).catch_unwind().await;
        mutant::switch_off(None);
        world.end().await;
        if !matches!(outcome, Ok(Ok(()))) {
            return Some((*killer).to_owned());
        }
    }
    for place in 0..order.len() {
        let at = order[place];
        let who = format!("matrix {at}");
        if !reaches(&who) {
            continue;
        }
        mutant::switch_off(Some(name));
        let outcome = AssertUnwindSafe(matrix_fails(matrix, at)).catch_unwind().await;
        mutant::switch_off(None);
        if outcome.unwrap_or(true) {
            // What found one is tried first for the next.
            order.remove(place);
            order.insert(0, at);
            return Some(format!("the matrix, as {}", matrix.every(at).1.label));
        }
    }
    None
}

#[tokio::test]
async fn no_check_can_go_without_a_test_that_fails() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A mutant's panic is its end, and no news.
        if !mutant::is_any_off() {
            quiet(info);
        }
    }));
    let started = std::time::Instant::now();
    let template = Template::new().await;
    let matrix = Matrix::new("sqlite").await;
    let mut names = named_in_the_sources();
    let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    mutant::asked();
    for (killer, run) in KILLERS {
        let world = template.copy().await;
        mutant::asked();
        run(&world).await.unwrap_or_else(|error| panic!("{killer} fails with every check in place: {error}"));
        asked.insert((*killer).to_owned(), mutant::asked());
        world.end().await;
    }
    for at in 0..matrix.count() {
        mutant::asked();
        assert!(!matrix_fails(&matrix, at).await, "the matrix fails with every check in place, as {}", matrix.every(at).1.label);
        asked.insert(format!("matrix {at}"), mutant::asked());
    }
    // The cases of checks that have several.
    names.extend(asked.values().flatten().filter(|name| name.contains(':')).cloned());
    println!("{} checks, {} killers and viewers, {:.1} s", names.len(), asked.len(), started.elapsed().as_secs_f64());
    let mut order: Vec<usize> = (0..matrix.count()).rev().collect();
    let mut survivors = Vec::new();
    let only = std::env::var("MUTANT").ok();
    for name in names.iter().filter(|name| only.as_ref().is_none_or(|only| name.starts_with(only.as_str()))) {
        match killer_of(name, &matrix, &template, &asked, &mut order).await {
            Some(killer) => println!("{name}: killed by {killer} ({:.1} s)", started.elapsed().as_secs_f64()),
            None => survivors.push(name),
        }
    }
    println!("{} mutants, {} survivors in {:.1} s", names.len(), survivors.len(), started.elapsed().as_secs_f64());
    let asked_by_nobody: Vec<_> = survivors.iter().filter(|name| !asked.values().any(|all| all.contains(**name))).collect();
    assert!(survivors.is_empty(), "checks that can go unnoticed: {survivors:?}\nof them never asked here: {asked_by_nobody:?}");
    matrix.stage.end().await;
}
