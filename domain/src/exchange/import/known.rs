//! What the database knows of the children and persons of a chunk: one statement for each question, however many rows.

use super::draft::Draft;
use crate::access::lens::ChildKeys;
use crate::access::{Actor, Decision, RowAccess, mutant};
use crate::app::Domain;
use crate::check;
use crate::error::Result;
use crate::exchange::survey::Field;
use crate::registry::keys_of;
use crate::registry::person::CheckedPerson;
use crate::sealing::{Place, joined};
use crate::store::{List, Tx};
use entity::codes::{Category, RelationKind};
use entity::tables::{child, person};
use entity::{CodedEnum, DataClass, Sealed, SealedCode};
use sea_orm::{FromQueryResult, QueryResult};
use std::collections::HashMap;
use std::fmt::Write;
use uuid::Uuid;

pub(super) struct KnownChild {
    pub row: child::Model,
    /// None: this actor does not see the child.
    pub access: Option<RowAccess>,
    /// The county that holds the file.
    pub county: Option<String>,
}

/// What is stored of a person, opened.
pub(super) struct Stored {
    pub id: Uuid,
    name: String,
    number: Option<String>,
    birth_date: Option<chrono::NaiveDate>,
    phone: Option<String>,
    address: Option<String>,
    workplace: Option<String>,
}

pub(super) struct Known {
    /// By the keyed fingerprint of the identity number.
    pub numbered: HashMap<Vec<u8>, KnownChild>,
    /// By the position of the draft: children of the same name and birth date in its county.
    pub alike: HashMap<usize, Vec<KnownChild>>,
    pub families: HashMap<Uuid, Vec<(RelationKind, Stored)>>,
    /// Persons whom the actor sees through a child, by fingerprint.
    pub persons: HashMap<Vec<u8>, Vec<Stored>>,
}

const COUNTY: &str = "LEFT JOIN division d ON d.code = c.accepting_division - c.accepting_division % 1000000";

impl Known {
    pub async fn read(domain: &Domain, actor: &Actor, tx: &Tx, drafts: &[Draft]) -> Result<Known> {
        let mut known = Known { numbered: HashMap::new(), alike: HashMap::new(), families: HashMap::new(), persons: HashMap::new() };
        known.children(domain, actor, tx, drafts).await?;
        known.doubles(domain, actor, tx, drafts).await?;
        known.relatives(domain, tx).await?;
        known.adults(domain, actor, tx, drafts).await?;
        Ok(known)
    }

    async fn children(&mut self, domain: &Domain, actor: &Actor, tx: &Tx, drafts: &[Draft]) -> Result<()> {
        let (mut list, mut same) = (List::default(), HashMap::new());
        for number in drafts.iter().filter_map(|draft| draft.child.identity_number.as_ref()) {
            look_for(domain, number, &mut list, &mut same);
        }
        if list.is_empty() {
            return Ok(());
        }
        let select = format!(
            "SELECT c.*, i.fingerprint AS k_fingerprint, d.name AS k_county FROM identity_registry i JOIN child c ON c.id = i.subject_id {COUNTY} WHERE i.subject = 'CHILD' AND i.fingerprint"
        );
        let rows = tx
            .rows_of(
                &format!("{select} IN (SELECT unhex(value) FROM json_each(?1))"),
                &format!("{select} = ANY(ARRAY(SELECT decode(v, 'hex') FROM json_array_elements_text($1::json) AS v))"),
                list,
            )
            .await?;
        for row in rows {
            if let Some(number) = same.get(&row.try_get::<Vec<u8>>("", "k_fingerprint")?) {
                self.numbered.insert(number.clone(), KnownChild::read(&row, actor)?);
            }
        }
        Ok(())
    }

