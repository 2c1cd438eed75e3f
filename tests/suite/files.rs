//! Files and pages: the schema, the templates, downloads, what a browser loads.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use chrono::Duration;
use counterpart::service::links::{self, Download};
use entity::ImportJobId;
use uuid::Uuid;

use crate::support::World;

both!(templates_are_header_rows, the_schema_is_served, downloads_need_a_signature, pages_come_from_the_program);

async fn templates_are_header_rows(world: World) {
    let anybody = world.anonymous();
    for (path, header) in [
        (
            "/templates/users.csv",
            "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,\
             Manager Of,Licenses,Status,Suspended At,Operation\r\n",
        ),
        ("/templates/mappings.csv", "email,external_id,alias_email,operation\r\n"),
        ("/templates/crm-users.csv", "external_id,email,name,username,title,is_active,team,created_at\r\n"),
    ] {
        let answer = anybody.get(path).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, header));
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
        let name = path.trim_start_matches("/templates/");
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
    }
    assert_eq!(anybody.get("/templates/teams.csv").await.status, StatusCode::NOT_FOUND);
}

async fn the_schema_is_served(world: World) {
    let answer = world.anonymous().get("/schema.graphql").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.text(), counterpart::graphql::sdl());
}

async fn downloads_need_a_signature(world: World) {
    let (anybody, clock) = (world.anonymous(), &world.services.clock);
    let organization_id = world.administrator.organization_id;
    let download = Download::Log(ImportJobId(Uuid::nil()));
    let (url, expires_at) = world.services.links.sign(organization_id, download, clock.now()).unwrap();
    assert_eq!(expires_at, clock.now() + links::LIFETIME);

    // An import that is not there.
    let gone = "What this address gave is gone. The rows and the log of an import are kept for a time that the server \
                sets; after it, only its counts are left.\n";
    let answer = anybody.get(url.path()).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, gone));

    let invalid = "This address is not valid, or no longer: ask the API for a new one.\n";
    let changed = url.path().replace("/downloads/e", "/downloads/f");
    for path in [&changed, "/downloads/x/log.csv", "/downloads/a.b/log.csv"] {
        let answer = anybody.get(path).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, invalid), "{path}");
    }
    clock.advance(links::LIFETIME + Duration::seconds(1));
    assert_eq!(anybody.get(url.path()).await.text(), invalid);
}

/// The pages are built by another tool; a program without them says how to get them.
async fn pages_come_from_the_program(world: World) {
    let anybody = world.anonymous();
    for path in ["/", "/graphiql"] {
        let page = anybody.get(path).await;
        if page.status == StatusCode::NOT_FOUND {
            assert!(page.text().contains("make web"), "{}", page.text());
            continue;
        }
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(
            page.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        );
        let again = Request::get(path).header("if-none-match", page.header("etag"));
        let again = anybody.send(again, Body::empty()).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        for asset in page.text().split('"').filter(|link| link.starts_with("/assets/")) {
            let asset = anybody.get(asset).await;
            assert_eq!(asset.status, StatusCode::OK);
            assert_ne!(asset.header("content-type"), "application/octet-stream");
        }
    }
}
