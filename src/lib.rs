//! Counterpart: who in a revenue application is who in the CRM.

pub mod service;
