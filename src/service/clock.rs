//! The one source of time and of ids; tests pass in one that stands still.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Datelike, Duration, SubsecRound, Utc};
use uuid::Uuid;

/// A moment, in UTC, to the microsecond: what both databases keep.
pub type Time = DateTime<Utc>;

/// A moment that came from outside as both databases keep it, to the microsecond; `None` outside the years 1 to 9999, which
/// they can't keep, or put in order.
pub fn storable(time: Time) -> Option<Time> {
    (1..=9999).contains(&time.year()).then(|| time.trunc_subsecs(6))
}

#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<Arc<Mutex<Time>>>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `now` until it is [moved](Self::advance).
    pub fn fixed(now: Time) -> Self {
        Self { fixed: Some(Arc::new(Mutex::new(now))) }
    }

    #[allow(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn now(&self) -> Time {
        match &self.fixed {
            Some(fixed) => *fixed.lock().unwrap_or_else(PoisonError::into_inner),
            None => Utc::now().trunc_subsecs(6),
        }
    }

    /// Moves a fixed clock; the system's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Some(fixed) = &self.fixed {
            *fixed.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }

    /// A new id: UUIDv7, rising within a process, so that rows made together lie together.
    #[allow(clippy::disallowed_methods, reason = "this is where ids come from")]
    pub fn id<T: From<Uuid>>(&self) -> T {
        Uuid::now_v7().into()
    }
}
