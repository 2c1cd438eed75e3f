//! What the fakes hold, and how tests change it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use entity::CrmKind;
use serde_json::Value;
use url::Url;

use super::{
    ACCESS_TOKEN, AUDIENCE, CLIENT_ID, CLIENT_SECRET, FAKE_PRIVATE_KEY, FakeRole, FakeUser, Fault, TENANT, USERNAME,
    table::{Rows, Table},
};
use crate::{
    crm::{Connection, Dynamics365, HubSpot, OracleSales, OracleSignIn, Salesforce, SalesforceSignIn, Secret},
    service::clock::Clock,
};

/// Answers that a CRM remembers to go on with, at most; Salesforce, too, forgets the oldest.
const CURSORS: usize = 32;

/// The CRMs that there are fakes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Salesforce,
    OracleSales,
    Dynamics365,
    HubSpot,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Salesforce, Self::OracleSales, Self::Dynamics365, Self::HubSpot];

    /// `None` for [`CrmKind::Other`], which nothing is pulled from.
    pub fn of(kind: CrmKind) -> Option<Self> {
        match kind {
            CrmKind::Salesforce => Some(Self::Salesforce),
            CrmKind::OracleSales => Some(Self::OracleSales),
            CrmKind::Dynamics365 => Some(Self::Dynamics365),
            CrmKind::Hubspot => Some(Self::HubSpot),
            CrmKind::Other => None,
        }
    }

    /// As it is written in a path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::OracleSales => "oracle-sales",
            Self::Dynamics365 => "dynamics-365",
            Self::HubSpot => "hubspot",
        }
    }
}

/// What a cursor goes on with: the records as they were when the first of them were asked for.
#[derive(Clone)]
pub(super) enum Answered {
    Users(Rows<FakeUser>),
    Roles(Rows<FakeRole>),
}

#[derive(Default)]
pub(super) struct Crm {
    pub users: Table<FakeUser>,
    pub roles: Table<FakeRole>,
    pub tokens: BTreeSet<String>,
    /// By number; the number rises.
    cursors: VecDeque<(u64, Answered)>,
    /// Cursors that were given before are no longer known.
    pub era: u64,
    page_sizes: Vec<usize>,
    pages: usize,
    faults: VecDeque<Option<Fault>>,
    sign_in_faults: VecDeque<Option<Fault>>,
    pub requests: usize,
    pub sign_ins: usize,
    numbers: u64,
}

impl Crm {
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A new token, that lets in from now on.
    pub fn token(&mut self) -> String {
        let token = format!("fake-token-{}", self.number());
        self.tokens.insert(token.clone());
        token
    }

    /// How many records the next page has, of as many as are asked for.
    pub fn page_size(&mut self, wanted: usize) -> usize {
        let Some(turn) = self.pages.checked_rem(self.page_sizes.len()) else { return wanted };
        self.pages += 1;
        self.page_sizes.get(turn).map_or(wanted, |size| wanted.min(*size))
    }

    pub fn set_page_sizes(&mut self, sizes: Vec<usize>) {
        // With nothing but empty pages there would be no end.
        self.page_sizes = if sizes.iter().any(|size| *size > 0) { sizes } else { Vec::new() };
        self.pages = 0;
    }

    /// Keeps an answer to go on with.
    pub fn keep(&mut self, answered: Answered) -> u64 {
        let number = self.number();
        self.cursors.push_back((number, answered));
        if self.cursors.len() > CURSORS {
            self.cursors.pop_front();
        }
        number
    }

    pub fn kept(&self, number: u64) -> Option<Answered> {
        self.cursors.iter().find(|(known, _)| *known == number).map(|(_, answered)| answered.clone())
    }

    pub fn forget_cursors(&mut self) {
        self.cursors.clear();
        self.era += 1;
    }

    pub fn fault(&mut self, is_sign_in: bool) -> Option<Fault> {
        let faults = if is_sign_in { &mut self.sign_in_faults } else { &mut self.faults };
        let fault = faults.pop_front().flatten();
        if fault == Some(Fault::SignedOut) {
            self.tokens.clear();
        }
        fault
    }

    pub fn add_fault(&mut self, fault: &Fault, skip: usize, times: usize, is_sign_in: bool) {
        let faults = if is_sign_in { &mut self.sign_in_faults } else { &mut self.faults };
        faults.extend(std::iter::repeat_n(None, skip));
        faults.extend(std::iter::repeat_n(Some(fault.clone()), times));
    }

    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.sign_in_faults.clear();
    }
}

/// The fakes of the four CRMs; its clones are the same. Nothing of it holds for [`CrmKind::Other`].
#[derive(Clone)]
pub struct Fake {
    clock: Clock,
    crms: Arc<HashMap<Kind, Mutex<Crm>>>,
}

