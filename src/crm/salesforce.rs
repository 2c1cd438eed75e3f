//! Salesforce: users and roles by SOQL, over the REST API's `query`.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    CrmClient, CrmError, CrmRole, CrmUser, Page, Problem, Salesforce, SalesforceSignIn,
    http::{Answer, Http},
    session::{Granted, Pass, Session, SignIn, grant},
    text,
};

/// Inactive ones included: who was made inactive must be seen.
const USERS: &str = "SELECT Id,Username,Email,FirstName,LastName,Name,Title,IsActive,UserType,UserRoleId,ManagerId,\
                     FederationIdentifier,CreatedDate,SystemModstamp FROM User";
const ROLES: &str = "SELECT Id,Name,DeveloperName,ParentRoleId,SystemModstamp FROM UserRole";
/// The largest batch; Salesforce takes it as a hint.
const BATCH: &str = "batchSize=2000";
/// How long an assertion holds: Salesforce allows three minutes.
const ASSERTION: TimeDelta = TimeDelta::minutes(3);

pub(super) struct Client {
    session: Session,
    api_version: String,
}

struct Door {
    url: Url,
    credentials: Credentials,
}

enum Credentials {
    Client { id: String, secret: String },
    Jwt { client_id: String, username: String, key: EncodingKey, audience: String },
}

/// What an assertion says (RFC 7523).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<T> {
    total_size: u64,
    done: bool,
    next_records_url: Option<String>,
    records: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserRecord {
    id: String,
    username: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    name: Option<String>,
    title: Option<String>,
    is_active: bool,
    user_type: Option<String>,
    user_role_id: Option<String>,
    created_date: Option<String>,
    system_modstamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleRecord {
    id: String,
    name: String,
    parent_role_id: Option<String>,
}

impl Client {
    pub fn new(http: Http, settings: &Salesforce) -> Result<Self, CrmError> {
        let credentials = match &settings.sign_in {
            SalesforceSignIn::ClientCredentials { client_id, client_secret } => {
                http.hide(&client_secret.0);
                Credentials::Client { id: client_id.clone(), secret: client_secret.0.clone() }
            }
            SalesforceSignIn::JwtBearer { client_id, username, private_key, audience } => {
                http.hide(&private_key.0);
                let key = EncodingKey::from_rsa_pem(private_key.0.as_bytes()).map_err(|_| {
                    let message =
                        "The private key can't be read: give an RSA key in PEM, with its first and last line.";
                    http.error(Problem::WrongCredentials, message)
                })?;
                let (client_id, username) = (client_id.clone(), username.clone());
                Credentials::Jwt { client_id, username, key, audience: audience.clone() }
            }
        };
        let door = Door { url: settings.url.clone(), credentials };
        let session = Session::new(http.limited(is_limit), door);
        Ok(Self { session, api_version: settings.api_version.clone() })
    }

    async fn batch<T: DeserializeOwned>(&self, soql: &str, cursor: Option<&str>) -> Result<Page<T>, CrmError> {
        let http = &self.session.http;
        let (answer, base) = self
            .session
            .send(|base| {
                let url = match cursor {
                    Some(cursor) => self.next(base, cursor)?,
                    None => self.query(base, soql),
                };
                Ok(http.get(url).header("Sforce-Query-Options", BATCH))
            })
            .await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer));
        }
        let batch: Batch<T> = http.read(&answer)?;
        let next = match (batch.done, batch.next_records_url) {
            (true, _) => None,
            (false, Some(next)) => {
                self.next(&base, &next)?;
                Some(next)
            }
            (false, None) => {
                let message = "Salesforce says that there are more records, and not where.";
                return Err(http.error(Problem::Malformed, message));
            }
        };
        Ok(Page { records: batch.records.len() as u64, total: Some(batch.total_size), next, rows: batch.records })
    }

    fn query(&self, base: &Url, soql: &str) -> Url {
        let mut url = base.clone();
        url.set_path(&format!("/services/data/{}/query", self.api_version));
        url.query_pairs_mut().append_pair("q", soql);
        url
    }

    /// Where the next records are, which must be where the first ones were.
    fn next(&self, base: &Url, cursor: &str) -> Result<Url, CrmError> {
        let url = base.join(cursor).ok();
        url.filter(|url| url.origin() == base.origin() && url.path().starts_with("/services/data/")).ok_or_else(|| {
            let message = "Salesforce names another place than its own for the next records.";
            self.session.http.error(Problem::WrongHost, message)
        })
    }

    fn refused(&self, answer: &Answer) -> CrmError {
        let http = &self.session.http;
        let code = answer.said().unwrap_or_default().code;
        match code.as_str() {
            "INVALID_QUERY_LOCATOR" => http.lost(),
            "INVALID_SESSION_ID" => http.refusal(
                Problem::WrongCredentials,
                "Salesforce signs this account in and then does not take its token: allow the app API access (scope \"api\")",
                answer,
            ),
            "INVALID_FIELD" | "INVALID_TYPE" => http.refusal(
                Problem::MissingPermission,
                "This account does not see all that is read of users and roles: give its profile access to their fields",
                answer,
            ),
            "NOT_FOUND" => http.refusal(
                Problem::WrongHost,
                &format!("Salesforce does not know version {} of its API: give another, such as v66.0", self.api_version),
                answer,
            ),
            _ => http.refused(answer),
        }
    }
}

