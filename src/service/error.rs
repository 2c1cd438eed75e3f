//! What a service answers instead of a result. Which to use where:
//!
//! - [`Error::Faults`]: expected failures that the caller can do something about: a mistake in the input, or a state
//!   that forbids it. GraphQL shows them as `userErrors`, a CSV import as a failed row.
//! - [`Error::BadRequest`], [`Error::LimitExceeded`]: the arguments of a query can't be used; speaks to a developer.
//! - [`Error::Forbidden`], [`Error::Unauthenticated`]: who asks may not.
//! - [`Error::Internal`]: a fault. Its cause is for the log; the client sees an id.

use std::fmt;

/// The kinds of expected failure; the same list as `ErrorCode` in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    NotFound,
    AlreadyExists,
    Invalid,
    Required,
    LockedByCrm,
    LastAdmin,
    TeamCycle,
    TeamNotEmpty,
    TeamNotFound,
    DuplicateInFile,
    InvalidEmail,
    InvalidExternalId,
    CrmUserNotFound,
    CrmUserAmbiguous,
    UserNotFound,
    MappingExists,
    CrmUserTaken,
    InvalidOperation,
    SurroundingSpaces,
    ColumnCount,
    AutoManageMode,
    HeaderMismatch,
    StatusColumnsNotAccepted,
    NotCsv,
    NotUtf8,
    EmptyFile,
    TooLarge,
    StalePlan,
    RowsFailed,
    MassChangeLimit,
    MappingMismatch,
    TooMany,
    WrongState,
    Internal,
    RemapNeedsDedupeBoth,
    RemapNeedsInboundCreate,
    IdempotencyConflict,
}

/// A step of the path to the faulty place in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(&'static str),
    Index(usize),
}

/// An expected failure: what is wrong, where, and what to do about it, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: ErrorCode,
    /// The path below the input, in the API's field names (`managerOf`), outermost first. Empty: the whole input.
    pub path: Vec<Step>,
    pub message: String,
}

/// All that is wrong with one input; never empty.
pub type Faults = Vec<Fault>;

impl Fault {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, path: Vec::new(), message: message.into() }
    }

    pub fn at(code: ErrorCode, field: &'static str, message: impl Into<String>) -> Self {
        Self { code, path: vec![Step::Name(field)], message: message.into() }
    }

    /// The same fault, seen from one level further out.
    #[must_use]
    pub fn under(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        let mut path: Vec<Step> = steps.into_iter().collect();
        path.append(&mut self.path);
        self.path = path;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why a service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join(" "))]
    Faults(Faults),
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    LimitExceeded(String),
    #[error("Your role does not allow this: {0}")]
    Forbidden(&'static str),
    #[error("Sign in with `Authorization: Bearer TOKEN`; the token that came is missing, unknown, expired or revoked.")]
    Unauthenticated,
    #[error("{0}")]
    Internal(#[from] Cause),
}

/// The cause of an internal error, for the log only.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error(transparent)]
    Database(#[from] sea_orm::DbErr),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Work that somebody else has taken over, or that was called off: what was begun is not to be committed.
    #[error("the work was taken over, or called off")]
    Superseded,
    #[error("{0}")]
    Other(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! internal {
    ($($cause:ty),*) => {$(
        impl From<$cause> for Error {
            fn from(cause: $cause) -> Self {
                Self::Internal(cause.into())
            }
        }
    )*};
}
internal!(sea_orm::DbErr, std::io::Error, object_store::Error, serde_json::Error);

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

impl Error {
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(Cause::Other(message.into()))
    }

    pub fn superseded() -> Self {
        Self::Internal(Cause::Superseded)
    }

    pub fn is_superseded(&self) -> bool {
        matches!(self, Self::Internal(Cause::Superseded))
    }

    /// The same failure, its faults seen from one level further out.
    #[must_use]
    pub fn under(self, steps: &[Step]) -> Self {
        match self {
            Self::Faults(faults) => {
                Self::Faults(faults.into_iter().map(|fault| fault.under(steps.iter().cloned())).collect())
            }
            other => other,
        }
    }

    /// Whether the database could not be reached: the same may go well later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Internal(Cause::Database(error)) if is_away(error))
    }

    /// Whether a unique index refused the write: somebody else was faster.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Internal(Cause::Database(e))
            if matches!(e.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_))))
    }
}

/// Whether the database could not be reached.
pub fn is_away(error: &sea_orm::DbErr) -> bool {
    use sea_orm::{DbErr, RuntimeErr, sqlx};
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
            // Classes 08 and 57: the connection broke, or an operator stopped the server. 25P03: this process was
            // held up, and the server ended its transaction.
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57") || code == "25P03")
            }
            error => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
        },
        _ => false,
    }
}

/// `Ok(())` when there are no faults, else all of them.
pub fn none(faults: Faults) -> Result<()> {
    if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults)) }
}
