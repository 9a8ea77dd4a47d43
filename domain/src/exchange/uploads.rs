//! Files that were sent to be imported.

use super::import::{Job, Opened, Place, Source, batch_row, may_import, open_file};
use crate::access::{Actor, Language, mutant};
use crate::app::Domain;
use crate::command::{Meta, Outcome, Start};
use crate::error::{Error, Result};
use crate::exchange::survey::{Mapping, OpenError};
use crate::problems::{UserError, UserErrorCode};
use crate::sealing::{Place as SealPlace, SealedReader};
use crate::store::Change;
use chrono::NaiveDate;
use entity::{DivisionCode, Table};
use entity::tables::{import_batch, upload};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub struct ImportSurvey {
    pub upload: Uuid,
    /// Villages are looked for below it; rows that name none are filed in it, if it is a township or a village.
    pub division: Option<String>,
    pub dry_run: bool,
    /// A mapping file's text.
    pub mapping: Option<String>,
    pub survey_date: Option<NaiveDate>,
}

/// How long an answer waits for the import to end; it goes on behind a longer one.
const WAIT: Duration = Duration::from_secs(3);
/// For a dry run, mending and the import itself.
const UPLOADS_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Where a file's name is sealed.
pub(super) fn name_of(table: &Table, row: Uuid) -> SealPlace<'_> {
    SealPlace { table: table.name, column: "file_name", row }
}

