//! Connections: what an administrator says to connect an integration with its CRM, and what is shown of that. Secrets come
//! in here and never go out.

use async_graphql::{Enum, InputObject, Object, OneofObject, SimpleObject};

use super::{Integration, IntegrationRef};
use crate::{
    crm::{self, CrmError, Secret},
    graphql::{error::UserError, payload::payloads, scalar::Address},
    service::{clock::Time, connection},
};

/// How the server signs in to a CRM.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "connection::SignIn")]
pub enum SignInMethod {
    /// OAuth 2.0: an application's id and secret.
    ClientCredentials,
    /// OAuth 2.0: an assertion that is signed with a private key.
    JwtBearer,
    /// A user's name and password.
    Basic,
    /// A token that the CRM has given out.
    AccessToken,
}

/// What the server knows of an integration's CRM, but for the secrets.
pub struct ConnectionDetails(pub connection::Summary);

/// How an integration is connected with its CRM. Secrets are never shown.
#[Object]
impl ConnectionDetails {
    /// The CRM's address.
    async fn url(&self) -> &str {
        &self.0.url
    }

    /// How the server signs in.
    async fn sign_in(&self) -> SignInMethod {
        self.0.sign_in.into()
    }

    /// The user or the application that it signs in as; null where the token says it.
    async fn account(&self) -> Option<&str> {
        self.0.account.as_deref()
    }

    /// When the connection was made, or last replaced.
    async fn connected_at(&self) -> Time {
        self.0.connected_at
    }
}

/// A connection to a CRM: that of the integration's kind.
#[derive(Clone, OneofObject)]
pub enum ConnectionInput {
    /// To Salesforce.
    Salesforce(SalesforceConnectionInput),
    /// To Oracle Sales.
    OracleSales(OracleSalesConnectionInput),
    /// To Dynamics 365.
    #[graphql(name = "dynamics365")]
    Dynamics365(Dynamics365ConnectionInput),
    /// To HubSpot.
    Hubspot(HubspotConnectionInput),
}

/// A connection to Salesforce.
#[derive(Clone, InputObject)]
pub struct SalesforceConnectionInput {
    /// The organisation's own address: `https://MYDOMAIN.my.salesforce.com`.
    url: Address,
    /// The version of the API.
    #[graphql(default = "v66.0")]
    api_version: String,
    /// How to sign in.
    sign_in: SalesforceSignInInput,
}

/// How to sign in to Salesforce.
#[derive(Clone, OneofObject)]
pub enum SalesforceSignInInput {
    /// With a connected app's id and secret.
    ClientCredentials(ClientCredentialsInput),
    /// With a connected app's certificate.
    JwtBearer(JwtBearerInput),
}

/// An application's id and secret.
#[derive(Clone, InputObject)]
pub struct ClientCredentialsInput {
    /// The application's id (Salesforce: the consumer key).
    client_id: String,
    /// Its secret; write-only.
    client_secret: String,
}

/// What an assertion is made of.
#[derive(Clone, InputObject)]
pub struct JwtBearerInput {
    /// The connected app's consumer key.
    client_id: String,
    /// The Salesforce user to act as.
    username: String,
    /// The RSA key to sign with, in PEM; write-only.
    private_key: String,
    /// Whom the assertion is for: `https://test.salesforce.com` for a sandbox.
    #[graphql(default = "https://login.salesforce.com")]
    audience: String,
}

/// A connection to Oracle Sales.
#[derive(Clone, InputObject)]
pub struct OracleSalesConnectionInput {
    /// The address of the Fusion applications: `https://HOST.fa.REGION.oraclecloud.com`.
    url: Address,
    /// The version of the REST API.
    #[graphql(default = "11.13.18.05")]
    api_version: String,
    /// The attribute of a resource that holds its email.
    #[graphql(default = "ResourceEmail")]
    email_field: String,
    /// How to sign in.
    sign_in: OracleSignInInput,
}

/// How to sign in to Oracle Sales.
#[derive(Clone, OneofObject)]
pub enum OracleSignInInput {
    /// With a user's name and password.
    Basic(BasicInput),
    /// With an application of the identity domain.
    Oauth(OracleOAuthInput),
}

/// A user's name and password.
#[derive(Clone, InputObject)]
pub struct BasicInput {
    /// The user's name.
    username: String,
    /// The password; write-only.
    password: String,
}

/// An application of an identity domain.
#[derive(Clone, InputObject)]
pub struct OracleOAuthInput {
    /// Where tokens are given: `https://idcs-….identity.oraclecloud.com/oauth2/v1/token`.
    token_url: Address,
    /// The application's id.
    client_id: String,
    /// Its secret; write-only.
    client_secret: String,
    /// What the token is to be good for.
    scope: String,
}

