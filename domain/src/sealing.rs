//! Sealed columns: AES-256-GCM with table|column|row|key as associated data; keyed fingerprints and name grams for search.

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::names;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use entity::Sealed;
use std::collections::BTreeSet;
use std::path::Path;
use uuid::Uuid;

/// Format byte of AES-256-GCM: key id, nonce, ciphertext and tag follow.
const AES: u8 = 1;
const HEADER: usize = 5;

pub struct Keyring {
    id: u32,
    seal: LessSafeKey,
    index: hmac::Key,
}

/// Where a sealed value lives; a value moved elsewhere no longer opens.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub table: &'a str,
    pub column: &'a str,
    pub row: Uuid,
}

impl Place<'_> {
    fn bytes(&self, key: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.table.len() + self.column.len() + 22);
        out.extend_from_slice(self.table.as_bytes());
        out.push(b'|');
        out.extend_from_slice(self.column.as_bytes());
        out.push(b'|');
        out.extend_from_slice(self.row.as_bytes());
        out.extend_from_slice(&key.to_be_bytes());
        out
    }
}

impl Keyring {
    /// 64 secret bytes: the first half seals, the second makes indexes.
    pub fn new(id: u32, secret: &[u8; 64]) -> Result<Keyring> {
        let seal = UnboundKey::new(&AES_256_GCM, &secret[..32]).map_err(|_| Error::internal("sealing key"))?;
        Ok(Keyring { id, seal: LessSafeKey::new(seal), index: hmac::Key::new(hmac::HMAC_SHA256, &secret[32..]) })
    }

    /// Reads the key file, or makes one that only its owner may read.
    pub fn open_or_create(path: &Path, clock: &dyn Clock) -> std::io::Result<Keyring> {
        use std::io::{Error as IoError, ErrorKind, Write};
        let bad = |what: &str| IoError::new(ErrorKind::InvalidData, format!("{}: {what}", path.display()));
        if !path.exists() {
            let mut secret = [0; 64];
            clock.random(&mut secret);
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(path) {
                Ok(mut file) => {
                    file.write_all(&secret)?;
                    file.sync_all()?;
                }
                // Another process was quicker: its key counts.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        let secret: [u8; 64] = std::fs::read(path)?.try_into().map_err(|_| bad("a sealing key has 64 bytes"))?;
        Keyring::new(1, &secret).map_err(|_| bad("not usable as a key"))
    }

    /// A value that tells whether a database was written with this key, and nothing of the key.
    pub fn check_value(&self) -> String {
        let tag = hmac::sign(&self.index, b"key check");
        tag.as_ref()[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The key of the audit chain, derived so that no other use gives it away.
    pub(crate) fn chain_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.tag("key", "audit chain"))
    }

    pub fn seal(&self, place: Place<'_>, text: &str, clock: &dyn Clock) -> Result<Sealed> {
        let mut nonce = [0; NONCE_LEN];
        clock.random(&mut nonce);
        let mut out = Vec::with_capacity(HEADER + NONCE_LEN + text.len() + 16);
        out.push(AES);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&nonce);
        let mut body = text.as_bytes().to_vec();
        self.seal
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bytes(self.id)), &mut body)
            .map_err(|_| Error::internal("sealing failed"))?;
        out.extend_from_slice(&body);
        Ok(Sealed(out))
    }

    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<String> {
        let broken = || Error::internal(format!("a sealed value of {}.{} does not open", place.table, place.column));
        if sealed.len() < HEADER + NONCE_LEN || sealed[0] != AES || sealed[1..HEADER] != self.id.to_be_bytes() {
            return Err(broken());
        }
        let nonce = Nonce::try_assume_unique_for_key(&sealed[HEADER..HEADER + NONCE_LEN]).map_err(|_| broken())?;
        let mut body = sealed[HEADER + NONCE_LEN..].to_vec();
        let plain = self.seal.open_in_place(nonce, Aad::from(place.bytes(self.id)), &mut body).map_err(|_| broken())?;
        let length = plain.len();
        body.truncate(length);
        String::from_utf8(body).map_err(|_| broken())
    }

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
        let mut context = hmac::Context::with_key(&self.index);
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
    use crate::clock::SystemClock;

    fn keyring() -> Keyring {
        Keyring::new(1, &[7; 64]).expect("key")
    }

    #[test]
    fn a_sealed_value_opens_only_where_it_was_sealed() {
        let (keys, row) = (keyring(), Uuid::from_u128(1));
        let place = Place { table: "child", column: "name", row };
        let sealed = keys.seal(place, "张伟𠮷", &SystemClock).expect("sealed");
        assert_eq!(keys.open(place, &sealed.0).expect("opens"), "张伟𠮷");
        assert!(!sealed.0.windows(3).any(|w| w == "张".as_bytes()));
        for other in [
            Place { column: "phone", ..place },
            Place { table: "person", ..place },
            Place { row: Uuid::from_u128(2), ..place },
        ] {
            assert!(keys.open(other, &sealed.0).is_err());
        }
        for at in 0..sealed.0.len() {
            let mut broken = sealed.0.clone();
            broken[at] ^= 1;
            assert!(keys.open(place, &broken).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_name_is_found_by_characters_pinyin_and_initials() {
        let keys = keyring();
        let grams = keys.name_grams("欧阳𠮷");
        let found = |text: &str| keys.search_grams(text).expect("searchable").iter().all(|group| group.iter().any(|g| grams.contains(g)));
        assert!(found("欧") && found("欧阳") && found("阳𠮷") && found("欧阳𠮷") && found("ouyang") && found("OuYang") && found("oy"));
        assert!(!found("阳欧") && !found("欧𠮷") && !found("zhang"));
        assert_eq!(keys.search_grams("  "), None);
    }
}
