//! What a service can answer instead of a result.
//!
//! - [`Fault`]: an expected failure that the caller can do something about: a mistake in the input, or a state
//!   that forbids it. GraphQL shows it as a `userErrors` entry, a CSV import as a failed row.
//! - [`Error`]: everything that is not a `Fault`. [`Error::Invalid`] and its like speak to the client;
//!   [`Error::Internal`] keeps its cause for the log, and the client only sees an id.
//!
//! A service that can be refused returns `Result<Result<T, Faults>, Error>` through [`Outcome`].

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
