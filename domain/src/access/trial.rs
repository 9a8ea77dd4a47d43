//! Each named check is switched off once, and something must fail. `tests/mutants.txt` says for each what does, so that a run
//! tries one killer a check; `UPDATE_MUTANTS=1` looks for a killer where the record has none that notices.

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use super::mutant;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many of those that share a world are tried before and after the dear ones.
const FIRST: usize = 150;
const MOST: usize = 1000;

thread_local! {
    static UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread tries checks: its tests then keep to SQLite.
pub fn under_way() -> bool {
    UNDER_WAY.get()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn record() -> PathBuf {
    root().join("tests/mutants.txt")
}

/// The names in the sources of some rooms: a check that is added is on trial without anybody saying so.
pub fn named_in(rooms: &[&str]) -> BTreeSet<String> {
    // Each way to ask for a check; whitespace may stand before the name.
    const WAYS: [&str; 5] = ["check!(", "mutant::off(", "mutant::off_for(", "named(", "unless("];
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = rooms.iter().map(|room| root().join(room)).collect();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let own = ["access/mutant.rs", "access/trial.rs", "mutants.rs"].iter().any(|own| path.ends_with(own));
            if path.is_dir() {
                folders.push(path);
            } else if !own && path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                for (at, way) in WAYS.iter().flat_map(|way| text.match_indices(way)) {
                    let name = text[at + way.len()..].trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
                    found.extend(name.map(|(name, _)| name.to_owned()));
                }
            }
        }
    }
    found.remove("");
    found
}

/// Lines of the record: trial, check, killer.
pub fn recorded() -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(record()).unwrap_or_default();
    let line = |line: &str| {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        Some([parts.next()?, parts.next()?, parts.next()?])
    };
    text.lines().filter(|l| !l.starts_with('#')).filter_map(line).collect()
}

/// Puts one trial's lines in place of what it had.
fn write_down(trial: &str, found: &BTreeMap<String, String>) {
    let mut lines: Vec<[String; 3]> = recorded().into_iter().filter(|[of, check, _]| of != trial && !found.contains_key(check)).collect();
    lines.extend(found.iter().map(|(check, killer)| [trial.to_owned(), check.clone(), killer.clone()]));
    lines.sort();
    let mut text = "# Trial, check, and what fails when that check is switched off. UPDATE_MUTANTS=1 looks anew.\n".to_owned();
    for [trial, check, killer] in lines {
        let _ = writeln!(text, "{trial}\t{check}\t{killer}");
    }
    let _ = std::fs::write(record(), text);
}

/// A test that may notice; it does by giving false or by a panic.
pub struct Killer<'k> {
    pub name: String,
    run: Box<dyn Fn() -> bool + 'k>,
    /// Made for few checks, and dear: asked when the many that come cheap have not noticed.
    alone: bool,
    /// In another process: what it walks past is not seen from here, and that it holds is seen by running it as a test.
    far: bool,
}

impl<'k> Killer<'k> {
    pub fn new(name: impl Into<String>, run: impl Fn() -> bool + 'k) -> Killer<'k> {
        Killer { name: name.into(), run: Box::new(run), alone: false, far: false }
    }

    pub fn alone(name: impl Into<String>, run: impl Fn() -> bool + 'k) -> Killer<'k> {
        Killer { alone: true, ..Killer::new(name, run) }
    }

    pub fn far(name: impl Into<String>, run: impl Fn() -> bool + 'k) -> Killer<'k> {
        Killer { far: true, ..Killer::new(name, run) }
    }

    fn holds(&self) -> bool {
        catch_unwind(AssertUnwindSafe(&self.run)).unwrap_or(false)
    }

    fn notices(&self, check: &str) -> bool {
        mutant::switch_off(Some(check));
        let holds = self.holds();
        mutant::switch_off(None);
        !holds
    }
}

/// What a killer walks past when every check is in place, and how long that takes.
struct Walk {
    asked: BTreeSet<String>,
    took: Duration,
}

/// Tries the checks that the record gives this trial; gives what is wrong.
pub fn hold(trial: &str, rooms: &[&str], killers: &[Killer<'_>]) -> Vec<String> {
    UNDER_WAY.set(true);
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A mutant's panic is its end, and no news.
        if mutant::switched_off().is_none() {
            quiet(info);
        }
    }));
    let update = std::env::var_os("UPDATE_MUTANTS").is_some();
    let mut court = Court { killers, walks: BTreeMap::new(), wrong: Vec::new() };
    let mut found = court.try_recorded(trial, update);
    let (all, elsewhere): (Vec<_>, Vec<_>) = recorded().into_iter().partition(|[of, ..]| of == trial);
    if update {
        let elsewhere: BTreeSet<String> = elsewhere.into_iter().map(|[_, check, _]| check).collect();
        court.look_for(trial, rooms, &elsewhere, &mut found);
        write_down(trial, &found);
    }
    // A case that a killer walks past is on trial like any other check.
    let known: BTreeSet<String> = recorded().into_iter().map(|[_, check, _]| check).collect();
    let untried: BTreeSet<&String> = court.walks.values().flat_map(|walk| &walk.asked).filter(|check| !known.contains(*check)).collect();
    court.wrong.extend(untried.iter().map(|check| format!("{check}: nothing notices that it is gone")));
    court.wrong.sort();
    println!("{trial}: {} checks tried, {} wrong", all.len().max(found.len()), court.wrong.len());
    UNDER_WAY.set(false);
    court.wrong
}

struct Court<'c, 'k> {
    killers: &'c [Killer<'k>],
    walks: BTreeMap<usize, Walk>,
    wrong: Vec<String>,
}

