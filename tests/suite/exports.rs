//! Exports over many pages, and compressed.

use std::io::Read;

use axum::{body::Body, http::Request};
use counterpart::service::db::{
    Rows, Sql,
    sql::Kind::{Text, Time, Uuid as Id},
};
use entity::UserId;
use sea_orm::ConnectionTrait;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use crate::support::{World, scene};

both!(an_export_of_many_pages_is_whole_and_in_order, mappings_too, a_download_is_compressed_where_that_is_asked_for);

/// Many users, put into the table as they are, each mapped and with two licences: an import of as many would take long.
async fn many(world: &World, number: usize) {
    let organization_id = world.administrator.organization_id;
    let now = world.services.clock.now();
    let db = world.services.db.writer();
    let backend = world.services.db.backend();
    let first = async |select: &str| -> Uuid {
        let mut sql = Sql::new(backend);
        sql.push(select);
        sql.map(db, |row| row.try_get_by_index(0)).await.unwrap()[0]
    };
    let profile = first("SELECT id FROM configuration_profile").await;
    let integration = first("SELECT id FROM integration").await;
    let mut users = Rows::new(&[
        ("organization_id", Id),
        ("id", Id),
        ("email", Text),
        ("first_name", Text),
        ("sort_name", Text),
        ("role", Text),
        ("object_visibility", Text),
        ("configuration_profile_id", Id),
        ("status", Text),
        ("created_at", Time),
        ("updated_at", Time),
    ]);
    let mut crm_users = Rows::new(&[
        ("organization_id", Id),
        ("id", Id),
        ("integration_id", Id),
        ("external_id", Text),
        ("last_seen_at", Time),
    ]);
    for i in 0..number {
        let id = world.services.clock.id::<UserId>();
        // Not in the order of their emails.
        let email = format!("user{:05}@x.com", (i * 7919) % number);
        users.add(&[
            &organization_id,
            &id,
            &email,
            &"=Ann",
            &email,
            &"MEMBER",
            &"TEAM",
            &profile,
            &"ACTIVE",
            &now,
            &now,
        ]);
        crm_users.add(&[&organization_id, &id.0, &integration, &email, &now]);
    }
    let insert = async |table: &str, rows: Rows, more: &str, values: &str| {
        let mut sql = Sql::new(backend);
        let names = rows.names();
        sql.push(&format!("INSERT INTO {table} ({names}{more}) SELECT {names}{values} FROM ")).rows(rows).push(" AS r");
        db.execute_raw(sql.statement()).await.unwrap();
    };
    insert("app_user", users, "", "").await;
    insert("crm_user", crm_users, ", is_active", ", TRUE").await;
    for statement in [
        "INSERT INTO user_license (organization_id, user_id, license_id) \
         SELECT u.organization_id, u.id, l.id FROM app_user u, license l WHERE l.name IN ('Foundation', 'Forecasting')",
        "INSERT INTO mapping (organization_id, id, integration_id, user_id, crm_user_id, source, created_at, warnings) \
         SELECT c.organization_id, c.id, c.integration_id, c.id, c.id, 'MANUAL', c.last_seen_at, 0 FROM crm_user c",
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
}

async fn address(world: &World, mutation: &str) -> String {
    let query = format!("mutation {{ it: {mutation}(input: {{}}) {{ url }} }}");
    world.admin().graphql(&query, json!({})).await.ok()["it"]["url"].as_str().unwrap().to_owned()
}

async fn an_export_of_many_pages_is_whole_and_in_order(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    many(&world, 8_001).await;
    let export = world.download(&address(&world, "exportUsers").await).await;
    let mut lines = export.lines().skip(1);
    assert!(lines.next().unwrap().starts_with("admin@acme.example,"));
    for i in 0..8_001 {
        let expected =
            format!("user{i:05}@x.com,'=Ann,,,,Member,Team,Default: Intake Off,,Forecasting;Foundation,Active,,");
        assert_eq!(lines.next(), Some(expected.as_str()));
    }
    assert_eq!(lines.next(), None);
}

async fn mappings_too(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    many(&world, 4_001).await;
    let export = world.download(&address(&world, "exportMappings").await).await;
    let mut lines = export.lines().skip(1);
    for i in 0..4_001 {
        let expected = format!("user{i:05}@x.com,user{i:05}@x.com,,,CRM,MANUAL,,,");
        assert_eq!(lines.next(), Some(expected.as_str()));
    }
    assert_eq!(lines.next(), None);
}

async fn a_download_is_compressed_where_that_is_asked_for(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    many(&world, 4_500).await;
    let address = Url::parse(&address(&world, "exportUsers").await).unwrap();
    let get = async |accept: &str| {
        let request = Request::get(address.path()).header("accept-encoding", accept);
        world.anonymous().send(request, Body::empty()).await
    };
    let plain = get("identity").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    let packed = get("gzip, deflate, br").await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert_eq!(packed.header("content-type"), plain.header("content-type"));
    assert!(packed.body.len() * 5 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text());
}
