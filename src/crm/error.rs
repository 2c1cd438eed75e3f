//! What may be wrong with a CRM, for the administrator who has to mend it.

use std::{fmt, time::Duration};

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The host did not answer, or not in time.
    Unreachable,
    /// Something answered that is not this CRM.
    WrongHost,
    /// The CRM does not take the credentials.
    WrongCredentials,
    /// Signed in, but not allowed to read what is needed.
    MissingPermission,
    /// The CRM asks to wait, and would not be asked again within the time that a call may take.
    RateLimited,
    /// The place to go on from is no longer known: begin again.
    CursorExpired,
    /// The CRM had a fault of its own, again and again.
    Unavailable,
    /// An answer that can't be read, or is not complete.
    Malformed,
}

/// Why a CRM did not answer. The message speaks to a person, names what to do, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmError {
    pub problem: Problem,
    pub message: String,
    /// How long the CRM asks to be left alone, where it does.
    pub retry_after: Option<Duration>,
}

impl CrmError {
    pub fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), retry_after: None }
    }

    /// Whether the same may go well later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.problem,
            Problem::Unreachable | Problem::RateLimited | Problem::Unavailable | Problem::CursorExpired
        )
    }
}

impl fmt::Display for CrmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CrmError {}
