//! Keyed fingerprints and name grams: what makes sealed columns searchable.

use super::Keyring;
use crate::names;
use std::collections::BTreeSet;

impl Keyring {
    /// The keyed fingerprint under which an identity number is looked up.
    pub fn fingerprint(&self, number: &str) -> Vec<u8> {
        self.fingerprint_of("identity", number)
    }

    /// A keyed fingerprint; those of different kinds never meet.
    pub fn fingerprint_of(&self, kind: &str, text: &str) -> Vec<u8> {
        self.tag(kind, text)[..16].to_vec()
    }

    /// A keyed tag of any text, to tell repetitions without keeping the text.
    pub(crate) fn tag16(&self, kind: &str, text: &str) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&self.tag(kind, text)[..16]);
        out
    }

    fn tag(&self, kind: &str, text: &str) -> [u8; 32] {
        let mut context = aws_lc_rs::hmac::Context::with_key(self.index_key());
        context.update(kind.as_bytes());
        context.update(b"|");
        context.update(text.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    fn gram(&self, kind: &str, text: &str) -> i64 {
        let tag = self.tag(kind, text);
        i64::from_be_bytes([tag[0], tag[1], tag[2], tag[3], tag[4], tag[5], tag[6], tag[7]])
    }

    /// The gram of a whole name, by which likely doubles are found.
    pub fn whole_name(&self, name: &str) -> i64 {
        self.gram("name", &joined(name))
    }

    /// The grams under which a name is found: the whole of it, its characters, pairs of characters, pinyin and initials.
    pub fn name_grams(&self, name: &str) -> Vec<i64> {
        let folded = names::fold(name);
        let chars: Vec<char> = folded.chars().filter(|c| !c.is_whitespace()).collect();
        let mut grams = BTreeSet::from([self.whole_name(name)]);
        for c in &chars {
            grams.insert(self.gram("char", &c.to_string()));
        }
        for pair in chars.windows(2) {
            grams.insert(self.gram("pair", &pair.iter().collect::<String>()));
        }
        for reading in names::readings(&folded, 4) {
            let mut from_start = String::new();
            let mut initials = String::new();
            for syllable in &reading.syllables {
                from_start.push_str(syllable);
                initials.extend(syllable.chars().next());
                grams.insert(self.gram("pinyin", &from_start));
                grams.insert(self.gram("initials", &initials));
                grams.insert(self.gram("pinyin", syllable));
            }
        }
        grams.into_iter().collect()
    }

    /// Groups of grams for a search: every group must match, in any of its grams. None when nothing can be searched.
    pub fn search_grams(&self, text: &str) -> Option<Vec<Vec<i64>>> {
        let folded = names::fold(text);
        let chars: Vec<char> = folded.chars().filter(|c| !c.is_whitespace()).collect();
        if chars.is_empty() {
            return None;
        }
        if chars.iter().all(char::is_ascii_alphabetic) {
            let latin: String = chars.iter().map(char::to_ascii_lowercase).collect();
            return Some(vec![vec![self.gram("pinyin", &latin), self.gram("initials", &latin)]]);
        }
        if let [single] = chars[..] {
            return Some(vec![vec![self.gram("char", &single.to_string())]]);
        }
        Some(chars.windows(2).map(|pair| vec![self.gram("pair", &pair.iter().collect::<String>())]).collect())
    }
}

/// A name as it is compared: folded, without blanks.
pub(crate) fn joined(name: &str) -> String {
    names::fold(name).chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_characters_pinyin_and_initials() {
        let keys = Keyring::for_test(&[7; 32]);
        let grams = keys.name_grams("欧阳𠮷");
        let found = |text: &str| keys.search_grams(text).expect("searchable").iter().all(|group| group.iter().any(|g| grams.contains(g)));
        assert!(found("欧") && found("欧阳") && found("阳𠮷") && found("欧阳𠮷") && found("ouyang") && found("OuYang") && found("oy"));
        assert!(!found("阳欧") && !found("欧𠮷") && !found("zhang"));
        assert_eq!(keys.search_grams("  "), None);
    }
}
