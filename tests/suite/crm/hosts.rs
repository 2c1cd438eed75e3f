//! Which hosts are called: the CRMs' own, and those that whoever runs the server names.

use std::{io, net::TcpListener};

use counterpart::crm::{ExtraHost, OracleSignIn, Problem, fake::Fault};

use super::*;

fn network(extra: &[&str]) -> Network {
    let extra = extra.iter().map(|host| host.parse().unwrap()).collect();
    Network::new(Clock::system(), extra, patience()).unwrap()
}

/// Whether a CRM may be at an address, with its sign-in where it usually is.
fn is_allowed(network: &Network, kind: CrmKind, url: &str) -> bool {
    let mut connection = Fake::connection(kind, &url.parse().unwrap()).unwrap();
    if let Connection::Dynamics365(dynamics) = &mut connection {
        dynamics.login_url = "https://login.microsoftonline.com".parse().unwrap();
    }
    match network.check(&connection) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.problem, Problem::WrongHost);
            assert_eq!(network.client(&connection).err(), Some(error));
            false
        }
    }
}

#[tokio::test]
async fn a_crm_lives_in_its_own_domains() {
    let network = network(&[]);
    for (kind, url) in [
        (CrmKind::Salesforce, "https://acme.my.salesforce.com"),
        (CrmKind::Salesforce, "https://acme--dev.sandbox.my.salesforce.com/"),
        (CrmKind::Salesforce, "https://ACME.my.salesforce.com:443"),
        (CrmKind::OracleSales, "https://acme.fa.us2.oraclecloud.com"),
        (CrmKind::Dynamics365, "https://acme.crm4.dynamics.com"),
        (CrmKind::Dynamics365, "https://acme.crm.dynamics.cn"),
        (CrmKind::Dynamics365, "https://acme.crm.microsoftdynamics.us"),
        (CrmKind::Hubspot, "https://api.hubapi.com"),
    ] {
        assert!(is_allowed(&network, kind, url), "{url}");
    }
}

#[tokio::test]
async fn nothing_else_is_called() {
    let network = network(&[]);
    for url in [
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://user@acme.my.salesforce.com",
        "https://user:word@acme.my.salesforce.com",
        "https://acme.my.salesforce.com/services",
        "https://acme.my.salesforce.com/?a=b",
        "https://acme.my.salesforce.com/#a",
        "https://salesforce.com.example",
        "https://evilsalesforce.com",
        "https://acme.my.salesforce.com.",
        "https://acme.crm4.dynamics.com",
        "https://127.0.0.1",
        "https://2130706433",
        "https://[::1]",
        "https://169.254.169.254",
        "https://localhost",
        "ftp://acme.my.salesforce.com",
        "file:///etc/passwd",
    ] {
        assert!(!is_allowed(&network, CrmKind::Salesforce, url), "{url}");
    }
    assert!(!is_allowed(&network, CrmKind::Hubspot, "https://evil.api.hubapi.com"));
}

#[tokio::test]
async fn where_tokens_are_given_is_looked_at_too() {
    let network = network(&[]);
    let mut connection =
        Fake::connection(CrmKind::Dynamics365, &"https://a.crm.dynamics.com".parse().unwrap()).unwrap();
    let Connection::Dynamics365(dynamics) = &mut connection else { panic!("another CRM") };
    dynamics.login_url = "https://login.example.com".parse().unwrap();
    assert_eq!(network.check(&connection).unwrap_err().problem, Problem::WrongHost);

    let mut connection =
        Fake::connection(CrmKind::OracleSales, &"https://a.fa.oraclecloud.com".parse().unwrap()).unwrap();
    let Connection::OracleSales(oracle) = &mut connection else { panic!("another CRM") };
    oracle.sign_in = Fake::oauth_sign_in(&"http://127.0.0.1".parse().unwrap());
    assert_eq!(network.check(&connection).unwrap_err().problem, Problem::WrongHost);
    let Connection::OracleSales(oracle) = &mut connection else { panic!("another CRM") };
    let OracleSignIn::OAuth { token_url, .. } = &mut oracle.sign_in else { panic!("another way") };
    *token_url = "https://idcs-1.identity.oraclecloud.com/oauth2/v1/token".parse().unwrap();
    network.check(&connection).unwrap();
}

