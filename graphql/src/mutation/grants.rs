//! Mutations on grants, and hand-over.

use super::files::own_id;
use crate::ids;
use crate::input;
use crate::object_payload;
use crate::scalars::{Code, DateTime};
use async_graphql::ID;
use domain::Result;
use domain::grants;
use entity::codes::Category;

input! {
    /// A grant to be decided by another person.
    ProposeGrantInput {
        /// Id made by the client, `Grant:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the account it is for; never your own.
        account_id: ID => access_grant.account_id;
        /// Role, as the policy names it.
        role: String => access_grant.role;
        /// Code of the division; zeros stand for the nation. It must lie within yours.
        division_code: String => access_grant.division;
        /// Id of the organisation, for roles bound to one.
        organisation_id: Option<ID> => access_grant.organisation_id;
        /// Only children of this category; absent: any.
        category: Option<Code<Category>> => access_grant.category;
        /// Purpose: one of the role's.
        purpose: String => access_grant.purpose;
        /// From when on; by default from now.
        valid_from: Option<DateTime> => access_grant.valid_from;
        /// Until when: at most twelve months after the beginning, unless set otherwise.
        valid_to: DateTime => access_grant.valid_to;
        /// Why, in 10 characters or more.
        reason: String => access_grant.reason;
    }
}

impl ProposeGrantInput {
    pub(super) fn resolve(self) -> Result<grants::ProposeGrant> {
        Ok(grants::ProposeGrant {
            id: own_id(self.id.as_ref(), "Grant")?,
            account: ids::expect(&self.account_id, "Account", "input.accountId")?,
            role: self.role,
            division: self.division_code,
            organisation: self.organisation_id.map(|id| ids::expect(&id, "Organisation", "input.organisationId")).transpose()?,
            category: self.category.map(|c| c.0),
            purpose: self.purpose,
            valid_from: self.valid_from.map(|t| t.0),
            valid_to: self.valid_to.0,
            reason: self.reason,
        })
    }
}

input! {
    /// The decision on a proposed grant.
    DecideGrantInput {
        /// Id of the grant.
        grant_id: ID;
        /// Its version.
        expected_version: i64;
        /// Note; required where the grant is rejected.
        note: Option<String> => access_grant.decision_note;
    }
}

impl DecideGrantInput {
    pub(super) fn resolve(self) -> Result<grants::DecideGrant> {
        Ok(grants::DecideGrant {
            grant: ids::expect(&self.grant_id, "Grant", "input.grantId")?,
            expected_version: self.expected_version,
            note: self.note,
        })
    }
}

input! {
    /// The end of a grant before its time.
    RevokeGrantInput {
        /// Id of the grant.
        grant_id: ID;
        /// Its version.
        expected_version: i64;
        /// Why, in 10 characters or more.
        reason: String => access_grant.end_reason;
    }
}

impl RevokeGrantInput {
    pub(super) fn resolve(self) -> Result<grants::RevokeGrant> {
        Ok(grants::RevokeGrant {
            grant: ids::expect(&self.grant_id, "Grant", "input.grantId")?,
            expected_version: self.expected_version,
            reason: self.reason,
        })
    }
}

input! {
    /// The caseload of a worker who leaves.
    HandOverInput {
        /// Id of the account that leaves.
        from_account_id: ID;
        /// Id of the account that takes over every child assigned to it.
        to_account_id: ID => child.director_id;
        /// Why, in 10 characters or more.
        reason: String;
        /// Also end what grants and accesses the leaving account has.
        #[graphql(default = false)]
        end_grants: bool;
    }
}

impl HandOverInput {
    pub(super) fn resolve(self) -> Result<grants::HandOver> {
        Ok(grants::HandOver {
            from: ids::expect(&self.from_account_id, "Account", "input.fromAccountId")?,
            to: ids::expect(&self.to_account_id, "Account", "input.toAccountId")?,
            reason: self.reason,
            end_grants: self.end_grants,
        })
    }
}

object_payload! {
    /// Answer to proposeGrant.
    ProposeGrantPayload {
        /// The grant, which counts for nothing yet.
        grant: Grant
    }
}
object_payload! {
    /// Answer to approveGrant.
    ApproveGrantPayload {
        /// The grant.
        grant: Grant
    }
}
object_payload! {
    /// Answer to rejectGrant.
    RejectGrantPayload {
        /// The grant.
        grant: Grant
    }
}
object_payload! {
    /// Answer to revokeGrant.
    RevokeGrantPayload {
        /// The grant.
        grant: Grant
    }
}
object_payload! {
    /// Answer to handOver. The audit trail names every child.
    HandOverPayload {
        /// The account that took over.
        account: Account
    }
}
