//! Imports: a file becomes a job, the worker carries it out, the log says what failed.

pub mod query;
pub mod rows;
