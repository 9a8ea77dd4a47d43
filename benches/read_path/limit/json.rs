//! JSON written by hand, in the forms of the API.

use std::fmt::Write;

/// Writes one text; the caller puts names and brackets.
pub struct Json(pub String);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Json {
    pub fn with_capacity(bytes: usize) -> Json {
        Json(String::with_capacity(bytes))
    }

    pub fn put(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// What ends in a comma ends without it.
    pub fn uncomma(&mut self) {
        if self.0.ends_with(',') {
            self.0.pop();
        }
    }

    pub fn text(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' => self.put("\\\""),
                '\\' => self.put("\\\\"),
                '\n' => self.put("\\n"),
                '\r' => self.put("\\r"),
                '\t' => self.put("\\t"),
                c if c < ' ' => {
                    let _ = write!(self.0, "\\u{:04x}", c as u32);
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    /// A name of an enumeration, which needs no escapes.
    pub fn name(&mut self, name: &str) {
        self.0.push('"');
        self.put(name);
        self.0.push('"');
    }

    pub fn int(&mut self, n: i64) {
        let _ = write!(self.0, "{n}");
    }

    pub fn id(&mut self, kind: &str, id: &[u8]) {
        self.0.push('"');
        self.put(kind);
        self.0.push(':');
        for (n, byte) in id.iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                self.0.push('-');
            }
            self.0.push(HEX[usize::from(byte >> 4)] as char);
            self.0.push(HEX[usize::from(byte & 15)] as char);
        }
        self.0.push('"');
    }

    fn digits(&mut self, n: i64, width: u32) {
        for at in (0..width).rev() {
            self.0.push((b'0' + (n / 10_i64.pow(at) % 10) as u8) as char);
        }
    }

    fn calendar(&mut self, days: i64) {
        // The proleptic Gregorian calendar in eras of 400 years that begin in March.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day = z.rem_euclid(146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let of_month = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        self.digits(year + era * 400 + i64::from(month <= 2), 4);
        self.0.push('-');
        self.digits(month, 2);
        self.0.push('-');
        self.digits(of_month, 2);
    }

    pub fn date(&mut self, days: i64) {
        self.0.push('"');
        self.calendar(days);
        self.0.push('"');
    }

    pub fn time(&mut self, micros: i64) {
        const DAY: i64 = 86_400_000_000;
        self.0.push('"');
        self.calendar(micros.div_euclid(DAY));
        self.0.push('T');
        let of_day = micros.rem_euclid(DAY) / 1000;
        for (n, width, after) in [(of_day / 3_600_000, 2, ":"), (of_day / 60_000 % 60, 2, ":"), (of_day / 1000 % 60, 2, "."), (of_day % 1000, 3, "Z\"")] {
            self.digits(n, width);
            self.put(after);
        }
    }
}
