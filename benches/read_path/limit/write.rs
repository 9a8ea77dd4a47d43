//! The answers, from values of either database.

use super::json::Json;
use crate::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::sealing::{Keyring, Place};
use uuid::Uuid;

/// A value as a database gives it.
pub trait Field<'a>: Copy {
    fn bytes(self) -> Result<Option<&'a [u8]>>;
    fn int(self) -> Result<i64>;
    fn bool(self) -> Result<bool>;
    fn date(self, out: &mut Json) -> Result<()>;
    /// Microseconds since 1970.
    fn micros(self) -> Result<i64>;

    fn some(self) -> Result<&'a [u8]> {
        self.bytes()?.ok_or_else(|| "a null where there is none".into())
    }
    fn is_null(self) -> bool {
        matches!(self.bytes(), Ok(None))
    }
    fn text(self) -> Result<&'a str> {
        Ok(std::str::from_utf8(self.some()?)?)
    }
}

pub const CHILD: usize = 11;
pub const GUARDIAN: usize = 8;
pub const BENEFIT: usize = 6;
pub const INTERVENTION: usize = 7;

fn open<'a>(out: &mut Json, keys: &Keyring, table: &str, column: &str, row: &[u8], sealed: impl Field<'a>) -> Result<()> {
    match sealed.bytes()? {
        None => out.put("null"),
        Some(sealed) => out.text(&keys.open(Place { table, column, row: Uuid::from_slice(row)? }, sealed)?),
    }
    Ok(())
}

fn date_or_null<'a>(out: &mut Json, value: impl Field<'a>) -> Result<()> {
    if value.is_null() {
        out.put("null");
        return Ok(());
    }
    value.date(out)
}

fn name_or_null<'a>(out: &mut Json, value: impl Field<'a>) -> Result<()> {
    if value.is_null() {
        out.put("null");
    } else {
        out.name(value.text()?);
    }
    Ok(())
}

/// One after the other, each behind its name.
macro_rules! members {
    ($out:ident: $($name:literal $make:expr;)+) => {
        $($out.put(concat!("\"", $name, "\":")); $make; $out.put(",");)+
        $out.uncomma();
    };
}

/// Without its brackets, so that more can follow.
pub fn child<'a, F: Field<'a>>(
    out: &mut Json,
    keys: &Keyring,
    row: [F; CHILD],
    guardians: impl Iterator<Item = Result<[F; GUARDIAN]>>,
    benefits: impl Iterator<Item = Result<[F; BENEFIT]>>,
    interventions: impl Iterator<Item = Result<[F; INTERVENTION]>>,
) -> Result<()> {
    let [id, version, number, name, identity, phone, sex, born, category, risk, changed] = row;
    let id = id.some()?;
    members! { out:
        "id" out.id("Child", id);
        "version" out.int(version.int()?);
        "fileNumber" out.text(number.text()?);
        "name" open(out, keys, "child", "name", id, name)?;
        "identityNumber" open(out, keys, "child", "identity_number", id, identity)?;
        "phone" open(out, keys, "child", "phone", id, phone)?;
        "sex" out.name(sex.text()?);
        "birthDate" born.date(out)?;
        "mainCategory" name_or_null(out, category)?;
        "riskLevel" out.name(risk.text()?);
        "changedAt" out.time(changed.micros()?);
    }
    out.put(",\"guardianships\":{\"nodes\":[");
    for record in guardians {
        let [id, kind, actual, from, to, person, name, phone] = record?;
        out.put("{");
        members! { out:
            "id" out.id("Guardianship", id.some()?);
            "kind" out.name(kind.text()?);
            "actual" out.put(if actual.bool()? { "true" } else { "false" });
            "startedOn" from.date(out)?;
            "endedOn" date_or_null(out, to)?;
        }
        out.put(",\"person\":");
        match person.bytes()? {
            None => out.put("null"),
            Some(id) => {
                out.put("{");
                members! { out:
                    "id" out.id("Person", id);
                    "name" open(out, keys, "person", "name", id, name)?;
                    "phone" open(out, keys, "person", "phone", id, phone)?;
                }
                out.put("}");
            }
        }
        out.put("},");
    }
    out.uncomma();
    out.put("]},\"benefits\":{\"nodes\":[");
    for record in benefits {
        let [id, mode, state, from, to, amount] = record?;
        out.put("{");
        members! { out:
            "id" out.id("Benefit", id.some()?);
            "careMode" out.name(mode.text()?);
            "state" out.name(state.text()?);
            "startMonth" from.date(out)?;
            "endMonth" date_or_null(out, to)?;
            "monthlyAmount" out.int(amount.int()?);
        }
        out.put("},");
    }
    out.uncomma();
    out.put("]},\"interventions\":{\"nodes\":[");
    for record in interventions {
        let [id, kind, state, risk, opened, closed, reason] = record?;
        let id = id.some()?;
        out.put("{");
        members! { out:
            "id" out.id("Intervention", id);
            "kind" out.name(kind.text()?);
            "state" out.name(state.text()?);
            "riskLevel" out.name(risk.text()?);
            "openedOn" opened.date(out)?;
            "closedOn" date_or_null(out, closed)?;
            "reason" open(out, keys, "intervention", "reason", id, reason)?;
        }
        out.put("},");
    }
    out.uncomma();
    out.put("]}");
    Ok(())
}

