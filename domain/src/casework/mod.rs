//! Interventions, visits, attachments.

mod attachments;
mod interventions;
mod visits;

pub use attachments::AddAttachment;
pub use interventions::{CloseIntervention, OpenIntervention};
pub use visits::RecordVisit;
