//! Documents of a file: their metadata.

use crate::access::Actor;
use crate::adding::{Adding, Way, adding};
use crate::app::Domain;
use crate::command::{Meta, Outcome};
use crate::error::Result;
use crate::problems::UserErrorCode;
use entity::codes::AttachmentState;
use entity::tables::attachment;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct AddAttachment {
    pub id: Option<Uuid>,
    pub child: Uuid,
    pub file_name: String,
    pub media_type: String,
    pub byte_size: i64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// What a document may be.
const MEDIA_TYPES: &[&str] = &["application/pdf", "image/jpeg", "image/png", "image/heic", "image/webp"];
const MOST_BYTES: i64 = 64 << 20;

fn hash(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()).collect()
}

impl Domain {
    pub async fn add_attachment(&self, actor: &Actor, input: &AddAttachment, meta: &Meta) -> Result<Outcome> {
        adding!(|way| self.attachment_by(actor, input, meta, way))
    }

    async fn attachment_by(&self, actor: &Actor, input: &AddAttachment, meta: &Meta, way: Way) -> Result<Outcome> {
        let (mut work, file) = match self.start_adding(actor, "addAttachment", meta, input.child, way).await? {
            Adding::Ended(outcome) => return Ok(outcome),
            Adding::To(work, file) => (work, file),
        };
        let id = work.id(input.id);
        let name = work.problems.line("fileName", &input.file_name, 255);
        if name.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "fileName");
        }
        if !MEDIA_TYPES.contains(&input.media_type.as_str()) {
            work.problems.add_with(UserErrorCode::BadValue, "mediaType", MEDIA_TYPES.join(", "));
        }
        if !(1..=MOST_BYTES).contains(&input.byte_size) {
            work.problems.add_with(UserErrorCode::BadValue, "byteSize", format!("1–{MOST_BYTES}"));
        }
        let digest = hash(&input.sha256);
        if digest.is_none() {
            work.problems.add(UserErrorCode::BadValue, "sha256");
        }
        let (Some(name), Some(digest), true) = (name, digest, work.problems.none()) else { return work.refuse().await };
        let (by, now) = (actor.account, work.now);
        let sealed = work.seal(&attachment::TABLE, "file_name", id, &name)?;
        let row = attachment::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            subject_id: Set(None),
            file_name: Set(sealed),
            media_type: Set(input.media_type.clone()),
            byte_size: Set(input.byte_size),
            sha256: Set(digest),
            state: Set(AttachmentState::Announced),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        work.add_to(&file, &attachment::TABLE, id, &row).await?;
        work.finish(id, Some(input.child)).await
    }
}
