//! Texts that can't be taken, in a document or in its variables: a NUL character, which PostgreSQL can't store, and what
//! looks like the library's own mark for an upload, which would be taken for one.

use async_graphql::{Value, Variables};

use crate::graphql::error::{Failure, Result};

/// What the library puts in the place of an uploaded file, before its number.
pub const FILE_MARK: &str = "#__graphql_file__:";

/// Checks variables of a request that brought so many files.
pub fn check(variables: &Variables, uploads: usize) -> Result<()> {
    variables.iter().try_for_each(|(name, found)| {
        text(name, uploads)?;
        value(found, uploads)
    })
}

fn value(found: &Value, uploads: usize) -> Result<()> {
    match found {
        Value::String(found) => text(found, uploads),
        Value::List(found) => found.iter().try_for_each(|found| value(found, uploads)),
        Value::Object(found) => found.values().try_for_each(|found| value(found, uploads)),
        _ => Ok(()),
    }
}

pub fn text(found: &str, uploads: usize) -> Result<()> {
    if found.contains('\0') {
        return Err(Failure::bad_request("A text holds the character U+0000, which can't be stored; take it out."));
    }
    match found.strip_prefix(FILE_MARK) {
        Some(number) if number.parse::<usize>().is_ok_and(|number| number < uploads) => Ok(()),
        Some(_) => Err(Failure::bad_request("A text can't begin as the mark of an uploaded file does.")),
        None => Ok(()),
    }
}
