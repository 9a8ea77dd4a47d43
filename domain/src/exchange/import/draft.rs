//! From a row of the sheet to the rows of a child's file, before anything is known of the database.

use super::places::Places;
use crate::access::mask::is_masked;
use crate::clock::Clock;
use crate::exchange::survey::{
    AwayParents, CellProblem, EntrustedGuardian, Field, Grandparent, Help, Income, Parent, ParentSide, PartialDate, ReadRow, Rule, SurveyRow,
};
use crate::registry::NewChild;
use crate::registry::person::CheckedPerson;
use crate::sealing::joined;
use chrono::{Months, NaiveDate};
use entity::DataClass;
use entity::codes::{BodyState, Category, FactKind, FileState, GuardianshipKind, GuardianshipQuality, RelationKind, RiskLevel, Sex};

pub(super) struct DraftPerson {
    pub person: CheckedPerson,
    pub relation: RelationKind,
}

pub(super) struct DraftGuard {
    pub person: usize,
    pub kind: GuardianshipKind,
    pub actual: bool,
    pub from: NaiveDate,
}

pub(super) struct Draft {
    pub at: ReadRow,
    pub child: NewChild,
    pub persons: Vec<DraftPerson>,
    pub guards: Vec<DraftGuard>,
    pub facts: Vec<(usize, FactKind)>,
}

/// What stands for a parent of whom the sheet says only that he or she is dead.
const NAMELESS: &str = "不详";

fn exact(number: Option<&entity::IdentityNumber>, date: Option<PartialDate>) -> Option<NaiveDate> {
    number.map(entity::IdentityNumber::birth_date).or(date.and_then(PartialDate::exact))
}

fn phones(phones: &[String]) -> Option<String> {
    (!phones.is_empty()).then(|| phones.join("、"))
}

impl Draft {
    pub fn new(at: ReadRow, row: &SurveyRow, places: &Places, clock: &dyn Clock) -> Result<Draft, (ReadRow, Vec<CellProblem>)> {
        let today = clock.today();
        let mut problems = Vec::new();
        let place = places.place(&at, row).map_err(|problem| problems.push(problem)).ok();
        let sheet = &row.child;
        let birth = exact(sheet.identity_number.as_ref(), sheet.birth_date);
        match birth {
            None => problems.push(Rule::BirthDay.on_row(&at, Field::BirthDate, "")),
            Some(date) if date.checked_add_months(Months::new(18 * 12)).is_some_and(|of_age| of_age <= today) => {
                problems.push(Rule::NotAChild.on_row(&at, Field::BirthDate, ""));
            }
            Some(_) => {}
        }
        for (field, text) in texts(row) {
            if is_masked(text) {
                problems.push(Rule::MaskedValue.on_row(&at, field, ""));
            }
        }
        let (Some((household, residence)), Some(birth_date), true) = (place, birth, problems.is_empty()) else { return Err((at, problems)) };
        let body_state = [BodyState::Disabled, BodyState::Ill, BodyState::Healthy].into_iter().find(|state| sheet.body.contains(state));
        let child = NewChild {
            id: clock.id(),
            state: FileState::Active,
            name: sheet.name.clone(),
            identity_number: sheet.identity_number.clone(),
            sex: sheet.sex.unwrap_or(Sex::Unspecified),
            birth_date,
            ethnic_group: sheet.ethnic_group,
            registered: sheet.registered.unwrap_or(sheet.identity_number.is_some()),
            household_division: Some(household),
            residence_division: residence,
            accepting_division: household,
            household_address: sheet.household_place.clone(),
            residence_address: sheet.residence.clone(),
            phone: None,
            main_category: category(row, birth_date, at.place.survey_date),
            risk_level: RiskLevel::Unassessed,
            body_state,
            disability_class: sheet.disability.map(|d| d.class),
            disability_grade: sheet.disability.and_then(|d| d.grade).map(i16::from),
            illness: sheet.illness.clone(),
            schooling: sheet.schooling,
            boarding: sheet.boarding,
            school_id: None,
            institution_id: None,
            director_id: None,
            guardianship_quality: row.guardianship.kind,
            income_sources: codes(row.income.iter().map(|income| income_name(*income))),
            help_received: codes(row.help.iter().map(|help| help_name(*help))),
            opened_on: today,
        };
        let mut draft = Draft { at, child, persons: Vec::new(), guards: Vec::new(), facts: Vec::new() };
        draft.family(row, clock);
        Ok(draft)
    }

