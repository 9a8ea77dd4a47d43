//! Persons around a child.

use crate::access::mutant;
use crate::command::Work;
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::store::Tx;
use chrono::{DateTime, NaiveDate, Utc};
use entity::IdentityNumber;
use entity::codes::{RelationKind, Sex};
use entity::tables::{identity_registry, person, relation};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use uuid::Uuid;

/// A person as a caller describes it.
#[derive(Clone, Debug, Default)]
pub struct NewPerson {
    pub id: Option<Uuid>,
    pub name: String,
    pub identity_number: Option<String>,
    pub sex: Option<Sex>,
    pub birth_date: Option<NaiveDate>,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub workplace: Option<String>,
}

/// A person whose data were checked.
#[derive(Clone, Debug)]
pub struct CheckedPerson {
    pub id: Uuid,
    pub name: String,
    pub identity_number: Option<IdentityNumber>,
    pub sex: Option<Sex>,
    pub birth_date: Option<NaiveDate>,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub workplace: Option<String>,
}

impl CheckedPerson {
    pub fn row(&self, domain: &crate::Domain, by: Uuid, now: DateTime<Utc>) -> Result<person::ActiveModel> {
        let seal = |column: &'static str, text: &str| {
            domain.keys.seal(crate::sealing::Place { table: "person", column, row: self.id }, text, domain.clock.as_ref())
        };
        let some = |column: &'static str, text: &Option<String>| text.as_deref().map(|t| seal(column, t)).transpose();
        Ok(person::ActiveModel {
            id: Set(self.id),
            version: Set(1),
            name: Set(seal("name", &self.name)?),
            identity_number: Set(self.identity_number.as_ref().map(|n| seal("identity_number", n.as_str())).transpose()?),
            sex: Set(self.sex),
            birth_date: Set(self.birth_date),
            phone: Set(some("phone", &self.phone)?),
            address: Set(some("address", &self.address)?),
            workplace: Set(some("workplace", &self.workplace)?),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        })
    }
}

pub(crate) fn relation_row(id: Uuid, child: Uuid, person: Uuid, kind: RelationKind, by: Uuid, now: DateTime<Utc>) -> relation::ActiveModel {
    relation::ActiveModel {
        id: Set(id),
        version: Set(1),
        child_id: Set(child),
        person_id: Set(person),
        kind: Set(kind),
        created_at: Set(now),
        created_by: Set(by),
        updated_at: Set(now),
        updated_by: Set(by),
    }
}

/// Notes a person's number, where it is not noted yet.
pub(crate) async fn note_identity(tx: &mut Tx, fingerprint: Vec<u8>, person: Uuid, office: i64) -> Result<()> {
    use sea_orm::sea_query::OnConflict;
    let insert = Query::insert()
        .into_table(Alias::new(identity_registry::TABLE.name))
        .columns(["fingerprint", "subject", "subject_id", "office"])
        .values_panic([fingerprint.into(), "PERSON".into(), person.into(), office.into()])
        .on_conflict(OnConflict::columns(["fingerprint", "subject"]).do_nothing().to_owned())
        .to_owned();
    tx.execute_insert(&insert).await?;
    Ok(())
}

impl Work<'_> {
    /// Checks a described person; problems are noted under `person.…`.
    pub(crate) fn check_person(&mut self, input: &NewPerson) -> Option<CheckedPerson> {
        let id = self.id_at("person.id", input.id);
        let today = self.today;
        let p = &mut self.problems;
        let name = p.line("person.name", &input.name, 100);
        if name.is_none() && p.none() {
            p.add(UserErrorCode::Required, "person.name");
        }
        let number = input.identity_number.as_deref().and_then(|n| p.identity_number("person.identityNumber", n));
        let birth_date = input.birth_date.or(number.as_ref().map(IdentityNumber::birth_date));
        let sex = input.sex.or(number.as_ref().map(IdentityNumber::sex));
        if let Some(number) = &number {
            if birth_date.is_some_and(|d| d != number.birth_date()) {
                p.add(UserErrorCode::BirthDateMismatch, "person.birthDate");
            }
            if sex.is_some_and(|s| s != number.sex()) {
                p.add(UserErrorCode::SexMismatch, "person.sex");
            }
        }
        if birth_date.is_some_and(|d| d > today) {
            p.add(UserErrorCode::DateInFuture, "person.birthDate");
        }
        let phone = input.phone.as_deref().and_then(|t| p.phone("person.phone", t));
        let address = input.address.as_deref().and_then(|t| p.line("person.address", t, 200));
        let workplace = input.workplace.as_deref().and_then(|t| p.line("person.workplace", t, 200));
        name.map(|name| CheckedPerson { id, name, identity_number: number, sex, birth_date, phone, address, workplace })
    }

    /// The id and birth date of a person whom the actor may see through a child.
    pub(crate) async fn visible_person(&self, condition: Expr) -> Result<Option<(Uuid, Option<NaiveDate>)>> {
        let column = |alias: &'static str, name: &'static str| Expr::col((Alias::new(alias), Alias::new(name)));
        let mut select = Query::select();
        select
            .column((Alias::new("p"), Alias::new("id")))
            .column((Alias::new("p"), Alias::new("birth_date")))
            .from_as(Alias::new("person"), Alias::new("p"))
            .join_as(sea_orm::JoinType::InnerJoin, Alias::new("relation"), Alias::new("r"), column("r", "person_id").equals((Alias::new("p"), Alias::new("id"))))
            .join_as(sea_orm::JoinType::InnerJoin, Alias::new("child"), Alias::new("c"), column("c", "id").equals((Alias::new("r"), Alias::new("child_id"))))
            .and_where(condition)
            .limit(1);
        if !mutant::off("person.visible") {
            select.cond_where(self.actor.lens.children("c", &[entity::DataClass::Family]).condition());
        }
        let row = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next();
        row.map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()
    }

    /// A person of this number whom the actor may see already.
    pub(crate) async fn known_person(&self, number: &IdentityNumber) -> Result<Option<(Uuid, Option<NaiveDate>)>> {
        // One statement, whether the number is on file or not.
        let noted = Query::select()
            .column("subject_id")
            .from("identity_registry")
            .and_where(Expr::col("fingerprint").is_in(self.domain.keys.fingerprints(number.as_str())))
            .and_where(Expr::col("subject").eq("PERSON"))
            .to_owned();
        self.visible_person(Expr::col((Alias::new("p"), Alias::new("id"))).in_subquery(noted)).await
    }
}
