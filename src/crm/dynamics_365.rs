//! Dynamics 365: system users, over the Dataverse Web API.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use super::{
    CrmClient, CrmError, CrmRole, CrmUser, Dynamics365, Page, Problem,
    http::Http,
    session::{Pass, Session, SignIn, grant},
    text,
};

const SELECT: &str =
    "systemuserid,fullname,firstname,lastname,internalemailaddress,domainname,isdisabled,accessmode,title,modifiedon";
const PATH: &str = "/api/data/v9.2/systemusers";
const PAGE: &str = "odata.maxpagesize=500";
/// Support, non-interactive, delegated administrator: access modes of accounts that are no people.
const NO_PEOPLE: [i64; 3] = [3, 4, 5];

pub(super) struct Client {
    session: Session,
}

struct Door {
    url: Url,
    token_url: Url,
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct SystemUsers {
    value: Vec<SystemUser>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct SystemUser {
    systemuserid: String,
    fullname: Option<String>,
    firstname: Option<String>,
    lastname: Option<String>,
    internalemailaddress: Option<String>,
    domainname: Option<String>,
    isdisabled: bool,
    accessmode: Option<i64>,
    title: Option<String>,
    modifiedon: Option<String>,
}

impl Client {
    pub fn new(http: Http, settings: &Dynamics365) -> Self {
        http.hide(&settings.client_secret.0);
        let mut token_url = settings.login_url.clone();
        token_url.set_path("");
        token_url.set_query(None);
        if let Ok(mut path) = token_url.path_segments_mut() {
            path.extend([settings.tenant.as_str(), "oauth2", "v2.0", "token"]);
        }
        let door = Door {
            url: settings.url.clone(),
            token_url,
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.0.clone(),
        };
        Self { session: Session::new(http, door) }
    }

    async fn page<F>(&self, url: F, has_cursor: bool) -> Result<Page<CrmUser>, CrmError>
    where
        F: Fn(&Url) -> Result<Url, CrmError> + Send + Sync,
    {
        let http = &self.session.http;
        let (answer, base) = self
            .session
            .send(|base| {
                let request = http.get(url(base)?).header("Prefer", PAGE);
                Ok(request.header("OData-Version", "4.0").header("OData-MaxVersion", "4.0"))
            })
            .await?;
        match answer.status.as_u16() {
            200..=299 => {}
            400 | 404 | 410 if has_cursor => return Err(http.lost()),
            401 => {
                let message = "Dynamics 365 does not take the token of this app: check that the address is that of an \
                               environment in this tenant";
                return Err(http.refusal(Problem::WrongCredentials, message, &answer));
            }
            403 => {
                let message = "Dynamics 365 does not let this app read users: make it an application user of the \
                               environment, with a security role that reads users";
                return Err(http.refusal(Problem::MissingPermission, message, &answer));
            }
            _ => return Err(http.refused(&answer)),
        }
        let SystemUsers { value, next } = http.read(&answer)?;
        if let Some(next) = &next {
            self.next(&base, next)?;
        }
        let records = value.len() as u64;
        Ok(Page { rows: value, records, total: None, next }.filter_map(user))
    }

    /// Where the next users are, which must be where the first ones were.
    fn next(&self, base: &Url, cursor: &str) -> Result<Url, CrmError> {
        let url = Url::parse(cursor).ok();
        url.filter(|url| url.origin() == base.origin() && url.path().starts_with("/api/data/")).ok_or_else(|| {
            let message = "Dynamics 365 names another place than its own for the next users.";
            self.session.http.error(Problem::WrongHost, message)
        })
    }
}

#[async_trait]
impl SignIn for Door {
    async fn sign_in(&self, http: &Http) -> Result<Pass, CrmError> {
        let scope = format!("{}/.default", self.url.origin().ascii_serialization());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.as_str()),
            ("scope", scope.as_str()),
        ];
        let mend = "check the tenant, the client id, and that the secret has not expired";
        let granted = grant(http, http.post(self.token_url.clone(), &form), mend).await?;
        Pass::bearer(http, &granted.access_token, self.url.clone())
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
        let one = |base: &Url| {
            let mut url = first(base, None);
            url.query_pairs_mut().append_pair("$top", "1");
            Ok(url)
        };
        self.page(one, false).await.map(drop)
    }

    async fn users(&self, since: Option<DateTime<Utc>>, cursor: Option<&str>) -> Result<Page<CrmUser>, CrmError> {
        let url = |base: &Url| cursor.map_or_else(|| Ok(first(base, since)), |cursor| self.next(base, cursor));
        self.page(url, cursor.is_some()).await
    }

    async fn roles(&self, _: Option<&str>) -> Result<Page<CrmRole>, CrmError> {
        Ok(Page::default())
    }
}

/// Where the first users are.
fn first(base: &Url, since: Option<DateTime<Utc>>) -> Url {
    let mut url = base.clone();
    url.set_path(PATH);
    url.query_pairs_mut().append_pair("$select", SELECT);
    if let Some(since) = since {
        url.query_pairs_mut().append_pair("$filter", &format!("modifiedon ge {}", text::since(since)));
    }
    url
}

/// A person, by the account's access mode.
fn user(user: SystemUser) -> Option<CrmUser> {
    if user.accessmode.is_some_and(|mode| NO_PEOPLE.contains(&mode)) {
        return None;
    }
    let name = user.fullname.filter(|name| !name.trim().is_empty());
    Some(CrmUser {
        external_id: user.systemuserid,
        email: user.internalemailaddress,
        name: name.or_else(|| text::full_name(user.firstname.as_deref(), user.lastname.as_deref())),
        username: user.domainname,
        title: user.title,
        role: None,
        is_active: !user.isdisabled,
        created_at: None,
        modified_at: text::time(user.modifiedon.as_deref()),
    })
}
