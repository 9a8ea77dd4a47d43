//! Sealed records: written by many, read by nobody without a named grant, and nobody is told that there are any.

use crate::access::Actor;
use crate::app::Domain;
use crate::command::{Meta, Outcome, Start};
use crate::error::Result;
use crate::problems::UserErrorCode;
use entity::codes::SealedKind;
use entity::tables::sealed_record;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct RecordSealed {
    pub id: Option<Uuid>,
    pub child: Uuid,
    pub kind: SealedKind,
    pub content: String,
}

impl Domain {
    /// 未成年人保护法 art. 11: who reports stays unknown to every reader of the case. So neither the file nor its
    /// change log nor those who listen to the child are told that something was recorded.
    pub async fn record_sealed(&self, actor: &Actor, input: &RecordSealed, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "recordSealed", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(found) = work.child(input.child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childId").await;
        };
        work.may(&found.access)?;
        let id = work.id(input.id);
        let content = work.problems.note("content", &input.content);
        if content.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "content");
        }
        let (Some(content), true) = (content, work.problems.none()) else { return work.refuse().await };
        let row = sealed_record::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(input.child),
            kind: Set(input.kind),
            content: Set(work.seal(&sealed_record::TABLE, "content", id, &content)?),
            created_at: Set(work.now),
            created_by: Set(actor.account),
        };
        if !work.add(row).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "id").await;
        }
        work.inserted(&sealed_record::TABLE, id, None);
        work.finish(id, Some(input.child)).await
    }
}
