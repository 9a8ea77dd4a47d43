//! How one field of a row is taken from its cell or its columns of ticks.

use super::choices::{self, Choice};
use super::date::{DateValue, date};
use super::parse::{RowParser, is_death};
use super::problem::Fault;
use entity::IdentityNumber;

use super::values::{agrees, free, is_nothing, is_tick, text, yes_no};
use super::{Cell, Column, Field, PartialDate, Rule, Severity};

impl RowParser<'_> {
    pub(super) fn cell(&self, field: Field) -> &Cell {
        self.layout
            .field(field)
            .map_or(&Cell::Empty, |column| self.row.cell(column.index))
    }

    /// The value of a field's own column, or a problem.
    pub(super) fn take<T>(
        &mut self,
        field: Field,
        parse: impl FnOnce(&Cell) -> Result<Option<T>, Fault>,
    ) -> Option<T> {
        let column = self.layout.field(field)?;
        match parse(self.row.cell(column.index)) {
            Ok(value) => value,
            Err(fault) => {
                self.fault(field, fault);
                None
            }
        }
    }

    pub(super) fn free(&mut self, field: Field) -> Option<String> {
        self.take(field, free)
    }

    pub(super) fn yes_no(&mut self, field: Field) -> Option<bool> {
        let ticked = self.ticked(field);
        match ticked[..] {
            ["yes"] => return Some(true),
            ["no"] => return Some(false),
            _ => {}
        }
        self.take(field, |cell| {
            let Some(text) = text(cell)? else {
                return Ok(None);
            };
            let choices = field.choices();
            let chosen = |wanted: &str| {
                choices.iter().any(|(key, label, words)| {
                    *key == wanted && (*label == text || words.contains(&text.as_str()))
                })
            };
            if chosen("yes") {
                Ok(Some(true))
            } else if chosen("no") {
                Ok(Some(false))
            } else if is_nothing(&text) {
                Ok(None)
            } else if let Ok(Some(yes)) = choices::single(YES_NO, &text) {
                Ok(Some(yes))
            } else {
                yes_no(&text).map(Some)
            }
        })
    }

    pub(super) fn date(
        &mut self,
        field: Field,
        number: Option<&IdentityNumber>,
    ) -> Option<PartialDate> {
        let today = self.today;
        self.take(field, |cell| {
            let dead = matches!(cell, Cell::Text(text) if is_death(text.trim()));
            match if dead { None } else { date(cell, today)? } {
                None => Ok(None),
                Some(DateValue::Date(date)) => Ok(Some(date)),
                Some(DateValue::JanuaryOrOctober(year)) => {
                    let months = [1, 10].map(|month| PartialDate::new(year, Some(month), None));
                    let told = number.and_then(|number| {
                        months
                            .into_iter()
                            .flatten()
                            .find(|date| agrees(*date, number.birth_date()))
                    });
                    told.map(Some)
                        .ok_or_else(|| Rule::DateAmbiguous.with(year.to_string()))
                }
            }
        })
    }

    pub(super) fn single<T: Copy + PartialEq>(
        &mut self,
        field: Field,
        choices: &'static [Choice<T>],
    ) -> Option<T> {
        let ticked = self.ticked(field);
        if ticked.len() > 1 {
            let named = choices
                .iter()
                .filter(|choice| ticked.contains(&choice.key))
                .map(|choice| choice.label);
            self.fault(
                field,
                Rule::ChoiceSeveral.with(named.collect::<Vec<_>>().join("、")),
            );
            return None;
        }
        let ticked = choices
            .iter()
            .find(|choice| ticked.contains(&choice.key))
            .map(|choice| choice.value);
        ticked.or_else(|| {
            self.take(field, |cell| {
                text(cell)?.map_or(Ok(None), |text| choices::single(choices, &text))
            })
        })
    }

    pub(super) fn several<T: Copy + PartialEq>(
        &mut self,
        field: Field,
        choices: &'static [Choice<T>],
    ) -> Vec<T> {
        let ticked = self.ticked(field);
        let mut chosen: Vec<T> = choices
            .iter()
            .filter(|choice| ticked.contains(&choice.key))
            .map(|choice| choice.value)
            .collect();
        let written = self.take(field, |cell| {
            text(cell)?
                .map(|text| choices::several(choices, &text))
                .transpose()
        });
        for value in written.unwrap_or_default() {
            if !chosen.contains(&value) {
                chosen.push(value);
            }
        }
        chosen
    }

    /// The choices ticked in columns of their own.
    pub(super) fn ticked(&mut self, field: Field) -> Vec<&'static str> {
        let (layout, row) = (self.layout, self.row);
        let mut ticked = Vec::new();
        for (column, key) in layout.ticks(field) {
            let fault = match text(row.cell(column.index)) {
                Ok(None) => continue,
                Ok(Some(text)) if is_tick(&text) => {
                    ticked.push(key);
                    continue;
                }
                Ok(Some(text)) if is_nothing(&text) || yes_no(&text).is_ok() => continue,
                // The choice's own word, or what kind of "other" it is.
                Ok(Some(text))
                    if key == "other"
                        || field.choices().iter().any(|(choice, label, words)| {
                            *choice == key && (*label == text || words.contains(&text.as_str()))
                        }) =>
                {
                    ticked.push(key);
                    continue;
                }
                Ok(Some(_)) => Rule::YesNoUnknown.into(),
                Err(fault) => fault,
            };
            let problem = fault.at(
                self.sheet,
                row.number,
                column.title(),
                &row.cell(column.index).display(),
            );
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
        ticked
    }

    pub(super) fn fault(&mut self, field: Field, fault: Fault) {
        let value = self.cell(field).display();
        let problem = fault.at(self.sheet, self.row.number, self.title(field), &value);
        self.problems.push(problem);
    }

    /// The column a field is read from, as people find it.
    pub(super) fn title(&self, field: Field) -> String {
        let column = self
            .layout
            .field(field)
            .or_else(|| self.layout.ticks(field).next().map(|(column, _)| column));
        column.map_or_else(|| field.label().to_owned(), Column::title)
    }

    /// Whether the field's cell is already known to be wrong.
    pub(super) fn failed(&self, field: Field) -> bool {
        let title = self.title(field);
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Error && problem.column == title)
    }
}

const YES_NO: &[Choice<bool>] = &[
    Choice {
        value: true,
        key: "yes",
        label: "是",
        words: &["有", "住校", "寄宿"],
    },
    Choice {
        value: false,
        key: "no",
        label: "否",
        words: &["无", "走读", "不寄宿"],
    },
];