impl Court<'_, '_> {
    fn walk(&mut self, at: usize) -> &Walk {
        if !self.walks.contains_key(&at) {
            mutant::asked();
            let started = Instant::now();
            if !self.killers[at].far && !self.killers[at].holds() {
                self.wrong.push(format!("{} fails with every check in place", self.killers[at].name));
            }
            self.walks.insert(at, Walk { asked: mutant::asked(), took: started.elapsed() });
        }
        &self.walks[&at]
    }

    fn passes(&mut self, at: usize, check: &str) -> bool {
        self.killers[at].far || self.walk(at).asked.contains(check)
    }

    /// Gives those that are killed as the record says.
    fn try_recorded(&mut self, trial: &str, update: bool) -> BTreeMap<String, String> {
        let only = std::env::var("MUTANT").unwrap_or_default();
        let mut killed = BTreeMap::new();
        for [of, check, by] in recorded() {
            if of != trial {
                continue;
            }
            if !check.starts_with(&only) {
                killed.insert(check, by);
                continue;
            }
            let started = Instant::now();
            let at = self.killers.iter().position(|killer| killer.name == by);
            let noticed = at.is_some_and(|at| self.passes(at, &check) && self.killers[at].notices(&check));
            if noticed {
                println!("{check}: killed by {by} ({:.2} s)", started.elapsed().as_secs_f64());
                killed.insert(check, by);
            } else if !update {
                self.wrong.push(format!("{check}: {by} does not notice that it is gone"));
            }
        }
        killed
    }

    /// Looks for the cheapest killer of every check of these rooms that has none.
    fn look_for(&mut self, trial: &str, rooms: &[&str], elsewhere: &BTreeSet<String>, found: &mut BTreeMap<String, String>) {
        let only = std::env::var("MUTANT").unwrap_or_default();
        let among = std::env::var("KILLER").unwrap_or_default();
        let asked: Vec<usize> = (0..self.killers.len()).filter(|at| among.split(',').any(|part| self.killers[*at].name.contains(part))).collect();
        for at in &asked {
            self.walk(*at);
        }
        let mut names = named_in(rooms);
        names.extend(self.walks.values().flat_map(|walk| walk.asked.iter().cloned()));
        // Who walks past little is most likely to have been made for it.
        let mut order = asked;
        order.sort_by_key(|at| (self.walks[at].asked.len(), self.walks[at].took));
        let (alone, many): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|at| self.killers[*at].alone);
        let mut last = VecDeque::new();
        names.retain(|check| check.starts_with(&only) && !found.contains_key(check) && !elsewhere.contains(check));
        for check in &names {
            // Who noticed before is asked first: checks stand together.
            let before: Vec<usize> = last.iter().copied().take(30).collect();
            let all = before.into_iter().chain(many.iter().copied().filter(|at| self.walks[at].asked.contains(check)).take(FIRST));
            let order: Vec<usize> = all.chain(alone.iter().copied()).chain(many.iter().copied().filter(|at| self.walks[at].asked.contains(check)).skip(FIRST).take(MOST)).collect();
            match order.into_iter().find(|at| self.passes(*at, check) && self.killers[*at].notices(check)) {
                Some(at) => {
                    println!("{check}: killed by {} ({:.2} s)", self.killers[at].name, self.walks[&at].took.as_secs_f64());
                    found.insert(check.clone(), self.killers[at].name.clone());
                    write_down(trial, found);
                    last.retain(|known| *known != at);
                    last.push_front(at);
                }
                None => println!("{check}: SURVIVES ({} walk past it)", self.walks.values().filter(|walk| walk.asked.contains(check)).count()),
            }
        }
    }
}
