//! The citizen identity number, GB 11643-1999.

use crate::codes::Sex;
use chrono::{Datelike, NaiveDate};

/// A number whose shape, birth date and check character were verified.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdentityNumber(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityNumberError {
    /// Not 17 digits and a digit or X.
    Shape,
    /// Digits 7–14 are no date.
    BirthDate,
    /// The 18th character should be this one.
    CheckCharacter(char),
}

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: &[u8; 11] = b"10X98765432";

impl IdentityNumber {
    /// Expects folded text: half-width, no blanks; a small x is taken for X.
    pub fn parse(text: &str) -> Result<IdentityNumber, IdentityNumberError> {
        let text = text.to_ascii_uppercase();
        let bytes = text.as_bytes();
        if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) || !(bytes[17].is_ascii_digit() || bytes[17] == b'X') {
            return Err(IdentityNumberError::Shape);
        }
        let number = IdentityNumber(text);
        if number.date().is_none() {
            return Err(IdentityNumberError::BirthDate);
        }
        let right = check_character(&number.0[..17]);
        if number.0.ends_with(right) { Ok(number) } else { Err(IdentityNumberError::CheckCharacter(right)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn date(&self) -> Option<NaiveDate> {
        let part = |from: usize, to: usize| self.0[from..to].parse::<u32>().ok();
        NaiveDate::from_ymd_opt(part(6, 10)? as i32, part(10, 12)?, part(12, 14)?).filter(|d| d.year() >= 1850)
    }

    pub fn birth_date(&self) -> NaiveDate {
        self.date().unwrap_or(NaiveDate::MIN)
    }

    /// Digit 17: odd is male.
    pub fn sex(&self) -> Sex {
        if self.0.as_bytes()[16] % 2 == 1 { Sex::Male } else { Sex::Female }
    }
}

/// The 18th character for the first 17 digits.
pub fn check_character(seventeen: &str) -> char {
    let sum: u32 = seventeen.bytes().zip(WEIGHTS).map(|(b, w)| u32::from(b.saturating_sub(b'0')) * w).sum();
    CHECKS[(sum % 11) as usize] as char
}

impl std::fmt::Debug for IdentityNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gb_11643_check_character() {
        assert!(IdentityNumber::parse("11010519491231002X").is_ok());
        assert_eq!(IdentityNumber::parse("110105194912310021"), Err(IdentityNumberError::CheckCharacter('X')));
        assert_eq!(IdentityNumber::parse("11010519491331002X"), Err(IdentityNumberError::BirthDate));
        assert_eq!(IdentityNumber::parse("1101051949123100"), Err(IdentityNumberError::Shape));
        assert_eq!(IdentityNumber::parse("11010519491231002x").map(|n| n.sex()), Ok(Sex::Female));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = IdentityNumber::parse(&text);
        }
        #[test]
        fn one_wrong_digit_is_caught(at in 0usize..17, by in 1u8..10) {
            let mut number = b"11010519491231002X".to_vec();
            number[at] = b'0' + (number[at] - b'0' + by) % 10;
            let text = String::from_utf8(number).expect("digits");
            proptest::prop_assert!(IdentityNumber::parse(&text).is_err());
        }
    }
}