    fn family(&mut self, row: &SurveyRow, clock: &dyn Clock) {
        let away = |side: ParentSide| match row.guardianship.away {
            Some(AwayParents::Both) => true,
            Some(AwayParents::OneOtherUnable(which)) => which == Some(side),
            None => false,
        };
        let unable = |side: ParentSide| matches!(row.guardianship.away, Some(AwayParents::OneOtherUnable(Some(which))) if which != side);
        let carer = row.guardianship.guardian.as_ref().filter(|carer| carer.name.is_some());
        for (parent, relation, side) in
            [(&row.father, RelationKind::Father, ParentSide::Father), (&row.mother, RelationKind::Mother, ParentSide::Mother)]
        {
            let Some(person) = parent_of(parent, side, clock) else { continue };
            let index = self.person(person, relation);
            if parent.dead {
                self.facts.push((index, FactKind::Dead));
                continue;
            }
            if away(side) {
                self.facts.push((index, FactKind::AwayForWork));
            }
            if unable(side) {
                self.facts.push((index, FactKind::UnableToGuard));
            }
            let somebody_away = row.guardianship.away.is_some();
            let actual = carer.is_none() && if somebody_away { unable(side) } else { true };
            let from = self.child.birth_date;
            self.guards.push(DraftGuard { person: index, kind: GuardianshipKind::Parental, actual, from });
        }
        for (grandparent, relation) in [
            (&row.paternal_grandfather, RelationKind::PaternalGrandfather),
            (&row.paternal_grandmother, RelationKind::PaternalGrandmother),
            (&row.maternal_grandfather, RelationKind::MaternalGrandfather),
            (&row.maternal_grandmother, RelationKind::MaternalGrandmother),
        ] {
            let Some(person) = grandparent_of(grandparent, relation, clock) else { continue };
            let index = self.person(person, relation);
            if grandparent.dead {
                self.facts.push((index, FactKind::Dead));
            }
        }
        if let Some(carer) = carer {
            self.carer(row, carer, clock);
        }
    }

    fn carer(&mut self, row: &SurveyRow, carer: &EntrustedGuardian, clock: &dyn Clock) {
        let relation = relation_of(carer.relation.as_deref().unwrap_or_default());
        let number = carer.identity_number.clone();
        let person = CheckedPerson {
            id: clock.id(),
            name: carer.name.clone().unwrap_or_default(),
            sex: number.as_ref().map(entity::IdentityNumber::sex),
            birth_date: exact(number.as_ref(), None),
            identity_number: number,
            phone: phones(&carer.phones),
            address: carer.address.clone(),
            workplace: None,
        };
        let index = self.person(person, relation);
        let from = self.at.place.survey_date.max(self.child.birth_date);
        if let Some(guard) = self.guards.iter_mut().find(|guard| guard.person == index) {
            guard.actual = true;
            return;
        }
        let kin = relation != RelationKind::NotKin;
        let orphan = row.father.dead && row.mother.dead;
        let kind = if orphan && kin { GuardianshipKind::Kin } else { GuardianshipKind::EntrustedCare };
        self.guards.push(DraftGuard { person: index, kind, actual: true, from });
    }

    /// Adds a person, or completes the one that is already there.
    fn person(&mut self, new: CheckedPerson, relation: RelationKind) -> usize {
        let same = |old: &DraftPerson| match (&old.person.identity_number, &new.identity_number) {
            (Some(old), Some(new)) => old == new,
            _ => old.relation == relation && joined(&old.person.name) == joined(&new.name),
        };
        if let Some(index) = self.persons.iter().position(same) {
            let old = &mut self.persons[index].person;
            old.identity_number = old.identity_number.take().or(new.identity_number);
            old.sex = old.sex.or(new.sex);
            old.birth_date = old.birth_date.or(new.birth_date);
            old.phone = old.phone.take().or(new.phone);
            old.address = old.address.take().or(new.address);
            return index;
        }
        self.persons.push(DraftPerson { person: new, relation });
        self.persons.len() - 1
    }

    /// The classes of what the row sets, each with a column of the sheet that sets it.
    pub fn classes(&self) -> Vec<(DataClass, Field)> {
        let child = &self.child;
        let mut all = vec![(DataClass::Identity, Field::Name), (DataClass::Registry, Field::Village)];
        let mut add = |set: bool, class: DataClass, field: Field| {
            if set {
                all.push((class, field));
            }
        };
        add(child.household_address.is_some(), DataClass::Contact, Field::HouseholdPlace);
        add(child.residence_address.is_some(), DataClass::Contact, Field::Residence);
        add(child.body_state.is_some(), DataClass::Health, Field::Body);
        add(child.disability_class.is_some(), DataClass::Health, Field::Disability);
        add(child.illness.is_some(), DataClass::Health, Field::Illness);
        add(child.schooling.is_some(), DataClass::Education, Field::Schooling);
        add(child.boarding.is_some(), DataClass::Education, Field::Boarding);
        add(child.guardianship_quality.is_some(), DataClass::Family, Field::Kind);
        add(child.income_sources.is_some(), DataClass::Family, Field::Income);
        add(!self.persons.is_empty(), DataClass::Family, Field::FatherName);
        add(self.persons.iter().any(|p| p.person.phone.is_some()), DataClass::Contact, Field::FatherPhone);
        add(child.help_received.is_some(), DataClass::Benefit, Field::Help);
        all
    }
}