    async fn doubles(&mut self, domain: &Domain, actor: &Actor, tx: &Tx, drafts: &[Draft]) -> Result<()> {
        let mut list = List::default();
        for (at, draft) in drafts.iter().enumerate() {
            let child = &draft.child;
            let county = child.accepting_division - child.accepting_division % 1_000_000;
            for gram in domain.keys.whole_names(&child.name) {
                list.push(|out| {
                    let _ = write!(out, r#"{{"n":{at},"gram":{gram},"low":{county},"high":{},"born":"{}"}}"#, county + 999_999, child.birth_date);
                });
            }
        }
        if list.is_empty() {
            return Ok(());
        }
        let sqlite = format!(
            "SELECT c.*, k.value->>'n' AS k_n, d.name AS k_county FROM json_each(?1) AS k \
             CROSS JOIN name_gram g ON g.gram = k.value->>'gram' AND g.division BETWEEN k.value->>'low' AND k.value->>'high' AND g.subject_id = g.child_id \
             JOIN child c ON c.id = g.child_id AND c.birth_date = k.value->>'born' {COUNTY}"
        );
        // OFFSET 0 keeps the planner at the index, whatever it believed of the table's size when it made its plan.
        let postgres = format!(
            "SELECT c.*, k.n AS k_n, d.name AS k_county \
             FROM json_to_recordset($1::json) AS k(n bigint, gram bigint, low bigint, high bigint, born date) \
             CROSS JOIN LATERAL (SELECT g.child_id FROM name_gram g WHERE g.gram = k.gram AND g.division BETWEEN k.low AND k.high AND g.subject_id = g.child_id OFFSET 0) AS g \
             JOIN child c ON c.id = g.child_id AND c.birth_date = k.born {COUNTY}"
        );
        for row in tx.rows_of(&sqlite, &postgres, list).await? {
            let at = usize::try_from(row.try_get::<i64>("", "k_n")?).unwrap_or(usize::MAX);
            let found = KnownChild::read(&row, actor)?;
            // That there is one of this name and day elsewhere is not told: a sheet of guesses would find out.
            if !check!("import.alike", found.shows(DataClass::Identity)) {
                continue;
            }
            let alike = self.alike.entry(at).or_default();
            // A child has grams in each of its divisions.
            if alike.iter().all(|other| other.row.id != found.row.id) {
                alike.push(found);
            }
        }
        Ok(())
    }

    async fn relatives(&mut self, domain: &Domain, tx: &Tx) -> Result<()> {
        let mut list = List::default();
        for known in self.numbered.values().chain(self.alike.values().flatten()).filter(|known| known.shows(DataClass::Family)) {
            list.bytes(known.row.id.as_bytes());
        }
        if list.is_empty() {
            return Ok(());
        }
        let select = "SELECT p.*, r.child_id AS k_child, r.kind AS k_kind FROM relation r JOIN person p ON p.id = r.person_id WHERE r.child_id";
        let rows = tx
            .rows_of(
                &format!("{select} IN (SELECT unhex(value) FROM json_each(?1))"),
                &format!("{select} = ANY(ARRAY(SELECT v::uuid FROM json_array_elements_text($1::json) AS v))"),
                list,
            )
            .await?;
        for row in rows {
            let kind: String = row.try_get("", "k_kind")?;
            let Some(kind) = RelationKind::from_name(&kind) else { continue };
            self.families.entry(row.try_get("", "k_child")?).or_default().push((kind, Stored::open(domain, &row)?));
        }
        Ok(())
    }

    async fn adults(&mut self, domain: &Domain, actor: &Actor, tx: &Tx, drafts: &[Draft]) -> Result<()> {
        let (mut list, mut same) = (List::default(), HashMap::new());
        for number in drafts.iter().flat_map(|draft| &draft.persons).filter_map(|p| p.person.identity_number.as_ref()) {
            look_for(domain, number, &mut list, &mut same);
        }
        if list.is_empty() {
            return Ok(());
        }
        let select = "SELECT p.*, i.fingerprint AS k_fingerprint, c.household_division AS c_household, c.residence_division AS c_residence, \
             c.accepting_division AS c_accepting, c.school_id AS c_school, c.institution_id AS c_institution, c.director_id AS c_director, c.main_category AS c_category \
             FROM identity_registry i JOIN person p ON p.id = i.subject_id JOIN relation r ON r.person_id = p.id JOIN child c ON c.id = r.child_id \
             WHERE i.subject = 'PERSON' AND i.fingerprint";
        let rows = tx
            .rows_of(
                &format!("{select} IN (SELECT unhex(value) FROM json_each(?1))"),
                &format!("{select} = ANY(ARRAY(SELECT decode(v, 'hex') FROM json_array_elements_text($1::json) AS v))"),
                list,
            )
            .await?;
        for row in rows {
            let keys = ChildKeys {
                household: row.try_get("", "c_household")?,
                residence: row.try_get("", "c_residence")?,
                accepting: row.try_get("", "c_accepting")?,
                school: row.try_get("", "c_school")?,
                institution: row.try_get("", "c_institution")?,
                director: row.try_get("", "c_director")?,
                category: row.try_get::<Option<String>>("", "c_category")?.and_then(|name| Category::from_name(&name)),
                // An import lands by grants alone.
                named: None,
            };
            let Some(number) = same.get(&row.try_get::<Vec<u8>>("", "k_fingerprint")?) else { continue };
            let seen = check!("import.adult", actor.lens.child(&keys).is_some_and(|access| access.decisions.of(DataClass::Family) == Decision::Show));
            if seen && !self.persons.contains_key(number) {
                self.persons.insert(number.clone(), vec![Stored::open(domain, &row)?]);
            }
        }
        Ok(())
    }
}

/// Asks for a number under every key, and remembers under which text it is known here.
fn look_for(domain: &Domain, number: &entity::IdentityNumber, list: &mut List, same: &mut HashMap<Vec<u8>, Vec<u8>>) {
    for fingerprint in domain.keys.fingerprints(number.as_str()) {
        list.bytes(&fingerprint);
        same.insert(fingerprint, domain.keys.same_number(number.as_str()));
    }
}

impl KnownChild {
    fn read(row: &QueryResult, actor: &Actor) -> Result<KnownChild> {
        let county = row.try_get("", "k_county")?;
        let row = child::Model::from_query_result(row, "")?;
        let access = actor.lens.child(&keys_of(&row));
        Ok(KnownChild { row, access, county })
    }

