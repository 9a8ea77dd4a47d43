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

/// What may notice that a check is off.
struct Court<'c> {
    matrix: &'c Matrix,
    template: &'c Template,
    /// The checks that each killer and each viewer walks past.
    asked: BTreeMap<String, BTreeSet<String>>,
    /// Viewers of the matrix; whoever noticed last is tried first.
    order: Vec<usize>,
}

impl Court<'_> {
    fn reaches(&self, who: &str, name: &str) -> bool {
        self.asked.get(who).is_none_or(|all| all.contains(name))
    }

    async fn killers(&self, name: &str) -> Option<String> {
        for (killer, run) in KILLERS.iter().filter(|(killer, _)| self.reaches(killer, name)) {
            let world = self.template.copy().await;
            mutant::switch_off(Some(name));
            let outcome = AssertUnwindSafe(run(&world)).catch_unwind().await;
            mutant::switch_off(None);
            world.end().await;
            if !matches!(outcome, Ok(Ok(()))) {
                return Some((*killer).to_owned());
            }
        }
        None
    }

    async fn viewers(&mut self, name: &str, places: std::ops::Range<usize>) -> Option<String> {
        for place in places {
            let at = self.order[place];
            if !self.reaches(&format!("matrix {at}"), name) {
                continue;
            }
            mutant::switch_off(Some(name));
            let outcome = AssertUnwindSafe(matrix_fails(self.matrix, at)).catch_unwind().await;
            mutant::switch_off(None);
            if outcome.unwrap_or(true) {
                self.order.remove(place);
                self.order.insert(0, at);
                return Some(format!("the matrix, as {}", self.matrix.every(at).1.label));
            }
        }
        None
    }

    async fn killer_of(&mut self, name: &str) -> Option<String> {
        const FIRST: usize = 4;
        let all = self.order.len();
        if let Some(found) = self.viewers(name, 0..FIRST.min(all)).await {
            return Some(found);
        }
        match self.killers(name).await {
            Some(found) => Some(found),
            None => self.viewers(name, FIRST.min(all)..all).await,
        }
    }
}

#[tokio::test]
#[ignore = "takes minutes; survivors are still being counted: run it by name with --ignored"]
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
    let telling = matrix.telling();
    for at in telling.iter().copied() {
        mutant::asked();
        assert!(!matrix_fails(&matrix, at).await, "the matrix fails with every check in place, as {}", matrix.every(at).1.label);
        asked.insert(format!("matrix {at}"), mutant::asked());
    }
    // The cases of checks that have several.
    names.extend(asked.values().flatten().filter(|name| name.contains(':')).cloned());
    println!("{} checks, {} killers and viewers, {:.1} s", names.len(), asked.len(), started.elapsed().as_secs_f64());
    let mut court = Court { matrix: &matrix, template: &template, asked, order: telling };
    let mut survivors = Vec::new();
    let only = std::env::var("MUTANT").ok();
    for name in names.iter().filter(|name| only.as_ref().is_none_or(|only| name.starts_with(only.as_str()))) {
        match court.killer_of(name).await {
            Some(killer) => println!("{name}: killed by {killer} ({:.1} s)", started.elapsed().as_secs_f64()),
            None => survivors.push(name),
        }
    }
    println!("{} mutants, {} survivors in {:.1} s", names.len(), survivors.len(), started.elapsed().as_secs_f64());
    let asked_by_nobody: Vec<_> = survivors.iter().filter(|name| !court.asked.values().any(|all| all.contains(**name))).collect();
    assert!(survivors.is_empty(), "checks that can go unnoticed: {survivors:?}\nof them never asked here: {asked_by_nobody:?}");
    matrix.stage.end().await;
}

/// What is built for use asks for no switch: neither the schema nor the program, however they are put together.
#[test]
fn the_product_has_no_switch() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let features = |edges: &str| {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "-p", "child-welfare", "-e", edges, "-i", "child-welfare-domain", "-f", "{p} [{f}]"])
            .current_dir(&root)
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        String::from_utf8_lossy(&tree.stdout).into_owned()
    };
    assert!(!features("normal,build").contains("mutants"), "{}", features("normal,build"));
    assert!(features("normal,build,dev").contains("mutants"), "the tests have lost their switch");
}
