//! What the tests stand on.

pub mod client;
pub mod database;
pub mod program;
pub mod proxy;
pub mod scene;
mod world;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;

pub use client::Answer;
pub use database::{Backend, TestDatabase};
pub use world::World;

/// Runs a test in a world of its own, and clears the world away however the test ends.
pub async fn run<F: Future<Output = ()>>(backend: Backend, test: impl FnOnce(World) -> F) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let result = AssertUnwindSafe(async { test(World::on(&database.url).await).await }).catch_unwind().await;
    database.remove().await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}
