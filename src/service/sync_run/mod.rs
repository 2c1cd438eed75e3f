//! Receipts of CRM users: pushes, files and pulls, and the linking that follows.

pub mod query;