    pub fn shows(&self, class: DataClass) -> bool {
        self.access.as_ref().is_some_and(|access| access.decisions.of(class) == Decision::Show)
    }

    /// The fields in which the sheet says otherwise than the file; what the sheet leaves open is no difference.
    pub fn differences(&self, domain: &Domain, draft: &Draft, family: &[(RelationKind, Stored)]) -> Result<Vec<Field>> {
        let (row, new) = (&self.row, &draft.child);
        let open = |column: &'static str, sealed: &Option<Sealed>| open(domain, "child", column, row.id, sealed.as_ref());
        let code = |column: &'static str, sealed: &Option<SealedCode>| open(column, &sealed.clone().map(|s| Sealed(s.0)));
        let mut out = Vec::new();
        let mut differ = |class: DataClass, field: Field, differs: bool| {
            if differs && (mutant::off_for("import.differs", class.name()) || self.shows(class)) && !out.contains(&field) {
                out.push(field);
            }
        };
        fn other<T: PartialEq>(new: &Option<T>, old: &Option<T>) -> bool {
            new.is_some() && new != old
        }
        let name = domain.keys.open(Place { table: "child", column: "name", row: row.id }, &row.name.0)?;
        differ(DataClass::Identity, Field::Name, joined(&name) != joined(&new.name));
        let number = open("identity_number", &row.identity_number)?;
        differ(DataClass::Identity, Field::Identity, other(&new.identity_number.as_ref().map(|n| n.as_str().to_owned()), &number));
        differ(DataClass::Identity, Field::Sex, new.sex != entity::codes::Sex::Unspecified && new.sex != row.sex);
        differ(DataClass::Identity, Field::BirthDate, new.birth_date != row.birth_date);
        differ(DataClass::Identity, Field::EthnicGroup, other(&new.ethnic_group, &row.ethnic_group));
        differ(DataClass::Registry, Field::Village, other(&new.household_division, &row.household_division));
        differ(DataClass::Registry, Field::Residence, other(&new.residence_division, &row.residence_division));
        differ(DataClass::Contact, Field::HouseholdPlace, other(&new.household_address, &open("household_address", &row.household_address)?));
        differ(DataClass::Contact, Field::Residence, other(&new.residence_address, &open("residence_address", &row.residence_address)?));
        differ(DataClass::Health, Field::Body, other(&new.body_state.map(|c| c.name().to_owned()), &code("body_state", &row.body_state)?));
        differ(DataClass::Health, Field::Disability, other(&new.disability_class.map(|c| c.name().to_owned()), &code("disability_class", &row.disability_class)?));
        differ(DataClass::Health, Field::DisabilityGrade, other(&new.disability_grade.map(|n| n.to_string()), &code("disability_grade", &row.disability_grade)?));
        differ(DataClass::Health, Field::Illness, other(&new.illness, &open("illness", &row.illness)?));
        differ(DataClass::Education, Field::Schooling, other(&new.schooling, &row.schooling));
        differ(DataClass::Education, Field::Boarding, other(&new.boarding, &row.boarding));
        differ(DataClass::Family, Field::Kind, other(&new.guardianship_quality, &row.guardianship_quality));
        differ(DataClass::Family, Field::Income, other(&new.income_sources, &row.income_sources));
        differ(DataClass::Benefit, Field::Help, other(&new.help_received, &row.help_received));
        for one in &draft.persons {
            let found = family.iter().any(|(kind, stored)| *kind == one.relation && stored.agrees(&one.person));
            differ(DataClass::Family, field_of(one.relation), !found);
        }
        Ok(out)
    }

