use calamine::Dimensions;

use super::{Cell, Row};

/// More regions than this is no sheet a person merged by hand.
const MOST_REGIONS: usize = 200_000;
/// Regions open at once; each row pays for every one.
const MOST_OPEN: usize = 512;

/// Repeats the first cell of each merged region over the whole region as rows stream past.
pub(super) struct Merges {
    waiting: std::iter::Peekable<std::vec::IntoIter<Dimensions>>,
    open: Vec<(Dimensions, Cell)>,
    columns: u32,
}

impl Merges {
    pub fn new(mut regions: Vec<Dimensions>, columns: usize) -> Self {
        regions.retain(|region| {
            region.start != region.end
                && region.start.0 <= region.end.0
                && region.start.1 <= region.end.1
        });
        regions.truncate(MOST_REGIONS);
        regions.sort_by_key(|region| region.start);
        Self {
            waiting: regions.into_iter().peekable(),
            open: Vec::new(),
            columns: columns as u32,
        }
    }

    pub fn fill(&mut self, row: &mut Row) {
        let index = row.number - 1;
        while let Some(region) = self.waiting.next_if(|region| region.start.0 <= index) {
            if region.start.0 == index && self.open.len() < MOST_OPEN {
                self.open
                    .push((region, row.cell(region.start.1 as usize).clone()));
            }
        }
        self.open.retain(|(region, _)| region.end.0 >= index);
        for (region, value) in &self.open {
            // Long texts are notes, and copying them to every row is not free.
            if value.is_blank() || matches!(value, Cell::Text(text) if text.len() > 1000) {
                continue;
            }
            let last = region.end.1.min(self.columns.saturating_sub(1)) as usize;
            if row.cells.len() <= last {
                row.cells.resize(last + 1, Cell::Empty);
            }
            for cell in &mut row.cells[(region.start.1 as usize).min(last)..=last] {
                if cell.is_blank() {
                    *cell = value.clone();
                }
            }
        }
    }
}
