//! A key service over HTTP: the transit engine of OpenBao or HashiCorp Vault. The wrapping key never leaves it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::sealing::{Kms, KmsError, Secret, Wrapped};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Transit {
    /// Of the engine, such as `https://bao.example.org:8200/v1/transit`.
    url: String,
    name: String,
    /// Read for each call: tokens are renewed beside us.
    token_file: Option<PathBuf>,
    client: reqwest::Client,
}

impl Transit {
    pub fn new(url: &str, name: &str, token_file: Option<PathBuf>) -> Result<Transit, reqwest::Error> {
        // A redirect would carry the token elsewhere.
        let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Transit { url: url.trim_end_matches('/').to_owned(), name: name.to_owned(), token_file, client })
    }

    fn id(&self) -> String {
        format!("transit:{}", self.name)
    }

    fn failed(&self, act: &'static str, what: impl std::fmt::Display) -> KmsError {
        KmsError::Service { service: self.url.clone(), act, what: what.to_string() }
    }

    /// Sends a body and gives the named text of the answer's `data`. What is sent and answered is never shown.
    async fn call(&self, path: &str, act: &'static str, body: Value, wanted: &str) -> Result<Zeroizing<String>, KmsError> {
        let mut request = self.client.post(format!("{}/{path}/{}", self.url, self.name)).json(&body);
        if let Some(file) = &self.token_file {
            let token = Zeroizing::new(tokio::fs::read_to_string(file).await.map_err(|e| self.failed(act, format!("{}: {e}", file.display())))?);
            request = request.header("x-vault-token", token.trim());
        }
        let answer = request.send().await.map_err(|e| self.failed(act, e.without_url()))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(self.failed(act, format!("it answered {status}; look at its policy for {} and at keys.sealing_token_file", self.name)));
        }
        let mut answer: Value = answer.json().await.map_err(|e| self.failed(act, e.without_url()))?;
        match answer["data"][wanted].take() {
            Value::String(text) => Ok(Zeroizing::new(text)),
            _ => Err(self.failed(act, format!("its answer holds no {wanted}"))),
        }
    }
}

#[async_trait::async_trait]
impl Kms for Transit {
    async fn wrap(&self, context: &str, secret: &[u8]) -> Result<Wrapped, KmsError> {
        let body = json!({ "plaintext": STANDARD.encode(secret), "associated_data": STANDARD.encode(context) });
        let sealed = self.call("encrypt", "wrap", body, "ciphertext").await?;
        Ok(Wrapped { by: self.id(), bytes: sealed.as_bytes().to_vec() })
    }

    async fn unwrap(&self, context: &str, wrapped: &Wrapped) -> Result<Secret, KmsError> {
        if wrapped.by != self.id() {
            return Err(KmsError::OtherKey { wanted: wrapped.by.clone(), given: self.id() });
        }
        let sealed = std::str::from_utf8(&wrapped.bytes).map_err(|_| KmsError::Tampered(self.id()))?;
        let body = json!({ "ciphertext": sealed, "associated_data": STANDARD.encode(context) });
        let text = self.call("decrypt", "unwrap", body, "plaintext").await?;
        STANDARD.decode(text.as_bytes()).map(Zeroizing::new).map_err(|_| self.failed("unwrap", "its answer is not base64"))
    }
}
