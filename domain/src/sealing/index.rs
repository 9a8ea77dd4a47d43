//! Keyed fingerprints and name grams: what makes sealed columns searchable.

use super::Keyring;
use super::keyring::IndexKey;
use crate::names;
use aws_lc_rs::hmac;
use std::collections::BTreeSet;

impl Keyring {
    /// The keyed fingerprint of an identity number under the current key.
    pub fn fingerprint(&self, number: &str) -> Vec<u8> {
        self.index().iter().find(|key| key.current).map_or_else(Vec::new, |key| fingerprint(key, number))
    }

    /// The keyed fingerprints under which an identity number is noted and looked up: one, and one more while keys change.
    pub fn fingerprints(&self, number: &str) -> Vec<Vec<u8>> {
        self.index().iter().map(|key| fingerprint(key, number)).collect()
    }

    /// Stands for an identity number in memory, whatever keys change meanwhile.
    pub(crate) fn same_number(&self, number: &str) -> Vec<u8> {
        self.fingerprint_of("same number", number)
    }

    /// A keyed tag of a secret or of what is soon forgotten; those of different kinds never meet.
    pub fn fingerprint_of(&self, kind: &str, text: &str) -> Vec<u8> {
        tag(self.tag_key(), kind, text)[..16].to_vec()
    }

    /// A keyed tag of any text, to tell repetitions without keeping the text.
    pub(crate) fn tag16(&self, kind: &str, text: &str) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&tag(self.tag_key(), kind, text)[..16]);
        out
    }

    /// The grams of a whole name, by which likely doubles are found.
    pub fn whole_names(&self, name: &str) -> Vec<i64> {
        let joined = joined(name);
        self.index().iter().map(|key| gram(&key.key, "name", &joined)).collect()
    }

    /// The grams under which a name is found: the whole of it, its characters, pairs of characters, pinyin and initials.
    pub fn name_grams(&self, name: &str) -> Vec<i64> {
        let Some(key) = self.index().iter().find(|key| key.current).map(|key| key.key.clone()) else { return Vec::new() };
        let folded = names::fold(name);
        let chars: Vec<char> = folded.chars().filter(|c| !c.is_whitespace()).collect();
        let mut grams = BTreeSet::from([gram(&key, "name", &joined(name))]);
        for c in &chars {
            grams.insert(gram(&key, "char", &c.to_string()));
        }
        for pair in chars.windows(2) {
            grams.insert(gram(&key, "pair", &pair.iter().collect::<String>()));
        }
        for reading in names::readings(&folded, 4) {
            let mut from_start = String::new();
            let mut initials = String::new();
            for syllable in &reading.syllables {
                from_start.push_str(syllable);
                initials.extend(syllable.chars().next());
                grams.insert(gram(&key, "pinyin", &from_start));
                grams.insert(gram(&key, "initials", &initials));
                grams.insert(gram(&key, "pinyin", syllable));
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
        let keys = self.index();
        let under_all = |kinds: &[&str], text: &str| keys.iter().flat_map(|key| kinds.iter().map(|kind| gram(&key.key, kind, text))).collect::<Vec<i64>>();
        if chars.iter().all(char::is_ascii_alphabetic) {
            let latin: String = chars.iter().map(char::to_ascii_lowercase).collect();
            return Some(vec![under_all(&["pinyin", "initials"], &latin)]);
        }
        if let [single] = chars[..] {
            return Some(vec![under_all(&["char"], &single.to_string())]);
        }
        Some(chars.windows(2).map(|pair| under_all(&["pair"], &pair.iter().collect::<String>())).collect())
    }
}

fn tag(key: &hmac::Key, kind: &str, text: &str) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    context.update(kind.as_bytes());
    context.update(b"|");
    context.update(text.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

fn fingerprint(key: &IndexKey, number: &str) -> Vec<u8> {
    tag(&key.key, "identity", number)[..16].to_vec()
}

fn gram(key: &hmac::Key, kind: &str, text: &str) -> i64 {
    let tag = tag(key, kind, text);
    i64::from_be_bytes([tag[0], tag[1], tag[2], tag[3], tag[4], tag[5], tag[6], tag[7]])
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
