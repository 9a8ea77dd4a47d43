//! A chunk of rows: each is decided on, and all that land land in one transaction.

use super::draft::Draft;
use super::known::{Known, KnownChild, Stored};
use super::landing::Landing;
use super::places::Places;
use crate::access::{Actor, mutant};
use crate::access::lens::ChildKeys;
use crate::app::Domain;
use crate::check;
use crate::error::Result;
use crate::exchange::survey::{CellProblem, Field, Item, ReadRow, Rule};
use crate::sealing::joined;
use crate::store::Tx;
use entity::codes::{Category, ImportRowState};
use entity::DataClass;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What is remembered of the rows of one run, in tags of fixed size.
#[derive(Default)]
pub(super) struct Memory {
    numbers: HashMap<Vec<u8>, Uuid>,
    /// By name, birth date and county.
    keys: HashMap<[u8; 16], Uuid>,
    /// Children that a row of this run has told of.
    told: HashSet<Uuid>,
}

impl Memory {
    fn take(&mut self, other: Memory) {
        self.numbers.extend(other.numbers);
        self.keys.extend(other.keys);
        self.told.extend(other.told);
    }
}

/// A row that did not land, with where it goes.
pub(super) struct Finding {
    pub state: ImportRowState,
    pub at: ReadRow,
    pub problems: Vec<CellProblem>,
    pub candidate: Option<Uuid>,
}

/// The rows of a chunk once they were read and checked by themselves.
pub(super) struct Checked {
    pub drafts: Vec<Draft>,
    pub refused: Vec<Finding>,
}

enum Verdict {
    Land,
    Unchanged(Uuid),
    Review(Option<Uuid>, Rule, String),
    Reject(Rule, String),
}

/// What became of a chunk.
#[derive(Default)]
pub(super) struct Outcome {
    pub landed: u64,
    pub unchanged: u64,
    /// Positions of the drafts that did not land.
    pub findings: Vec<(usize, ImportRowState, CellProblem, Option<Uuid>)>,
    pub memory: Memory,
}

pub(super) struct Importer<'a> {
    pub domain: &'a Domain,
    pub actor: &'a Actor,
    pub places: Places,
    pub file_name: String,
    pub memory: Memory,
}

