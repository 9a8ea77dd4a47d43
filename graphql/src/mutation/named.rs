//! Mutations on access to single children.

use super::files::own_id;
use crate::ids;
use crate::input;
use crate::object_payload;
use crate::payload;
use crate::scalars::{Code, DateTime};
use async_graphql::ID;
use domain::named::{self, ChildRef};
use domain::store::Cell;
use domain::{Error, Result};
use entity::codes::{ReviewOutcome, SealedKind};

/// A look-up's id or a child's.
fn reference(id: &ID) -> Result<ChildRef> {
    match ids::split(id) {
        Some(("IdentityLookup", Cell::Uuid(id))) => Ok(ChildRef::Lookup(id)),
        Some(("Child", Cell::Uuid(id))) => Ok(ChildRef::Child(id)),
        _ => Err(Error::bad("BAD_ID", "input.childRef", "childRef is the id of an IdentityLookup of yours or of a Child")),
    }
}

input! {
    /// An identity number to be looked up. Counted: 30 an hour and 200 a day unless set otherwise.
    LookUpIdentityInput {
        /// The whole number.
        identity_number: String;
        /// Why, in 10 characters or more.
        reason: String => identity_lookup.reason;
    }
}

impl LookUpIdentityInput {
    pub(super) fn resolve(self) -> Result<named::LookUpIdentity> {
        Ok(named::LookUpIdentity { number: self.identity_number, reason: self.reason })
    }
}

input! {
    /// Access to one child, to be decided by the office that holds the file.
    RequestAccessInput {
        /// Id of a look-up of yours, good once; or of a child you may see, for classes you may not.
        child_ref: ID => child_access.child_id;
        /// One of your purposes; the access counts for it alone.
        purpose: String => child_access.purpose;
        /// Classes of data, as the policy names them: `identity`, `contact`, `sealed`. That the file exists is part of each.
        data_classes: Vec<String> => child_access.classes;
        /// Why, in 10 characters or more.
        reason: String => child_access.reason;
        /// Until when: at most 90 days from now, unless set otherwise.
        until: DateTime => child_access.valid_to;
    }
}

impl RequestAccessInput {
    pub(super) fn resolve(self) -> Result<named::RequestAccess> {
        Ok(named::RequestAccess {
            child: reference(&self.child_ref)?,
            purpose: self.purpose,
            classes: self.data_classes,
            reason: self.reason,
            until: self.until.0,
        })
    }
}

input! {
    /// The decision on a request for access.
    DecideAccessRequestInput {
        /// Id of the access.
        access_id: ID;
        /// Its version.
        expected_version: i64;
        /// Whether it is given.
        grant: bool => child_access.state;
        /// Fewer classes than asked for; absent: all of them. None that you do not see yourself, but for `sealed`.
        data_classes: Option<Vec<String>> => child_access.classes;
        /// Sooner than asked for.
        until: Option<DateTime> => child_access.valid_to;
        /// Note; required where it is refused.
        note: Option<String>;
    }
}

impl DecideAccessRequestInput {
    pub(super) fn resolve(self) -> Result<named::DecideAccess> {
        Ok(named::DecideAccess {
            access: ids::expect(&self.access_id, "ChildAccess", "input.accessId")?,
            expected_version: self.expected_version,
            grant: self.grant,
            classes: self.data_classes,
            until: self.until.map(|t| t.0),
            note: self.note,
        })
    }
}

input! {
    /// Access taken in an emergency. Supervisors are alerted, every look is on record as such, and another person reviews it.
    BreakGlassInput {
        /// Id of a look-up of yours, good once; or of a child.
        child_ref: ID => child_access.child_id;
        /// Classes of data, as the policy names them; your role says which can be had. Never `sealed`.
        data_classes: Vec<String> => child_access.classes;
        /// Why, in 20 characters or more.
        reason: String => child_access.reason;
        /// For how long: 1 to 60 minutes, or fewer where the settings say so.
        minutes: i32 => child_access.valid_to;
    }
}

impl BreakGlassInput {
    pub(super) fn resolve(self) -> Result<named::BreakGlass> {
        Ok(named::BreakGlass { child: reference(&self.child_ref)?, classes: self.data_classes, reason: self.reason, minutes: self.minutes })
    }
}

input! {
    /// The review that closes an emergency.
    ReviewBreakGlassInput {
        /// Id of the access.
        access_id: ID;
        /// Its version.
        expected_version: i64;
        /// What was found.
        outcome: Code<ReviewOutcome> => child_access.review_outcome;
        /// What was found, in words.
        note: String;
    }
}

impl ReviewBreakGlassInput {
    pub(super) fn resolve(self) -> Result<named::ReviewBreakGlass> {
        Ok(named::ReviewBreakGlass {
            access: ids::expect(&self.access_id, "ChildAccess", "input.accessId")?,
            expected_version: self.expected_version,
            outcome: self.outcome.0,
            note: self.note,
        })
    }
}

input! {
    /// The end of an access before its time, or of a request before its decision.
    EndAccessInput {
        /// Id of the access.
        access_id: ID;
        /// Its version.
        expected_version: i64;
    }
}

impl EndAccessInput {
    pub(super) fn resolve(self) -> Result<named::EndAccess> {
        Ok(named::EndAccess { access: ids::expect(&self.access_id, "ChildAccess", "input.accessId")?, expected_version: self.expected_version })
    }
}

input! {
    /// A sealed record.
    RecordSealedInput {
        /// Id made by the client, `SealedRecord:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// What it protects.
        kind: Code<SealedKind> => sealed_record.kind;
        /// The record. You cannot read it back.
        content: String => sealed_record.content;
    }
}

impl RecordSealedInput {
    pub(super) fn resolve(self) -> Result<named::RecordSealed> {
        Ok(named::RecordSealed {
            id: own_id(self.id.as_ref(), "SealedRecord")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            kind: self.kind.0,
            content: self.content,
        })
    }
}

object_payload! {
    /// Answer to lookUpIdentity.
    LookUpIdentityPayload {
        /// The look-up with its answer.
        lookup: IdentityLookup
    } looks at Identity
}
object_payload! {
    /// Answer to requestAccess.
    RequestAccessPayload {
        /// The request.
        access: ChildAccess
    }
}
object_payload! {
    /// Answer to decideAccessRequest.
    DecideAccessRequestPayload {
        /// The access.
        access: ChildAccess
    }
}
object_payload! {
    /// Answer to breakGlass.
    BreakGlassPayload {
        /// The access, in force at once.
        access: ChildAccess
    }
}
object_payload! {
    /// Answer to reviewBreakGlass.
    ReviewBreakGlassPayload {
        /// The access.
        access: ChildAccess
    }
}
object_payload! {
    /// Answer to endAccess.
    EndAccessPayload {
        /// The access.
        access: ChildAccess
    }
}
payload! {
    /// Answer to recordSealed. The file looks as it did before.
    RecordSealedPayload
}
