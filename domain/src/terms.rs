//! How long what is given lasts: the settings may say otherwise.

use chrono::{Months, TimeDelta};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest grant, in months.
    pub grant_months: u32,
    /// The longest access to one child that is asked for, in days.
    pub child_days: u32,
    /// How long a look-up may be turned into a request, in hours.
    pub look_up_hours: u32,
    /// The longest access in an emergency, in minutes.
    pub emergency_minutes: u32,
    /// Within so many hours an emergency is to be reviewed.
    pub review_hours: u32,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { grant_months: 12, child_days: 90, look_up_hours: 24, emergency_minutes: 60, review_hours: 72 }
    }
}

impl Terms {
    pub fn grant(&self) -> Months {
        Months::new(self.grant_months)
    }
    pub fn child(&self) -> TimeDelta {
        TimeDelta::days(self.child_days.into())
    }
    pub fn look_up(&self) -> TimeDelta {
        TimeDelta::hours(self.look_up_hours.into())
    }
    pub fn review(&self) -> TimeDelta {
        TimeDelta::hours(self.review_hours.into())
    }
}
