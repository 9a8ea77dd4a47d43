//! Masked texts, and how to know one that comes back in an input.

/// Masks a text of the named column.
pub fn mask(column: &str, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let keep = |head: usize, tail: usize| -> String {
        if chars.len() <= head + tail {
            return "*".repeat(chars.len().max(1));
        }
        let hidden = chars.len() - head - tail;
        chars[..head].iter().chain(&vec!['*'; hidden]).chain(&chars[chars.len() - tail..]).collect()
    };
    match column {
        "identity_number" => keep(4, 4),
        "phone" => keep(3, 4),
        "name" => keep(1, 0),
        "household_address" | "residence_address" | "address" | "workplace" => {
            let shown: String = chars.iter().take(6.min(chars.len() / 2)).collect();
            format!("{shown}****")
        }
        _ => "****".to_owned(),
    }
}

/// Whether an input holds a mask: written back, it would destroy what it hides.
pub fn is_masked(text: &str) -> bool {
    text.contains('*') || text.contains('＊')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        assert_eq!(mask("identity_number", "350102201501011234"), "3501**********1234");
        assert_eq!(mask("name", "张伟"), "张*");
        assert_eq!(mask("name", "张"), "*");
        assert_eq!(mask("phone", "13800001234"), "138****1234");
        assert_eq!(mask("phone", "110"), "***");
        assert_eq!(mask("household_address", "河北省石家庄市长安区建安街1号"), "河北省石家庄****");
        for column in ["identity_number", "name", "phone", "household_address", "notes"] {
            assert!(is_masked(&mask(column, "12")), "{column}");
        }
    }
}
