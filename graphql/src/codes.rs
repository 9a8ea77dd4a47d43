//! Every code of a top-level error, in one place; `docs/errors.md` is made from it. Refusals of the domain (`userErrors`) are `UserErrorCode`.

/// A code of `errors[].extensions.code`, for those who write clients.
pub struct ErrorCode {
    pub code: &'static str,
    /// HTTP status; "field" where a result has it at the path of one field, with status 200.
    pub status: &'static str,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

const fn code(code: &'static str, status: &'static str, meaning: &'static str, remedy: &'static str) -> ErrorCode {
    ErrorCode { code, status, meaning, remedy }
}

/// "400 / 200": by the media type of the answer, see docs/api.md.
pub const CODES: &[ErrorCode] = &[
    code("AUDIT_UNAVAILABLE", "503", "what would be disclosed cannot be put on record, and so is not given", "wait for `Retry-After`, try again"),
    code("BAD_CURSOR", "field", "the cursor is not of this list and order", "start the list anew; never build cursors"),
    code("BAD_DIVISION", "field", "a division code has 2, 4, 6, 9 or 12 digits", "mend `argument`"),
    code("BAD_EXTERNAL_IDENTITY", "field", "issuer and subject of an external identity go together, 1 to 255 bytes each", "send both or neither"),
    code("BAD_ID", "field", "no id of the type asked for", "send ids as the API gave them"),
    code("BAD_IDEMPOTENCY_KEY", "field", "the key is empty or longer than 200 bytes", "send another key"),
    code("BAD_IDENTITY_NUMBER", "field", "no whole identity number with a right check character (GB 11643)", "ask for the whole number"),
    code("BAD_NUMBER", "field", "a number out of its range", "mend `argument`"),
    code("BAD_REQUEST", "400", "body, parameters or headers cannot be read, or a subscription came without a stream to send it over", "mend the request"),
    code("BAD_SEARCH", "field", "the search text is empty or longer than 50 characters", "mend `argument`"),
    code("BAD_USER_INPUT", "field", "an argument or a variable was refused while running", "mend the value at the path"),
    code("BUSY", "field", "too many passwords are being checked at once; nothing was changed", "try again in a moment"),
    code("DIVISION_TOO_HIGH", "field", "the division is too large for what was asked", "name a smaller one"),
    code("DOCUMENT_NOT_FOUND", "400", "no document of this `documentId` is on the list of the client", "send its text as `query`, or have it loaded"),
    code("DOCUMENT_NOT_TRUSTED", "403", "the client runs the documents of its list alone, and this is none of them", "have it loaded with `child-welfare documents load`"),
    code("FORBIDDEN", "field", "you may not see this field of this row (`dataClass`), or not do or use this (`subject`)", "hide what `viewer.access` denies"),
    code("FORBIDDEN", "403", "no grant for the purpose in `X-Purpose` (`grantedPurposes` lists yours), no right to upload, or a socket from an origin that is not listed", "choose a granted purpose"),
    code("GRAPHQL_PARSE_FAILED", "400 / 200", "the document has a syntax error at `locations`", "mend the document"),
    code("GRAPHQL_VALIDATION_FAILED", "400 / 200", "the document does not fit the schema, or its variables do not fit the document", "mend the document; check it against `schema.graphql` when building"),
    code("IDEMPOTENCY_KEY_IN_USE", "field", "a request with this key is being carried out", "repeat it in a moment"),
    code("IDEMPOTENCY_KEY_REUSED", "field", "this key was used with another input", "make a new key for a new request"),
    code("INTERNAL", "500, field", "a defect of ours", "report `requestId`"),
    code("LIMIT_EXCEEDED", "400 / 200", "the document goes beyond `limit`, of which `most` is allowed", "ask for less at once, see docs/api.md"),
    code("METHOD_NOT_ALLOWED", "405", "the method is not one of `Allow`", "mutations go by POST"),
    code("NOT_ACCEPTABLE", "406", "`Accept` names no media type that we speak", "accept `application/graphql-response+json`"),
    code("NO_SUCH_ADDRESS", "404", "nothing at this address", "mend the URL"),
    code("OVERLOADED", "503", "too many operations at once", "wait for `Retry-After`, try again"),
    code("PAGE_ARGUMENTS", "field", "`first` goes with `after`, `last` with `before`, and not both", "mend the arguments"),
    code("PAGE_SIZE", "field", "a page has 0 to 100 rows", "ask for a smaller page"),
    code("PASSWORD_REFUSED", "422", "the password is too short, too long or guessable: `reasons` has a code and a message for each", "let another one be chosen; the activation code stays good"),
    code("PAYLOAD_TOO_LARGE", "413", "the body is over `limits.body_bytes` or `limits.upload_bytes`", "send less"),
    code("PROBLEM_FILE", "field", "the list of problems cannot be made", "see the message"),
    code("RATE_LIMITED", "429, field", "the budget of this account or address is spent, see docs/api.md", "wait for `Retry-After`, then slow down"),
    code("REQUEST_TIMEOUT", "408", "the body did not arrive in time", "send again"),
    code("SECOND_FACTOR_REQUIRED", "400 / 200", "the session has no second factor yet", "go through `beginTotpEnrolment` and `confirmTotpEnrolment`, then ask again"),
    code("SIGN_IN_REFUSED", "401", "name, password, code or token is not right, or no longer, or locked for a while; nobody is told which", "begin again at `/sign-in`; after several failures wait 15 minutes"),
    code("STORAGE_FULL", "507", "the server's disk is full; nothing was kept", "tell the operator"),
    code("TIMEOUT", "503", "the operation took longer than `limits.operation_seconds` and was cancelled; of a mutation nothing was kept, unless its commit was under way", "ask for less; repeat a mutation with its idempotency key"),
    code("TLS_REQUIRED", "403", "in production: the request came in the clear", "use https"),
    code("TOO_MANY", "field", "more values than one request takes", "send them in parts"),
    code("TOO_MANY_OPERATIONS", "socket", "50 operations run over this socket", "wait for one to end"),
    code("TOO_MANY_STREAMS", "429", "the account has as many sockets and streams open as it may", "close some"),
    code("TOO_MANY_TRIES", "429", "too many tries to sign in from this address, or too quickly one after the other for this name", "wait for `Retry-After`"),
    code("UNAUTHENTICATED", "401", "no token, one that is not valid (see `WWW-Authenticate`), or no active account", "sign in again"),
    code("UNAVAILABLE", "503, field", "the database, or the issuer of the token, does not answer; nothing was changed", "try again"),
    code("UNSUPPORTED_MEDIA_TYPE", "415", "the body is not `application/json` in UTF-8", "send JSON"),
];
