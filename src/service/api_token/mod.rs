//! API tokens: made, listed and revoked. Signing in with one is `session`'s.

pub mod change;
pub mod query;
