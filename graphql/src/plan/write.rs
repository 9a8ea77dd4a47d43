//! Rows as JSON, in the order selected; a denied field is null, with its error.

use super::compile::{AccessPart, CellPart, ClassPart, EdgePart, InfoPart, PagePart, PagePiece, Piece, What};
use crate::errors;
use crate::fields::Leaf;
use async_graphql::{PathSegment, Pos, ServerError};
use chrono::{Datelike, NaiveDate, SecondsFormat};
use domain::access::{Actor, Decision, RowAccess};
use domain::read::plan::{Linked, Row, Rows};
use domain::statistics::Cell as StatisticsCell;
use domain::store::Cell;
use entity::{CodedEnum, DataClass, DivisionCode, Table};
use std::collections::BTreeSet;
use std::io::Write;

enum Step<'r> {
    Key(&'r str),
    At(usize),
}

pub(super) struct Writer<'r> {
    pub out: Vec<u8>,
    pub errors: Vec<ServerError>,
    pub denied: BTreeSet<String>,
    path: Vec<Step<'r>>,
    actor: &'r Actor,
}

/// A string of JSON, quotes and all, as serde writes it.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    out.pop();
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(&mut *out, text);
}

impl<'r> Writer<'r> {
    pub fn new(actor: &'r Actor) -> Writer<'r> {
        Writer { out: Vec::with_capacity(4096), errors: Vec::new(), denied: BTreeSet::new(), path: Vec::new(), actor }
    }

    fn text(&mut self, text: &str) {
        string(&mut self.out, text);
    }
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
    fn null(&mut self) {
        self.raw("null");
    }
    fn number(&mut self, n: i64) {
        let _ = write!(self.out, "{n}");
    }
    fn flag(&mut self, b: bool) {
        self.raw(if b { "true" } else { "false" });
    }

    /// Writes under a key of the path.
    pub fn under(&mut self, key: &'r str, write: impl FnOnce(&mut Self)) {
        self.path.push(Step::Key(key));
        write(self);
        self.path.pop();
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.out.push(b',');
        }
    }

    /// Null, and the error that says why.
    fn deny(&mut self, at: Pos, class: DataClass) {
        let path = self.path.iter().map(|step| match step {
            Step::Key(key) => PathSegment::Field((*key).to_owned()),
            Step::At(n) => PathSegment::Index(*n),
        });
        let mut error = errors::denied(self.actor.language, &self.actor.request_id, at, class.name());
        error.path = path.collect();
        self.errors.push(error);
        if !self.denied.contains(class.name()) {
            self.denied.insert(class.name().to_owned());
        }
        self.null();
    }

    pub fn object(&mut self, table: &'static Table, pieces: &'r [Piece], row: &Row) {
        self.out.push(b'{');
        for (n, piece) in pieces.iter().enumerate() {
            self.comma(n);
            self.raw(&piece.label);
            self.path.push(Step::Key(&piece.key));
            match &piece.what {
                What::Typename(name) => self.text(name),
                What::Id => self.id(table, &row.key),
                What::Access(parts) => self.access(parts, &row.access),
                What::Version(place) => self.number(row.cells[*place].int().unwrap_or_default()),
                What::Leaf { place, leaf, class } => self.leaf(&row.cells[*place], *leaf, *class, piece.at),
                What::One { link, class, table, fields } => match &row.links[*link] {
                    Linked::One(Some(one)) => self.object(table, fields, one),
                    Linked::Denied => self.deny(piece.at, *class),
                    _ => self.null(),
                },
                What::Page { link, class, table, page } => match &row.links[*link] {
                    Linked::Many(rows) => self.page(table, page, rows),
                    Linked::Denied => self.deny(piece.at, *class),
                    Linked::One(_) => self.null(),
                },
            }
            self.path.pop();
        }
        self.out.push(b'}');
    }

    fn access(&mut self, parts: &[(String, AccessPart)], access: &RowAccess) {
        self.out.push(b'{');
        for (n, (label, part)) in parts.iter().enumerate() {
            self.comma(n);
            self.raw(label);
            match part {
                AccessPart::Typename => self.text("ViewerAccess"),
                AccessPart::Actions => {
                    self.out.push(b'[');
                    for (n, action) in access.actions.iter().enumerate() {
                        self.comma(n);
                        self.text(action);
                    }
                    self.out.push(b']');
                }
                AccessPart::Classes(parts) => {
                    self.out.push(b'[');
                    for (n, class) in DataClass::ALL.iter().enumerate() {
                        self.comma(n);
                        self.class(parts, access, *class);
                    }
                    self.out.push(b']');
                }
            }
        }
        self.out.push(b'}');
    }

    /// The statistics of a division.
    pub fn cells(&mut self, parts: &[(String, CellPart)], cells: &[StatisticsCell]) {
        self.out.push(b'[');
        for (n, cell) in cells.iter().enumerate() {
            self.comma(n);
            self.out.push(b'{');
            for (n, (label, part)) in parts.iter().enumerate() {
                self.comma(n);
                self.raw(label);
                match (part, cell.category, cell.count) {
                    (CellPart::Typename, ..) => self.text("StatisticsCell"),
                    (CellPart::RiskLevel, ..) => self.text(cell.risk_level.name()),
                    (CellPart::Category, Some(category), _) => self.text(category.name()),
                    (CellPart::Count, _, Some(count)) => self.number(count),
                    (CellPart::Category, None, _) | (CellPart::Count, _, None) => self.null(),
                }
            }
            self.out.push(b'}');
        }
        self.out.push(b']');
    }

