//! What the arguments of several nouns share.

use async_graphql::Enum;

use crate::service::{ErrorCode, Fault, integration::IntegrationRef, search, team::TeamRef};

/// Which way a list goes.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
pub enum OrderDirection {
    /// From the smallest, the first or the oldest up.
    Asc,
    /// From the greatest, the last or the newest down.
    Desc,
}

/// A search has as many words at most; each is a condition of its own.
const MOST_WORDS: usize = 16;

/// Checks the text of a search.
pub fn search(text: Option<String>) -> Result<Option<String>, Fault> {
    match &text {
        Some(words) if search::words(words).len() > MOST_WORDS => {
            Err(Fault::at(ErrorCode::TooMany, "search", format!("A search has {MOST_WORDS} words at most.")))
        }
        _ => Ok(text),
    }
}

/// The fault of an argument that names no team.
pub fn no_team(by: &TeamRef) -> Fault {
    let message = match by {
        TeamRef::Id(_) => "There is no team with this id.".to_owned(),
        TeamRef::Path(path) => format!("There is no team {path:?}."),
    };
    Fault::new(ErrorCode::NotFound, message)
}

/// The fault of an argument that names no integration.
pub fn no_integration(by: &IntegrationRef) -> Fault {
    let message = match by {
        IntegrationRef::Id(_) => "There is no integration with this id.".to_owned(),
        IntegrationRef::Name(name) => format!("There is no integration named {name:?}."),
    };
    Fault::new(ErrorCode::NotFound, message)
}
