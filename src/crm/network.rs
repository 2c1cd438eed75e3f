//! How CRMs are reached: which hosts, over which connections, and how long they are waited for.

use std::{sync::Arc, time::Duration};

use reqwest::redirect::Policy;

use super::{
    Connection, CrmClient, CrmError, ExtraHost, dynamics_365,
    hosts::{Home, Hosts},
    http::Http,
    hubspot, oracle_sales, salesforce,
};
use crate::service::clock::Clock;

/// How long a CRM is waited for, and how often it is asked again.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long one answer may take, to its last byte.
    pub answer: Duration,
    /// How long one call may take, all that is tried again and every wait included. A CRM that asks for a longer wait is
    /// [rate limited](super::Problem::RateLimited).
    pub total: Duration,
    /// How often what failed is tried again.
    pub retries: usize,
    /// The first wait; each following one is twice as long, and up to as much again is added by chance.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// The largest answer that is read.
    pub answer_bytes: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            total: Duration::from_secs(180),
            retries: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(10),
            answer_bytes: 64 * 1024 * 1024,
        }
    }
}

/// The way to all CRMs: one for the whole process, cheap to clone.
#[derive(Debug, Clone)]
pub struct Network {
    client: reqwest::Client,
    clock: Clock,
    hosts: Arc<Hosts>,
    patience: Arc<Patience>,
}

impl Network {
    /// A network that reaches the CRMs' own domains, and these hosts.
    ///
    /// # Errors
    /// The TLS library's, for a person.
    pub fn new(clock: Clock, extra_hosts: Vec<ExtraHost>, patience: Patience) -> Result<Self, String> {
        // Only the first one counts, and all are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("counterpart/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.connect)
            // A CRM's API leads nowhere else; what claims to be one could lead anywhere.
            .redirect(Policy::none())
            .build()
            .map_err(|error| format!("connections can't be made: {error}"))?;
        Ok(Self { client, clock, hosts: Arc::new(Hosts::new(extra_hosts)), patience: Arc::new(patience) })
    }

    /// Whether all that a connection names may be called: to be asked before it is kept.
    ///
    /// # Errors
    /// [`Problem::WrongHost`](super::Problem::WrongHost).
    pub fn check(&self, connection: &Connection) -> Result<(), CrmError> {
        self.hosts.check_connection(connection)
    }

    /// A client for this connection. Nothing is sent before it is asked for something.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and [`Problem::WrongCredentials`](super::Problem::WrongCredentials) when they can't
    /// even be used.
    pub fn client(&self, connection: &Connection) -> Result<Arc<dyn CrmClient>, CrmError> {
        self.check(connection)?;
        let http = Http::new(
            self.client.clone(),
            self.clock.clone(),
            Arc::clone(&self.hosts),
            Arc::clone(&self.patience),
            Home::of(connection),
        );
        Ok(match connection {
            Connection::Salesforce(settings) => Arc::new(salesforce::Client::new(http, settings)?),
            Connection::OracleSales(settings) => Arc::new(oracle_sales::Client::new(http, settings)),
            Connection::Dynamics365(settings) => Arc::new(dynamics_365::Client::new(http, settings)),
            Connection::HubSpot(settings) => Arc::new(hubspot::Client::new(http, settings)),
        })
    }
}