/// A connection to Dynamics 365.
#[derive(Clone, InputObject)]
pub struct Dynamics365ConnectionInput {
    /// The environment's address: `https://ORG.crm.dynamics.com`.
    url: Address,
    /// The tenant's id or domain.
    tenant: String,
    /// The application's id.
    client_id: String,
    /// Its secret; write-only.
    client_secret: String,
    /// Where tokens are given; another address in a national cloud.
    login_url: Option<Address>,
}

/// A connection to HubSpot.
#[derive(Clone, InputObject)]
pub struct HubspotConnectionInput {
    /// A private app's token; write-only.
    access_token: String,
    /// Where the API is.
    url: Option<Address>,
}

/// An address that stands in the program.
fn known(address: Option<Address>, known: &str) -> Result<url::Url, url::ParseError> {
    address.map_or_else(|| known.parse(), |address| Ok(address.0))
}

impl TryFrom<ConnectionInput> for crm::Connection {
    type Error = url::ParseError;

    fn try_from(input: ConnectionInput) -> Result<Self, Self::Error> {
        Ok(match input {
            ConnectionInput::Salesforce(input) => Self::Salesforce(crm::Salesforce {
                url: input.url.0,
                api_version: input.api_version,
                sign_in: match input.sign_in {
                    SalesforceSignInInput::ClientCredentials(app) => crm::SalesforceSignIn::ClientCredentials {
                        client_id: app.client_id,
                        client_secret: Secret(app.client_secret),
                    },
                    SalesforceSignInInput::JwtBearer(jwt) => crm::SalesforceSignIn::JwtBearer {
                        client_id: jwt.client_id,
                        username: jwt.username,
                        private_key: Secret(jwt.private_key),
                        audience: jwt.audience,
                    },
                },
            }),
            ConnectionInput::OracleSales(input) => Self::OracleSales(crm::OracleSales {
                url: input.url.0,
                api_version: input.api_version,
                email_field: input.email_field,
                sign_in: match input.sign_in {
                    OracleSignInInput::Basic(user) => {
                        crm::OracleSignIn::Basic { username: user.username, password: Secret(user.password) }
                    }
                    OracleSignInInput::Oauth(app) => crm::OracleSignIn::OAuth {
                        token_url: app.token_url.0,
                        client_id: app.client_id,
                        client_secret: Secret(app.client_secret),
                        scope: app.scope,
                    },
                },
            }),
            ConnectionInput::Dynamics365(input) => Self::Dynamics365(crm::Dynamics365 {
                url: input.url.0,
                tenant: input.tenant,
                client_id: input.client_id,
                client_secret: Secret(input.client_secret),
                login_url: known(input.login_url, "https://login.microsoftonline.com")?,
            }),
            ConnectionInput::Hubspot(input) => Self::HubSpot(crm::HubSpot {
                url: known(input.url, "https://api.hubapi.com")?,
                access_token: Secret(input.access_token),
            }),
        })
    }
}

/// An integration, and how it is to be connected.
#[derive(Clone, InputObject)]
pub struct ConnectIntegrationInput {
    /// Which integration.
    pub integration: IntegrationRef,
    /// The connection, of the integration's kind.
    pub connection: ConnectionInput,
}

/// A connection to be tested.
#[derive(Clone, InputObject)]
pub struct TestConnectionInput {
    /// Which integration.
    pub integration: IntegrationRef,
    /// A connection to try, which is not kept; without one, the integration's own.
    pub connection: Option<ConnectionInput>,
}

payloads! {
    /// What connecting an integration answers.
    ConnectionPayload {
        /// The integration as it is now.
        integration: Integration
    }
}

/// What may be wrong with a connection.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "crm::Problem")]
pub enum ConnectionProblem {
    /// The host did not answer, or not in time.
    Unreachable,
    /// Something answered that is not this CRM.
    WrongHost,
    /// The CRM does not take the credentials.
    WrongCredentials,
    /// Signed in, but not allowed to read what is needed.
    MissingPermission,
    /// The CRM asks to wait.
    RateLimited,
    /// The CRM no longer knew where its answer stood.
    CursorExpired,
    /// The CRM has a fault of its own.
    Unavailable,
    /// The answer can't be read.
    Malformed,
}

/// What a test of a connection answers.
#[derive(SimpleObject)]
pub struct TestConnectionPayload {
    /// Whether the CRM let the server in and read a user to it; null when nothing was tested.
    ok: Option<bool>,
    /// What is wrong, where something is.
    problem: Option<ConnectionProblem>,
    /// The same for a person, and what to do about it.
    message: Option<String>,
    /// Why nothing was tested.
    user_errors: Vec<UserError>,
}

impl TestConnectionPayload {
    /// Of a test, or of what kept it from being made.
    pub fn of(tested: Option<Result<(), CrmError>>, user_errors: Vec<UserError>) -> Self {
        let failed = match &tested {
            Some(Err(error)) => Some(error),
            _ => None,
        };
        Self {
            ok: tested.as_ref().map(Result::is_ok),
            problem: failed.map(|error| error.problem.into()),
            message: failed.map(|error| error.message.clone()),
            user_errors,
        }
    }
}
