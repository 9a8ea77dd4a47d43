use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::NaiveDate;

use super::mapping::first_rows;
use super::parse::RowParser;
use super::resolve::tidy;
use super::values::narrow;
use super::{
    Cell, CellProblem, Field, Layout, Mapping, OpenError, Row, SheetSource, SurveyRow, Target,
};

/// The most skipped rows a summary names.
const MOST_SKIPPED: usize = 1000;

#[derive(Clone, Debug)]
pub struct Settings {
    pub today: NaiveDate,
    /// The day ages are counted on; the date in the sheet's head when absent, else today.
    pub survey_date: Option<NaiveDate>,
    pub mapping: Option<Mapping>,
}

impl Settings {
    pub fn on(today: NaiveDate) -> Self {
        Self {
            today,
            survey_date: None,
            mapping: None,
        }
    }
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub sheet: Arc<str>,
    /// Counted from 1.
    pub row: u32,
    /// The village by a column, a line above the row, the head or the sheet's name.
    pub village: Option<String>,
    /// The reporting unit in the head.
    pub unit: Option<String>,
    pub survey_date: NaiveDate,
}

/// A row with what it takes to write it down again.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadRow {
    pub place: Place,
    pub layout: Arc<Layout>,
    /// The texts of the cells, one for each column of the layout.
    pub cells: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Good {
        at: ReadRow,
        row: Box<SurveyRow>,
        warnings: Vec<CellProblem>,
    },
    Bad {
        at: ReadRow,
        problems: Vec<CellProblem>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The header printed again on each page, or a row of column numbers.
    Header,
    /// Notes, totals and signatures.
    Note,
    /// A line that names the village of the rows below it.
    Village,
    /// A numbered row that nobody filled in.
    Unfilled,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    pub sheet: Arc<str>,
    pub row: u32,
    pub reason: SkipReason,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub good: u64,
    pub bad: u64,
    pub skipped: u64,
    /// The first of the skipped rows, so that nothing goes missing unseen; blank rows are not among them.
    pub skipped_rows: Vec<Skipped>,
    pub sheets: Vec<(String, Layout)>,
    /// Sheets that are no roster, by their columns.
    pub sheets_without_header: Vec<String>,
    /// Whether `each` asked to stop.
    pub stopped: bool,
}

/// Reads every row of every sheet, in order, and hands each to `each` until it breaks.
pub fn read(
    source: &mut dyn SheetSource,
    settings: &Settings,
    each: &mut dyn FnMut(Item) -> ControlFlow<()>,
) -> Result<Summary, OpenError> {
    let mut summary = Summary::default();
    let mut incomplete = None;
    for index in 0..source.sheets().len() {
        let sheet: Arc<str> = source.sheets()[index].as_str().into();
        let mut stream = source.rows(index)?;
        let first = first_rows(&mut *stream)?;
        let Some(layout) = Layout::detect(&first, settings.mapping.as_ref(), settings.today) else {
            if first.iter().any(|row| !row.is_blank()) {
                summary.sheets_without_header.push(sheet.to_string());
            }
            continue;
        };
        if !layout.has(Field::BirthDate) && !layout.has(Field::Identity) {
            // Beside the roster a list of staff, say, has names too.
            summary.sheets_without_header.push(sheet.to_string());
            let missing =
                "出生日期/公民身份号码 (child.birth_date or child.identity_number)".into();
            incomplete.get_or_insert(OpenError::MissingColumns {
                sheet: sheet.to_string(),
                missing,
            });
            continue;
        }
        summary.sheets.push((sheet.to_string(), layout.clone()));
        let mut reader = SheetReader::new(sheet, Arc::new(layout), settings);
        let mut waiting = VecDeque::from(first);
        loop {
            let row = match waiting.pop_front() {
                Some(row) => row,
                None => match stream.next_row()? {
                    Some(row) => row,
                    None => break,
                },
            };
            let item = match reader.row(&row) {
                Step::Blank => continue,
                Step::Skip(reason) => {
                    summary.skipped += 1;
                    if summary.skipped_rows.len() < MOST_SKIPPED {
                        summary.skipped_rows.push(Skipped {
                            sheet: reader.sheet.clone(),
                            row: row.number,
                            reason,
                        });
                    }
                    continue;
                }
                Step::Item(item) => *item,
            };
            match item {
                Item::Good { .. } => summary.good += 1,
                Item::Bad { .. } => summary.bad += 1,
            }
            if each(item).is_break() {
                summary.stopped = true;
                return Ok(summary);
            }
        }
    }
    if summary.sheets.is_empty() {
        return Err(incomplete.unwrap_or(OpenError::NoHeader));
    }
    Ok(summary)
}

enum Step {
    Blank,
    Skip(SkipReason),
    Item(Box<Item>),
}

struct SheetReader<'a> {
    sheet: Arc<str>,
    layout: Arc<Layout>,
    settings: &'a Settings,
    survey_date: NaiveDate,
    village: Option<String>,
}

impl<'a> SheetReader<'a> {
    fn new(sheet: Arc<str>, layout: Arc<Layout>, settings: &'a Settings) -> Self {
        let village =
            village_of(&sheet).or_else(|| layout.head.unit.as_deref().and_then(village_of));
        let survey_date = settings
            .survey_date
            .or(layout.head.date)
            .unwrap_or(settings.today);
        Self {
            sheet,
            layout,
            settings,
            survey_date,
            village,
        }
    }

