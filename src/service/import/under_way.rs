//! The imports that this process works on, so that one can be called off at once: on SQLite the transaction that carries
//! it out is the only one that writes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use entity::ImportJobId;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub struct UnderWay(Mutex<HashMap<ImportJobId, CancellationToken>>);

impl UnderWay {
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<ImportJobId, CancellationToken>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Work on an import begins; it is to end when the token is cancelled.
    pub fn begin(&self, id: ImportJobId) -> CancellationToken {
        let token = CancellationToken::new();
        self.with(|imports| imports.insert(id, token.clone()));
        token
    }

    pub fn end(&self, id: ImportJobId) {
        self.with(|imports| imports.remove(&id));
    }

    /// Ends the work on an import, where this process does it: what has not been committed is not done.
    pub fn call_off(&self, id: ImportJobId) {
        if let Some(token) = self.with(|imports| imports.get(&id).cloned()) {
            token.cancel();
        }
    }
}