impl Fake {
    /// Four CRMs with nobody in them. The clock says when what is changed changes.
    pub fn new(clock: Clock) -> Self {
        let crms = Kind::ALL.map(|kind| (kind, Mutex::default())).into();
        Self { clock, crms: Arc::new(crms) }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn crm(&self, kind: Kind) -> Option<MutexGuard<'_, Crm>> {
        self.crms.get(&kind).map(|crm| crm.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with<T: Default>(&self, kind: CrmKind, work: impl FnOnce(&mut Crm, DateTime<Utc>) -> T) -> T {
        let now = self.now();
        Kind::of(kind).and_then(|kind| self.crm(kind)).map(|mut crm| work(&mut crm, now)).unwrap_or_default()
    }

    /// These users and no others.
    pub fn set_users(&self, kind: CrmKind, users: Vec<FakeUser>) {
        self.with(kind, |crm, now| crm.users.set(users, now));
    }

    /// These roles and no others.
    pub fn set_roles(&self, kind: CrmKind, roles: Vec<FakeRole>) {
        self.with(kind, |crm, now| crm.roles.set(roles, now));
    }

    /// Adds a user, or replaces the one with its id.
    pub fn put(&self, kind: CrmKind, user: FakeUser) {
        self.with(kind, |crm, now| crm.users.put(user, now));
    }

    /// Adds a role, or replaces the one with its id.
    pub fn put_role(&self, kind: CrmKind, role: FakeRole) {
        self.with(kind, |crm, now| crm.roles.put(role, now));
    }

    pub fn user(&self, kind: CrmKind, id: &str) -> Option<FakeUser> {
        self.with(kind, |crm, _| crm.users.get(id).map(|user| (*user).clone()))
    }

    /// Changes a user in what the patch names, in the terms of [`FakeUser`]: `{"isActive": false}`.
    ///
    /// # Errors
    /// What is wrong with the patch, or that there is no such user.
    pub fn patch(&self, kind: CrmKind, id: &str, patch: &Value) -> Result<FakeUser, String> {
        let patched = self.with(kind, |crm, now| Some(crm.users.patch(id, patch, now)));
        patched.ok_or("there is no such CRM")?.map(|user| (*user).clone())
    }

    /// How many records its pages have, in turn; empty is as many as are asked for.
    pub fn set_page_sizes(&self, kind: CrmKind, sizes: Vec<usize>) {
        self.with(kind, |crm, _| crm.set_page_sizes(sizes));
    }

    /// The fault of the next requests for users and roles.
    pub fn fail_next(&self, kind: CrmKind, fault: Fault, times: usize) {
        self.fail_after(kind, 0, fault, times);
    }

    /// The same, once so many requests have gone well; faults that were set before come first.
    pub fn fail_after(&self, kind: CrmKind, skip: usize, fault: Fault, times: usize) {
        self.with(kind, |crm, _| crm.add_fault(&fault, skip, times, false));
    }

    /// The fault of the next sign-ins.
    pub fn fail_sign_in(&self, kind: CrmKind, fault: Fault, times: usize) {
        self.with(kind, |crm, _| crm.add_fault(&fault, 0, times, true));
    }

    /// No more faults.
    pub fn clear_faults(&self, kind: CrmKind) {
        self.with(kind, |crm, _| crm.clear_faults());
    }

    /// Forgets every token that was given.
    pub fn sign_out(&self, kind: CrmKind) {
        self.with(kind, |crm, _| crm.tokens.clear());
    }

    /// Forgets every cursor that was given.
    pub fn forget_cursors(&self, kind: CrmKind) {
        self.with(kind, |crm, _| crm.forget_cursors());
    }

    /// How many requests for users and roles there were, those that failed included.
    pub fn requests(&self, kind: CrmKind) -> usize {
        self.with(kind, |crm, _| crm.requests)
    }

    /// How many sign-ins there were, those that failed included.
    pub fn sign_ins(&self, kind: CrmKind) -> usize {
        self.with(kind, |crm, _| crm.sign_ins)
    }

    /// A connection that is let in, to the fakes that are served at `base`. There is none to [`CrmKind::Other`].
    pub fn connection(kind: CrmKind, base: &Url) -> Option<Connection> {
        let (url, secret) = (base.clone(), || Secret(CLIENT_SECRET.to_owned()));
        Some(match Kind::of(kind)? {
            Kind::Salesforce => Connection::Salesforce(Salesforce {
                url,
                api_version: "v66.0".to_owned(),
                sign_in: SalesforceSignIn::ClientCredentials {
                    client_id: CLIENT_ID.to_owned(),
                    client_secret: secret(),
                },
            }),
            Kind::OracleSales => Connection::OracleSales(OracleSales {
                url,
                api_version: "11.13.18.05".to_owned(),
                email_field: "ResourceEmail".to_owned(),
                sign_in: OracleSignIn::Basic { username: USERNAME.to_owned(), password: secret() },
            }),
            Kind::Dynamics365 => Connection::Dynamics365(Dynamics365 {
                login_url: url.clone(),
                url,
                tenant: TENANT.to_owned(),
                client_id: CLIENT_ID.to_owned(),
                client_secret: secret(),
            }),
            Kind::HubSpot => Connection::HubSpot(HubSpot { url, access_token: Secret(ACCESS_TOKEN.to_owned()) }),
        })
    }

    /// The other way to sign in to Salesforce: with an assertion.
    pub fn jwt_sign_in() -> SalesforceSignIn {
        SalesforceSignIn::JwtBearer {
            client_id: CLIENT_ID.to_owned(),
            username: USERNAME.to_owned(),
            private_key: Secret(FAKE_PRIVATE_KEY.to_owned()),
            audience: AUDIENCE.to_owned(),
        }
    }

    /// The other way to sign in to Oracle Sales: with a token.
    pub fn oauth_sign_in(base: &Url) -> OracleSignIn {
        let mut token_url = base.clone();
        token_url.set_path("/oauth2/v1/token");
        OracleSignIn::OAuth {
            token_url,
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret(CLIENT_SECRET.to_owned()),
            scope: "urn:opc:resource:consumer::all".to_owned(),
        }
    }
}