/// Behind the children of a page, each with its division.
pub fn division<'a>(out: &mut Json, name: impl Field<'a>) -> Result<()> {
    out.put(",\"householdDivision\":");
    if name.is_null() {
        out.put("null");
        return Ok(());
    }
    out.put("{\"name\":");
    out.text(name.text()?);
    out.put("}");
    Ok(())
}

pub fn page_info(out: &mut Json, more: bool, last: Option<(i64, &[u8])>) -> Result<()> {
    out.put(",\"pageInfo\":{\"hasNextPage\":");
    out.put(if more { "true" } else { "false" });
    out.put(",\"endCursor\":");
    match last {
        None => out.put("null"),
        Some((micros, id)) => {
            let cursor = format!("{micros}\u{1f}{}", Uuid::from_slice(id)?.simple());
            out.name(&URL_SAFE_NO_PAD.encode(cursor));
        }
    }
    out.put("}");
    Ok(())
}

pub fn count<'a, F: Field<'a>>(out: &mut Json, [category, risk, count]: [F; 3], least: i64) -> Result<()> {
    let count = count.int()?;
    out.put("{");
    members! { out:
        "category" name_or_null(out, category)?;
        "riskLevel" out.name(risk.text()?);
        "count" if count < least { out.put("null") } else { out.int(count) };
    }
    out.put("},");
    Ok(())
}

pub fn found<'a, F: Field<'a>>(out: &mut Json, keys: &Keyring, [id, number, name, born]: [F; 4]) -> Result<()> {
    let id = id.some()?;
    out.put("{");
    members! { out:
        "id" out.id("Child", id);
        "fileNumber" out.text(number.text()?);
        "name" open(out, keys, "child", "name", id, name)?;
        "birthDate" born.date(out)?;
    }
    out.put("},");
    Ok(())
}

/// A visit that is to be written.
pub struct Visit<'a> {
    pub id: Uuid,
    pub child: Uuid,
    pub by: Uuid,
    pub kind: &'a str,
    pub finding: &'a str,
    /// Microseconds since 1970.
    pub at: i64,
    pub notes: Vec<u8>,
}

impl<'a> Visit<'a> {
    pub fn read(keys: &Keyring, input: &'a serde_json::Value) -> Result<Visit<'a>> {
        let text = |name: &str| input[name].as_str().ok_or(format!("no {name}"));
        let id = Uuid::try_parse(text("id")?)?;
        let place = Place { table: "visit", column: "notes", row: id };
        Ok(Visit {
            id,
            child: Uuid::try_parse(text("child")?)?,
            by: Uuid::try_parse(text("by")?)?,
            kind: text("kind")?,
            finding: text("finding")?,
            at: chrono::DateTime::parse_from_rfc3339(text("occurredAt")?)?.timestamp_micros(),
            notes: keys.seal(place, text("notes")?, &domain::clock::SystemClock)?.0,
        })
    }

    pub fn answer(&self) -> String {
        let mut out = Json::with_capacity(256);
        out.put("{\"data\":{\"recordVisit\":{\"visit\":{");
        members! { out:
            "id" out.id("Visit", self.id.as_bytes());
            "kind" out.name(self.kind);
            "finding" out.name(self.finding);
            "occurredAt" out.time(self.at);
        }
        out.put("},\"userErrors\":[]}}}");
        out.0
    }
}
