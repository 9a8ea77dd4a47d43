use chrono::NaiveDate;
use entity::codes::{BodyState, Sex};

use super::check::check;
use super::choices::{self, AWAY, BODY, HELP, INCOME, KIND, SCHOOLING, SIDE, disability};
use super::ethnic;
use super::problem::Fault;
use super::row::{AwayParents, EntrustedGuardian, Grandparent, Guardianship, Parent, ParentSide};
use super::values::{
    self, Death, agrees, identity, is_nothing, parent_name, phones, sex, text, yes_no,
};
use super::{Cell, CellProblem, Field, Layout, Row, Rule, Severity, SurveyRow};

/// Reads the cells of one row by the layout and gathers what is wrong with them.
pub(super) struct RowParser<'a> {
    pub layout: &'a Layout,
    pub sheet: &'a str,
    pub row: &'a Row,
    pub today: NaiveDate,
    pub survey_date: NaiveDate,
    pub problems: Vec<CellProblem>,
}

impl RowParser<'_> {
    /// The row and its warnings, or its problems.
    pub fn parse(mut self) -> Result<(SurveyRow, Vec<CellProblem>), Vec<CellProblem>> {
        let row = self.survey_row();
        check(&mut self, &row);
        if self
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
        {
            return Err(self.problems);
        }
        Ok((row, self.problems))
    }

    fn survey_row(&mut self) -> SurveyRow {
        let mut row = SurveyRow {
            village: self.free(Field::Village),
            ..SurveyRow::default()
        };
        self.child(&mut row);
        row.paternal_grandfather = self.grandparent(
            Field::PaternalGrandfatherName,
            Field::PaternalGrandfatherBirth,
        );
        row.paternal_grandmother = self.grandparent(
            Field::PaternalGrandmotherName,
            Field::PaternalGrandmotherBirth,
        );
        row.maternal_grandfather = self.grandparent(
            Field::MaternalGrandfatherName,
            Field::MaternalGrandfatherBirth,
        );
        row.maternal_grandmother = self.grandparent(
            Field::MaternalGrandmotherName,
            Field::MaternalGrandmotherBirth,
        );
        row.father = self.parent(ParentFields::FATHER);
        row.mother = self.parent(ParentFields::MOTHER);
        row.guardianship = self.guardianship();
        row.income = self.several(Field::Income, INCOME);
        row.help = self.several(Field::Help, HELP);
        row
    }

    fn child(&mut self, row: &mut SurveyRow) {
        let child = &mut row.child;
        let name = self.take(Field::Name, |cell| {
            text(cell)?
                .filter(|text| !is_nothing(text))
                .map(|text| values::name(&text))
                .transpose()
        });
        if name.is_none() && !self.failed(Field::Name) {
            self.fault(Field::Name, Rule::Required.into());
        }
        child.name = name.unwrap_or_default();
        child.identity_number = self.take(Field::Identity, identity);
        child.birth_date = self.date(Field::BirthDate, child.identity_number.as_ref());
        child.sex = self.sex();
        if let Some(number) = &child.identity_number {
            // The number is the better witness of the day; a disagreement is reported by the checks.
            if child
                .birth_date
                .is_none_or(|date| date.exact().is_none() && agrees(date, number.birth_date()))
            {
                child.birth_date = Some(number.birth_date().into());
            }
            child.sex = child.sex.or(Some(number.sex()));
        } else if child.birth_date.is_none()
            && !self.failed(Field::BirthDate)
            && !self.failed(Field::Identity)
        {
            let field = if self.layout.has(Field::BirthDate) {
                Field::BirthDate
            } else {
                Field::Identity
            };
            self.fault(field, Rule::Required.into());
        }
        child.ethnic_group = self.take(Field::EthnicGroup, |cell| {
            let Some(text) = text(cell)?.filter(|text| !is_nothing(text)) else {
                return Ok(None);
            };
            ethnic::group(&text)
                .map(Some)
                .ok_or_else(|| Rule::EthnicGroupUnknown.into())
        });
        child.registered = self.yes_no(Field::Registered);
        child.household_place = self.free(Field::HouseholdPlace);
        child.residence = self.free(Field::Residence);
        child.body = self.several(Field::Body, BODY);
        let grade = self.take(Field::DisabilityGrade, text);
        child.disability = self.take(Field::Disability, |cell| {
            disability(&text(cell)?.unwrap_or_default(), grade.as_deref())
        });
        if child.disability.is_some() && child.body.is_empty() {
            child.body = vec![BodyState::Disabled];
        }
        child.illness = self.free(Field::Illness);
        child.boarding = self.yes_no(Field::Boarding);
        child.schooling = self.single(Field::Schooling, SCHOOLING);
    }

    fn sex(&mut self) -> Option<Sex> {
        let ticked = self.ticked(Field::Sex);
        match ticked[..] {
            ["male"] => Some(Sex::Male),
            ["female"] => Some(Sex::Female),
            _ => self.take(Field::Sex, |cell| {
                text(cell)?
                    .filter(|text| !is_nothing(text))
                    .map(|text| sex(&text))
                    .transpose()
            }),
        }
    }

    fn grandparent(&mut self, name: Field, birth: Field) -> Grandparent {
        let (name, death) = self
            .take(name, |cell| parent_name(cell).map(Some))
            .unwrap_or((None, Death::Unsaid));
        // A dash for a grandparent is as often "unknown", and nothing rests on it.
        Grandparent {
            name,
            birth_date: self.date(birth, None),
            dead: death == Death::Said,
        }
    }

    fn parent(&mut self, fields: ParentFields) -> Parent {
        let (name, death) = self
            .take(fields.name, |cell| parent_name(cell).map(Some))
            .unwrap_or((None, Death::Unsaid));
        if death == Death::Dash {
            self.fault(fields.name, Rule::DeadByDash.into());
        }
        let said = self.take(fields.dead, |cell| {
            let Some(text) = text(cell)? else {
                return Ok(None);
            };
            if matches!(
                text.as_str(),
                "已故" | "死亡" | "亡" | "去世" | "病故" | "已亡" | "已死亡"
            ) {
                return Ok(Some(true));
            }
            if matches!(text.as_str(), "健在" | "在世" | "无" | "/") {
                return Ok(Some(false));
            }
            if is_nothing(&text) {
                Ok(None)
            } else {
                yes_no(&text).map(Some)
            }
        });
        let identity_number = self.take(fields.identity, |cell| dead_or(cell, None, identity));
        let birth_date = self.date(fields.birth, identity_number.as_ref());
        Parent {
            name,
            birth_date: birth_date.or_else(|| {
                identity_number
                    .as_ref()
                    .map(|number| number.birth_date().into())
            }),
            identity_number,
            workplace: self.free(fields.workplace).filter(|place| !is_death(place)),
            phones: self
                .take(fields.phone, |cell| {
                    dead_or(cell, Vec::new(), phones).map(Some)
                })
                .unwrap_or_default(),
            dead: death != Death::Unsaid || said == Some(true),
        }
    }

    fn guardianship(&mut self) -> Guardianship {
        let guardian = EntrustedGuardian {
            name: self.take(Field::GuardianName, |cell| {
                text(cell)?
                    .filter(|text| !is_nothing(text))
                    .map(|text| values::name(&text))
                    .transpose()
            }),
            phones: self
                .take(Field::GuardianPhone, |cell| phones(cell).map(Some))
                .unwrap_or_default(),
            identity_number: self.take(Field::GuardianIdentity, identity),
            relation: self.free(Field::GuardianRelation),
            address: self.free(Field::GuardianAddress),
        };
        Guardianship {
            away: self.away(),
            entrusted: self.yes_no(Field::Entrusted),
            guardian: (guardian != EntrustedGuardian::default()).then_some(guardian),
            kind: self.single(Field::Kind, KIND),
        }
    }

    fn away(&mut self) -> Option<AwayParents> {
        let mut away = self.single(Field::Away, AWAY);
        if self.yes_no(Field::BothAway) == Some(true) {
            away = Some(AwayParents::Both);
        }
        let side = self
            .ticked(Field::OneAway)
            .first()
            .or(self.ticked(Field::WhichAway).first())
            .copied()
            .map(|key| {
                if key == "father" {
                    ParentSide::Father
                } else {
                    ParentSide::Mother
                }
            });
        let named = self.single(Field::WhichAway, SIDE).or(side);
        let one = self.take(Field::OneAway, |cell| {
            let Some(text) = text(cell)? else {
                return Ok(None);
            };
            match choices::single(SIDE, &text) {
                Ok(Some(side)) => Ok(Some((true, Some(side)))),
                _ if is_nothing(&text) => Ok(None),
                _ => yes_no(&text).map(|yes| Some((yes, None))),
            }
        });
        let (one, which) = one.unwrap_or((side.is_some(), None));
        match away {
            Some(AwayParents::Both) if one => {
                let both = self.title(Field::BothAway);
                self.fault(Field::OneAway, Rule::Contradiction.with(both));
                away
            }
            Some(AwayParents::OneOtherUnable(_)) => {
                Some(AwayParents::OneOtherUnable(which.or(named)))
            }
            None if one => Some(AwayParents::OneOtherUnable(which.or(named))),
            away => away,
        }
    }
}

struct ParentFields {
    name: Field,
    birth: Field,
    identity: Field,
    workplace: Field,
    phone: Field,
    dead: Field,
}

impl ParentFields {
    const FATHER: Self = Self {
        name: Field::FatherName,
        birth: Field::FatherBirth,
        identity: Field::FatherIdentity,
        workplace: Field::FatherWorkplace,
        phone: Field::FatherPhone,
        dead: Field::FatherDead,
    };
    const MOTHER: Self = Self {
        name: Field::MotherName,
        birth: Field::MotherBirth,
        identity: Field::MotherIdentity,
        workplace: Field::MotherWorkplace,
        phone: Field::MotherPhone,
        dead: Field::MotherDead,
    };
}

pub(super) fn is_death(text: &str) -> bool {
    matches!(
        text,
        "已故" | "死亡" | "亡" | "去世" | "病故" | "已亡" | "已死亡" | "亡故"
    )
}

/// The cells of a dead parent repeat the word for it.
fn dead_or<T>(
    cell: &Cell,
    empty: T,
    parse: impl FnOnce(&Cell) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if matches!(cell, Cell::Text(text) if is_death(text.trim())) {
        Ok(empty)
    } else {
        parse(cell)
    }
}