    fn class(&mut self, parts: &[(String, ClassPart)], access: &RowAccess, class: DataClass) {
        self.out.push(b'{');
        for (n, (label, part)) in parts.iter().enumerate() {
            self.comma(n);
            self.raw(label);
            match part {
                ClassPart::Typename => self.text("ClassAccess"),
                ClassPart::DataClass => self.text(class.name()),
                ClassPart::Decision => self.text(match access.decisions.of(class) {
                    Decision::Show => "SHOWN",
                    Decision::Mask => "MASKED",
                    Decision::Deny => "DENIED",
                }),
                ClassPart::Writable => self.flag(access.write.contains(&class)),
            }
        }
        self.out.push(b'}');
    }

    fn id(&mut self, table: &Table, key: &Cell) {
        let _ = match key {
            Cell::Int(code) => write!(self.out, "\"{}:{code:012}\"", table.type_name),
            Cell::Uuid(id) => {
                self.out.push(b'"');
                self.raw(table.type_name);
                self.out.push(b':');
                self.raw(id.hyphenated().encode_lower(&mut [0; 36]));
                self.out.push(b'"');
                Ok(())
            }
            _ => write!(self.out, "\"{}\"", table.type_name),
        };
    }

    fn leaf(&mut self, cell: &Cell, leaf: Leaf, class: DataClass, at: Pos) {
        match (leaf, cell) {
            (_, Cell::Denied) => self.deny(at, class),
            (Leaf::Text, Cell::Text(text)) => self.text(text),
            (Leaf::Int, Cell::Int(n)) => self.number(*n),
            (Leaf::SealedInt, Cell::Text(text)) if text.parse::<i64>().is_ok() => self.number(text.parse().unwrap_or_default()),
            (Leaf::Boolean, Cell::Bool(b)) => self.flag(*b),
            (Leaf::Date, Cell::Date(date)) => self.date(*date),
            (Leaf::Time, Cell::Time(time)) => self.text(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            (Leaf::Hex, Cell::Bytes(bytes)) => {
                self.out.push(b'"');
                bytes.iter().for_each(|b| {
                    let _ = write!(self.out, "{b:02x}");
                });
                self.out.push(b'"');
            }
            (Leaf::Words, cell) if *cell != Cell::Null => {
                self.out.push(b'[');
                for (n, word) in cell.text().unwrap_or_default().split([',', ' ']).filter(|w| !w.is_empty()).enumerate() {
                    self.comma(n);
                    self.text(word);
                }
                self.out.push(b']');
            }
            (Leaf::DivisionCode, Cell::Int(code)) => match DivisionCode::new(*code) {
                Some(code) => {
                    let _ = write!(self.out, "\"{code}\"");
                }
                None => self.null(),
            },
            (Leaf::Code(known), Cell::Text(text)) => match known(text) {
                Some(name) => self.text(name),
                None => self.null(),
            },
            _ => self.null(),
        }
    }

    /// As `Display` has it, without its way through a formatter.
    fn date(&mut self, date: NaiveDate) {
        let (Ok(year @ 0..=9999), month, day) = (u32::try_from(date.year()), date.month(), date.day()) else {
            let _ = write!(self.out, "\"{date}\"");
            return;
        };
        let digit = |n: u32| b'0' + (n % 10) as u8;
        let text = [year / 1000, year / 100, year / 10, year].map(digit);
        self.out.push(b'"');
        self.out.extend_from_slice(&text);
        self.out.extend_from_slice(&[b'-', digit(month / 10), digit(month), b'-', digit(day / 10), digit(day), b'"']);
    }

    pub fn page(&mut self, table: &'static Table, pieces: &'r [PagePiece], rows: &Rows) {
        self.out.push(b'{');
        for (n, piece) in pieces.iter().enumerate() {
            self.comma(n);
            self.raw(&piece.label);
            self.path.push(Step::Key(&piece.key));
            match &piece.what {
                PagePart::Typename(name) => self.text(name),
                PagePart::Nodes(fields) => self.list(rows, |writer, row| writer.object(table, fields, row)),
                PagePart::Edges(parts) => self.list(rows, |writer, row| {
                    writer.out.push(b'{');
                    for (n, part) in parts.iter().enumerate() {
                        writer.comma(n);
                        writer.raw(&part.label);
                        writer.path.push(Step::Key(&part.key));
                        match &part.what {
                            EdgePart::Typename(name) => writer.text(name),
                            EdgePart::Cursor => writer.text(&row.cursor.encode()),
                            EdgePart::Node(fields) => writer.object(table, fields, row),
                        }
                        writer.path.pop();
                    }
                    writer.out.push(b'}');
                }),
                PagePart::Info(parts) => self.info(parts, rows),
            }
            self.path.pop();
        }
        self.out.push(b'}');
    }

    fn list(&mut self, rows: &Rows, mut write: impl FnMut(&mut Self, &Row)) {
        self.out.push(b'[');
        for (n, row) in rows.rows.iter().enumerate() {
            self.comma(n);
            self.path.push(Step::At(n));
            write(self, row);
            self.path.pop();
        }
        self.out.push(b']');
    }

    fn info(&mut self, parts: &[(String, InfoPart)], rows: &Rows) {
        self.out.push(b'{');
        for (n, (label, part)) in parts.iter().enumerate() {
            self.comma(n);
            self.raw(label);
            match part {
                InfoPart::Typename => self.text("PageInfo"),
                InfoPart::HasNext => self.flag(rows.has_next),
                InfoPart::HasPrevious => self.flag(rows.has_previous),
                InfoPart::Start => self.cursor(rows.rows.first()),
                InfoPart::End => self.cursor(rows.rows.last()),
            }
        }
        self.out.push(b'}');
    }

    fn cursor(&mut self, row: Option<&Row>) {
        match row {
            Some(row) => self.text(&row.cursor.encode()),
            None => self.null(),
        }
    }
}
