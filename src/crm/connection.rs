//! Where a CRM is, and how to sign in to it. What is kept of it is sealed as a whole.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// A text that is never shown: not in a log, not in an error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A connection to a CRM, its secrets included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Connection {
    Salesforce(Salesforce),
    OracleSales(OracleSales),
    #[serde(rename = "DYNAMICS_365")]
    Dynamics365(Dynamics365),
    #[serde(rename = "HUBSPOT")]
    HubSpot(HubSpot),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salesforce {
    /// `https://{mydomain}.my.salesforce.com`
    pub url: Url,
    /// `v66.0`
    pub api_version: String,
    pub sign_in: SalesforceSignIn,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SalesforceSignIn {
    ClientCredentials {
        client_id: String,
        client_secret: Secret,
    },
    JwtBearer {
        client_id: String,
        username: String,
        /// An RSA key, in PEM.
        private_key: Secret,
        /// `https://login.salesforce.com` or `https://test.salesforce.com`
        audience: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleSales {
    /// `https://{host}`
    pub url: Url,
    /// `11.13.18.05`
    pub api_version: String,
    /// The attribute of `resourceUsers` that holds the email: `ResourceEmail`.
    pub email_field: String,
    pub sign_in: OracleSignIn,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OracleSignIn {
    Basic {
        username: String,
        password: Secret,
    },
    OAuth {
        /// Where the identity domain gives tokens: `https://idcs-….identity.oraclecloud.com/oauth2/v1/token`.
        token_url: Url,
        client_id: String,
        client_secret: Secret,
        scope: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dynamics365 {
    /// `https://{org}.crm.dynamics.com`
    pub url: Url,
    /// The tenant's id or domain.
    pub tenant: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// `https://login.microsoftonline.com`
    pub login_url: Url,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubSpot {
    /// `https://api.hubapi.com`
    pub url: Url,
    /// A private app's token.
    pub access_token: Secret,
}
