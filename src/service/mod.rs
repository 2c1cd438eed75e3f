//! The rules, each written once, one file a noun. Knows nothing of GraphQL or HTTP.

pub mod error;
