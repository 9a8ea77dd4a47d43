//! TLS of our own: a certificate and its key from PEM files, taken afresh when they change.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::ServerConfig;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {what}", .path.display())]
    File { path: PathBuf, what: String },
    #[error("the certificate in {} and the key in {} do not go together: {what}", .files.certificate.display(), .files.key.display())]
    Pair { files: TlsFiles, what: String },
    #[error("TLS cannot be set up: {0}")]
    Other(String),
}

/// The certificate shown to the next client.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().ok().map(|key| key.clone())
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), what: what.to_string() }
}

fn read(files: &TlsFiles) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let file = |path: &Path| std::fs::read(path).map_err(|e| wrong(path, e));
    #[cfg(unix)]
    if let Ok(about) = std::fs::metadata(&files.key)
        && std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o007 != 0
    {
        return Err(wrong(&files.key, "everybody may read or write this key: chmod o= it"));
    }
    Ok((file(&files.certificate)?, file(&files.key)?))
}

fn certified(files: &TlsFiles, (chain, key): &(Vec<u8>, Vec<u8>), provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|e| wrong(&files.certificate, format!("no certificate in PEM: {e}")))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, "holds no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| wrong(&files.key, format!("no private key in PEM: {e}")))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|e| TlsError::Pair { files: files.clone(), what: e.to_string() })
}

/// The acceptor, and a task that looks for new files; what it finds wrong leaves the old pair in use.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut known = read(files)?;
    let current = Arc::new(Current(RwLock::new(Arc::new(certified(files, &known, &provider)?))));
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        // TLS 1.2 and 1.3; rustls has no older ones.
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Other(e.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let files = files.clone();
    tokio::spawn(async move {
        let mut told = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let changed = match read(&files) {
                Ok(found) if found == known => continue,
                Ok(found) => certified(&files, &found, &provider).map(|pair| (found, pair)),
                Err(error) => Err(error),
            };
            match changed {
                Ok((found, pair)) => {
                    known = found;
                    told = None;
                    if let Ok(mut current) = current.0.write() {
                        *current = Arc::new(pair);
                    }
                    tracing::info!("a new TLS certificate is in use");
                }
                // Half of a pair may have been written; it is looked at again, and said once.
                Err(error) => {
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        tracing::warn!(error = text, "the new TLS certificate cannot be used; the old one stays");
                        told = Some(text);
                    }
                }
            }
        }
    });
    Ok(TlsAcceptor::from(Arc::new(config)))
}
