//! Counterpart: who in a revenue application is who in the CRM.

pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod database;
pub mod demo;
pub mod graphql;
pub mod http;
pub mod service;
pub mod telemetry;
