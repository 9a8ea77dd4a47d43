//! The keys this server signs with itself: in demo and development in the data folder, in production where the settings say.

use crate::config::{Config, Profile};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::clock::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

const FILE: &str = "keys/signing.json";

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the signing keys {path} cannot be used: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the signing keys {path} are damaged: {what}; move the file away and start again to make new ones")]
    Damaged { path: PathBuf, what: String },
    #[error("{path} was made by the {made_by} profile; production never uses such a folder: name another with --data")]
    DemoFolder { path: PathBuf, made_by: String },
    #[error("{path} was made by the {made_by} profile, not by {wanted}: use that profile, or another folder with --data")]
    OtherProfile { path: PathBuf, made_by: String, wanted: &'static str },
    #[error("no server was started in {0} yet; start one with `child-welfare serve --demo --data {0}`")]
    None(String),
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    profile: String,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    kid: String,
    alg: String,
    /// PKCS#8, base64.
    private: String,
}

pub struct SigningKey {
    pub kid: String,
    pub alg: Algorithm,
    encoding: EncodingKey,
    jwk: Value,
}

/// Signs with the first key; all of them verify.
pub struct LocalKeys {
    pub issuer: String,
    pub keys: Vec<SigningKey>,
}

/// Where the keys are, and whose.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    pub data: &'a Path,
    /// Named by the settings; production takes no other.
    pub file: Option<&'a Path>,
    pub profile: Profile,
    /// The `iss` of our own tokens; none where we sign none.
    pub issuer: Option<&'a str>,
}

impl<'a> Home<'a> {
    pub fn of(config: &'a Config) -> Home<'a> {
        Home { data: &config.data, file: config.signing_key.as_deref(), profile: config.profile, issuer: config.own_issuer.as_deref() }
    }
    fn path(&self) -> PathBuf {
        self.file.map_or_else(|| self.data.join(FILE), Path::to_path_buf)
    }
}

/// The profile whose mark the keys in this folder carry.
pub fn folder_profile(data: &Path) -> Option<Profile> {
    let text = std::fs::read_to_string(data.join(FILE)).ok()?;
    Profile::from_name(&serde_json::from_str::<KeyFile>(&text).ok()?.profile)
}

/// Production refuses a data folder that holds the keys of another profile, and signs only where it has a file of its own elsewhere.
pub fn open(home: Home<'_>, clock: &dyn Clock) -> Result<Option<LocalKeys>, KeyError> {
    let (path, profile) = (home.path(), home.profile);
    let io = |source| KeyError::Io { path: path.clone(), source };
    if profile.is_production() {
        let inside = home.data.join(FILE);
        if inside.try_exists().map_err(io)? {
            return Err(KeyError::DemoFolder { made_by: folder_profile(home.data).map_or("demo", Profile::name).into(), path: inside });
        }
    }
    let Some(issuer) = home.issuer else { return Ok(None) };
    if !path.try_exists().map_err(io)? {
        create(&path, profile, clock).map_err(io)?;
    }
    let file: KeyFile = serde_json::from_str(&std::fs::read_to_string(&path).map_err(io)?)
        .map_err(|e| KeyError::Damaged { path: path.clone(), what: e.to_string() })?;
    if file.profile != profile.name() {
        return Err(KeyError::OtherProfile { path, made_by: file.profile, wanted: profile.name() });
    }
    let keys: Result<Vec<_>, _> = file.keys.iter().map(SigningKey::read).collect();
    match keys {
        Ok(keys) if !keys.is_empty() => Ok(Some(LocalKeys { issuer: issuer.to_owned(), keys })),
        Ok(_) => Err(KeyError::Damaged { path, what: "there is no key in it".into() }),
        Err(what) => Err(KeyError::Damaged { path, what }),
    }
}

/// As `open`, but makes none.
pub fn open_existing(home: Home<'_>, clock: &dyn Clock) -> Result<Option<LocalKeys>, KeyError> {
    if home.issuer.is_some() && !home.path().is_file() {
        return Err(KeyError::None(home.data.display().to_string()));
    }
    open(home, clock)
}

/// Whole or not at all: a second process may be doing the same.
fn create(path: &Path, profile: Profile, clock: &dyn Clock) -> std::io::Result<()> {
    let other = |_| std::io::Error::other("no key could be made");
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(other)?;
    let mut tail = [0; 6];
    clock.random(&mut tail);
    let key = StoredKey {
        kid: format!("{}-{}", profile.name(), URL_SAFE_NO_PAD.encode(tail)),
        alg: "ES256".into(),
        private: STANDARD.encode(pkcs8.as_ref()),
    };
    let text = serde_json::to_string_pretty(&KeyFile { profile: profile.name().into(), keys: vec![key] })?;
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // A link never replaces what is there.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

impl SigningKey {
    fn read(stored: &StoredKey) -> Result<SigningKey, String> {
        let der = STANDARD.decode(&stored.private).map_err(|_| "a key is not base64".to_owned())?;
        let kid = stored.kid.clone();
        let bad = |e: aws_lc_rs::error::KeyRejected| format!("key {kid}: {e}");
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match stored.alg.as_str() {
            "ES256" => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(bad)?;
                let point = pair.public_key().as_ref();
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65]),
                    "use": "sig", "alg": "ES256", "kid": kid});
                Ok(SigningKey { kid, alg: Algorithm::ES256, encoding: EncodingKey::from_ec_der(&der), jwk })
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(bad)?;
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref()),
                    "use": "sig", "alg": "EdDSA", "kid": kid});
                Ok(SigningKey { kid, alg: Algorithm::EdDSA, encoding: EncodingKey::from_ed_der(&der), jwk })
            }
            other => Err(format!("key {kid} is for {other}, which is not used here")),
        }
    }

    pub fn verifying(&self) -> Result<DecodingKey, jsonwebtoken::errors::Error> {
        DecodingKey::from_jwk(&serde_json::from_value(self.jwk.clone())?)
    }

    /// A signed token of these claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> Result<String, jsonwebtoken::errors::Error> {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, self.alg)?;
        Ok(format!("{message}.{signature}"))
    }

    #[cfg(test)]
    pub fn sign_message(&self, message: &str) -> String {
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, self.alg).unwrap()
    }

    #[cfg(test)]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    #[cfg(test)]
    pub fn for_test(alg: &str) -> SigningKey {
        let random = SystemRandom::new();
        let der = match alg {
            "ES256" => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap(),
            _ => Ed25519KeyPair::generate_pkcs8(&random).unwrap(),
        };
        SigningKey::read(&StoredKey { kid: format!("test-{alg}"), alg: alg.into(), private: STANDARD.encode(der.as_ref()) }).unwrap()
    }
}

