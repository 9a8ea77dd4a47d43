//! The mutation that imports an uploaded survey sheet.

use super::payload::{UserError, selected, user_errors};
use crate::errors::soft;
use crate::input;
use crate::object::Object;
use crate::scalars::Date;
use crate::types::ImportBatch;
use async_graphql::{Context, ID, SimpleObject};
use domain::command::Outcome;
use domain::exchange::uploads::ImportSurvey;
use domain::{Error, Result};
use uuid::Uuid;

input! {
    /// An uploaded survey sheet to be imported. Send the file with `POST /uploads` first.
    ImportSurveyInput {
        /// The `uploadId` that `POST /uploads` answered.
        upload_id: ID;
        /// Code of the division the sheet is from: villages are looked for below it.
        division_code: Option<String>;
        /// Only check; nothing is written but the batch with its counts and the rows to mend.
        #[graphql(default = false)]
        dry_run: bool;
        /// Day of the survey, where the sheet does not say it.
        survey_date: Option<Date>;
        /// A mapping file's text (TOML), for sheets whose columns are not recognised.
        mapping: Option<String>;
    }
}

impl ImportSurveyInput {
    pub(super) fn resolve(self) -> Result<ImportSurvey> {
        Ok(ImportSurvey {
            upload: Uuid::try_parse(&self.upload_id).map_err(|_| Error::bad("BAD_ID", "input.uploadId", "uploadId must be what POST /uploads answered"))?,
            division: self.division_code,
            dry_run: self.dry_run,
            mapping: self.mapping,
            survey_date: self.survey_date.map(|d| d.0),
        })
    }
}

/// Answer to importSurvey.
#[derive(SimpleObject)]
pub struct ImportSurveyPayload {
    /// The import. While its state is RUNNING it goes on: ask again for its counts.
    pub import_batch: Option<ImportBatch>,
    /// Why nothing was started; empty when it was.
    pub user_errors: Vec<UserError>,
    /// As sent.
    pub client_mutation_id: Option<String>,
}

impl ImportSurveyPayload {
    pub(super) async fn answer(ctx: &Context<'_>, outcome: Result<Outcome>, client_mutation_id: Option<String>) -> Option<ImportSurveyPayload> {
        let (batch, errors) = match soft(ctx, outcome)? {
            Outcome::Done { object, .. } => (Some(object), Vec::new()),
            Outcome::Refused(errors) => (None, errors),
        };
        Some(ImportSurveyPayload {
            import_batch: selected(ctx, "ImportSurveyPayload", "importBatch", ImportBatch::TYPE, batch).await.map(ImportBatch),
            user_errors: user_errors(ctx, &errors),
            client_mutation_id,
        })
    }
}
