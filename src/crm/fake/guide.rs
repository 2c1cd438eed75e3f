//! What a developer needs to know of fakes that are served.

use url::Url;

use super::{ACCESS_TOKEN, AUDIENCE, CLIENT_ID, CLIENT_SECRET, TENANT, USERNAME};

/// The credentials of the fakes at `base`, and an example of how they are changed.
pub fn guide(base: &Url) -> String {
    let host = base.authority();
    let url = base.as_str().trim_end_matches('/');
    format!(
        "Fake CRMs, all at {url}; a server may call them with COUNTERPART_CRM_HOSTS={host}\n\n\
         Salesforce:   client id {CLIENT_ID}, client secret {CLIENT_SECRET}, API version v66.0;\n              \
         or by JWT: username {USERNAME}, audience {AUDIENCE},\n              \
         and the key in src/crm/fake/throwaway-private-key.pem\n\
         Oracle Sales: username {USERNAME}, password {CLIENT_SECRET}, API version 11.13.18.05;\n              \
         or by OAuth: token address {url}/oauth2/v1/token, client id {CLIENT_ID},\n              \
         client secret {CLIENT_SECRET}, any scope\n\
         Dynamics 365: tenant {TENANT}, client id {CLIENT_ID}, client secret {CLIENT_SECRET},\n              \
         sign-in address {url}\n\
         HubSpot:      access token {ACCESS_TOKEN}\n\n\
         Their people: curl -s {url}/control/salesforce/users\n\
         One leaves:   curl -s -X PATCH {url}/control/hubspot/users/300000001 \\\n                \
         -H 'Content-Type: application/json' -d '{{\"isActive\": false}}'\n"
    )
}
