//! The links between tables that a selection may follow.

use entity::tables::{
    access_grant, account, alert, attachment, audit_record, benefit, child, classification, division, division_change, fact, guardianship,
    import_batch, import_row, intervention, organisation, person, programme, programme_rate, relation, visit,
};
use entity::{DataClass, Family, Table};

#[derive(Debug)]
pub enum Road {
    /// A column here holds the key there.
    One { local: &'static str },
    /// A column there holds the key here; in the order of the named columns, newest first where `true`.
    Many { foreign: &'static str, order: &'static [(&'static str, bool)] },
    /// The divisions above this one, read off its code.
    Ancestors,
}

#[derive(Debug)]
pub struct Link {
    pub from: &'static Table,
    pub name: &'static str,
    pub to: &'static Table,
    pub road: Road,
    /// Who may follow it.
    pub class: DataClass,
}

macro_rules! links {
    ($($from:ident.$name:ident -> $to:ident by $road:ident $($arg:ident $(desc $order:ident)? $(asc $up:ident)?)? : $class:ident;)+) => {
        pub static LINKS: &[Link] = &[$(Link {
            from: &$from::TABLE,
            name: stringify!($name),
            to: &$to::TABLE,
            road: links!(@road $road $($arg $(desc $order)? $(asc $up)?)?),
            class: DataClass::$class,
        },)+];
    };
    (@road one $local:ident) => { Road::One { local: stringify!($local) } };
    (@road many $foreign:ident desc $order:ident) => { Road::Many { foreign: stringify!($foreign), order: &[(stringify!($order), true)] } };
    (@road many $foreign:ident asc $order:ident) => { Road::Many { foreign: stringify!($foreign), order: &[(stringify!($order), false)] } };
    (@road ancestors) => { Road::Ancestors };
}

links! {
    child.household_division -> division by one household_division: Registry;
    child.residence_division -> division by one residence_division: Registry;
    child.accepting_division -> division by one accepting_division: Registry;
    child.school -> organisation by one school_id: Education;
    child.institution -> organisation by one institution_id: Registry;
    child.director -> account by one director_id: Registry;
    child.merged_into -> child by one merged_into: Registry;
    child.classifications -> classification by many child_id desc valid_from: Classification;
    child.relations -> relation by many child_id asc created_at: Family;
    child.guardianships -> guardianship by many child_id desc started_on: Family;
    child.facts -> fact by many child_id desc true_from: Family;
    child.benefits -> benefit by many child_id desc start_month: Benefit;
    child.interventions -> intervention by many child_id desc opened_on: Casework;
    child.visits -> visit by many child_id desc visited_at: Casework;
    child.attachments -> attachment by many child_id desc created_at: Casework;
    classification.child -> child by one child_id: Public;
    relation.child -> child by one child_id: Public;
    relation.person -> person by one person_id: Family;
    guardianship.child -> child by one child_id: Public;
    guardianship.person -> person by one person_id: Family;
    guardianship.organisation -> organisation by one organisation_id: Family;
    fact.child -> child by one child_id: Public;
    fact.person -> person by one person_id: Family;
    benefit.child -> child by one child_id: Public;
    benefit.programme -> programme by one programme_id: Benefit;
    intervention.child -> child by one child_id: Public;
    intervention.organisation -> organisation by one organisation_id: Casework;
    visit.child -> child by one child_id: Public;
    visit.visitor -> account by one visitor_id: Casework;
    visit.intervention -> intervention by one intervention_id: Casework;
    attachment.child -> child by one child_id: Public;
    child.created_by -> account by one created_by: Registry;
    child.updated_by -> account by one updated_by: Registry;
    classification.created_by -> account by one created_by: Classification;
    classification.updated_by -> account by one updated_by: Classification;
    person.created_by -> account by one created_by: Family;
    person.updated_by -> account by one updated_by: Family;
    relation.created_by -> account by one created_by: Family;
    relation.updated_by -> account by one updated_by: Family;
    guardianship.created_by -> account by one created_by: Family;
    guardianship.updated_by -> account by one updated_by: Family;
    fact.created_by -> account by one created_by: Family;
    fact.updated_by -> account by one updated_by: Family;
    benefit.created_by -> account by one created_by: Benefit;
    benefit.updated_by -> account by one updated_by: Benefit;
    intervention.created_by -> account by one created_by: Casework;
    intervention.updated_by -> account by one updated_by: Casework;
    visit.created_by -> account by one created_by: Casework;
    visit.updated_by -> account by one updated_by: Casework;
    attachment.created_by -> account by one created_by: Casework;
    attachment.updated_by -> account by one updated_by: Casework;
    person.relations -> relation by many person_id asc created_at: Family;
    person.guardianships -> guardianship by many person_id desc started_on: Family;
    division.parent -> division by one parent: Public;
    division.path -> division by ancestors: Public;
    division.children -> division by many parent asc code: Public;
    division.successors -> division_change by many from_code asc effective_on: Public;
    division.predecessors -> division_change by many to_code asc effective_on: Public;
    division_change.from_division -> division by one from_code: Public;
    division_change.to_division -> division by one to_code: Public;
    organisation.division -> division by one division: Public;
    organisation.parent -> organisation by one parent_id: Public;
    programme.rates -> programme_rate by many programme_id desc valid_from: Public;
    programme_rate.programme -> programme by one programme_id: Public;
    programme_rate.division -> division by one division: Public;
    account.organisation -> organisation by one organisation_id: Registry;
    account.division -> division by one division: Registry;
    account.grants -> access_grant by many account_id asc created_at: Account;
    access_grant.account -> account by one account_id: Account;
    access_grant.division -> division by one division: Account;
    access_grant.organisation -> organisation by one organisation_id: Account;
    audit_record.account -> account by one account_id: Audit;
    alert.subject -> account by one subject_id: Alert;
    alert.child -> child by one child_id: Alert;
    alert.division -> division by one division: Alert;
    alert.settled_by -> account by one settled_by: Alert;
    import_batch.account -> account by one account_id: Registry;
    import_batch.division -> division by one division: Registry;
    import_batch.rows_to_mend -> import_row by many batch_id asc row_number: Registry;
    import_row.candidate -> child by one candidate_id: Registry;
}

/// A link by the table it starts from and its name.
pub fn link(from: &Table, name: &str) -> Option<&'static Link> {
    LINKS.iter().find(|l| l.from.name == from.name && l.name == name)
}

/// What a row tells by being there: that of the link which leads to it from its child.
pub(super) fn row_class(table: &Table) -> Option<DataClass> {
    match table.family {
        Family::OfChild => LINKS.iter().find(|l| l.from.family == Family::Child && l.to.name == table.name).map(|l| l.class),
        Family::Person => Some(DataClass::Family),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_names_columns_that_exist() {
        for link in LINKS {
            match &link.road {
                Road::One { local } => assert!(link.from.column(local).is_some(), "{}.{local}", link.from.name),
                Road::Many { foreign, order } => {
                    assert!(link.to.column(foreign).is_some(), "{}.{foreign}", link.to.name);
                    for (column, _) in *order {
                        let at = link.to.column(column).unwrap_or_else(|| panic!("{}.{column}", link.to.name));
                        assert!(!link.to.columns[at].nullable, "{}.{column} orders and may not be null", link.to.name);
                    }
                }
                Road::Ancestors => assert_eq!(link.from.name, "division"),
            }
        }
    }
}
