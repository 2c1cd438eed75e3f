//! What may go wrong with every CRM: what passes is waited for, what does not is named, and all of it ends.

use std::{collections::BTreeSet, time::Instant};

use chrono::TimeDelta;
use counterpart::crm::{Problem, fake::Fault};

use super::*;

/// The fakes with five people each, two a page.
async fn crms() -> Crms {
    let crms = Crms::start().await;
    for kind in KINDS {
        crms.people(kind, 5);
        crms.fake.set_page_sizes(kind, vec![2]);
    }
    crms
}

fn unavailable(status: u16) -> Fault {
    Fault::Unavailable { status, retry_after: None }
}

/// What becomes of a pull whose second request and all later ones fail.
async fn end(crms: &Crms, kind: CrmKind, fault: Fault) -> CrmError {
    crms.fake.fail_after(kind, 1, fault, 100);
    let error = pull(&*crms.client(kind), None).await.unwrap_err();
    crms.fake.clear_faults(kind);
    error
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let crms = crms().await;
    for kind in KINDS {
        for fault in [
            unavailable(500),
            unavailable(503),
            Fault::TooManyRequests { retry_after: None },
            Fault::TooManyRequests { retry_after: Some("0".into()) },
            Fault::RequestLimit { retry_after: None },
            Fault::CutOff,
        ] {
            crms.fake.fail_after(kind, 1, fault.clone(), 2);
            let seen: BTreeSet<_> = ids(&*crms.client(kind), None).await.into_iter().collect();
            assert_eq!(seen.len(), 5, "{kind:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_is_tried_again_too() {
    let crms = crms().await;
    crms.fake.fail_sign_in(CrmKind::Salesforce, unavailable(502), 1);
    crms.client(CrmKind::Salesforce).test().await.unwrap();
    assert_eq!(crms.fake.sign_ins(CrmKind::Salesforce), 2);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_asked_for_again() {
    let crms = crms().await;
    crms.fake.fail_next(CrmKind::Dynamics365, Fault::Hang, 1);
    crms.client(CrmKind::Dynamics365).test().await.unwrap();
}

#[tokio::test]
async fn a_crm_that_never_answers_is_not_waited_for_for_ever() {
    let crms = Crms::with(Patience { total: Duration::from_millis(300), ..patience() }).await;
    crms.fake.fail_next(CrmKind::Hubspot, Fault::Hang, 100);
    let begin = Instant::now();
    let error = crms.client(CrmKind::Hubspot).test().await.unwrap_err();
    assert_eq!(error.problem, Problem::Unreachable, "{error}");
    assert!(error.is_transient() && begin.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn a_crm_that_is_not_there_is_named() {
    let crms = crms().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("127.0.0.1:{port}");
    let network = Network::new(Clock::system(), vec![host.parse().unwrap()], patience()).unwrap();
    for kind in KINDS {
        let connection = Fake::connection(kind, &format!("http://{host}").parse().unwrap()).unwrap();
        let error = network.client(&connection).unwrap().test().await.unwrap_err();
        assert_eq!(error.problem, Problem::Unreachable);
        assert!(error.message.contains("127.0.0.1"), "{error}");
        // It was not in the allowed hosts of the other network.
        assert_eq!(crms.network.check(&connection).unwrap_err().problem, Problem::WrongHost);
    }
}

#[tokio::test]
async fn what_does_not_pass_is_tried_again_so_often_and_no_more() {
    let crms = crms().await;
    for kind in KINDS {
        let before = crms.fake.requests(kind);
        let error = end(&crms, kind, unavailable(500)).await;
        assert_eq!(error.problem, Problem::Unavailable, "{error}");
        assert_eq!(crms.fake.requests(kind) - before, 1 + 4);
        let error = end(&crms, kind, Fault::TooManyRequests { retry_after: None }).await;
        assert_eq!((error.problem, error.retry_after), (Problem::RateLimited, None));
    }
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let crms = crms().await;
    let later = Some("Sun, 01 Mar 2026 12:30:00 GMT".to_owned());
    for kind in KINDS {
        for (fault, seconds) in [
            (Fault::TooManyRequests { retry_after: Some("3600".into()) }, 3_600),
            (Fault::TooManyRequests { retry_after: later.clone() }, 1_800),
            (Fault::RequestLimit { retry_after: Some("7200".into()) }, 7_200),
            (Fault::Unavailable { status: 503, retry_after: Some("120".into()) }, 120),
        ] {
            let before = crms.fake.requests(kind);
            let error = end(&crms, kind, fault).await;
            assert_eq!(error.problem, Problem::RateLimited, "{error}");
            assert_eq!(error.retry_after, Some(Duration::from_secs(seconds)));
            assert_eq!(crms.fake.requests(kind) - before, 2);
        }
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept() {
    let crms = crms().await;
    crms.clock.advance(TimeDelta::milliseconds(850));
    let soon = Some("Sun, 01 Mar 2026 12:00:01 GMT".to_owned());
    crms.fake.fail_next(CrmKind::Hubspot, Fault::TooManyRequests { retry_after: soon }, 1);
    let begin = Instant::now();
    crms.client(CrmKind::Hubspot).test().await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_named_at_once() {
    let crms = crms().await;
    for kind in KINDS {
        for (fault, problem) in [
            (Fault::MalformedJson, Problem::Malformed),
            (Fault::Endless, Problem::Malformed),
            (Fault::Forbidden, Problem::MissingPermission),
            (Fault::Page, Problem::WrongHost),
            (Fault::Redirect { to: "https://login.example.com/?next=1".into() }, Problem::WrongHost),
        ] {
            let before = crms.fake.requests(kind);
            let error = end(&crms, kind, fault.clone()).await;
            assert_eq!(error.problem, problem, "{kind:?} {fault:?}: {error}");
            assert!(!error.is_transient());
            assert_eq!(crms.fake.requests(kind) - before, 2, "{kind:?} {fault:?}");
        }
        crms.fake.fail_next(kind, Fault::NotFound, 1);
        let error = crms.client(kind).test().await.unwrap_err();
        assert_eq!(error.problem, Problem::WrongHost, "{kind:?}: {error}");
    }
}

#[tokio::test]
async fn who_is_signed_out_in_the_middle_signs_in_again_once() {
    let crms = crms().await;
    for kind in KINDS {
        crms.fake.fail_after(kind, 1, Fault::SignedOut, 1);
        let seen: BTreeSet<_> = ids(&*crms.client(kind), None).await.into_iter().collect();
        assert_eq!(seen.len(), 5, "{kind:?}");
        crms.fake.fail_after(kind, 1, Fault::SignedOut, 2);
        let error = pull(&*crms.client(kind), None).await.unwrap_err();
        assert_eq!(error.problem, Problem::WrongCredentials, "{kind:?}: {error}");
    }
    // Two pulls, and once again in each.
    assert_eq!(crms.fake.sign_ins(CrmKind::Salesforce), 4);
    assert_eq!(crms.fake.sign_ins(CrmKind::Dynamics365), 4);
}

#[tokio::test]
async fn a_cursor_that_has_expired_says_so() {
    let crms = crms().await;
    for kind in [CrmKind::Salesforce, CrmKind::Dynamics365, CrmKind::Hubspot] {
        let client = crms.client(kind);
        let first = client.users(None, None).await.unwrap();
        crms.fake.forget_cursors(kind);
        let error = client.users(None, first.next.as_deref()).await.unwrap_err();
        assert_eq!(error.problem, Problem::CursorExpired, "{error}");
        assert_eq!(end(&crms, kind, Fault::CursorExpired).await.problem, Problem::CursorExpired);
    }
}

#[tokio::test]
async fn a_truncated_answer_can_be_told_where_the_crm_says_how_much_there_is() {
    let crms = crms().await;
    crms.fake.set_page_sizes(CrmKind::Salesforce, vec![]);
    for kind in KINDS {
        crms.fake.fail_next(kind, Fault::Truncated, 1);
        let page = crms.client(kind).users(None, None).await.unwrap();
        assert!(page.records < 5);
        let is_salesforce = kind == CrmKind::Salesforce;
        assert_eq!(page.total, is_salesforce.then_some(5));
        assert!(page.next.is_none() || kind == CrmKind::Hubspot);
    }
}