/// Salesforce counts requests over a day, and says so with 403.
fn is_limit(answer: &Answer) -> bool {
    answer.status.as_u16() == 403 && answer.said().is_some_and(|said| said.code == "REQUEST_LIMIT_EXCEEDED")
}

#[async_trait]
impl SignIn for Door {
    async fn sign_in(&self, http: &Http) -> Result<Pass, CrmError> {
        let mut url = self.url.clone();
        url.set_path("/services/oauth2/token");
        let (form, mend) = match &self.credentials {
            Credentials::Client { id, secret } => {
                let form = vec![
                    ("grant_type", "client_credentials".to_owned()),
                    ("client_id", id.clone()),
                    ("client_secret", secret.clone()),
                ];
                (form, "check the client id and secret, and that the app allows the client credentials flow")
            }
            Credentials::Jwt { client_id, username, key, audience } => {
                let exp = (http.clock().now() + ASSERTION).timestamp();
                let claims = Claims { iss: client_id, sub: username, aud: audience, exp };
                let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key).map_err(|_| {
                    http.error(Problem::WrongCredentials, "The private key can't sign: give an RSA key of 2048 bits.")
                })?;
                http.hide(&assertion);
                let form = vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
                    ("assertion", assertion),
                ];
                (form, "check the client id, the username, the audience, and that the app has the key's certificate")
            }
        };
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let Granted { access_token, instance_url } = grant(http, http.post(url, &form), mend).await?;
        // Checked like every address before anything is sent there.
        let mut base = instance_url.unwrap_or_else(|| self.url.clone());
        base.set_path("");
        base.set_query(None);
        base.set_fragment(None);
        Pass::bearer(http, &access_token, base)
    }
}

#[async_trait]
impl CrmClient for Client {
    fn is_incremental(&self) -> bool {
        true
    }

    fn has_roles(&self) -> bool {
        true
    }

    async fn test(&self) -> Result<(), CrmError> {
        self.batch::<UserRecord>(&format!("{USERS} LIMIT 1"), None).await.map(drop)
    }

    async fn users(&self, since: Option<DateTime<Utc>>, cursor: Option<&str>) -> Result<Page<CrmUser>, CrmError> {
        let soql = match since {
            Some(since) => {
                format!("{USERS} WHERE SystemModstamp >= {} ORDER BY SystemModstamp, Id", text::since(since))
            }
            None => USERS.to_owned(),
        };
        let page = self.batch::<UserRecord>(&soql, cursor).await?;
        Ok(page.filter_map(user))
    }

    async fn roles(&self, cursor: Option<&str>) -> Result<Page<CrmRole>, CrmError> {
        let page = self.batch::<RoleRecord>(ROLES, cursor).await?;
        Ok(page.filter_map(|role| Some(CrmRole { external_id: role.id, name: role.name, parent: role.parent_role_id })))
    }
}

/// A person, who has an id that starts with `005` and the type `Standard`: no queue, group, partner or process.
fn user(record: UserRecord) -> Option<CrmUser> {
    if !record.id.starts_with("005") || record.user_type.is_some_and(|kind| kind != "Standard") {
        return None;
    }
    let name = record.name.filter(|name| !name.trim().is_empty());
    Some(CrmUser {
        external_id: record.id,
        email: record.email,
        name: name.or_else(|| text::full_name(record.first_name.as_deref(), record.last_name.as_deref())),
        username: record.username,
        title: record.title,
        role: record.user_role_id,
        is_active: record.is_active,
        created_at: text::time(record.created_date.as_deref()),
        modified_at: text::time(record.system_modstamp.as_deref()),
    })
}
