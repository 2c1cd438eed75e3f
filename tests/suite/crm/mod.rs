//! The CRMs' connectors over real HTTP, each against its fake: what is pulled, what may go wrong, and which hosts are called.

mod control;
mod dynamics_365;
mod faults;
mod hosts;
mod hubspot;
mod oracle_sales;
mod salesforce;
mod secrets;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use counterpart::{
    crm::{
        Connection, CrmClient, CrmError, CrmUser, Network, Patience,
        fake::{self, Fake, FakeUser},
    },
    service::clock::Clock,
};
use entity::CrmKind;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// The fakes behind a port, and the network that reaches them.
struct Crms {
    clock: Clock,
    fake: Fake,
    base: Url,
    network: Network,
    _stop: DropGuard,
}

/// Short enough for a test that waits for the end of it.
fn patience() -> Patience {
    Patience {
        connect: Duration::from_millis(200),
        answer: Duration::from_millis(150),
        total: Duration::from_millis(700),
        retries: 3,
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(20),
        answer_bytes: 1024 * 1024,
    }
}

impl Crms {
    async fn start() -> Self {
        Self::with(patience()).await
    }

    async fn with(patience: Patience) -> Self {
        let clock = Clock::fixed(time("2026-03-01T12:00:00Z"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fake, stop) = (Fake::new(clock.clone()), CancellationToken::new());
        tokio::spawn(fake::serve(listener, fake.clone(), stop.clone()));
        let network = Network::new(clock.clone(), vec![address.to_string().parse().unwrap()], patience).unwrap();
        let base = Url::parse(&format!("http://{address}")).unwrap();
        Self { clock, fake, base, network, _stop: stop.drop_guard() }
    }

    fn connection(&self, kind: CrmKind) -> Connection {
        Fake::connection(kind, &self.base).unwrap()
    }

    fn client(&self, kind: CrmKind) -> Arc<dyn CrmClient> {
        self.network.client(&self.connection(kind)).unwrap()
    }

    /// So many people, by ids that the CRM could have.
    fn people(&self, kind: CrmKind, number: usize) -> Vec<FakeUser> {
        let people: Vec<_> = (1..=number)
            .map(|n| FakeUser::new(id(kind, n), format!("p{n}@acme.example")).named("P", &n.to_string()))
            .collect();
        self.fake.set_users(kind, people.clone());
        people
    }
}

/// An id as the CRM gives it.
fn id(kind: CrmKind, n: usize) -> String {
    match kind {
        CrmKind::Salesforce => format!("0058Z00000{n:05}"),
        CrmKind::Dynamics365 => format!("00000000-0000-4000-8000-{n:012}"),
        _ => format!("{}", 300_000_000 + n),
    }
}

const KINDS: [CrmKind; 4] = [CrmKind::Salesforce, CrmKind::OracleSales, CrmKind::Dynamics365, CrmKind::Hubspot];

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What a pull brings, page by page.
async fn pull(client: &dyn CrmClient, since: Option<DateTime<Utc>>) -> Result<Vec<Vec<CrmUser>>, CrmError> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.users(since, cursor.as_deref()).await?;
        pages.push(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(pages);
        }
    }
}

/// The ids of a pull.
async fn ids(client: &dyn CrmClient, since: Option<DateTime<Utc>>) -> Vec<String> {
    pull(client, since).await.unwrap().concat().into_iter().map(|user| user.external_id).collect()
}
