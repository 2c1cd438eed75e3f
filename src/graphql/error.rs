//! Where the services' errors become GraphQL's: the one place that decides what a client reads.
//!
//! - [`Failure`] is an error of a resolver, with the code that `contract/http.md` lists in `extensions.code`. It has no
//!   `Display`, so that no other error can pass for one on its way out through `?`.
//! - [`UserError`] is an expected failure of a mutation.

use async_graphql::{Enum, ErrorExtensions, ServerError, SimpleObject};

use crate::service::{self, Fault, Step};

/// What a resolver answers.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub struct Failure(async_graphql::Error);

impl Failure {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self(async_graphql::Error::new(message).extend_with(|_, extensions| extensions.set("code", code)))
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new("BAD_REQUEST", message)
    }

    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new("LIMIT_EXCEEDED", message)
    }

    pub fn unauthenticated() -> Self {
        service::Error::Unauthenticated.into()
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("NOT_FOUND", message)
    }

    /// A fault of ours: the cause goes to the log, an id that finds it there to the client.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let id = format!("{:016x}", rand::random::<u64>());
        tracing::error!(error = %cause, id, "internal error");
        let message = format!("Something went wrong on our side. The server's log has the cause under {id}.");
        Self(async_graphql::Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", "INTERNAL");
            extensions.set("id", id.as_str());
        }))
    }
}

impl From<service::Error> for Failure {
    fn from(error: service::Error) -> Self {
        match &error {
            service::Error::Faults(faults) => {
                let code = faults.first().map_or(service::ErrorCode::Internal, |fault| fault.code);
                Self::new(&name(code), error.to_string())
            }
            service::Error::BadRequest(message) => Self::bad_request(message),
            service::Error::LimitExceeded(message) => Self::limit_exceeded(message),
            service::Error::Forbidden(_) => Self::new("FORBIDDEN", error.to_string()),
            service::Error::Unauthenticated => Self::new("UNAUTHENTICATED", error.to_string()),
            service::Error::Internal(cause) => Self::internal(cause),
        }
    }
}

/// An argument that can't be used, or that names what is not there or may not be seen.
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault.code {
            service::ErrorCode::NotFound => Self::not_found(fault.message),
            _ => Self::bad_request(fault.message),
        }
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<Failure> for ServerError {
    fn from(failure: Failure) -> Self {
        let Failure(error) = failure;
        let mut server_error = ServerError::new(error.message, None);
        server_error.extensions = error.extensions;
        server_error
    }
}

/// The code as the schema spells it.
fn name(code: service::ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Gives a code to the errors that the library makes: they are about the document and its variables.
pub fn complete(error: &mut ServerError) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        let limit =
            ["Query is nested too deep.", "Query is too complex.", "The recursion depth of the query cannot be"];
        let is_limit = limit.iter().any(|start| error.message.starts_with(start));
        extensions.set("code", if is_limit { "LIMIT_EXCEEDED" } else { "BAD_REQUEST" });
    }
}

/// An expected failure of a mutation: something in the input, or in the state it met.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// The path of the input field below `input`; list positions as numbers.
    pub field: Option<Vec<String>>,
    /// What is wrong and what to do about it, for a person.
    pub message: String,
}

impl From<Fault> for UserError {
    fn from(fault: Fault) -> Self {
        let field: Vec<String> = fault
            .path
            .iter()
            .map(|step| match step {
                Step::Name(name) => (*name).to_owned(),
                Step::Index(index) => index.to_string(),
            })
            .collect();
        Self { code: fault.code.into(), field: (!field.is_empty()).then_some(field), message: fault.message }
    }
}

/// The result of a mutation's service, or the expected failures as the payload shows them.
pub fn outcome<T>(result: service::Result<T>) -> Result<(Option<T>, Vec<UserError>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(service::Error::Faults(faults)) => Ok((None, faults.into_iter().map(UserError::from).collect())),
        Err(other) => Err(other.into()),
    }
}

/// The kinds of expected failure.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "service::ErrorCode")]
pub enum ErrorCode {
    /// What the input names does not exist, or the viewer may not see it.
    NotFound,
    /// Something with this name or email exists already.
    AlreadyExists,
    /// The value can't be used; the message says why.
    Invalid,
    /// A value is needed where none came.
    Required,
    /// The CRM owns this attribute (manage mode AUTO).
    LockedByCrm,
    /// The organisation would be left without an active administrator.
    LastAdmin,
    /// The team would come to hang below itself.
    TeamCycle,
    /// The team still has members or sub-teams.
    TeamNotEmpty,
    /// No team has this id or path.
    TeamNotFound,
    /// An earlier row of the file has the same key.
    DuplicateInFile,
    /// The text is not an email address.
    InvalidEmail,
    /// The text is not an external id of this CRM.
    InvalidExternalId,
    /// The integration has no such CRM user.
    CrmUserNotFound,
    /// Several CRM users carry this email.
    CrmUserAmbiguous,
    /// No user has this id or email.
    UserNotFound,
    /// The user is mapped already.
    MappingExists,
    /// Another user is mapped to this CRM user.
    CrmUserTaken,
    /// The row's operation is none of those that the file takes.
    InvalidOperation,
    /// There is white space before or after the value.
    SurroundingSpaces,
    /// The row has too few or too many cells.
    ColumnCount,
    /// The CRM owns the organisation's users (manage mode AUTO), so that a file can't change them.
    AutoManageMode,
    /// The file's header is not the template's.
    HeaderMismatch,
    /// The file has values in the columns Status or Suspended At, which an import does not take.
    StatusColumnsNotAccepted,
    /// The file is not CSV.
    NotCsv,
    /// The file is not UTF-8.
    #[graphql(name = "NOT_UTF8")]
    NotUtf8,
    /// The file has no header or no row.
    EmptyFile,
    /// The file is larger than the server takes.
    TooLarge,
    /// What the plan was made for has changed since; nothing was done.
    StalePlan,
    /// Rows failed, and the import was to go in whole or not at all.
    RowsFailed,
    /// Too many mappings would have ended or moved at once; nothing was done.
    MassChangeLimit,
    /// The user is mapped to another CRM user than the row says.
    MappingMismatch,
    /// More items came than one call takes.
    TooMany,
    /// The object is in a state that does not allow this.
    WrongState,
    /// Something went wrong on the server's side.
    Internal,
    /// Remapping of inactive CRM users needs `emailDedupe` to be BOTH.
    RemapNeedsDedupeBoth,
    /// Remapping of inactive CRM users needs `inboundCreate`.
    RemapNeedsInboundCreate,
    /// The idempotency key was used for another import.
    IdempotencyConflict,
}
