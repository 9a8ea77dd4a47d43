//! Scalars and coded enumerations.

use async_graphql::registry::{Deprecation, MetaEnumValue, MetaType, MetaTypeId, Registry};
use async_graphql::{ContextSelectionSet, InputType, InputValueError, InputValueResult, OutputType, Positioned, Scalar, ScalarType, ServerResult, Value};
use chrono::{DateTime as ChronoTime, Datelike, NaiveDate, SecondsFormat, Utc};
use entity::CodedEnum;
use std::borrow::Cow;

/// Years of four digits, which both databases compare and a client reads back.
fn in_calendar(date: &NaiveDate) -> bool {
    (1..=9999).contains(&date.year())
}

/// A password or a one-time code: never in answers, never in logs.
#[derive(Clone, Debug)]
pub struct SecretText(pub domain::staff::Secret);

/// A password or a one-time code: a string that appears in no answer and no log. Send it as a variable, never in the document.
#[Scalar(name = "Secret")]
impl ScalarType for SecretText {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(SecretText(domain::staff::Secret::new(text))),
            _ => Err(InputValueError::custom("a secret is a string")),
        }
    }
    fn to_value(&self) -> Value {
        Value::Null
    }
}

/// A calendar date, `YYYY-MM-DD`, by the official time of the country (UTC+8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar date, `YYYY-MM-DD`, by the official time of the country (UTC+8).
#[Scalar(name = "Date", specified_by_url = "https://scalars.graphql.org/andimarek/local-date.html")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            // The parser of chrono would take blanks, signs and single digits too.
            Value::String(text) if text.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() }) => {
                let date = text.parse().ok().filter(|date| text.len() == 10 && in_calendar(date));
                date.map(Date).ok_or_else(|| InputValueError::custom("a date is written YYYY-MM-DD"))
            }
            _ => Err(InputValueError::custom("a date is a string, YYYY-MM-DD")),
        }
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A point in time, RFC 3339, to the millisecond, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub ChronoTime<Utc>);

/// A point in time, RFC 3339, to the millisecond, in UTC.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let wrong = || InputValueError::custom("a time is written as in RFC 3339, like 2026-11-24T10:00:00Z");
        let Value::String(text) = &value else { return Err(wrong()) };
        let time = ChronoTime::parse_from_rfc3339(text).map_err(|_| wrong())?.with_timezone(&Utc);
        ChronoTime::from_timestamp_millis(time.timestamp_millis()).filter(|time| in_calendar(&time.date_naive())).map(DateTime).ok_or_else(wrong)
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// An amount of money: an integer number of fen (分), one hundredth of a yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fen(pub i64);

/// An amount of money: an integer number of fen (分), one hundredth of a yuan.
#[Scalar(name = "Fen")]
impl ScalarType for Fen {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(n) => n.as_i64().map(Fen).ok_or_else(|| InputValueError::custom("an amount is a whole number of fen")),
            _ => Err(InputValueError::custom("an amount is a whole number of fen")),
        }
    }
    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// A coded enumeration of the domain as a GraphQL enum; each value is described with its official Chinese label and its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<T>(pub T);

fn create<T: CodedEnum>() -> MetaType {
    let values = T::VALUES.iter().map(|(_, coded)| {
        let code = coded.national_code.map(|c| format!(" (code {c})")).unwrap_or_default();
        let value = MetaEnumValue {
            name: coded.name.to_owned(),
            description: Some(format!("{}: {}{code}", coded.label_zh, coded.label_en)),
            deprecation: Deprecation::NoDeprecated,
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            directive_invocations: Vec::new(),
        };
        (coded.name.to_owned(), value)
    });
    MetaType::Enum {
        name: T::NAME.to_owned(),
        description: Some(T::ABOUT.to_owned()),
        enum_values: values.collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: Some(std::any::type_name::<Code<T>>()),
        requires_scopes: Vec::new(),
        directive_invocations: Vec::new(),
    }
}

impl<T: CodedEnum> InputType for Code<T> {
    type RawValueType = Self;
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }
    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_input_type::<Self, _>(MetaTypeId::Enum, |_| create::<T>())
    }
    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let name = match value.unwrap_or_default() {
            Value::Enum(name) => name.to_string(),
            Value::String(name) => name,
            other => return Err(InputValueError::expected_type(other)),
        };
        T::from_name(&name).map(Code).ok_or_else(|| InputValueError::custom(format!("{name:.60} is no value of {}", T::NAME)))
    }
    fn to_value(&self) -> Value {
        Value::Enum(async_graphql::Name::new(self.0.name()))
    }
    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl<T: CodedEnum> OutputType for Code<T> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }
    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Enum, |_| create::<T>())
    }
    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<async_graphql::parser::types::Field>) -> ServerResult<Value> {
        Ok(Value::Enum(async_graphql::Name::new(self.0.name())))
    }
}
