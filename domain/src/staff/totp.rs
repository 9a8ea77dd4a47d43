//! One-time passwords by time (RFC 6238): HMAC-SHA-1, 6 digits, 30 seconds, as every authenticator app has them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

pub const SECRET: usize = 20;
const STEP_SECONDS: i64 = 30;

pub fn step(unix: i64) -> i64 {
    unix.div_euclid(STEP_SECONDS)
}

/// The code of one step (RFC 4226 section 5.3).
pub fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
    let four = tag.get(at..at + 4).map_or([0; 4], |s| [s[0] & 0x7f, s[1], s[2], s[3]]);
    format!("{:06}", u32::from_be_bytes(four) % 1_000_000)
}

/// The step whose code this is: now, one before or one after, and later than the last that was used.
pub fn accept(secret: &[u8], given: &str, unix: i64, last: i64) -> Option<i64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let now = step(unix);
    let mut found = None;
    // All three are computed, so that time tells nothing.
    for step in [now - 1, now, now + 1] {
        if verify_slices_are_equal(code(secret, step).as_bytes(), given.as_bytes()).is_ok() && step > last {
            found = Some(step);
        }
    }
    found
}

/// RFC 4648 base32 without padding.
pub fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(LETTERS[((held >> bits) & 31) as usize]));
        }
    }
    if bits > 0 {
        out.push(char::from(LETTERS[((held << (5 - bits)) & 31) as usize]));
    }
    out
}

pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        held = ((held << 5) | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(((held >> bits) & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238 appendix B, SHA-1, the last six of the eight digits.
        let secret = b"12345678901234567890";
        for (time, wanted) in [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"), (2_000_000_000, "279037"), (20_000_000_000, "353130")] {
            assert_eq!(code(secret, step(time)), wanted, "{time}");
        }
        assert_eq!(base32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(), secret);
        assert_eq!((base32(b"fo"), from_base32("MZXQ").unwrap()), ("MZXQ".to_owned(), b"fo".to_vec()));
    }

    #[test]
    fn a_code_is_good_for_a_step_on_either_side_and_once() {
        let (secret, now) = (b"12345678901234567890", 1_111_111_111);
        let at = step(now);
        for near in [at - 1, at, at + 1] {
            assert_eq!(accept(secret, &code(secret, near), now, 0), Some(near));
            assert_eq!(accept(secret, &code(secret, near), now, near), None, "used before");
        }
        for far in [at - 2, at + 2] {
            assert_eq!(accept(secret, &code(secret, far), now, 0), None);
        }
        assert_eq!(accept(secret, "050 471", now, 0), Some(at));
        for wrong in ["", "0504711", "50471", "abcdef"] {
            assert_eq!(accept(secret, wrong, now, 0), None, "{wrong}");
        }
    }
}
