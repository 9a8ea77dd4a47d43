//! The rows that new files are made of, gathered for a chunk and written with one statement a table.

use super::draft::{Draft, DraftPerson};
use super::known::Stored;
use crate::access::Actor;
use crate::app::Domain;
use crate::error::Result;
use crate::registry::identity_rows;
use crate::registry::gram_rows;
use crate::registry::person::relation_row;
use crate::sealing::Place;
use crate::store::{Change, Tx};
use chrono::{DateTime, Utc};
use entity::Table;
use entity::tables::{child, fact, guardianship, identity_registry, name_gram, person, relation};
use sea_orm::ActiveValue::Set;
use std::collections::HashMap;
use uuid::Uuid;

/// The rows of one chunk's new files.
pub(super) struct Landing<'a> {
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
    pub fn new(domain: &'a Domain, actor: &Actor, file_name: &'a str) -> Landing<'a> {
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

    pub fn add(&mut self, draft: &Draft, known: &mut HashMap<Vec<u8>, Vec<Stored>>) -> Result<()> {
        let (by, now, clock) = (self.by, self.now, self.domain.clock.as_ref());
        let id = draft.child.id;
        let rows = draft.child.rows(self.domain, by, now)?;
        self.children.push(rows.child);
        self.numbers.extend(rows.identities);
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
        let number = new.identity_number.as_ref().map(|n| (self.domain.keys.same_number(n.as_str()), self.domain.keys.fingerprints(n.as_str())));
        if let Some((same, _)) = &number
            && let Some(stored) = known.get(same).and_then(|all| all.iter().find(|stored| stored.agrees(new)))
        {
            return Ok(stored.id);
        }
        self.persons.push(new.row(self.domain, self.by, self.now)?);
        self.note(&person::TABLE, new.id, draft.child.id);
        if let Some((same, fingerprints)) = number {
            if !known.contains_key(&same) {
                self.adults.extend(identity_rows(fingerprints, "PERSON", new.id, draft.child.accepting_division));
            }
            known.entry(same).or_default().push(Stored::of(new));
        }
        Ok(new.id)
    }

    pub async fn write(self, tx: &mut Tx) -> Result<()> {
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
