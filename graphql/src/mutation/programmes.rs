//! Mutations on enrolments.

use super::files::own_id;
use crate::ids;
use crate::input;
use crate::payload;
use crate::scalars::{Code, Date};
use async_graphql::ID;
use domain::Result;
use domain::programmes;
use entity::codes::{CareMode, ClosureReason};

input! {
    /// An enrolment.
    EnrolChildInput {
        /// Id made by the client, `Benefit:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// Id of the programme.
        programme_id: ID => benefit.programme_id;
        /// Place of care, on which the rate depends.
        care_mode: Code<CareMode> => benefit.care_mode;
        /// First month, by its first day; by default the month after today.
        start_month: Option<Date> => benefit.start_month;
    }
}

impl EnrolChildInput {
    pub(super) fn resolve(self) -> Result<programmes::EnrolChild> {
        Ok(programmes::EnrolChild {
            id: own_id(self.id.as_ref(), "Benefit")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            programme: ids::expect(&self.programme_id, "Programme", "input.programmeId")?,
            care_mode: self.care_mode.0,
            start_month: self.start_month.map(|d| d.0),
        })
    }
}

input! {
    /// The end of an enrolment.
    EndEnrolmentInput {
        /// Id of the enrolment.
        benefit_id: ID;
        /// Its version.
        expected_version: i64;
        /// Last month paid, by its first day.
        end_month: Date => benefit.end_month;
        /// Reason, from the national list of exits.
        reason: Code<ClosureReason> => benefit.exit_reason;
    }
}

impl EndEnrolmentInput {
    pub(super) fn resolve(self) -> Result<programmes::EndEnrolment> {
        Ok(programmes::EndEnrolment {
            benefit: ids::expect(&self.benefit_id, "Benefit", "input.benefitId")?,
            expected_version: self.expected_version,
            end_month: self.end_month.0,
            reason: self.reason.0,
        })
    }
}

payload! {
    /// Answer to enrolChild.
    EnrolChildPayload {
        /// The enrolment.
        benefit: Benefit
    }
}
payload! {
    /// Answer to endEnrolment.
    EndEnrolmentPayload {
        /// The enrolment.
        benefit: Benefit
    }
}
