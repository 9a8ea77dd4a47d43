//! What the cells of a row say about each other.

use chrono::{Months, NaiveDate};
use entity::codes::{BodyState, Sex};

use super::parse::RowParser;
use super::row::{AwayParents, Grandparent, Parent};
use super::values::agrees;
use super::{Field, PartialDate, Rule, SurveyRow};

pub(super) fn check(parser: &mut RowParser<'_>, row: &SurveyRow) {
    child(parser, row);
    parents(parser, row);
    guardian(parser, row);
    body(parser, row);
    repeated(parser, row);
}

fn age_reached(born: NaiveDate, years: u32, on: NaiveDate) -> bool {
    born.checked_add_months(Months::new(years * 12))
        .is_some_and(|birthday| birthday <= on)
}

fn child(parser: &mut RowParser<'_>, row: &SurveyRow) {
    let child = &row.child;
    if let (Some(number), Some(date)) = (&child.identity_number, child.birth_date) {
        if !agrees(date, number.birth_date()) {
            parser.fault(
                Field::BirthDate,
                Rule::BirthDateMismatch.with(number.birth_date().to_string()),
            );
            return;
        }
        if child.sex.is_some_and(|sex| sex != number.sex()) {
            parser.fault(Field::Sex, Rule::SexMismatch.into());
        }
    }
    if child.identity_number.is_none()
        && child.registered == Some(true)
        && !parser.failed(Field::Identity)
    {
        parser.fault(Field::Identity, Rule::IdentityMissing.into());
    }
    let Some(born) = child.birth_date else { return };
    let field = if parser.layout.has(Field::BirthDate) {
        Field::BirthDate
    } else {
        Field::Identity
    };
    let on = parser.survey_date;
    // A month or a year is judged by its youngest reading.
    if born.first_day() > parser.today {
        parser.fault(field, Rule::DateFuture.into());
    } else if born.first_day() > on {
        parser.fault(field, Rule::BornAfterSurvey.with(on.to_string()));
    } else if age_reached(born.last_day(), 18, on) {
        parser.fault(field, Rule::AgeOver.into());
    } else if row.guardianship.away.is_some() && age_reached(born.last_day(), 16, on) {
        parser.fault(field, Rule::LeftBehindAge.into());
    }
}

fn parents(parser: &mut RowParser<'_>, row: &SurveyRow) {
    let father = Line {
        parent: &row.father,
        birth: Field::FatherBirth,
        identity: Field::FatherIdentity,
        sex: Sex::Male,
        word: "父亲",
        elders: [
            (&row.paternal_grandfather, Field::PaternalGrandfatherBirth),
            (&row.paternal_grandmother, Field::PaternalGrandmotherBirth),
        ],
    };
    let mother = Line {
        parent: &row.mother,
        birth: Field::MotherBirth,
        identity: Field::MotherIdentity,
        sex: Sex::Female,
        word: "母亲",
        elders: [
            (&row.maternal_grandfather, Field::MaternalGrandfatherBirth),
            (&row.maternal_grandmother, Field::MaternalGrandmotherBirth),
        ],
    };
    for line in [father, mother] {
        let parent = line.parent;
        if let (Some(number), Some(date)) = (&parent.identity_number, parent.birth_date)
            && !agrees(date, number.birth_date())
        {
            let fault = Rule::BirthDateMismatch.with(number.birth_date().to_string());
            parser.fault(line.birth, fault);
        }
        if parent
            .identity_number
            .as_ref()
            .is_some_and(|number| number.sex() != line.sex)
        {
            parser.fault(line.identity, Rule::ParentSex.with(line.word));
        }
        let own = if parser.layout.has(line.birth) {
            line.birth
        } else {
            line.identity
        };
        older(
            parser,
            (own, parent.birth_date),
            (Field::Name, row.child.birth_date),
        );
        let younger = match parent.birth_date {
            Some(_) => (own, parent.birth_date),
            None => (Field::Name, row.child.birth_date),
        };
        for (elder, field) in line.elders {
            older(parser, (field, elder.birth_date), younger);
        }
    }
    dead_away(parser, row);
}

