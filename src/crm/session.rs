//! Signing in: when it is first needed, and again when the CRM has forgotten it.

use async_trait::async_trait;
use reqwest::{
    RequestBuilder, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{
    CrmError, Problem,
    http::{Answer, Http},
};

/// What lets requests in, and where they are sent.
#[derive(Clone)]
pub(super) struct Pass {
    /// Never shown, not even by `Debug`.
    authorization: HeaderValue,
    pub base: Url,
}

impl Pass {
    /// A bearer token.
    pub fn bearer(http: &Http, token: &str, base: Url) -> Result<Self, CrmError> {
        http.hide(token);
        Self::new(http, &format!("Bearer {token}"), base)
    }

    /// `text` is hidden by who made it.
    pub fn new(http: &Http, text: &str, base: Url) -> Result<Self, CrmError> {
        let mut authorization = HeaderValue::from_str(text).map_err(|_| {
            let message = "The credentials hold characters that can't be sent: enter them again, without line breaks.";
            http.error(Problem::WrongCredentials, message)
        })?;
        authorization.set_sensitive(true);
        Ok(Self { authorization, base })
    }
}

/// How a connection signs in.
#[async_trait]
pub(super) trait SignIn: Send + Sync {
    async fn sign_in(&self, http: &Http) -> Result<Pass, CrmError>;
}

/// A connection that signs in as it must.
pub(super) struct Session {
    pub http: Http,
    how: Box<dyn SignIn>,
    pass: Mutex<Option<Pass>>,
}

impl Session {
    pub fn new(http: Http, how: impl SignIn + 'static) -> Self {
        Self { http, how: Box::new(how), pass: Mutex::new(None) }
    }

    /// Sends a request, with another pass when the CRM has forgotten the one that it gave; and what the answer came from.
    pub async fn send<F>(&self, request: F) -> Result<(Answer, Url), CrmError>
    where
        F: Fn(&Url) -> Result<RequestBuilder, CrmError> + Send + Sync,
    {
        let pass = self.pass(None).await?;
        let answer = self.http.send(request(&pass.base)?.header(AUTHORIZATION, pass.authorization.clone())).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok((answer, pass.base));
        }
        let pass = self.pass(Some(&pass)).await?;
        let answer = self.http.send(request(&pass.base)?.header(AUTHORIZATION, pass.authorization)).await?;
        Ok((answer, pass.base))
    }

    /// The pass at hand, or a new one. Where several find that theirs is forgotten, one signs in for all.
    async fn pass(&self, forgotten: Option<&Pass>) -> Result<Pass, CrmError> {
        let mut held = self.pass.lock().await;
        match &*held {
            Some(pass) if forgotten.is_none_or(|old| old.authorization != pass.authorization) => Ok(pass.clone()),
            _ => {
                let pass = self.how.sign_in(&self.http).await?;
                *held = Some(pass.clone());
                Ok(pass)
            }
        }
    }
}

/// What an OAuth 2.0 token endpoint gives.
#[derive(Deserialize)]
pub(super) struct Granted {
    pub access_token: String,
    /// Salesforce's: where requests with it are to be sent.
    pub instance_url: Option<Url>,
}

/// Asks for a token. `mend` says to a person what to look at when the credentials are not taken.
pub(super) async fn grant(http: &Http, request: RequestBuilder, mend: &str) -> Result<Granted, CrmError> {
    let answer = http.send(request).await?;
    if answer.status.is_success() {
        return http.read(&answer);
    }
    // RFC 6749, 5.2: a refusal is 400 or 401, and names itself.
    let is_refusal = matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    if is_refusal && answer.said().is_some_and(|said| !said.code.is_empty()) {
        let message = format!("{} does not take the credentials: {mend}", http.crm());
        return Err(http.refusal(Problem::WrongCredentials, &message, &answer));
    }
    Err(http.refused(&answer))
}
