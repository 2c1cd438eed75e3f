//! The tests that go through the front door: the real router, without a port, on SQLite and on PostgreSQL.
//!
//! A test is a function that is given a [`World`](support::World) and reads as sentences; [`both!`] has it run on both
//! databases. What must be seen from outside (start-up, signals) runs the program itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

/// Runs each of these tests on both databases: `name::sqlite` and `name::postgres`. They share their snapshots: what one
/// database answers, the other does too.
macro_rules! both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                insta::allow_duplicates! { crate::support::run(crate::support::Backend::Sqlite, super::$name) }
            }

            #[test]
            fn postgres() {
                insta::allow_duplicates! { crate::support::run(crate::support::Backend::Postgres, super::$name) }
            }
        }
    )*};
}

mod bad_input;
mod bootstrap;
mod candidates;
mod client;
mod concurrency;
mod crm;
mod events;
mod exports;
mod faults;
mod files;
mod front;
mod generated;
mod health;
mod http;
mod imports;
mod kills;
mod lifecycle;
mod model;
mod mutations;
mod outage;
mod permissions;
mod pgbouncer;
mod process;
mod queries;
mod queue;
mod repeats;
mod replica;
mod restart;
mod retention;
mod schema;
mod settled;
mod sign_in;
mod store;
mod support;
mod sync;
mod traces;
mod uploads;
mod websocket;
mod worklist;
