//! Mutations on alerts.

use crate::ids;
use crate::input;
use crate::scalars::Code;
use async_graphql::ID;
use domain::Result;
use domain::alerts;
use entity::codes::AlertOutcome;

input! {
    /// What came of looking into an alert.
    SettleAlertInput {
        /// Id of the alert.
        alert_id: ID;
        /// Its version.
        expected_version: i64;
        /// What was found.
        outcome: Code<AlertOutcome> => alert.outcome;
        /// What was found, in words: who was asked, what was seen.
        note: String => alert.note;
    }
}

impl SettleAlertInput {
    pub(super) fn resolve(self) -> Result<alerts::SettleAlert> {
        Ok(alerts::SettleAlert {
            alert: ids::expect(&self.alert_id, "Alert", "input.alertId")?,
            expected_version: self.expected_version,
            outcome: self.outcome.0,
            note: self.note,
        })
    }
}

crate::payload! {
    /// Answer to settleAlert. `child` stays empty: an alert names it.
    SettleAlertPayload {
        /// The alert.
        alert: Alert
    }
}
