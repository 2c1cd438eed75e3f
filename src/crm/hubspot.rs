//! HubSpot: owners; first those that are there, then the archived ones.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use super::{
    CrmClient, CrmError, CrmRole, CrmUser, HubSpot, Page, Problem,
    http::Http,
    session::{Pass, Session, SignIn},
    text,
};

const LIMIT: u64 = 500;

pub(super) struct Client {
    session: Session,
}

struct Door {
    url: Url,
    token: String,
}

#[derive(Deserialize)]
struct Owners {
    results: Vec<Owner>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

/// The link beside it is not followed: the cursor is enough.
#[derive(Deserialize)]
struct Next {
    after: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    id: String,
    email: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    archived: bool,
    created_at: Option<String>,
}

/// Where a pull is: `active:AFTER` or `archived:AFTER`; without an AFTER, at the beginning.
#[derive(Clone, Copy)]
struct Place<'a> {
    archived: bool,
    after: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn parse(cursor: Option<&'a str>) -> Option<Self> {
        let Some(cursor) = cursor else { return Some(Self { archived: false, after: None }) };
        let (list, after) = cursor.split_once(':')?;
        let archived = match list {
            "active" => false,
            "archived" => true,
            _ => return None,
        };
        Some(Self { archived, after: Some(after).filter(|after| !after.is_empty()) })
    }

    fn text(self) -> String {
        format!("{}:{}", if self.archived { "archived" } else { "active" }, self.after.unwrap_or_default())
    }
}

impl Client {
    pub fn new(http: Http, settings: &HubSpot) -> Self {
        let door = Door { url: settings.url.clone(), token: settings.access_token.0.clone() };
        Self { session: Session::new(http, door) }
    }

    async fn page(&self, place: Place<'_>, limit: u64) -> Result<Page<CrmUser>, CrmError> {
        let http = &self.session.http;
        let (answer, _) = self
            .session
            .send(|base| {
                let mut url = base.clone();
                url.set_path("/crm/v3/owners/");
                url.query_pairs_mut()
                    .append_pair("limit", &limit.to_string())
                    .append_pair("archived", if place.archived { "true" } else { "false" });
                if let Some(after) = place.after {
                    url.query_pairs_mut().append_pair("after", after);
                }
                Ok(http.get(url))
            })
            .await?;
        match answer.status.as_u16() {
            200..=299 => {}
            400 | 404 | 410 if place.after.is_some() => return Err(http.lost()),
            401 => {
                let message = "HubSpot does not take the access token: give one of a private app that is in use";
                return Err(http.refusal(Problem::WrongCredentials, message, &answer));
            }
            403 => {
                let message = "HubSpot does not let this app read owners: give it the scope crm.objects.owners.read";
                return Err(http.refusal(Problem::MissingPermission, message, &answer));
            }
            _ => return Err(http.refused(&answer)),
        }
        let Owners { results, paging } = http.read(&answer)?;
        let after = paging.and_then(|paging| paging.next).map(|next| next.after).filter(|after| !after.is_empty());
        let next = match (after, place.archived) {
            (Some(after), archived) => Some(Place { archived, after: Some(&after) }.text()),
            (None, false) => Some(Place { archived: true, after: None }.text()),
            (None, true) => None,
        };
        let records = results.len() as u64;
        Ok(Page { rows: results, records, total: None, next }.filter_map(user))
    }
}

#[async_trait]
impl SignIn for Door {
    async fn sign_in(&self, http: &Http) -> Result<Pass, CrmError> {
        Pass::bearer(http, &self.token, self.url.clone())
    }
}

#[async_trait]
impl CrmClient for Client {
    fn is_incremental(&self) -> bool {
        // `updatedAt` does not move when the user behind an owner changes.
        false
    }

    fn has_roles(&self) -> bool {
        false
    }

    async fn test(&self) -> Result<(), CrmError> {
        self.page(Place { archived: false, after: None }, 1).await.map(drop)
    }

    async fn users(&self, _: Option<DateTime<Utc>>, cursor: Option<&str>) -> Result<Page<CrmUser>, CrmError> {
        let place = Place::parse(cursor).ok_or_else(|| self.session.http.lost())?;
        self.page(place, LIMIT).await
    }

    async fn roles(&self, _: Option<&str>) -> Result<Page<CrmRole>, CrmError> {
        Ok(Page::default())
    }
}

/// A person: no queue.
fn user(owner: Owner) -> Option<CrmUser> {
    if owner.kind.is_some_and(|kind| kind == "QUEUE") {
        return None;
    }
    Some(CrmUser {
        external_id: owner.id,
        name: text::full_name(owner.first_name.as_deref(), owner.last_name.as_deref()),
        username: None,
        email: owner.email,
        title: None,
        role: None,
        is_active: !owner.archived,
        created_at: text::time(owner.created_at.as_deref()),
        modified_at: None,
    })
}