    fn row(&mut self, row: &Row) -> Step {
        if row.is_blank() || row.number <= self.layout.last_row {
            return Step::Blank;
        }
        if let Some(reason) = self.skip(row) {
            return Step::Skip(reason);
        }
        let parser = RowParser {
            layout: &self.layout,
            sheet: &self.sheet,
            row,
            today: self.settings.today,
            survey_date: self.survey_date,
            problems: Vec::new(),
        };
        let outcome = parser.parse();
        let named = outcome
            .as_ref()
            .ok()
            .and_then(|(row, _)| row.village.clone());
        let at = ReadRow {
            place: Place {
                sheet: self.sheet.clone(),
                row: row.number,
                village: named.or_else(|| self.village.clone()),
                unit: self.layout.head.unit.clone(),
                survey_date: self.survey_date,
            },
            layout: self.layout.clone(),
            cells: self
                .layout
                .columns
                .iter()
                .map(|column| row.cell(column.index).display())
                .collect(),
        };
        Step::Item(Box::new(match outcome {
            Ok((row, warnings)) => Item::Good {
                at,
                row: Box::new(row),
                warnings,
            },
            Err(problems) => Item::Bad { at, problems },
        }))
    }

    /// Why a row that is not blank is no child; a row with a name is always read.
    fn skip(&mut self, row: &Row) -> Option<SkipReason> {
        let read = |column: &&super::Column| !matches!(column.target, None | Some(Target::Ignore));
        let filled: Vec<&super::Column> = self
            .layout
            .columns
            .iter()
            .filter(read)
            .filter(|column| !row.cell(column.index).is_blank())
            .collect();
        let name = self.layout.field(Field::Name);
        let name_text = name
            .map(|column| tidy(&row.cell(column.index).display()))
            .unwrap_or_default();

        let title = name.map(|column| column.label.split('#').next().unwrap_or_default());
        let titled = |title: &str| title.split('/').any(|part| tidy(part) == name_text);
        if !name_text.is_empty() && title.is_some_and(titled) {
            return Some(SkipReason::Header);
        }
        let count = |cell: &Cell| matches!(cell.display().trim().parse::<u32>(), Ok(0..=300));
        if filled.len() > 2 && filled.iter().all(|column| count(row.cell(column.index))) {
            return Some(SkipReason::Header);
        }

        let mut texts: Vec<String> = Vec::new();
        for cell in row.cells.iter().filter(|cell| !cell.is_blank()) {
            let text = narrow(&cell.display()).trim().to_owned();
            if texts.last() != Some(&text) {
                texts.push(text);
            }
        }
        if let [only] = &texts[..] {
            let number = only.parse::<f64>().is_ok();
            let village = village_of(only).filter(|_| only.chars().count() <= 30);
            let in_name = filled.len() == 1 && filled[0].target == Some(Target::Field(Field::Name));
            if village.is_some() {
                self.village = village;
                return Some(SkipReason::Village);
            }
            if is_note(only) || !in_name && !number && filled.len() != 1 {
                return Some(SkipReason::Note);
            }
        }
        if filled.is_empty() {
            let numbered = texts.iter().all(|text| text.parse::<f64>().is_ok());
            return Some(if numbered {
                SkipReason::Unfilled
            } else {
                SkipReason::Note
            });
        }
        // Signatures stand in any column; the child's own number would tell a row of the roster.
        let numbered = self
            .layout
            .field(Field::Identity)
            .is_some_and(|column| !row.cell(column.index).is_blank());
        if !numbered
            && texts.iter().any(|text| is_note(text))
            && (name_text.is_empty() || is_note(&name_text) || filled.len() <= 3)
        {
            return Some(SkipReason::Note);
        }
        None
    }
}

const NOTES: &[&str] = &[
    "注:",
    "注1",
    "注意",
    "说明",
    "填表说明",
    "填报说明",
    "备注:",
    "填报人",
    "填表人",
    "审核人",
    "负责人",
    "单位负责人",
    "经办人",
    "制表",
    "合计",
    "小计",
    "共计",
    "总计",
    "本页",
    "联系人",
    "填报日期",
    "填表日期",
    "填报时间",
    "填报单位",
    "分管领导",
    "主要领导",
    "签字",
    "盖章",
    "以下空白",
];

fn is_note(text: &str) -> bool {
    let text: String = narrow(text)
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let opens = NOTES.iter().any(|note| text.starts_with(note));
    opens
        && (text.chars().count() > 6
            || text.contains(':')
            || text.contains("计")
            || NOTES.contains(&text.as_str()))
}

/// The village a text names: the part after the town, when it ends as village names do.
fn village_of(text: &str) -> Option<String> {
    let text = narrow(text);
    let text = text.trim();
    let stem = text.trim_end_matches(['。', ':']);
    let ends = [
        "村",
        "社区",
        "居委会",
        "村委会",
        "村民委员会",
        "居民委员会",
        "嘎查",
        "牧业村",
    ];
    if !ends.iter().any(|end| stem.ends_with(end)) || stem.contains(['注', ':', ',', '，']) {
        return None;
    }
    let after_town = ["街道办事处", "街道", "镇", "乡"]
        .iter()
        .find_map(|town| stem.rfind(town).map(|at| &stem[at + town.len()..]));
    let village = after_town
        .filter(|rest| rest.chars().count() > 1)
        .unwrap_or(stem);
    Some(village.trim().to_owned()).filter(|village| village.chars().count() > 1)
}
