//! Which hosts this server calls. Who enters a connection says where its CRM is, and a CRM's answers say where to go on:
//! neither may send this server into its own network.

use std::{fmt, str::FromStr};

use axum::http::uri::Authority;
use url::{Host, Url};

use super::{Connection, CrmError, OracleSignIn, Problem};

/// The setting that names further hosts.
const SETTING: &str = "COUNTERPART_CRM_HOSTS";

/// A host outside the CRMs' own domains that may be called, over `http` too: `crm.example.com`, or `127.0.0.1:9100`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraHost {
    host: Host,
    /// Without one, the port that the scheme has by default.
    port: Option<u16>,
}

impl FromStr for ExtraHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = || "give a host, or a host and a port, such as 127.0.0.1:9100".to_owned();
        let authority: Authority = text.trim().parse().map_err(|_| help())?;
        // What follows a last colon and is no port would otherwise be dropped in silence.
        let has_port = authority.as_str().rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        // A pattern would be taken for a host of that name.
        if authority.as_str().contains(['@', '*']) || has_port != authority.port_u16().is_some() {
            return Err(help());
        }
        let host = Host::parse(authority.host()).map_err(|_| help())?;
        Ok(Self { host, port: authority.port_u16() })
    }
}

impl fmt::Display for ExtraHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

impl ExtraHost {
    fn is_of(&self, url: &Url) -> bool {
        let is_default = || url.port().is_none();
        url.host().is_some_and(|host| host.to_owned() == self.host)
            && self.port.map_or_else(is_default, |port| url.port_or_known_default() == Some(port))
    }
}

/// A CRM's name, and where it lives.
#[derive(Debug)]
pub(super) struct Home {
    pub name: &'static str,
    /// `api.hubapi.com` is this host, `.salesforce.com` every host below it. Those where tokens are given are among them.
    domains: &'static [&'static str],
}

const SALESFORCE: Home = Home { name: "Salesforce", domains: &[".salesforce.com"] };
const ORACLE_SALES: Home = Home { name: "Oracle Sales", domains: &[".oraclecloud.com"] };
const DYNAMICS_365: Home = Home {
    name: "Dynamics 365",
    domains: &[
        ".dynamics.com",
        "login.microsoftonline.com",
        ".dynamics.cn",
        "login.partner.microsoftonline.cn",
        ".microsoftdynamics.us",
        "login.microsoftonline.us",
    ],
};
const HUBSPOT: Home = Home { name: "HubSpot", domains: &["api.hubapi.com"] };

impl Home {
    pub fn of(connection: &Connection) -> &'static Self {
        match connection {
            Connection::Salesforce(_) => &SALESFORCE,
            Connection::OracleSales(_) => &ORACLE_SALES,
            Connection::Dynamics365(_) => &DYNAMICS_365,
            Connection::HubSpot(_) => &HUBSPOT,
        }
    }

    fn has(&self, host: &str) -> bool {
        // With the dot, so that `evilsalesforce.com` is not below `.salesforce.com`.
        self.domains.iter().any(|domain| if domain.starts_with('.') { host.ends_with(domain) } else { host == *domain })
    }

    fn allowed(&self) -> String {
        let shown = |domain: &&str| if domain.starts_with('.') { format!("*{domain}") } else { (*domain).to_owned() };
        self.domains.iter().map(shown).collect::<Vec<_>>().join(", ")
    }
}

/// What may be called.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    extra: Vec<ExtraHost>,
}

impl Hosts {
    pub fn new(extra: Vec<ExtraHost>) -> Self {
        Self { extra }
    }

    /// Whether a CRM, or who gives its tokens, may be called there.
    pub fn check(&self, home: &Home, url: &Url) -> Result<(), CrmError> {
        let wrong = |message: String| Err(CrmError::new(Problem::WrongHost, message));
        if !url.username().is_empty() || url.password().is_some() {
            // The address is not shown: it holds a password.
            return wrong(format!("The address of {} holds a user name or password: leave it out.", home.name));
        }
        if matches!(url.scheme(), "http" | "https") && self.extra.iter().any(|extra| extra.is_of(url)) {
            return Ok(());
        }
        let shown = url.host_str().unwrap_or("an address without a host");
        let is_own = matches!(url.host(), Some(Host::Domain(host)) if home.has(host));
        if !is_own {
            return wrong(format!(
                "{shown} is not a host of {}: it may be one of {}. Others are allowed by whoever runs this server, with \
                 the setting {SETTING}.",
                home.name,
                home.allowed()
            ));
        }
        if url.scheme() != "https" || url.port().is_some() {
            return wrong(format!(
                "{shown} is called over https only, on its usual port: give https://{shown}. Others are allowed by \
                 whoever runs this server, with the setting {SETTING}."
            ));
        }
        Ok(())
    }

    /// Whether all that a connection names may be called.
    pub fn check_connection(&self, connection: &Connection) -> Result<(), CrmError> {
        let home = Home::of(connection);
        let (base, sign_in) = match connection {
            Connection::Salesforce(salesforce) => (&salesforce.url, None),
            Connection::OracleSales(oracle) => match &oracle.sign_in {
                OracleSignIn::OAuth { token_url, .. } => (&oracle.url, Some(token_url)),
                OracleSignIn::Basic { .. } => (&oracle.url, None),
            },
            Connection::Dynamics365(dynamics) => (&dynamics.url, Some(&dynamics.login_url)),
            Connection::HubSpot(hubspot) => (&hubspot.url, None),
        };
        self.check(home, base)?;
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return Err(CrmError::new(
                Problem::WrongHost,
                format!(
                    "The address of {} is its host alone: give {}.",
                    home.name,
                    base.origin().ascii_serialization()
                ),
            ));
        }
        sign_in.map_or(Ok(()), |url| self.check(home, url))
    }
}
