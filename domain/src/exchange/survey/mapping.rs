use serde::{Deserialize, Serialize};

use super::header::{Layout, SEARCHED_ROWS};
use super::resolve::tidy;
use super::{Field, OpenError, Row, RowStream, SheetSource, Target};

/// Which column holds what, for sheets whose headers are not recognised by themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// First and last header row, counted from 1; found by itself when absent.
    pub header_rows: Option<(u32, u32)>,
    pub columns: Vec<ColumnMapping>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ColumnMapping {
    /// The header's words from the top down, joined by `/`.
    pub header: String,
    pub target: Target,
}

#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("the mapping file is not valid: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("the mapping of {header:?} is not valid: {reason}")]
    Field { header: String, reason: String },
    #[error("header_rows is [first, last], counted from 1, three rows at most")]
    HeaderRows,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    header_rows: Option<[u32; 2]>,
    #[serde(default)]
    column: Vec<FileColumn>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileColumn {
    header: String,
    field: String,
}

impl Mapping {
    pub fn from_toml(text: &str) -> Result<Self, MappingError> {
        let file: File = toml::from_str(text)?;
        let header_rows = match file.header_rows {
            Some([first, last]) if first == 0 || last < first || last - first > 2 => {
                return Err(MappingError::HeaderRows);
            }
            rows => rows.map(|[first, last]| (first, last)),
        };
        let mut columns: Vec<ColumnMapping> = Vec::with_capacity(file.column.len());
        for FileColumn { header, field } in file.column {
            let target = field.parse().map_err(|reason| MappingError::Field {
                header: header.clone(),
                reason,
            })?;
            columns.push(ColumnMapping { header, target });
        }
        Ok(Self {
            header_rows,
            columns,
        })
    }

    pub fn to_toml(&self) -> String {
        let file = File {
            header_rows: self.header_rows.map(|(first, last)| [first, last]),
            column: self
                .columns
                .iter()
                .map(|column| FileColumn {
                    header: column.header.clone(),
                    field: column.target.to_string(),
                })
                .collect(),
        };
        // Strings and numbers always have a TOML form.
        toml::to_string(&file).unwrap_or_default()
    }

    pub(super) fn find(&self, label: &str) -> Option<Target> {
        let label = tidy(label);
        self.columns
            .iter()
            .find(|column| tidy(&column.header) == label)
            .map(|column| column.target)
    }
}

/// What the headers of a file suggest.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub mapping: Mapping,
    /// The labels of all columns of all sheets, in order of appearance.
    pub columns: Vec<String>,
    /// Labels nobody knows; the mapping lists them as `ignore`.
    pub unknown_columns: Vec<String>,
    /// Fields of the form that no column holds.
    pub missing_fields: Vec<Field>,
    /// Sheets without a header.
    pub skipped_sheets: Vec<String>,
}

impl Proposal {
    /// The mapping file with what a person should look at noted above it.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("# 列名与字段的对应 / which column holds which field\n");
        for column in &self.unknown_columns {
            text.push_str(&format!("# 未识别的列 / not recognised: {column}\n"));
        }
        for field in &self.missing_fields {
            text.push_str(&format!(
                "# 表中没有 / not in the sheet: {} {}\n",
                field.key(),
                field.label()
            ));
        }
        text.push('\n');
        text.push_str(&self.mapping.to_toml());
        text
    }
}

/// Recognises the headers of every sheet; what is `given` already goes before what is recognised.
pub fn propose(
    source: &mut dyn SheetSource,
    given: Option<&Mapping>,
) -> Result<Proposal, OpenError> {
    let mut proposal = Proposal {
        mapping: Mapping {
            header_rows: given.and_then(|given| given.header_rows),
            columns: Vec::new(),
        },
        columns: Vec::new(),
        unknown_columns: Vec::new(),
        missing_fields: Vec::new(),
        skipped_sheets: Vec::new(),
    };
    let mut found: Vec<Layout> = Vec::new();
    for sheet in 0..source.sheets().len() {
        let rows = first_rows(&mut *source.rows(sheet)?)?;
        let Some(layout) = Layout::detect(&rows, given, chrono::NaiveDate::MAX) else {
            proposal.skipped_sheets.push(source.sheets()[sheet].clone());
            continue;
        };
        for column in &layout.columns {
            if proposal.columns.contains(&column.label) {
                continue;
            }
            proposal.columns.push(column.label.clone());
            if column.target.is_none() {
                proposal.unknown_columns.push(column.label.clone());
            }
            let target = column.target.unwrap_or(Target::Ignore);
            proposal.mapping.columns.push(ColumnMapping {
                header: column.label.clone(),
                target,
            });
        }
        found.push(layout);
    }
    if found.is_empty() {
        return Err(OpenError::NoHeader);
    }
    let held = |field: Field| found.iter().any(|layout| layout.has(field));
    proposal.missing_fields = Field::ALL
        .iter()
        .copied()
        .filter(|field| match field {
            // These come with another field or in place of others.
            Field::Village
            | Field::DisabilityGrade
            | Field::WhichAway
            | Field::Away
            | Field::FatherDead
            | Field::MotherDead => false,
            Field::BothAway | Field::OneAway => !held(*field) && !held(Field::Away),
            field => !held(*field),
        })
        .collect();
    Ok(proposal)
}

pub(super) fn first_rows(stream: &mut dyn RowStream) -> Result<Vec<Row>, OpenError> {
    let mut rows = Vec::new();
    while rows.len() < SEARCHED_ROWS {
        match stream.next_row()? {
            Some(row) => rows.push(row),
            None => break,
        }
    }
    Ok(rows)
}
