//! Counterpart: who in a revenue application is who in the CRM.

pub mod bootstrap;
pub mod cli;
pub mod client;
pub mod config;
pub mod crm;
pub mod database;
pub mod demo;
pub mod graphql;
pub mod http;
pub mod service;
pub mod store;
pub mod telemetry;

/// An answer is thousands of small objects that one thread makes and another may free: the C library's allocator takes a
/// fifth of the time that a large one costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