#[tokio::test]
async fn the_message_says_which_hosts_and_which_setting() {
    let connection = Fake::connection(CrmKind::Salesforce, &"https://crm.example.com".parse().unwrap()).unwrap();
    insta::assert_snapshot!(
        network(&[]).check(&connection).unwrap_err().message,
        @"crm.example.com is not a host of Salesforce: it may be one of *.salesforce.com. Others are allowed by whoever runs this server, with the setting COUNTERPART_CRM_HOSTS."
    );
}

#[tokio::test]
async fn the_setting_names_others() {
    let network = network(&["crm.example.com", "127.0.0.1:9100", "[::1]:9100"]);
    for (url, is) in [
        ("https://crm.example.com", true),
        ("http://CRM.example.com", true),
        ("https://crm.example.com:8443", false),
        ("https://a.crm.example.com", false),
        ("http://127.0.0.1:9100", true),
        ("http://127.0.0.1:9101", false),
        ("http://127.0.0.1", false),
        ("http://[::1]:9100", true),
        ("http://user@127.0.0.1:9100", false),
        ("ftp://127.0.0.1:9100", false),
    ] {
        assert_eq!(is_allowed(&network, CrmKind::Salesforce, url), is, "{url}");
    }
    for bad in
        ["", "http://crm.example.com", "a b", "user@host", "host:port", "host:99999", "host/path", "*.example.com"]
    {
        assert!(bad.parse::<ExtraHost>().is_err(), "{bad}");
    }
    let shown = ["crm.example.com", "127.0.0.1:9100", "[::1]:9100"];
    assert_eq!(shown.map(|text| text.parse::<ExtraHost>().unwrap().to_string()), shown);
}

#[tokio::test]
async fn an_answer_leads_nowhere_else() {
    let crms = Crms::start().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = format!("http://{}", elsewhere.local_addr().unwrap());

    crms.fake.fail_sign_in(CrmKind::Salesforce, Fault::NextElsewhere { to: to.clone() }, 1);
    let error = crms.client(CrmKind::Salesforce).test().await.unwrap_err();
    assert_eq!(error.problem, Problem::WrongHost, "{error}");

    for (kind, path) in [
        (CrmKind::Salesforce, "/services/data/v66.0/query/01g1-2"),
        (CrmKind::Dynamics365, "/api/data/v9.2/systemusers"),
    ] {
        crms.people(kind, 3);
        crms.fake.set_page_sizes(kind, vec![2]);
        for to in [format!("{to}{path}"), format!("{}control/salesforce/users", crms.base)] {
            crms.fake.fail_next(kind, Fault::NextElsewhere { to: to.clone() }, 1);
            let error = crms.client(kind).users(None, None).await.unwrap_err();
            assert_eq!(error.problem, Problem::WrongHost, "{error}");
            // Nor does a cursor that says so.
            let error = crms.client(kind).users(None, Some(&to)).await.unwrap_err();
            assert_eq!(error.problem, Problem::WrongHost, "{error}");
        }
    }
    for kind in KINDS {
        crms.fake.fail_next(kind, Fault::Redirect { to: to.clone() }, 1);
        assert_eq!(crms.client(kind).test().await.unwrap_err().problem, Problem::WrongHost);
    }
    // HubSpot's link is not followed: its cursor is.
    crms.people(CrmKind::Hubspot, 3);
    crms.fake.set_page_sizes(CrmKind::Hubspot, vec![2]);
    crms.fake.fail_next(CrmKind::Hubspot, Fault::NextElsewhere { to }, 1);
    assert_eq!(ids(&*crms.client(CrmKind::Hubspot), None).await.len(), 3);
    assert_eq!(elsewhere.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}
