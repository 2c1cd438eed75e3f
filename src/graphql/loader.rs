//! Batching: what the fields of one level ask for one by one is asked of the database at once.
//!
//! A [`Loader`] collects keys until nothing in the request can go on without it, then loads them together. Nothing is
//! kept: a mutation later in the same request sees what it changed. A batch belongs to all who wait for it, so that it
//! goes on when the field that began it is given up because of an error beside it.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::{
    error::{Failure, Result},
    pace::Pace,
};
use crate::service::{self, Session};

/// What a loader loads.
pub trait Batch: 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Value: Clone + Send + Sync + 'static;

    /// The values of the keys; a key without a value is left out.
    fn load(
        session: &Session,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = service::Result<HashMap<Self::Key, Self::Value>>> + Send;
}

type Loaded<B> = Result<Arc<HashMap<<B as Batch>::Key, <B as Batch>::Value>>>;

/// The keys of a batch until it loads; `None` from then on.
type Keys<B> = Arc<Mutex<Option<Vec<<B as Batch>::Key>>>>;

struct Open<B: Batch> {
    keys: Keys<B>,
    loaded: Shared<BoxFuture<'static, Loaded<B>>>,
}

/// Loads one kind of thing for one request.
pub struct Loader<B: Batch> {
    session: Arc<Session>,
    pace: Arc<Pace>,
    open: Arc<Mutex<Option<Open<B>>>>,
}

impl<B: Batch> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self { session: Arc::clone(&self.session), pace: Arc::clone(&self.pace), open: Arc::clone(&self.open) }
    }
}

impl<B: Batch> Loader<B> {
    pub fn new(session: &Arc<Session>, pace: &Arc<Pace>) -> Self {
        Self { session: Arc::clone(session), pace: Arc::clone(pace), open: Arc::default() }
    }

    /// The value of the key; `None` when there is none that the viewer may see.
    pub async fn load(&self, key: B::Key) -> Result<Option<B::Value>> {
        let loaded = self.join(&key).await?;
        Ok(loaded.get(&key).cloned())
    }

    /// Puts the key into the batch that is being collected.
    fn join(&self, key: &B::Key) -> Shared<BoxFuture<'static, Loaded<B>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = open.as_ref()
            && let Some(keys) = batch.keys.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            keys.push(key.clone());
            return batch.loaded.clone();
        }
        let keys: Keys<B> = Arc::new(Mutex::new(Some(vec![key.clone()])));
        let loaded = run::<B>(Arc::clone(&self.session), Arc::clone(&self.pace), Arc::clone(&keys)).boxed().shared();
        *open = Some(Open { keys, loaded: loaded.clone() });
        loaded
    }
}

async fn run<B: Batch>(session: Arc<Session>, pace: Arc<Pace>, keys: Keys<B>) -> Loaded<B> {
    pace.released().await;
    let keys = keys.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    let keys: Vec<B::Key> = keys.into_iter().filter(|key| seen.insert(key.clone())).collect();
    // One failure for the batch: its cause is in the log once.
    B::load(&session, keys).await.map(Arc::new).map_err(Failure::from)
}
