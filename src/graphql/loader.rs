//! Batching: what the fields of one level ask for one by one is asked of the database at once.
//!
//! The library's `DataLoader` collects the keys; it would load them after a time, which is either too late or, under load,
//! too early. Here a batch is started by the request's [`Pace`], when nothing in the request can go on without it. Nothing
//! is kept: a mutation later in the same request sees what it changed. A batch runs beside the request, so that it goes on
//! when the field that began it is given up because of an error beside it.

use std::{collections::HashMap, future::Future, hash::Hash, marker::PhantomData, sync::Arc, time::Duration};

use async_graphql::dataloader::{self, DataLoader};

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

/// A batch as the library's loader sees it.
struct Source<B> {
    session: Arc<Session>,
    batch: PhantomData<B>,
}

impl<B: Batch> dataloader::Loader<B::Key> for Source<B> {
    type Value = B::Value;
    type Error = Failure;

    async fn load(&self, keys: &[B::Key]) -> Result<HashMap<B::Key, B::Value>> {
        // One failure for the batch: its cause is in the log once.
        B::load(&self.session, keys.to_vec()).await.map_err(Failure::from)
    }
}

/// Loads one kind of thing for one request.
pub struct Loader<B: Batch>(Arc<DataLoader<Source<B>>>);

impl<B: Batch> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Batch> Loader<B> {
    pub fn new(session: &Arc<Session>, pace: &Arc<Pace>) -> Self {
        let source = Source { session: Arc::clone(session), batch: PhantomData };
        let pace = Arc::clone(pace);
        let loader = DataLoader::new(source, move |batch| {
            let released = pace.released();
            tokio::spawn(db::counted_together(async move {
                // A batch whose request was given up before is not needed.
                if let Some(_running) = released.await {
                    batch.await;
                }
            }))
        });
        // The pace says when a batch is complete: neither a time nor a number of keys does.
        Self(Arc::new(loader.delay(Duration::ZERO).max_batch_size(usize::MAX)))
    }

    /// The value of the key; `None` when there is none that the viewer may see.
    pub async fn load(&self, key: B::Key) -> Result<Option<B::Value>> {
        self.0.load_one(key).await
    }
}
