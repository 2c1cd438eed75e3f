//! Documents that were parsed before: clients send the same few again and again, and parsing one takes longer than
//! carrying it out.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use async_graphql::{Request as Operation, parser::types::ExecutableDocument};

/// Documents that are kept, at most.
const MOST: usize = 128;
/// Bytes of a document that is kept, at most.
const MOST_BYTES: usize = 8 * 1024;

type Documents = HashMap<String, Arc<ExecutableDocument>>;

static KNOWN: LazyLock<Mutex<Documents>> = LazyLock::new(Mutex::default);

/// The operation's document; `None` where it can't be parsed.
pub fn parsed(operation: &mut Operation) -> Option<&ExecutableDocument> {
    if operation.query.len() > MOST_BYTES {
        return operation.parsed_query().ok();
    }
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&operation.query).cloned();
    match known {
        Some(document) => operation.set_parsed_query((*document).clone()),
        None => {
            let document = Arc::new(operation.parsed_query().ok()?.clone());
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                // Those in use will be back at once.
                known.clear();
            }
            known.insert(operation.query.clone(), document);
        }
    }
    operation.parsed_query().ok()
}