fn parent_of(parent: &Parent, side: ParentSide, clock: &dyn Clock) -> Option<CheckedPerson> {
    let name = parent.name.clone().or_else(|| parent.dead.then(|| NAMELESS.to_owned()))?;
    Some(CheckedPerson {
        id: clock.id(),
        name,
        identity_number: parent.identity_number.clone(),
        sex: Some(if side == ParentSide::Father { Sex::Male } else { Sex::Female }),
        birth_date: exact(parent.identity_number.as_ref(), parent.birth_date),
        phone: phones(&parent.phones),
        address: None,
        workplace: parent.workplace.clone(),
    })
}

fn grandparent_of(grandparent: &Grandparent, relation: RelationKind, clock: &dyn Clock) -> Option<CheckedPerson> {
    let male = matches!(relation, RelationKind::PaternalGrandfather | RelationKind::MaternalGrandfather);
    Some(CheckedPerson {
        id: clock.id(),
        name: grandparent.name.clone()?,
        identity_number: None,
        sex: Some(if male { Sex::Male } else { Sex::Female }),
        birth_date: exact(None, grandparent.birth_date),
        phone: None,
        address: None,
        workplace: None,
    })
}

fn relation_of(word: &str) -> RelationKind {
    let has = |words: &[&str]| words.iter().any(|one| word.contains(one));
    if has(&["外祖父", "外公", "姥爷"]) {
        RelationKind::MaternalGrandfather
    } else if has(&["外祖母", "外婆", "姥姥"]) {
        RelationKind::MaternalGrandmother
    } else if has(&["祖父", "爷爷"]) {
        RelationKind::PaternalGrandfather
    } else if has(&["祖母", "奶奶"]) {
        RelationKind::PaternalGrandmother
    } else if has(&["伯", "叔", "姑", "舅", "姨", "婶", "亲戚", "亲属", "表", "堂", "继", "养"]) {
        RelationKind::OtherKin
    } else if has(&["哥", "姐", "兄", "弟", "妹"]) {
        RelationKind::Sibling
    } else if has(&["父亲", "爸"]) {
        RelationKind::Father
    } else if has(&["母亲", "妈"]) {
        RelationKind::Mother
    } else if has(&["邻", "友", "师", "非亲", "村干", "主任"]) {
        RelationKind::NotKin
    } else {
        RelationKind::OtherKin
    }
}

/// What the survey suggests (国发〔2016〕13号, 36号); a person confirms it by `classifyChild`.
fn category(row: &SurveyRow, born: NaiveDate, on: NaiveDate) -> Option<Category> {
    let under_16 = born.checked_add_months(Months::new(16 * 12)).is_some_and(|birthday| birthday > on);
    if row.father.dead && row.mother.dead {
        Some(Category::Orphan)
    } else if row.guardianship.away.is_some() && under_16 {
        Some(Category::LeftBehind)
    } else if row.child.disability.is_some() || row.child.body.iter().any(|state| *state != BodyState::Healthy) {
        Some(Category::DisabilityDifficulty)
    } else if matches!(row.guardianship.kind, Some(GuardianshipQuality::Nobody | GuardianshipQuality::ParentUnable)) {
        Some(Category::GuardianshipDifficulty)
    } else if row.help.contains(&Help::Dibao) {
        Some(Category::PovertyDifficulty)
    } else {
        None
    }
}

fn texts(row: &SurveyRow) -> impl Iterator<Item = (Field, &str)> {
    let carer = row.guardianship.guardian.as_ref();
    [
        (Field::Name, Some(row.child.name.as_str())),
        (Field::HouseholdPlace, row.child.household_place.as_deref()),
        (Field::Residence, row.child.residence.as_deref()),
        (Field::Illness, row.child.illness.as_deref()),
        (Field::FatherName, row.father.name.as_deref()),
        (Field::FatherWorkplace, row.father.workplace.as_deref()),
        (Field::MotherName, row.mother.name.as_deref()),
        (Field::MotherWorkplace, row.mother.workplace.as_deref()),
        (Field::GuardianName, carer.and_then(|c| c.name.as_deref())),
        (Field::GuardianAddress, carer.and_then(|c| c.address.as_deref())),
    ]
    .into_iter()
    .filter_map(|(field, text)| text.map(|text| (field, text)))
}

fn codes(names: impl Iterator<Item = &'static str>) -> Option<String> {
    let all: Vec<&str> = names.collect();
    (!all.is_empty()).then(|| all.join(","))
}

fn income_name(income: Income) -> &'static str {
    match income {
        Income::WorkAway => "WORK_AWAY",
        Income::Farming => "FARMING",
        Income::GovernmentRelief => "GOVERNMENT_RELIEF",
        Income::RelativesAndFriends => "RELATIVES_AND_FRIENDS",
        Income::Other => "OTHER",
    }
}

fn help_name(help: Help) -> &'static str {
    match help {
        Help::Dibao => "DIBAO",
        Help::TemporaryRelief => "TEMPORARY_RELIEF",
        Help::MedicalAssistance => "MEDICAL_ASSISTANCE",
        Help::HousingRelief => "HOUSING_RELIEF",
        Help::Other => "OTHER",
    }
}
