//! Mutations on registered clients.

use super::files::own_id;
use crate::ids;
use crate::input;
use crate::payload;
use crate::scalars::Code;
use async_graphql::ID;
use domain::Result;
use domain::clients;
use entity::codes::{ClientKind, DocumentMode};

input! {
    /// A program that will sign in by itself (`POST /oauth/token`), or that people use.
    RegisterClientInput {
        /// Id made by the client, `Client:` and a UUIDv7; the UUID is the `client_id`.
        id: Option<ID>;
        /// Id of the account whose grants it acts with.
        account_id: ID;
        /// Name, as commands and settings use it.
        name: String => client.name;
        /// What it is.
        kind: Code<ClientKind> => client.kind;
        /// Its public keys, a JSON Web Key Set: EC on P-256 (ES256) or OKP on Ed25519 (EdDSA), each with a `kid`, at most 8.
        jwks: Option<String> => client.jwks;
        /// Where its keys are fetched instead; https.
        jwks_uri: Option<String> => client.jwks_uri;
        /// Purposes its tokens may be for.
        purposes: Vec<String> => client.purposes;
        /// Scopes its tokens may have: read, write, bulk:import, bulk:export.
        scopes: Vec<String> => client.scopes;
        /// Whether it may run documents that are not on its list; absent: as the settings say for its kind.
        documents: Option<Code<DocumentMode>> => client.documents;
        /// How long its tokens are good for, 60 to 3600 seconds.
        #[graphql(default = 900)]
        token_seconds: i64 => client.token_seconds;
    }
}

impl RegisterClientInput {
    pub(super) fn resolve(self) -> Result<clients::RegisterClient> {
        Ok(clients::RegisterClient {
            id: own_id(self.id.as_ref(), "Client")?,
            account: ids::expect(&self.account_id, "Account", "input.accountId")?,
            name: self.name,
            kind: self.kind.0,
            jwks: self.jwks,
            jwks_uri: self.jwks_uri,
            purposes: self.purposes,
            scopes: self.scopes,
            documents: self.documents.map(|d| d.0),
            token_seconds: self.token_seconds,
        })
    }
}

input! {
    /// New keys of a client, all of them: those left out end when these come into force.
    SetClientKeysInput {
        /// Id of the client.
        client_id: ID;
        /// Its version.
        expected_version: i64;
        /// Its public keys, a JSON Web Key Set.
        jwks: Option<String> => client.jwks;
        /// Where its keys are fetched instead; https.
        jwks_uri: Option<String> => client.jwks_uri;
    }
}

impl SetClientKeysInput {
    pub(super) fn resolve(self) -> Result<clients::SetClientKeys> {
        Ok(clients::SetClientKeys {
            client: ids::expect(&self.client_id, "Client", "input.clientId")?,
            expected_version: self.expected_version,
            jwks: self.jwks,
            jwks_uri: self.jwks_uri,
        })
    }
}

macro_rules! change {
    ($(#[doc = $doc:literal] $input:ident;)+) => {$(
        input! {
            #[doc = $doc]
            $input {
                /// Id of the client.
                client_id: ID;
                /// Its version.
                expected_version: i64;
            }
        }
        impl $input {
            pub(super) fn resolve(self) -> Result<clients::ChangeClient> {
                Ok(clients::ChangeClient { client: ids::expect(&self.client_id, "Client", "input.clientId")?, expected_version: self.expected_version })
            }
        }
    )+};
}

change! {
    /// The client to stop.
    DisableClientInput;
    /// The client to put into force, with the keys that were proposed for it.
    EnableClientInput;
}

payload! {
    /// Answer to registerClient.
    RegisterClientPayload alone {
        /// The client.
        client: Client
    }
}
payload! {
    /// Answer to setClientKeys.
    SetClientKeysPayload alone {
        /// The client.
        client: Client
    }
}
payload! {
    /// Answer to disableClient.
    DisableClientPayload alone {
        /// The client.
        client: Client
    }
}
payload! {
    /// Answer to enableClient.
    EnableClientPayload alone {
        /// The client.
        client: Client
    }
}
