//! Codes of administrative divisions: GB/T 2260, extended to 12 digits in the layout 2+2+2+3+3.

use crate::codes::DivisionLevel;

/// A 12-digit code as an integer; zero is the nation. A subtree is a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DivisionCode(i64);

const STEPS: [i64; 6] = [1_000_000_000_000, 10_000_000_000, 100_000_000, 1_000_000, 1_000, 1];

impl DivisionCode {
    pub const NATION: DivisionCode = DivisionCode(0);

    pub fn new(code: i64) -> Option<DivisionCode> {
        (code == 0 || (110_000_000_000..1_000_000_000_000).contains(&code)).then_some(DivisionCode(code))
    }

    /// Reads 2, 4, 6, 9 or 12 digits; shorter codes are extended with zeros.
    pub fn parse(text: &str) -> Option<DivisionCode> {
        if !matches!(text.len(), 2 | 4 | 6 | 9 | 12) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let value: i64 = text.parse().ok()?;
        DivisionCode::new(value * 10_i64.pow(12 - text.len() as u32))
    }

    pub fn value(self) -> i64 {
        self.0
    }

    fn depth(self) -> usize {
        STEPS.iter().position(|step| self.0 % step == 0).unwrap_or(5)
    }

    /// The level the layout shows; a division whose own last group is zero cannot occur.
    pub fn level(self) -> DivisionLevel {
        use DivisionLevel::*;
        [Nation, Province, Prefecture, County, Township, Village][self.depth()]
    }

    /// First and last code of the subtree, both included.
    pub fn range(self) -> (i64, i64) {
        (self.0, self.0 + STEPS[self.depth()] - 1)
    }

    pub fn contains(self, other: DivisionCode) -> bool {
        let (low, high) = self.range();
        (low..=high).contains(&other.0)
    }

    /// The ancestor (or itself) at a level, read off the code.
    pub fn at(self, level: DivisionLevel) -> DivisionCode {
        let step = STEPS[level as usize];
        DivisionCode(self.0 / step * step)
    }
}

impl std::fmt::Display for DivisionCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_of_the_code() {
        let village = DivisionCode::parse("130102001001").expect("valid");
        assert_eq!(village.level(), DivisionLevel::Village);
        assert_eq!(village.at(DivisionLevel::County).to_string(), "130102000000");
        assert_eq!(DivisionCode::parse("13"), DivisionCode::parse("130000000000"));
        assert!(DivisionCode::parse("1301").expect("valid").contains(village));
        assert!(!DivisionCode::parse("1302").expect("valid").contains(village));
        assert!(DivisionCode::NATION.contains(village));
        assert_eq!(DivisionCode::parse("130102000000").expect("valid").range(), (130_102_000_000, 130_102_999_999));
        assert_eq!(DivisionCode::parse("099"), None);
        assert_eq!(DivisionCode::parse("01"), None);
    }
}