impl LocalKeys {
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(|k| &k.jwk).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::SystemClock;

    fn home(data: &Path, profile: Profile) -> Home<'_> {
        Home { data, file: None, profile, issuer: profile.local_issuer() }
    }

    #[test]
    fn a_folder_belongs_to_one_profile_and_production_takes_none() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(home(folder.path(), Profile::Demo), &SystemClock).unwrap().unwrap();
        let again = open(home(folder.path(), Profile::Demo), &SystemClock).unwrap().unwrap();
        assert_eq!(first.jwks(), again.jwks());
        assert!(first.keys[0].kid.starts_with("demo-"));
        assert!(matches!(open(home(folder.path(), Profile::Production), &SystemClock), Err(KeyError::DemoFolder { .. })));
        assert!(matches!(open(home(folder.path(), Profile::Development), &SystemClock), Err(KeyError::OtherProfile { .. })));
        assert_eq!(folder_profile(folder.path()), Some(Profile::Demo));
    }

    #[test]
    fn production_signs_with_a_file_of_its_own_or_not_at_all() {
        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(open(home(data.path(), Profile::Production), &SystemClock).unwrap().is_none());
        let file = elsewhere.path().join("signing.json");
        let production = Home { file: Some(&file), issuer: Some("https://api.example.org"), ..home(data.path(), Profile::Production) };
        assert!(matches!(open_existing(production, &SystemClock), Err(KeyError::None(_))));
        let keys = open(production, &SystemClock).unwrap().unwrap();
        assert_eq!((keys.issuer.as_str(), keys.jwks()), ("https://api.example.org", open_existing(production, &SystemClock).unwrap().unwrap().jwks()));
        assert!(!data.path().join(FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_keys_and_a_damaged_file_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let demo = home(folder.path(), Profile::Demo);
        open(demo, &SystemClock).unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "{\"profile\":\"demo\",\"keys\":[{\"kid\":\"k\",\"alg\":\"ES256\",\"private\":\"AAAA\"}]}").unwrap();
        assert!(matches!(open(demo, &SystemClock), Err(KeyError::Damaged { .. })));
    }
}
