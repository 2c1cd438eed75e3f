//! Oracle Sales (Fusion): its resources, by offset.

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json_bytes::{ByteString, Map, Value};
use url::Url;

use super::{
    CrmClient, CrmError, CrmRole, CrmUser, OracleSales, OracleSignIn, Page, Problem,
    http::{Answer, Http},
    session::{Pass, Session, SignIn, grant},
    text,
};

/// The fields that are read, besides the email's.
const FIELDS: &str =
    "ResourceProfileId,ResourcePartyId,ResourcePartyNumber,FirstName,LastName,JobTitle,LastUpdateDate,DeleteFlag";
/// What is asked for at once: Oracle gives 500 at most, and one less is what its own clients ask for.
const LIMIT: u64 = 499;

pub(super) struct Client {
    session: Session,
    api_version: String,
    email_field: String,
}

struct Door {
    url: Url,
    credentials: Credentials,
}

enum Credentials {
    /// `Basic …`
    Basic(String),
    Token {
        url: Url,
        /// `Basic …`, the client's.
        client: String,
        scope: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resources {
    items: Vec<Map<ByteString, Value>>,
    has_more: bool,
}

/// A name and its password, as a header says them.
fn basic(http: &Http, name: &str, password: &str) -> String {
    http.hide(password);
    let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
    http.hide(&encoded);
    format!("Basic {encoded}")
}

impl Client {
    pub fn new(http: Http, settings: &OracleSales) -> Self {
        let credentials = match &settings.sign_in {
            OracleSignIn::Basic { username, password } => Credentials::Basic(basic(&http, username, &password.0)),
            OracleSignIn::OAuth { token_url, client_id, client_secret, scope } => Credentials::Token {
                url: token_url.clone(),
                client: basic(&http, client_id, &client_secret.0),
                scope: scope.clone(),
            },
        };
        let door = Door { url: settings.url.clone(), credentials };
        Self {
            session: Session::new(http, door),
            api_version: settings.api_version.clone(),
            email_field: settings.email_field.clone(),
        }
    }

    async fn page(&self, since: Option<DateTime<Utc>>, offset: u64, limit: u64) -> Result<Page<CrmUser>, CrmError> {
        let http = &self.session.http;
        let (answer, _) = self
            .session
            .send(|base| {
                let mut url = base.clone();
                url.set_path(&format!("/crmRestApi/resources/{}/resourceUsers", self.api_version));
                url.query_pairs_mut()
                    .append_pair("onlyData", "true")
                    .append_pair("fields", &format!("{FIELDS},{}", self.email_field))
                    .append_pair("limit", &limit.to_string())
                    .append_pair("offset", &offset.to_string())
                    // By the key: what changes meanwhile moves nobody to where the pull has already been.
                    .append_pair("orderBy", "ResourceProfileId:asc");
                if let Some(since) = since {
                    let q = format!("LastUpdateDate >= '{}'", text::since(since));
                    url.query_pairs_mut().append_pair("q", &q);
                }
                // The version that understands `>=`.
                Ok(http.get(url).header("REST-Framework-Version", "2"))
            })
            .await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer));
        }
        let Resources { items, has_more } = http.read(&answer)?;
        let records = items.len() as u64;
        if has_more && records == 0 {
            let message = "Oracle Sales says that there are more resources, and gives none.";
            return Err(http.error(Problem::Malformed, message));
        }
        let rows = items.into_iter().map(|item| self.user(&item)).collect::<Result<_, _>>()?;
        let next = has_more.then(|| offset.saturating_add(records).to_string());
        Ok(Page { rows, records, total: None, next })
    }

    fn user(&self, item: &Map<ByteString, Value>) -> Result<CrmUser, CrmError> {
        let text = |name: &str| match item.get(name) {
            Some(Value::String(text)) => Some(text.as_str().to_owned()),
            // Its ids are numbers.
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let missing = |name: &str| {
            let message = format!("A resource of Oracle Sales has no {name}, which it should.");
            self.session.http.error(Problem::Malformed, &message)
        };
        if !item.contains_key(self.email_field.as_str()) {
            return Err(missing(&self.email_field));
        }
        let is_deleted = match item.get("DeleteFlag") {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(flag)) => matches!(flag.as_str(), "Y" | "true"),
            _ => false,
        };
        Ok(CrmUser {
            external_id: text("ResourcePartyId").ok_or_else(|| missing("ResourcePartyId"))?,
            email: text(&self.email_field),
            name: text::full_name(text("FirstName").as_deref(), text("LastName").as_deref()),
            username: None,
            title: text("JobTitle"),
            role: None,
            is_active: !is_deleted,
            created_at: None,
            modified_at: text::time(text("LastUpdateDate").as_deref()),
        })
    }

    fn refused(&self, answer: &Answer) -> CrmError {
        let http = &self.session.http;
        match answer.status.as_u16() {
            401 => {
                let message = "Oracle Sales does not take the credentials: check the user name and password, or the \
                               client's id, secret and scope";
                http.refusal(Problem::WrongCredentials, message, answer)
            }
            400 => {
                let message = format!(
                    "Oracle Sales does not understand what it is asked: check the name of the email's field, {}",
                    self.email_field
                );
                http.refusal(Problem::Malformed, &message, answer)
            }
            _ => http.refused(answer),
        }
    }
}

#[async_trait]
impl SignIn for Door {
    async fn sign_in(&self, http: &Http) -> Result<Pass, CrmError> {
        match &self.credentials {
            Credentials::Basic(header) => Pass::new(http, header, self.url.clone()),
            Credentials::Token { url, client, scope } => {
                let form = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
                let request = http.post(url.clone(), &form).header(AUTHORIZATION, client);
                let mend = "check the client's id, its secret and the scope";
                let granted = grant(http, request, mend).await?;
                Pass::bearer(http, &granted.access_token, self.url.clone())
            }
        }
    }
}

#[async_trait]
impl CrmClient for Client {
    fn is_incremental(&self) -> bool {
        true
    }

    fn has_roles(&self) -> bool {
        false
    }

    async fn test(&self) -> Result<(), CrmError> {
        self.page(None, 0, 1).await.map(drop)
    }

    async fn users(&self, since: Option<DateTime<Utc>>, cursor: Option<&str>) -> Result<Page<CrmUser>, CrmError> {
        let offset = cursor.map_or(Ok(0), str::parse).map_err(|_| self.session.http.lost())?;
        self.page(since, offset, LIMIT).await
    }

    async fn roles(&self, _: Option<&str>) -> Result<Page<CrmRole>, CrmError> {
        Ok(Page::default())
    }
}
