//! The ciphers a data key may be for.

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInPlace, AesGcm, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use sm4::Sm4;

/// Texts of this many bytes are opened without memory of their own.
const SHORT: usize = 256;

pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;

/// How a data key seals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// NIST SP 800-38D over AES with 256 bits.
    #[default]
    Aes256Gcm,
    /// RFC 8998, over SM4 (GB/T 32907-2016).
    Sm4Gcm,
    /// Seals nothing: to measure what sealing costs, in builds for measurements alone.
    #[cfg(feature = "null-cipher")]
    Null,
}

impl Algorithm {
    pub const ALL: &'static [Algorithm] = &[
        Algorithm::Aes256Gcm,
        Algorithm::Sm4Gcm,
        #[cfg(feature = "null-cipher")]
        Algorithm::Null,
    ];

    /// As it stands in the database.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Aes256Gcm => "AES_256_GCM",
            Algorithm::Sm4Gcm => "SM4_GCM",
            #[cfg(feature = "null-cipher")]
            Algorithm::Null => "NULL",
        }
    }

    /// As it stands in settings and on the command line.
    pub fn setting(self) -> &'static str {
        match self {
            Algorithm::Aes256Gcm => "aes-256-gcm",
            Algorithm::Sm4Gcm => "sm4-gcm",
            #[cfg(feature = "null-cipher")]
            Algorithm::Null => "null",
        }
    }

    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.iter().copied().find(|a| a.name() == name || a.setting() == name)
    }

    pub(super) fn key_bytes(self) -> usize {
        match self {
            Algorithm::Aes256Gcm => 32,
            Algorithm::Sm4Gcm => 16,
            #[cfg(feature = "null-cipher")]
            Algorithm::Null => 16,
        }
    }

    /// First byte of what was sealed so.
    pub(super) fn format(self) -> u8 {
        match self {
            Algorithm::Aes256Gcm => 1,
            Algorithm::Sm4Gcm => 2,
            #[cfg(feature = "null-cipher")]
            Algorithm::Null => 0,
        }
    }
}

/// A key, scheduled once; its memory is cleared when it goes.
pub(super) enum Cipher {
    Aes(LessSafeKey),
    Sm4(Box<AesGcm<Sm4, U12>>),
    #[cfg(feature = "null-cipher")]
    Null,
}

impl Cipher {
    pub fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Cipher> {
        Some(match algorithm {
            Algorithm::Aes256Gcm => Cipher::Aes(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).ok()?)),
            Algorithm::Sm4Gcm => Cipher::Sm4(Box::new(AesGcm::new_from_slice(secret).ok()?)),
            #[cfg(feature = "null-cipher")]
            Algorithm::Null => Cipher::Null,
        })
    }

    /// Encrypts what follows `from` in the buffer and appends the tag.
    pub fn seal(&self, nonce: [u8; NONCE], aad: &[u8], buffer: &mut Vec<u8>, from: usize) -> Option<()> {
        match self {
            Cipher::Aes(key) => {
                let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), buffer.get_mut(from..)?).ok()?;
                buffer.extend_from_slice(tag.as_ref());
            }
            Cipher::Sm4(key) => {
                let tag = key.encrypt_in_place_detached(&nonce.into(), aad, buffer.get_mut(from..)?).ok()?;
                buffer.extend_from_slice(&tag);
            }
            #[cfg(feature = "null-cipher")]
            Cipher::Null => buffer.extend_from_slice(&[0; TAG]),
        }
        Some(())
    }

    /// Reads the text of what was sealed, ciphertext and tag; None when any of it, the nonce or the associated data differs.
    pub fn open<T>(&self, nonce: &[u8], aad: &[u8], sealed: &[u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let (mut few, mut many) = ([0; SHORT], Vec::new());
        let text = match few.get_mut(..body.len()) {
            Some(few) => few,
            None => {
                many.resize(body.len(), 0);
                many.as_mut_slice()
            }
        };
        match self {
            Cipher::Aes(key) => {
                let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
                key.open_separate_gather(nonce, Aad::from(aad), body, tag, text).ok()?;
            }
            Cipher::Sm4(key) => {
                text.copy_from_slice(body);
                let nonce: [u8; NONCE] = nonce.try_into().ok()?;
                let tag: [u8; TAG] = tag.try_into().ok()?;
                key.decrypt_in_place_detached(&nonce.into(), aad, text, &tag.into()).ok()?;
            }
            #[cfg(feature = "null-cipher")]
            Cipher::Null => text.copy_from_slice(body),
        }
        Some(read(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex")).collect()
    }

    /// RFC 8998, Appendix A.1: SM4-GCM test vectors.
    #[test]
    fn sm4_gcm_gives_the_vectors_of_rfc_8998() {
        let cipher = Cipher::new(Algorithm::Sm4Gcm, &hex("0123456789ABCDEFFEDCBA9876543210")).expect("a key");
        let nonce: [u8; NONCE] = hex("00001234567800000000ABCD").try_into().expect("12 bytes");
        let aad = hex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2");
        let text = hex(concat!(
            "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD",
            "EEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA"
        ));
        let expected = hex(concat!(
            "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735",
            "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D",
            "83DE3541E4C2B58177E065A9BF7B62EC"
        ));
        let mut sealed = text.clone();
        cipher.seal(nonce, &aad, &mut sealed, 0).expect("sealed");
        assert_eq!(sealed, expected);
        assert_eq!(cipher.open(&nonce, &aad, &sealed, <[u8]>::to_vec), Some(text));
    }

    /// The GCM specification's test case 16 (AES-256, with associated data).
    #[test]
    fn aes_gcm_gives_its_vectors() {
        let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
        let cipher = Cipher::new(Algorithm::Aes256Gcm, &hex(key)).expect("a key");
        let nonce: [u8; NONCE] = hex("cafebabefacedbaddecaf888").try_into().expect("12 bytes");
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let text = hex(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let expected = hex(concat!(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
        ));
        let mut sealed = text.clone();
        cipher.seal(nonce, &aad, &mut sealed, 0).expect("sealed");
        assert_eq!(sealed, expected);
        assert_eq!(cipher.open(&nonce, &aad, &sealed, <[u8]>::to_vec), Some(text));
    }

    /// A build that is not for measurements knows no cipher that seals nothing.
    #[cfg(not(feature = "null-cipher"))]
    #[test]
    fn there_is_no_null_cipher() {
        assert_eq!(Algorithm::ALL, [Algorithm::Aes256Gcm, Algorithm::Sm4Gcm]);
        assert!(Algorithm::from_name("NULL").is_none() && Algorithm::from_name("null").is_none());
        assert!(Algorithm::ALL.iter().all(|a| a.format() != 0));
    }
}
