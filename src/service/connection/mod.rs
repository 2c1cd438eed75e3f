//! Connections: where an integration's CRM is and how to sign in to it. The credentials are write-only: they are sealed
//! when they come in, opened when the CRM is asked, and shown to nobody.

use entity::{CrmKind, IntegrationId, OrganizationId, integration};
use serde::{Deserialize, Serialize};

use super::{
    Services, Session,
    clock::Time,
    db::{Sql, Tx},
    error::{Error, ErrorCode, Fault, Result, Step},
    integration::{IntegrationRef, locate},
    sync_run::schedule,
};
use crate::crm::{Connection, CrmError, OracleSignIn, SalesforceSignIn};

/// What may be shown of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The CRM's address.
    pub url: String,
    /// How the server signs in.
    pub sign_in: SignIn,
    /// The user or the application that it signs in as; none where the token says it.
    pub account: Option<String>,
    pub connected_at: Time,
}

/// How the server signs in to a CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignIn {
    ClientCredentials,
    JwtBearer,
    Basic,
    AccessToken,
}

impl Summary {
    fn of(connection: &Connection, connected_at: Time) -> Self {
        let (url, sign_in, account) = match connection {
            Connection::Salesforce(salesforce) => match &salesforce.sign_in {
                SalesforceSignIn::ClientCredentials { client_id, .. } => {
                    (&salesforce.url, SignIn::ClientCredentials, Some(client_id))
                }
                SalesforceSignIn::JwtBearer { username, .. } => (&salesforce.url, SignIn::JwtBearer, Some(username)),
            },
            Connection::OracleSales(oracle) => match &oracle.sign_in {
                OracleSignIn::Basic { username, .. } => (&oracle.url, SignIn::Basic, Some(username)),
                OracleSignIn::OAuth { client_id, .. } => (&oracle.url, SignIn::ClientCredentials, Some(client_id)),
            },
            Connection::Dynamics365(dynamics) => (&dynamics.url, SignIn::ClientCredentials, Some(&dynamics.client_id)),
            Connection::HubSpot(hubspot) => (&hubspot.url, SignIn::AccessToken, None),
        };
        Self { url: url.to_string(), sign_in, account: account.cloned(), connected_at }
    }
}

/// The kind of CRM that a connection is for.
pub fn kind(connection: &Connection) -> CrmKind {
    match connection {
        Connection::Salesforce(_) => CrmKind::Salesforce,
        Connection::OracleSales(_) => CrmKind::OracleSales,
        Connection::Dynamics365(_) => CrmKind::Dynamics365,
        Connection::HubSpot(_) => CrmKind::Hubspot,
    }
}

/// What may be shown of an integration's connection; none for one that is fed by pushes and files.
pub fn summary(integration: &integration::Model) -> Result<Option<Summary>> {
    Ok(integration.connection_summary.as_deref().map(serde_json::from_str).transpose()?)
}

/// The place that a connection is sealed for.
fn place(organization: OrganizationId, integration: IntegrationId) -> Vec<u8> {
    [organization.0.as_bytes().as_slice(), integration.0.as_bytes()].concat()
}

/// The connection of an integration, its secrets included.
///
/// # Errors
/// `WRONG_STATE` where there is none, or it was sealed under a key that is gone.
pub(crate) fn open(services: &Services, integration: &integration::Model) -> Result<Connection> {
    let Some(sealed) = &integration.connection else {
        let message = format!(
            "{:?} has no connection to pull from: connect it with connectIntegration, push its CRM users with \
             pushCrmUsers, or import them.",
            integration.name
        );
        return Err(Fault::at(ErrorCode::WrongState, "integration", message).into());
    };
    let Some(opened) = services.seal.open(&place(integration.organization_id, integration.id), sealed) else {
        let message = format!(
            "The credentials of {:?} were sealed under another secret key. Give that key in \
             COUNTERPART_FORMER_SECRET_KEYS, or connect the integration again.",
            integration.name
        );
        return Err(Fault::at(ErrorCode::WrongState, "integration", message).into());
    };
    Ok(serde_json::from_slice(&opened)?)
}

/// What is wrong with a connection for an integration of this kind, before the CRM is asked.
fn check(services: &Services, integration: &integration::Model, connection: &Connection) -> Result<()> {
    let fault = |message: String| Fault::at(ErrorCode::Invalid, "connection", message);
    if kind(connection) != integration.kind {
        let message = format!(
            "{:?} is an integration of kind {}; the connection is one of kind {}.",
            integration.name,
            integration.kind.as_str(),
            kind(connection).as_str()
        );
        return Err(fault(message).into());
    }
    services.crm.check(connection).map_err(|error| fault(error.message).into())
}