    /// Whether a row without a number tells of this child: sex, village and the parents' names are the same.
    pub fn is_likely(&self, draft: &Draft, family: &[(RelationKind, Stored)]) -> bool {
        let parents = draft.persons.iter().filter(|one| matches!(one.relation, RelationKind::Father | RelationKind::Mother));
        let same = |one: &super::draft::DraftPerson| {
            family.iter().any(|(kind, stored)| *kind == one.relation && joined(&stored.name) == joined(&one.person.name))
        };
        self.row.identity_number.is_none()
            && self.row.sex == draft.child.sex
            && self.row.household_division == draft.child.household_division
            && self.shows(DataClass::Identity)
            && self.shows(DataClass::Family)
            && parents.into_iter().all(same)
    }
}

fn field_of(relation: RelationKind) -> Field {
    match relation {
        RelationKind::Father => Field::FatherName,
        RelationKind::Mother => Field::MotherName,
        RelationKind::PaternalGrandfather => Field::PaternalGrandfatherName,
        RelationKind::PaternalGrandmother => Field::PaternalGrandmotherName,
        RelationKind::MaternalGrandfather => Field::MaternalGrandfatherName,
        RelationKind::MaternalGrandmother => Field::MaternalGrandmotherName,
        RelationKind::Sibling | RelationKind::OtherKin | RelationKind::NotKin => Field::GuardianName,
    }
}

fn open(domain: &Domain, table: &str, column: &str, row: Uuid, sealed: Option<&Sealed>) -> Result<Option<String>> {
    sealed.map(|sealed| domain.keys.open(Place { table, column, row }, &sealed.0)).transpose()
}

impl Stored {
    fn open(domain: &Domain, row: &QueryResult) -> Result<Stored> {
        let person = person::Model::from_query_result(row, "")?;
        let text = |column: &str, sealed: &Option<Sealed>| open(domain, "person", column, person.id, sealed.as_ref());
        Ok(Stored {
            id: person.id,
            name: domain.keys.open(Place { table: "person", column: "name", row: person.id }, &person.name.0)?,
            number: text("identity_number", &person.identity_number)?,
            birth_date: person.birth_date,
            phone: text("phone", &person.phone)?,
            address: text("address", &person.address)?,
            workplace: text("workplace", &person.workplace)?,
        })
    }

    pub fn of(person: &CheckedPerson) -> Stored {
        Stored {
            id: person.id,
            name: person.name.clone(),
            number: person.identity_number.as_ref().map(|n| n.as_str().to_owned()),
            birth_date: person.birth_date,
            phone: person.phone.clone(),
            address: person.address.clone(),
            workplace: person.workplace.clone(),
        }
    }

    /// Whether nothing that is said of the person differs from what is stored.
    pub fn agrees(&self, said: &CheckedPerson) -> bool {
        fn same(said: Option<&str>, stored: Option<&String>) -> bool {
            said.is_none_or(|said| stored.is_some_and(|stored| stored == said))
        }
        joined(&self.name) == joined(&said.name)
            && same(said.identity_number.as_ref().map(entity::IdentityNumber::as_str), self.number.as_ref())
            && said.birth_date.is_none_or(|date| self.birth_date == Some(date))
            && same(said.phone.as_deref(), self.phone.as_ref())
            && same(said.address.as_deref(), self.address.as_ref())
            && same(said.workplace.as_deref(), self.workplace.as_ref())
    }
}
