//! What is checked of a request before the library validates it, in time that is linear in its size.
//!
//! - Fragments can name each other so that a short document stands for millions of fields; the library's own limits
//!   would walk through them all.
//! - A NUL character is refused: PostgreSQL can't store it.
//! - A text that looks like the library's own mark for an upload would be taken for one.
//! - The defaults of variables are filled in: the library forgets them for `@include` and `@skip`.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, Request, Response, ServerError, Value,
    parser::types::{
        Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};
use async_graphql_value::ConstValue;

use super::error::{Failure, Result};

/// As deep may fields be nested.
pub const MAX_DEPTH: usize = 32;
/// As many fields may a document select, its fragments spelled out.
const MAX_FIELDS: u64 = 5_000;
