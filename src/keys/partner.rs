//! The key of the demonstration's machines: private part in the data folder, for whoever tries them.

use super::{SigningKey, new_key};
use crate::config::Profile;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::clock::Clock;
use std::io::Write;
use std::path::Path;

pub const KID: &str = "demo-partner";
const FILE: &str = "keys/demo-partner.pem";

fn broken(what: String) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

/// The public key set; a key is made where there is none.
pub fn demo_partner(data: &Path, clock: &dyn Clock) -> std::io::Result<String> {
    let path = data.join(FILE);
    if !path.exists() {
        let body = new_key(Profile::Demo, 0, clock)?.private;
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        write!(file, "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))?;
        file.sync_all()?;
    }
    let pem = std::fs::read_to_string(&path)?;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).map_err(|_| broken(format!("{} is not PEM", path.display())))?;
    let key = SigningKey::read(&super::StoredKey { kid: KID.into(), alg: "ES256".into(), private: STANDARD.encode(der), signs_from: 0 });
    let key = key.map_err(|what| broken(format!("{}: {what}", path.display())))?;
    domain::clients::keys::public_keys(&serde_json::json!({ "keys": [key.jwk] }).to_string()).map_err(broken)
}