/// One parent with the columns that tell of age and sex, and the parent's own parents.
struct Line<'a> {
    parent: &'a Parent,
    birth: Field,
    identity: Field,
    sex: Sex,
    word: &'static str,
    elders: [(&'a Grandparent, Field); 2],
}

fn older(
    parser: &mut RowParser<'_>,
    (field, elder): (Field, Option<PartialDate>),
    (than, younger): (Field, Option<PartialDate>),
) {
    let (Some(elder), Some(younger)) = (elder, younger) else {
        return;
    };
    if elder.first_day() >= younger.last_day() {
        let title = parser.title(than);
        parser.fault(field, Rule::NotOlder.with(title));
    } else if !age_reached(elder.first_day(), 14, younger.last_day()) {
        parser.fault(field, Rule::ParentYoung.into());
    }
}

fn dead_away(parser: &mut RowParser<'_>, row: &SurveyRow) {
    let away = |parent: &Parent| parent.workplace.is_some();
    for (parent, field) in [
        (&row.father, Field::FatherName),
        (&row.mother, Field::MotherName),
    ] {
        if parent.dead && (row.guardianship.away == Some(AwayParents::Both) || away(parent)) {
            parser.fault(field, Rule::DeadAway.into());
        }
    }
}

fn guardian(parser: &mut RowParser<'_>, row: &SurveyRow) {
    let Some(guardian) = &row.guardianship.guardian else {
        return;
    };
    if row.guardianship.entrusted == Some(false) && guardian.name.is_some() {
        let name = parser.title(Field::GuardianName);
        parser.fault(Field::Entrusted, Rule::Contradiction.with(name));
    }
    let Some(number) = &guardian.identity_number else {
        return;
    };
    if row
        .child
        .birth_date
        .is_some_and(|born| number.birth_date() >= born.last_day())
    {
        let title = parser.title(Field::Name);
        parser.fault(Field::GuardianIdentity, Rule::NotOlder.with(title));
    } else if !age_reached(number.birth_date(), 18, parser.survey_date) {
        parser.fault(Field::GuardianIdentity, Rule::GuardianMinor.into());
    }
}

fn body(parser: &mut RowParser<'_>, row: &SurveyRow) {
    let child = &row.child;
    let healthy = child.body.contains(&BodyState::Healthy);
    let disabled = child.body.contains(&BodyState::Disabled);
    if healthy && child.body.len() > 1 {
        let title = parser.title(Field::Body);
        parser.fault(Field::Body, Rule::Contradiction.with(title));
    } else if healthy && child.disability.is_some() {
        let title = parser.title(Field::Disability);
        parser.fault(Field::Body, Rule::Contradiction.with(title));
    } else if disabled && child.disability.is_none() && parser.layout.has(Field::Disability) {
        parser.fault(Field::Disability, Rule::DisabilityMissing.into());
    }
}

fn repeated(parser: &mut RowParser<'_>, row: &SurveyRow) {
    let numbers = [
        (Field::Identity, row.child.identity_number.as_ref()),
        (Field::FatherIdentity, row.father.identity_number.as_ref()),
        (Field::MotherIdentity, row.mother.identity_number.as_ref()),
        // The guardian may be a parent, never the child.
        (
            Field::GuardianIdentity,
            row.guardianship
                .guardian
                .as_ref()
                .and_then(|guardian| guardian.identity_number.as_ref()),
        ),
    ];
    for (at, (field, number)) in numbers.iter().enumerate() {
        let others = if *field == Field::GuardianIdentity {
            &numbers[..1]
        } else {
            &numbers[..at]
        };
        let same = others
            .iter()
            .find(|(_, other)| number.is_some() && other == number);
        if let Some((other, _)) = same {
            let title = parser.title(*other);
            parser.fault(*field, Rule::IdentityRepeated.with(title));
        }
    }
}
