//! Batching: what the fields of one level ask for one by one is asked of the database at once.
//!
//! This is the technique of `dataloader`. The library has one, which loads the keys that it has collected after a time,
//! which is either too late or, under load, too early; and which keeps a set, a map and a channel for each key. Here a
//! batch is started by the request's [`Pace`], when nothing in the request can go on without it, and all who wait for it
//! read the same values. Nothing is kept: a mutation later in the same request sees what it changed. A batch runs beside
//! the request, so that it goes on when the field that began it is given up because of an error beside it.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt,
    channel::oneshot,
    future::{BoxFuture, Shared},
};

use super::{
    error::{Failure, Result},
    pace::Pace,
};
use crate::service::{self, Session, db};

/// What a loader loads.
pub trait Batch: Send + Sync + 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Value: Clone + Send + Sync + 'static;

    /// The values of the keys; a key without a value is left out.
    fn load(
        session: &Session,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = service::Result<HashMap<Self::Key, Self::Value>>> + Send;
}

/// What a batch comes to, for all who wait for it.
type Loaded<B> = Result<Arc<HashMap<<B as Batch>::Key, <B as Batch>::Value>>>;

/// A batch that is being collected.
struct Collected<B: Batch> {
    keys: HashSet<B::Key>,
    loaded: Shared<BoxFuture<'static, Loaded<B>>>,
}

/// Loads one kind of thing for one request.
pub struct Loader<B: Batch> {
    source: Arc<Source<B>>,
    pace: Arc<Pace>,
}

/// What a batch under way needs. Not the pace: a batch that the pace never releases would keep it for good.
struct Source<B: Batch> {
    session: Arc<Session>,
    collected: Mutex<Option<Collected<B>>>,
}

impl<B: Batch> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self { source: Arc::clone(&self.source), pace: Arc::clone(&self.pace) }
    }
}

impl<B: Batch> Loader<B> {
    pub fn new(session: &Arc<Session>, pace: &Arc<Pace>) -> Self {
        let source = Source { session: Arc::clone(session), collected: Mutex::default() };
        Self { source: Arc::new(source), pace: Arc::clone(pace) }
    }

    /// The value of the key; `None` when there is none that the viewer may see.
    pub async fn load(&self, key: B::Key) -> Result<Option<B::Value>> {
        let loaded = self.collect(key.clone());
        Ok(loaded.await?.get(&key).cloned())
    }

    /// Adds the key to the batch that is being collected, or begins one.
    fn collect(&self, key: B::Key) -> Shared<BoxFuture<'static, Loaded<B>>> {
        let mut collected = self.source.collected();
        let batch = collected.get_or_insert_with(|| self.begin());
        batch.keys.insert(key);
        batch.loaded.clone()
    }

    fn begin(&self) -> Collected<B> {
        let (answer, loaded) = oneshot::channel();
        let (source, released) = (Arc::clone(&self.source), self.pace.released());
        tokio::spawn(db::counted_together(async move {
            // A batch whose request was given up before is not needed.
            let Some(_running) = released.await else { return };
            let collected = source.collected().take();
            let keys = collected.map(|batch| batch.keys.into_iter().collect()).unwrap_or_default();
            // One failure for the batch: its cause is in the log once. Who no longer waits needs no answer.
            let _ = answer.send(B::load(&source.session, keys).await.map(Arc::new).map_err(Failure::from));
        }));
        let loaded = async { loaded.await.unwrap_or_else(|_| Err(Failure::internal("a batch was given up"))) };
        Collected { keys: HashSet::new(), loaded: loaded.boxed().shared() }
    }
}

impl<B: Batch> Source<B> {
    fn collected(&self) -> MutexGuard<'_, Option<Collected<B>>> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