/// Gives an integration a connection, in the place of one that it has. The next pull asks for every CRM user.
///
/// # Errors
/// `NOT_FOUND`; at `connection` `INVALID` where the kind or the host is not the integration's.
pub async fn set(session: &Session, integration: IntegrationRef, connection: Connection) -> Result<IntegrationId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let found = locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    check(&session.services, &found, &connection)?;
    store(&session.services, &tx, found.clone(), &connection).await?;
    tx.commit().await?;
    Ok(found.id)
}

/// [`set`] within a transaction, of a connection that has been checked.
pub(crate) async fn store(
    services: &Services,
    tx: &Tx,
    found: integration::Model,
    connection: &Connection,
) -> Result<()> {
    let sealed = services.seal.seal(&place(found.organization_id, found.id), &serde_json::to_vec(connection)?)?;
    let summary = serde_json::to_string(&Summary::of(connection, tx.now))?;
    let model = integration::Model { connection: Some(sealed.clone()), ..found };
    write(tx, &model, Some(sealed), Some(summary)).await
}

async fn write(tx: &Tx, model: &integration::Model, sealed: Option<Vec<u8>>, summary: Option<String>) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE integration SET synced_until = NULL, full_synced_at = NULL, ").equals("connection", sealed);
    sql.push(", ").equals("connection_summary", summary).push(", ").equals("updated_at", tx.now).push(", ");
    sql.equals("next_sync_at", schedule::next_of(model, tx.now)).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", model.id);
    tx.execute(sql).await?;
    Ok(())
}

/// Takes an integration's connection away; its CRM users and mappings stay as they are.
///
/// # Errors
/// `NOT_FOUND`.
pub async fn remove(session: &Session, integration: IntegrationRef) -> Result<IntegrationId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let found = locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    let model = integration::Model { connection: None, ..found };
    write(&tx, &model, None, None).await?;
    tx.commit().await?;
    Ok(model.id)
}

/// Signs in to an integration's CRM and reads one user: with a connection that is to be tried, or with its own. The
/// error says for a person what is wrong.
///
/// # Errors
/// `NOT_FOUND`, `INVALID` as [`set`], `WRONG_STATE` where there is no connection to test.
pub async fn test(
    session: &Session,
    integration: IntegrationRef,
    connection: Option<Connection>,
) -> Result<Result<(), CrmError>> {
    session.admin()?;
    let services = &session.services;
    let found = locate(session.reader(), session.organization_id(), &integration, "integration").await?;
    let connection = match connection {
        Some(connection) => {
            check(services, &found, &connection)?;
            connection
        }
        None => open(services, &found)?,
    };
    Ok(match services.crm.client(&connection) {
        Ok(client) => client.test().await,
        Err(error) => Err(error),
    })
}

/// Seals anew what a former key has sealed: at the start, so that the former key can go.
pub async fn reseal(services: &Services) -> Result<()> {
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT * FROM integration WHERE connection IS NOT NULL");
    let found: Vec<integration::Model> = sql.all(services.db.reader()).await?;
    for integration in found {
        let Some(sealed) = integration.connection.clone().filter(|sealed| !services.seal.is_current(sealed)) else {
            continue;
        };
        let place = place(integration.organization_id, integration.id);
        let Some(opened) = services.seal.open(&place, &sealed) else {
            tracing::warn!(integration = %integration.id.0, "the credentials were sealed under a key that is not given");
            continue;
        };
        let tx = services.db.write(integration.organization_id).await?;
        let mut sql = tx.sql();
        sql.push("UPDATE integration SET ").equals("connection", services.seal.seal(&place, &opened)?).push(" WHERE ");
        sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", integration.id).push(" AND ");
        sql.equals("connection", sealed);
        tx.execute(sql).await?;
        tx.commit().await?;
        tracing::info!(integration = %integration.id.0, "the credentials are sealed under the new key");
    }
    Ok(())
}

/// The failure of a CRM as an expected failure at the integration.
pub(crate) fn fault(error: &CrmError) -> Error {
    Fault::at(ErrorCode::WrongState, "integration", error.message.clone()).under(Vec::<Step>::new()).into()
}
