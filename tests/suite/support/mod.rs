//! What the tests stand on.

pub mod client;
pub mod database;
pub mod events;
pub mod import;
pub mod pgbouncer;
pub mod postgres;
pub mod program;
pub mod proxy;
pub mod remote;
pub mod scene;
pub mod show;
pub mod socket;
pub mod store;
mod world;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;

pub use client::Answer;
pub use database::{Backend, TestDatabase};
pub use world::{World, unhurried};

/// Runs a test in a world of its own, and clears the world away however the test ends.
pub fn run<F: Future<Output = ()>>(backend: Backend, test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(database) = TestDatabase::migrated(backend).await else { return };
        let result = AssertUnwindSafe(async { test(World::on(&database.url).await).await }).catch_unwind().await;
        database.remove().await;
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    });
}