impl Domain {
    /// Seals the names of files that a former version kept in the clear.
    pub(crate) async fn seal_open_names(&self) -> Result<()> {
        let select = Query::select().columns(["id", "owner", "name"]).from("open_file_name").limit(500).to_owned();
        loop {
            let rows = self.db.as_system("names are sealed, whosever they are").all(&select).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut tx = self.db.begin().await?;
            for row in &rows {
                let (id, owner, name): (Uuid, String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
                let table = [&upload::TABLE, &import_batch::TABLE].into_iter().find(|t| t.name == owner).ok_or_else(|| Error::internal("a name of no file"))?;
                tx.set_bytes(table, &["file_name"], &[(id, vec![Some(self.keys.seal(name_of(table, id), &name, self.clock.as_ref())?.0)])]).await?;
                let mut delete = Query::delete();
                delete.from_table("open_file_name").and_where(Expr::col("id").eq(id));
                tx.execute_delete(&delete).await?;
            }
            tx.commit_bare().await?;
        }
    }

    /// Where the bytes of an upload lie, sealed ([`crate::sealing::Keyring::seal_stream`]).
    pub fn upload_path(&self, id: Uuid) -> PathBuf {
        self.data.join("uploads").join(id.to_string())
    }

    pub(super) fn open_upload(&self, id: Uuid) -> std::io::Result<SealedReader> {
        SealedReader::new(Arc::new(self.clone()), std::fs::File::open(self.upload_path(id))?, id)
    }

    /// Removes uploads, whole or broken off, that are older than a day; gives how many.
    pub async fn forget_old_uploads(&self) -> Result<u64> {
        let failed = |e: std::io::Error| Error::internal(format!("the folder of uploads: {e}"));
        let oldest = (self.clock.now() - UPLOADS_KEPT).timestamp().unsigned_abs();
        let mut files = tokio::fs::read_dir(self.data.join("uploads")).await.map_err(failed)?;
        let mut forgotten = 0;
        while let Some(file) = files.next_entry().await.map_err(failed)? {
            let name = file.file_name();
            let id = name.to_str().map(|name| name.trim_start_matches('.').trim_end_matches(".part")).and_then(|id| Uuid::try_parse(id).ok());
            // Ids tell when they were made; what has none is not ours.
            let Some((made, _)) = id.and_then(|id| id.get_timestamp()).map(|t| t.to_unix()) else { continue };
            if made < oldest {
                tokio::fs::remove_file(file.path()).await.map_err(failed)?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// Notes a file that has arrived whole at [`Domain::upload_path`].
    pub async fn announce_upload(&self, actor: &Actor, file_name: &str, sha256: &[u8], byte_size: i64, id: Uuid) -> Result<()> {
        may_import(actor)?;
        let mut tx = self.db.begin().await?;
        tx.insert(upload::ActiveModel {
            id: Set(id),
            account_id: Set(actor.account),
            file_name: Set(self.keys.seal(name_of(&upload::TABLE, id), &file_name.chars().take(255).collect::<String>(), self.clock.as_ref())?),
            byte_size: Set(byte_size),
            sha256: Set(sha256.to_vec()),
            created_at: Set(self.clock.now()),
        })
        .await?;
        tx.changed(Change { table: &upload::TABLE, id, child: None, version: 1 });
        self.commit(tx, actor, "announceUpload").await
    }

    /// Starts the import of an upload and answers with its batch, finished or still running.
    pub async fn import_survey_upload(&self, actor: &Actor, input: &ImportSurvey, meta: &Meta) -> Result<Outcome> {
        may_import(actor)?;
        // The file is opened before the transaction: the writer waits for nobody's disk.
        let (checked, source) = self.check_upload(actor, input).await?;
        let mut work = match self.start(actor, "importSurvey", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let (file_name, division, opened) = match checked {
            Ok(checked) => checked,
            Err(error) => {
                work.problems.0.push(error);
                return work.refuse().await;
            }
        };
        let batch = work.id(None);
        let row = batch_row(self, actor, batch, division.map_or(actor.division, DivisionCode::value), &file_name, &opened.sha256)?;
        work.tx.insert(row).await?;
        work.inserted(&import_batch::TABLE, batch, None);
        let outcome = work.finish(batch, None).await?;
        let job = Job { batch, opened, source, file_name, division, dry_run: input.dry_run, problems: None };
        let (domain, actor) = (self.clone(), actor.clone());
        let running = tokio::spawn(async move { domain.run_import(&actor, job, &|_| {}).await });
        let _ = tokio::time::timeout(WAIT, running).await;
        Ok(outcome)
    }

    async fn check_upload(
        &self,
        actor: &Actor,
        input: &ImportSurvey,
    ) -> Result<(std::result::Result<(String, Option<DivisionCode>, Opened), UserError>, Source)> {
        let mut source = Source { place: Place::Upload(self.clone(), input.upload), mapping: None, survey_date: input.survey_date };
        let refused = |code: UserErrorCode, field: &str, detail: Option<String>| UserError { detail, ..UserError::new(code, field) };
        let select = Query::select()
            .column("file_name")
            .from("upload")
            .and_where(Expr::col("id").eq(input.upload))
            .and_where(mutant::unless("upload.owner", Expr::col("account_id").eq(actor.account)))
            .to_owned();
        let Some(row) = self.db.as_viewer(&actor.lens).one(&select).await? else {
            return Ok((Err(refused(UserErrorCode::UploadNotFound, "uploadId", None)), source));
        };
        let file_name = self.keys.open(name_of(&upload::TABLE, input.upload), &row.try_get_by_index::<Vec<u8>>(0)?)?;
        let division = match input.division.as_deref().map(DivisionCode::parse) {
            Some(None) => return Ok((Err(refused(UserErrorCode::UnknownDivision, "divisionCode", None)), source)),
            other => other.flatten(),
        };
        match input.mapping.as_deref().map(Mapping::from_toml).transpose() {
            Ok(mapping) => source.mapping = mapping,
            Err(error) => return Ok((Err(refused(UserErrorCode::BadValue, "mapping", Some(error.to_string()))), source)),
        }
        let (opened, source) = tokio::task::spawn_blocking(move || (open_file(&source), source)).await.map_err(Error::internal)?;
        Ok(match opened {
            Ok(opened) => (Ok((file_name, division, opened)), source),
            // The row is there and the file is not: as if it had never been sent.
            Err(OpenError::Io(error)) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::error!(%error, upload = %input.upload, "an upload cannot be read");
                }
                (Err(refused(UserErrorCode::UploadNotFound, "uploadId", None)), source)
            }
            Err(error) => {
                let detail = match actor.language {
                    Language::Chinese => error.zh(),
                    Language::English => error.to_string(),
                };
                (Err(refused(UserErrorCode::FileUnreadable, "uploadId", Some(detail))), source)
            }
        })
    }
}
