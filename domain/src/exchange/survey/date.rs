use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};

use super::problem::Fault;
use super::values::{is_nothing, narrow, text};
use super::{Cell, Rule};

/// A date as precisely as the sheet gives it. The fields are a day of the calendar, a month or a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartialDate {
    year: i32,
    month: Option<u32>,
    day: Option<u32>,
}

impl PartialDate {
    /// `None` when no such day exists, or a day is given without its month.
    pub fn new(year: i32, month: Option<u32>, day: Option<u32>) -> Option<Self> {
        if day.is_some() && month.is_none() || !(1..=9999).contains(&year) {
            return None;
        }
        NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
        Some(Self { year, month, day })
    }

    pub fn year(self) -> i32 {
        self.year
    }

    pub fn month(self) -> Option<u32> {
        self.month
    }

    pub fn day(self) -> Option<u32> {
        self.day
    }

    /// The day itself when the date is a day.
    pub fn exact(self) -> Option<NaiveDate> {
        self.day.map(|_| self.first_day())
    }

    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1))
            .unwrap_or(NaiveDate::MIN)
    }

    pub fn last_day(self) -> NaiveDate {
        let length = match (self.month, self.day) {
            (_, Some(_)) => return self.first_day(),
            (Some(_), None) => Months::new(1),
            (None, None) => Months::new(12),
        };
        let next = self.first_day().checked_add_months(length);
        next.and_then(|next| next.checked_sub_days(Days::new(1)))
            .unwrap_or(NaiveDate::MAX)
    }
}

impl From<NaiveDate> for PartialDate {
    fn from(date: NaiveDate) -> Self {
        Self {
            year: date.year(),
            month: Some(date.month()),
            day: Some(date.day()),
        }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        self.month
            .map_or(Ok(()), |month| write!(f, "-{month:02}"))?;
        self.day.map_or(Ok(()), |day| write!(f, "-{day:02}"))
    }
}

/// What a date cell can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateValue {
    Date(PartialDate),
    /// `2008.1` stored as a figure: the zero of October is gone.
    JanuaryOrOctober(i32),
}

/// Reads a date no later than `today` and not before 1900.
pub(super) fn date(cell: &Cell, today: NaiveDate) -> Result<Option<DateValue>, Fault> {
    let value = match cell {
        Cell::Date(date) => DateValue::Date((*date).into()),
        Cell::Number(number) => figure(*number).ok_or(Rule::DateFormat)?,
        _ => match text(cell)?.filter(|text| !is_nothing(text)) {
            Some(text) => DateValue::Date(words(&text).ok_or(Rule::DateFormat)?),
            None => return Ok(None),
        },
    };
    let first = match value {
        DateValue::Date(date) => date.first_day(),
        DateValue::JanuaryOrOctober(year) => {
            NaiveDate::from_ymd_opt(year, 1, 1).ok_or(Rule::DateFormat)?
        }
    };
    if first > today {
        return Err(Rule::DateFuture.into());
    }
    if first.year() < 1900 {
        return Err(Rule::DateTooOld.into());
    }
    Ok(Some(value))
}

fn figure(number: f64) -> Option<DateValue> {
    if !number.is_finite() || !(0.0..1e9).contains(&number) {
        return None;
    }
    if number.fract() == 0.0 {
        return whole(number as u32).map(DateValue::Date);
    }
    // A year and month, written 2008.3; its text tells how many digits were stored.
    let text = number.to_string();
    let (year, month) = text.split_once('.')?;
    if year.len() == 4 && month == "1" {
        return year.parse().ok().map(DateValue::JanuaryOrOctober);
    }
    if year.len() == 4 && month.len() <= 2 {
        return PartialDate::new(year.parse().ok()?, Some(month.parse().ok()?), None)
            .map(DateValue::Date);
    }
    // A serial with a time of day.
    (10_000.0..80_000.0)
        .contains(&number)
        .then(|| whole(number as u32))
        .flatten()
        .map(DateValue::Date)
}

/// `20080315`, `200803`, `2008`, or a spreadsheet's day count.
fn whole(number: u32) -> Option<PartialDate> {
    match number {
        10_000_101..=99_991_231 => PartialDate::new(
            (number / 10_000) as i32,
            Some(number / 100 % 100),
            Some(number % 100),
        ),
        100_001..=999_912 => PartialDate::new((number / 100) as i32, Some(number % 100), None),
        1000..=9999 => PartialDate::new(number as i32, None, None),
        10_000..80_000 => {
            let epoch = NaiveDate::from_ymd_opt(1899, 12, 30)?;
            epoch
                .checked_add_days(Days::new(u64::from(number)))
                .map(PartialDate::from)
        }
        _ => None,
    }
}

fn words(text: &str) -> Option<PartialDate> {
    let text = narrow(text);
    let text = text.trim();
    // The time of day that an export adds.
    let text = match text.split_once([' ', 'T']) {
        Some((date, time)) if time.contains(':') || time.contains('时') => date,
        _ => text,
    };
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let compact = compact.trim_end_matches(['生', '出']);
    if compact.len() <= 8
        && !compact.is_empty()
        && compact.bytes().all(|byte| byte.is_ascii_digit())
    {
        return whole(compact.parse().ok()?);
    }
    let mut parts: Vec<u32> = Vec::with_capacity(3);
    let ended = compact.trim_end_matches(['日', '号', '月', '年', '.', '。', '-', '/']);
    for part in ended.split([
        '年', '月', '.', '-', '/', '—', '。', '、', ',', '－', '–', '\\',
    ]) {
        if part.is_empty() || part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        parts.push(part.parse().ok()?);
    }
    // A year of two digits leaves the century open.
    if ended
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .is_none_or(|year| year.len() != 4)
    {
        return None;
    }
    match parts[..] {
        [year] => PartialDate::new(year as i32, None, None),
        [year, month] => PartialDate::new(year as i32, Some(month), None),
        [year, month, day] => PartialDate::new(year as i32, Some(month), Some(day)),
        _ => None,
    }
}
