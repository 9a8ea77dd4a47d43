//! From the words of a header to the field of the form.

use super::synonyms::{GUARDIANSHIP, IGNORED, LEAVES, PARTS, PERSONS, Part, Person, TICKED};
use super::values::narrow;
use super::{Field, Target};

/// Columns the problem file adds in front; they are not read again.
pub(super) const PROBLEM_PREFIX: &str = "问题·";

/// What a column with this label holds; the label's parts are joined by `/`, the nearest to the data last.
pub(super) fn resolve(label: &str) -> Option<Target> {
    if label.starts_with(PROBLEM_PREFIX) {
        return Some(Target::Ignore);
    }
    let label = label.split_once('#').map_or(label, |(label, _)| label);
    // A slash joins the parts of a label, or is a word's own: "残疾类别/等级".
    path(label).or_else(|| {
        label
            .contains('/')
            .then(|| path(&label.replace('/', "")))
            .flatten()
    })
}

fn path(label: &str) -> Option<Target> {
    let mut full: Vec<String> = Vec::new();
    for part in label.split('/').map(tidy).filter(|part| !part.is_empty()) {
        if full.last() != Some(&part) {
            full.push(part);
        }
    }
    let leaf = full.last()?.clone();
    let short = without_brackets(&leaf);
    if IGNORED.contains(&short.as_str()) {
        return Some(Target::Ignore);
    }
    let above: Vec<String> = full[..full.len() - 1]
        .iter()
        .map(|part| without_brackets(part))
        .collect();
    if let Some(target) = tick(&above, &short) {
        return Some(target);
    }
    let person = person(&above, &short);
    if let Some(field) = leaf_field(&leaf, &short).filter(|field| {
        person == Person::Child || person == Person::Guardian && GUARDIANSHIP.contains(field)
    }) {
        return Some(Target::Field(field));
    }
    person_field(person, &short).map(Target::Field)
}

/// A choice's word below the heading of its field.
fn tick(above: &[String], leaf: &str) -> Option<Target> {
    let heading = above.iter().rev().find_map(|part| leaf_field(part, part))?;
    // "父亲外出" below "一方外出…" is a tick; "一方外出" below "实际监护情况" is a field of its own.
    if !TICKED.contains(&heading) || heading == Field::Away && leaf_field(leaf, leaf).is_some() {
        return None;
    }
    let choices = heading.choices();
    let (key, ..) = choices
        .iter()
        .find(|(_, label, words)| *label == leaf || words.contains(&leaf))?;
    Some(Target::Tick(heading, key))
}

fn leaf_field(leaf: &str, short: &str) -> Option<Field> {
    let exact = |words: &&[&str]| words.iter().any(|word| *word == leaf || *word == short);
    let found = LEAVES.iter().find(|(_, words)| exact(words));
    // Longer headings carry the word at their end or beginning: "儿童身体状况", "享受救助情况多选".
    let close = || {
        LEAVES.iter().find(|(_, words)| {
            words.iter().any(|word| {
                word.chars().count() >= 4 && (short.ends_with(word) || short.starts_with(word))
            })
        })
    };
    found.or_else(close).map(|(field, _)| *field)
}

fn person(above: &[String], leaf: &str) -> Person {
    let named = |text: &str| {
        PERSONS
            .iter()
            .find(|(word, _)| text.contains(word))
            .map(|(_, person)| *person)
    };
    let nearest = std::iter::once(leaf).chain(above.iter().rev().map(String::as_str));
    // "祖父母/父亲" keeps looking for a single person past the collective.
    nearest
        .filter_map(named)
        .find(|person| *person != Person::Child)
        .unwrap_or(Person::Child)
}

fn person_field(person: Person, leaf: &str) -> Option<Field> {
    let part = PARTS
        .iter()
        .find(|(word, _)| leaf.contains(word))
        .map(|(_, part)| *part);
    // The person's word alone heads the column of names.
    let part = match part {
        None if PERSONS
            .iter()
            .any(|(word, named)| *named == person && *word == leaf && person != Person::Child) =>
        {
            Part::Name
        }
        None if matches!(
            leaf,
            "监护人" | "受委托监护人" | "委托监护人" | "被委托监护人"
        ) =>
        {
            Part::Name
        }
        None if person == Person::Child && matches!(leaf, "儿童" | "现住址" | "家庭住址") =>
        {
            return Some(if leaf == "儿童" {
                Field::Name
            } else {
                Field::Residence
            });
        }
        part => part?,
    };
    Some(match (person, part) {
        (Person::Child, Part::Name) => Field::Name,
        (Person::Child, Part::Birth) => Field::BirthDate,
        (Person::Child, Part::Identity) => Field::Identity,
        (Person::Child, Part::Address) => Field::Residence,
        (Person::Child, Part::Relation) => Field::GuardianRelation,
        (Person::PaternalGrandfather, Part::Name) => Field::PaternalGrandfatherName,
        (Person::PaternalGrandfather, Part::Birth) => Field::PaternalGrandfatherBirth,
        (Person::PaternalGrandmother, Part::Name) => Field::PaternalGrandmotherName,
        (Person::PaternalGrandmother, Part::Birth) => Field::PaternalGrandmotherBirth,
        (Person::MaternalGrandfather, Part::Name) => Field::MaternalGrandfatherName,
        (Person::MaternalGrandfather, Part::Birth) => Field::MaternalGrandfatherBirth,
        (Person::MaternalGrandmother, Part::Name) => Field::MaternalGrandmotherName,
        (Person::MaternalGrandmother, Part::Birth) => Field::MaternalGrandmotherBirth,
        (Person::Father, Part::Name) => Field::FatherName,
        (Person::Father, Part::Birth) => Field::FatherBirth,
        (Person::Father, Part::Identity) => Field::FatherIdentity,
        (Person::Father, Part::Workplace | Part::Address) => Field::FatherWorkplace,
        (Person::Father, Part::Phone) => Field::FatherPhone,
        (Person::Father, Part::Dead) => Field::FatherDead,
        (Person::Mother, Part::Name) => Field::MotherName,
        (Person::Mother, Part::Birth) => Field::MotherBirth,
        (Person::Mother, Part::Identity) => Field::MotherIdentity,
        (Person::Mother, Part::Workplace | Part::Address) => Field::MotherWorkplace,
        (Person::Mother, Part::Phone) => Field::MotherPhone,
        (Person::Mother, Part::Dead) => Field::MotherDead,
        (Person::Guardian, Part::Relation) => Field::GuardianRelation,
        (Person::Guardian, Part::Name) => Field::GuardianName,
        (Person::Guardian, Part::Phone) => Field::GuardianPhone,
        (Person::Guardian, Part::Identity) => Field::GuardianIdentity,
        (Person::Guardian, Part::Address) => Field::GuardianAddress,
        _ => return None,
    })
}

/// A header word without spaces, stars and numbering.
pub(super) fn tidy(text: &str) -> String {
    let text: String = narrow(text)
        .chars()
        .filter(|c| {
            !c.is_whitespace()
                && !c.is_control()
                && !matches!(
                    c,
                    '*' | '★' | '\'' | '"' | ':' | ',' | '、' | ';' | '.' | '。'
                )
        })
        .collect();
    let unnumbered = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unnumbered.is_empty() {
        text
    } else {
        unnumbered.to_owned()
    }
}

/// Headers explain themselves in brackets: "就学情况(在所选项打√)".
fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '【' | '<' => depth += 1,
            ')' | ']' | '】' | '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    if kept.is_empty() {
        text.to_owned()
    } else {
        kept
    }
}
