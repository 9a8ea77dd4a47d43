//! `[keys]` and `[sealing]`: where the key is that wraps the data keys, and how they seal.

use super::check::{Check, may_fetch, really, without_secret};
use super::{Config, ConfigError};
use crate::kms::Transit;
use domain::clock::Clock;
use domain::sealing::{Algorithm, FileKms, Kms, SealingOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrappingKey {
    File(PathBuf),
    /// The transit engine of a key service.
    Transit { url: String, name: String, token_file: Option<PathBuf> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingConfig {
    pub wrapping: WrappingKey,
    pub algorithm: Algorithm,
}

/// In the data folder, when nothing else is said.
fn default_file(data: &Path) -> PathBuf {
    data.join("keys/sealing.key")
}

impl WrappingKey {
    pub fn open(&self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Kms>, String> {
        Ok(match self {
            WrappingKey::File(path) => Arc::new(FileKms::new(path, clock.clone())),
            WrappingKey::Transit { url, name, token_file } => Arc::new(Transit::new(url, name, token_file.clone()).map_err(|e| e.to_string())?),
        })
    }

    pub fn shown(&self) -> String {
        match self {
            WrappingKey::File(path) => path.display().to_string(),
            WrappingKey::Transit { url, name, .. } => format!("{name} at {url}"),
        }
    }
}

impl Check<'_> {
    pub(super) fn sealing(&mut self, data: &Path, production: bool) -> SealingConfig {
        let right = "aes-256-gcm or sm4-gcm";
        let algorithm = self.text("sealing.algorithm", right).map_or(Some(Algorithm::default()), |name| {
            Algorithm::ALL.iter().copied().find(|a| a.setting() == name).or_else(|| {
                self.wrong("sealing.algorithm", &name, right);
                None
            })
        });
        let place = self.text("keys.sealing", "a key file, or the https:// address of a transit engine");
        let name = self.text("keys.sealing_name", "the name of the key in the transit engine");
        let token_file = self.get::<PathBuf>("keys.sealing_token_file", "a file that holds the token for the key service");
        let wrapping = match place {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
                if !may_fetch(&url, production) {
                    let local = if production { "" } else { " (or http:// of this machine)" };
                    self.wrong("keys.sealing", &without_secret(&url), &format!("an https:// address{local}, such as https://bao.example.org:8200/v1/transit"));
                }
                let fits = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
                if let Some(wrong) = name.as_ref().filter(|name| !fits(name)) {
                    self.wrong("keys.sealing_name", wrong, "letters, digits, - _ .");
                }
                WrappingKey::Transit { url, name: name.unwrap_or_else(|| "child-welfare".into()), token_file }
            }
            file => {
                if name.is_some() || token_file.is_some() {
                    self.problems.push("keys.sealing_name, keys.sealing_token_file: they belong to a key service; keys.sealing names none".into());
                }
                WrappingKey::File(file.map_or_else(|| default_file(data), PathBuf::from))
            }
        };
        SealingConfig { wrapping, algorithm: algorithm.unwrap_or_default() }
    }
}

impl Config {
    pub fn sealing_options(&self, clock: &Arc<dyn Clock>) -> Result<SealingOptions, String> {
        Ok(SealingOptions { kms: Some(self.sealing.wrapping.open(clock)?), algorithm: self.sealing.algorithm })
    }

    /// Who takes a production server's data folder must not have its keys as well: neither the one that opens what lies in the
    /// database, nor the one that would sign another history.
    pub fn keys_apart(&self) -> Result<(), ConfigError> {
        let inside = |path: &Path| self.profile.is_production() && really(path).starts_with(really(&self.data));
        let mut problems = Vec::new();
        if let WrappingKey::File(path) = &self.sealing.wrapping
            && inside(path)
        {
            problems.push(format!(
                "keys.sealing: {} lies in the data folder; production keeps the sealing key apart from what it opens: name a file elsewhere \
                 (keys.sealing = \"/etc/child-welfare/sealing.key\"; one that is already in the folder is moved there) or a key service",
                path.display()
            ));
        }
        let folder = self.checkpoint_folder();
        if inside(&folder) {
            problems.push(format!(
                "keys.checkpoint_folder: {} lies in the data folder; production keeps the key that signs checkpoints of the audit trail apart: \
                 name a folder elsewhere (keys.checkpoint_folder = \"/etc/child-welfare/checkpoints\"; audit-checkpoint.key and .pub of before are moved there)",
                folder.display()
            ));
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems)) }
    }

    /// Where the key lies that signs checkpoints.
    pub fn checkpoint_folder(&self) -> PathBuf {
        self.audit.checkpoint_keys.clone().unwrap_or_else(|| self.data.join("keys"))
    }
}

#[cfg(test)]
mod tests {
    use super::really;

    #[cfg(unix)]
    #[test]
    fn a_link_into_the_data_folder_is_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(&data, folder.path().join("elsewhere")).unwrap();
        assert!(really(&folder.path().join("elsewhere/keys/sealing.key")).starts_with(really(&data)));
        assert!(!really(&folder.path().join("apart/sealing.key")).starts_with(really(&data)));
        assert!(really(&data.join("../data/x")).starts_with(really(&data)) || cfg!(not(target_os = "linux")));
    }
}
