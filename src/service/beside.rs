//! Work for the processor or the disk that is done beside what goes on.

use tokio::task::JoinHandle;

use super::error::{Error, Result};

/// Work on a thread of its own, which goes on whether or not it is waited for.
#[derive(Debug)]
pub struct Beside<T>(JoinHandle<T>);

impl<T: Send + 'static> Beside<T> {
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(tokio::task::spawn_blocking(work))
    }

    /// Waits for what came out.
    ///
    /// # Errors
    /// The work ended early.
    pub async fn done(self) -> Result<T> {
        self.0.await.map_err(|error| Error::internal(format!("work on a thread of its own ended early: {error}")))
    }
}
