//! The tenant itself: its name, and who owns its users.

pub mod query;