impl Importer<'_> {
    pub fn check(&self, items: Vec<Item>) -> Checked {
        let mut checked = Checked { drafts: Vec::with_capacity(items.len()), refused: Vec::new() };
        for item in items {
            let made = match item {
                Item::Bad { at, problems } => Err((at, problems)),
                Item::Good { at, row, .. } => {
                    Draft::new(at, &row, &self.places, self.domain.clock.as_ref()).and_then(|draft| self.allowed(draft))
                }
            };
            match made {
                Ok(draft) => checked.drafts.push(draft),
                Err((at, problems)) => {
                    checked.refused.push(Finding { state: ImportRowState::Rejected, at, problems, candidate: None });
                }
            }
        }
        checked
    }

    /// The row must land where the actor may import, and set only what the actor may write.
    fn allowed(&self, mut draft: Draft) -> std::result::Result<Draft, (ReadRow, Vec<CellProblem>)> {
        let keys = |category: Option<Category>| ChildKeys {
            household: draft.child.household_division,
            residence: draft.child.residence_division,
            accepting: draft.child.accepting_division,
            category,
            ..ChildKeys::default()
        };
        let access = self.actor.lens.child(&keys(draft.child.main_category));
        if access.is_none() && mutant::off("import.reach") {
            return Ok(draft);
        }
        let access = access.filter(|access| check!("import.row-action", access.actions.contains("importSurvey")));
        let Some(access) = access else {
            let place = self.actor.language.choose("该村（居）", "this village");
            let problem = Rule::OutOfScope.on_row(&draft.at, Field::Village, place);
            return Err((draft.at, vec![problem]));
        };
        let mut missing: Vec<DataClass> = Vec::new();
        let mut problems = Vec::new();
        for (class, field) in draft.classes() {
            if !mutant::off_for("import.class", class.name()) && !access.write.contains(&class) && !missing.contains(&class) {
                missing.push(class);
                problems.push(Rule::OutOfScope.on_row(&draft.at, field, class.name()));
            }
        }
        if !problems.is_empty() {
            return Err((draft.at, problems));
        }
        // The category is our suggestion, not the sheet's word: who may not classify leaves it open.
        if !check!("import.category", access.write.contains(&DataClass::Classification)) {
            draft.child.main_category = None;
        }
        Ok(draft)
    }

    /// Decides on every draft by what is on file; with `write`, those that land are inserted.
    pub async fn decide(&self, tx: &mut Tx, drafts: &[Draft], write: bool) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        if drafts.is_empty() {
            return Ok(outcome);
        }
        let known = Known::read(self.domain, self.actor, tx, drafts).await?;
        let mut landing = Landing::new(self.domain, self.actor, &self.file_name);
        let mut persons = known.persons.into_iter().collect::<HashMap<_, _>>();
        for (at, draft) in drafts.iter().enumerate() {
            let alike = known.alike.get(&at).map_or(&[][..], Vec::as_slice);
            let number = draft.child.identity_number.as_ref().map(|n| self.domain.keys.same_number(n.as_str()));
            let key = self.key(draft);
            let on_file = number.as_ref().and_then(|number| known.numbered.get(number));
            let verdict = self.verdict(draft, number.as_ref(), &key, on_file, alike, &known.families, &outcome.memory)?;
            let mut review = |rule: Rule, detail: String, state: ImportRowState, candidate: Option<Uuid>| {
                let field = if number.is_some() { Field::Identity } else { Field::Name };
                outcome.findings.push((at, state, rule.on_row(&draft.at, field, detail), candidate));
            };
            let told = match verdict {
                Verdict::Land => {
                    outcome.landed += 1;
                    if write {
                        landing.add(draft, &mut persons)?;
                    }
                    Some(draft.child.id)
                }
                Verdict::Unchanged(child) => {
                    outcome.unchanged += 1;
                    Some(child)
                }
                Verdict::Review(candidate, rule, detail) => {
                    review(rule, detail, ImportRowState::Review, candidate);
                    candidate.filter(|_| rule == Rule::DiffersFromFile)
                }
                Verdict::Reject(rule, detail) => {
                    review(rule, detail, ImportRowState::Rejected, None);
                    None
                }
            };
            if let Some(child) = told {
                if let Some(number) = number {
                    outcome.memory.numbers.insert(number, child);
                }
                outcome.memory.keys.insert(key, child);
                outcome.memory.told.insert(child);
            }
        }
        if write {
            landing.write(tx).await?;
        }
        Ok(outcome)
    }

    pub fn remember(&mut self, memory: Memory) {
        self.memory.take(memory);
    }

    fn key(&self, draft: &Draft) -> [u8; 16] {
        let child = &draft.child;
        let county = child.accepting_division / 1_000_000;
        self.domain.keys.tag16("double", &format!("{}|{}|{county}", joined(&child.name), child.birth_date))
    }

    #[allow(clippy::too_many_arguments)]
    fn verdict(
        &self,
        draft: &Draft,
        number: Option<&Vec<u8>>,
        key: &[u8; 16],
        on_file: Option<&KnownChild>,
        alike: &[KnownChild],
        families: &HashMap<Uuid, Vec<(entity::codes::RelationKind, Stored)>>,
        now: &Memory,
    ) -> Result<Verdict> {
        let family = |child: Uuid| families.get(&child).map_or(&[][..], Vec::as_slice);
        let compare = |found: &KnownChild| -> Result<Verdict> {
            let differences = found.differences(self.domain, draft, family(found.row.id))?;
            if differences.is_empty() {
                return Ok(Verdict::Unchanged(found.row.id));
            }
            let labels: Vec<&str> = differences.iter().map(|field| field.label()).collect();
            Ok(Verdict::Review(Some(found.row.id), Rule::DiffersFromFile, labels.join("、")))
        };
        let told = |id: &Uuid| self.memory.told.contains(id) || now.told.contains(id);
        if let Some(number) = number {
            if let Some(twin) = self.memory.numbers.get(number).or_else(|| now.numbers.get(number)) {
                return Ok(Verdict::Review(Some(*twin), Rule::TwiceInFile, String::new()));
            }
            if let Some(found) = on_file {
                return if check!("import.known", found.shows(DataClass::Identity)) {
                    compare(found)
                } else {
                    Ok(Verdict::Reject(Rule::OnFileElsewhere, found.county.clone().unwrap_or_default()))
                };
            }
        } else if let Some(found) = alike.iter().find(|found| !told(&found.row.id) && found.is_likely(draft, family(found.row.id))) {
            return compare(found);
        }
        if let Some(twin) = self.memory.keys.get(key).or_else(|| now.keys.get(key)) {
            let rule = if number.is_some() { Rule::LikelyDouble } else { Rule::TwiceInFile };
            return Ok(Verdict::Review(Some(*twin), rule, String::new()));
        }
        Ok(match alike.first() {
            Some(found) => Verdict::Review(Some(found.row.id), Rule::LikelyDouble, String::new()),
            None => Verdict::Land,
        })
    }
}
