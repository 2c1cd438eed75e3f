//! The tests that go through the front door: the real router, without a port, on SQLite and on PostgreSQL.
//!
//! A test is a function that is given a [`World`](support::World) and reads as sentences; [`both!`] has it run on both
//! databases. What must be seen from outside (start-up, signals) runs the program itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

/// Runs each of these tests on both databases: `name::sqlite` and `name::postgres`.
macro_rules! both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                crate::support::run(crate::support::Backend::Sqlite, super::$name).await;
            }

            #[tokio::test]
            async fn postgres() {
                crate::support::run(crate::support::Backend::Postgres, super::$name).await;
            }
        }
    )*};
}

mod bootstrap;
mod files;
mod health;
mod http;
mod outage;
mod process;
mod schema;
mod sign_in;
mod support;
mod uploads;
mod websocket;
