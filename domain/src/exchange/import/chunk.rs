//! A chunk of rows: each is decided on, and all that land land in one transaction.

use super::draft::{Draft, DraftPerson};
use super::known::{Known, KnownChild, Stored};
use super::places::Places;
use crate::access::Actor;
use crate::access::lens::ChildKeys;
use crate::app::Domain;
use crate::error::Result;
use crate::exchange::survey::{CellProblem, Field, Item, ReadRow, Rule};
use crate::registry::gram_rows;
use crate::registry::person::relation_row;
use crate::sealing::{Place, joined};
use crate::store::{Change, Tx};
use chrono::{DateTime, Utc};
use entity::codes::{Category, ImportRowState};
use entity::tables::{child, fact, guardianship, identity_registry, import_row, name_gram, person, relation};
use entity::{DataClass, Table};
use sea_orm::ActiveValue::Set;
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
        let access = self.actor.lens.child(&keys(draft.child.main_category)).filter(|access| access.actions.contains("importSurvey"));
        let Some(access) = access else {
            let place = self.actor.language.choose("该村（居）", "this village");
            let problem = Rule::OutOfScope.on_row(&draft.at, Field::Village, place);
            return Err((draft.at, vec![problem]));
        };
        let mut missing: Vec<DataClass> = Vec::new();
        let mut problems = Vec::new();
        for (class, field) in draft.classes() {
            if !access.write.contains(&class) && !missing.contains(&class) {
                missing.push(class);
                problems.push(Rule::OutOfScope.on_row(&draft.at, field, class.name()));
            }
        }
        if !problems.is_empty() {
            return Err((draft.at, problems));
        }
        // The category is our suggestion, not the sheet's word: who may not classify leaves it open.
        if !access.write.contains(&DataClass::Classification) {
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
            let number = draft.child.identity_number.as_ref().map(|n| self.domain.keys.fingerprint(n.as_str()));
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
                return if found.shows(DataClass::Identity) {
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

/// The rows of one chunk's new files.
struct Landing<'a> {
    domain: &'a Domain,
    by: Uuid,
    now: DateTime<Utc>,
    file_name: &'a str,
    children: Vec<child::ActiveModel>,
    numbers: Vec<identity_registry::ActiveModel>,
    adults: Vec<identity_registry::ActiveModel>,
    grams: Vec<name_gram::ActiveModel>,
    persons: Vec<person::ActiveModel>,
    relations: Vec<relation::ActiveModel>,
    guardianships: Vec<guardianship::ActiveModel>,
    facts: Vec<fact::ActiveModel>,
    changes: Vec<Change>,
}

impl<'a> Landing<'a> {
    fn new(domain: &'a Domain, actor: &Actor, file_name: &'a str) -> Landing<'a> {
        Landing {
            domain,
            by: actor.account,
            now: domain.clock.now(),
            file_name,
            children: Vec::new(),
            numbers: Vec::new(),
            adults: Vec::new(),
            grams: Vec::new(),
            persons: Vec::new(),
            relations: Vec::new(),
            guardianships: Vec::new(),
            facts: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn note(&mut self, table: &'static Table, id: Uuid, child: Uuid) {
        self.changes.push(Change { table, id, child: Some(child), version: 1 });
    }

    fn add(&mut self, draft: &Draft, known: &mut HashMap<Vec<u8>, Vec<Stored>>) -> Result<()> {
        let (by, now, clock) = (self.by, self.now, self.domain.clock.as_ref());
        let id = draft.child.id;
        let rows = draft.child.rows(self.domain, by, now)?;
        self.children.push(rows.child);
        self.numbers.extend(rows.identity);
        self.grams.extend(rows.grams);
        self.note(&child::TABLE, id, id);
        let mut ids = Vec::with_capacity(draft.persons.len());
        for one in &draft.persons {
            let person = self.person(draft, one, known)?;
            // Two words of the sheet may turn out to mean one person on file.
            if !ids.contains(&person) {
                let relation = clock.id();
                self.relations.push(relation_row(relation, id, person, one.relation, by, now));
                self.note(&relation::TABLE, relation, id);
            }
            ids.push(person);
        }
        for guard in &draft.guards {
            let guardianship = clock.id();
            let person = ids[guard.person];
            if guard.actual {
                let name = &draft.persons[guard.person].person.name;
                self.grams.extend(gram_rows(&self.domain.keys, name, id, person, &draft.child.divisions()));
            }
            self.guardianships.push(guardianship::ActiveModel {
                id: Set(guardianship),
                version: Set(1),
                child_id: Set(id),
                person_id: Set(Some(person)),
                organisation_id: Set(None),
                kind: Set(guard.kind),
                actual: Set(guard.actual),
                started_on: Set(guard.from),
                ended_on: Set(None),
                end_reason: Set(None),
                note: Set(None),
                created_at: Set(now),
                created_by: Set(by),
                updated_at: Set(now),
                updated_by: Set(by),
            });
            self.note(&guardianship::TABLE, guardianship, id);
        }
        for (index, kind) in &draft.facts {
            let fact = clock.id();
            let place = &draft.at.place;
            let evidence = format!("摸底排查登记表：{}，{}，第{}行", self.file_name, place.sheet, place.row);
            let sealed = self.domain.keys.seal(Place { table: "fact", column: "evidence", row: fact }, &evidence, clock)?;
            self.facts.push(fact::ActiveModel {
                id: Set(fact),
                version: Set(1),
                child_id: Set(id),
                person_id: Set(Some(ids[*index])),
                kind: Set(*kind),
                true_from: Set(place.survey_date),
                true_to: Set(None),
                known_from: Set(now),
                withdrawn_at: Set(None),
                evidence: Set(Some(sealed)),
                created_at: Set(now),
                created_by: Set(by),
                updated_at: Set(now),
                updated_by: Set(by),
            });
            self.note(&fact::TABLE, fact, id);
        }
        Ok(())
    }

    /// The person on file of whom nothing differs, or a new one.
    fn person(&mut self, draft: &Draft, one: &DraftPerson, known: &mut HashMap<Vec<u8>, Vec<Stored>>) -> Result<Uuid> {
        let new = &one.person;
        let fingerprint = new.identity_number.as_ref().map(|n| self.domain.keys.fingerprint(n.as_str()));
        if let Some(fingerprint) = &fingerprint
            && let Some(stored) = known.get(fingerprint).and_then(|all| all.iter().find(|stored| stored.agrees(new)))
        {
            return Ok(stored.id);
        }
        self.persons.push(new.row(self.domain, self.by, self.now)?);
        self.note(&person::TABLE, new.id, draft.child.id);
        if let Some(fingerprint) = fingerprint {
            if !known.contains_key(&fingerprint) {
                self.adults.push(identity_registry::ActiveModel {
                    fingerprint: Set(fingerprint.clone()),
                    subject: Set("PERSON".to_owned()),
                    subject_id: Set(new.id),
                    office: Set(draft.child.accepting_division),
                });
            }
            known.entry(fingerprint).or_default().push(Stored::of(new));
        }
        Ok(new.id)
    }

    async fn write(self, tx: &mut Tx) -> Result<()> {
        tx.insert_all(&identity_registry::TABLE, &self.numbers, "").await?;
        // A number that is noted already, for a person out of this actor's sight, stays as it is.
        tx.insert_all(&identity_registry::TABLE, &self.adults, "ON CONFLICT (fingerprint, subject) DO NOTHING").await?;
        tx.insert_all(&child::TABLE, &self.children, "").await?;
        tx.insert_all(&name_gram::TABLE, &self.grams, "ON CONFLICT (gram, division, child_id, subject_id) DO NOTHING").await?;
        tx.insert_all(&person::TABLE, &self.persons, "").await?;
        tx.insert_all(&relation::TABLE, &self.relations, "").await?;
        tx.insert_all(&guardianship::TABLE, &self.guardianships, "").await?;
        tx.insert_all(&fact::TABLE, &self.facts, "").await?;
        for change in self.changes {
            tx.changed(change);
        }
        Ok(())
    }
}

/// The stored form of rows that did not land.
pub(super) fn finding_rows(domain: &Domain, actor: &Actor, batch: Uuid, findings: &[Finding]) -> Result<Vec<import_row::ActiveModel>> {
    let clock = domain.clock.as_ref();
    findings
        .iter()
        .map(|finding| {
            let id = clock.id();
            let lines: Vec<String> = finding
                .problems
                .iter()
                .map(|p| {
                    let words = |words: &crate::exchange::survey::Words| actor.language.choose(&words.zh, &words.en).to_owned();
                    format!("{}{}{}{}{}", p.column, actor.language.choose("：", ": "), words(&p.message), actor.language.choose("；", "; "), words(&p.suggestion))
                })
                .collect();
            let first = finding.problems.first();
            Ok(import_row::ActiveModel {
                id: Set(id),
                batch_id: Set(batch),
                sheet: Set(finding.at.place.sheet.to_string()),
                row_number: Set(i64::from(finding.at.place.row)),
                state: Set(finding.state),
                rule: Set(first.map(|p| p.rule.code().to_owned())),
                column_name: Set(first.map(|p| p.column.clone())),
                problem: Set(Some(domain.keys.seal(Place { table: "import_row", column: "problem", row: id }, &lines.join("\n"), clock)?)),
                candidate_id: Set(finding.candidate),
                created_at: Set(clock.now()),
            })
        })
        .collect()
}
