//! Looks for the document that costs most of those that pass the limits: each field of the schema, asked for as often as the
//! limits let it, and what is known to be dear to read.

use std::{
    collections::{HashSet, VecDeque},
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use apollo_compiler::{
    Schema,
    ast::{FieldDefinition, Type},
    schema::ExtendedType,
};
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use clap::Args;
use counterpart::{graphql, http};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    process::processor_time,
    requests::ms,
    world::{self, World, email, front_door},
};

#[derive(Args)]
pub struct Worst {
    /// Users of the organisation.
    #[arg(long, default_value_t = 5_000)]
    users: usize,
    /// As many of the dearest are shown.
    #[arg(long, default_value_t = 30)]
    show: usize,
    /// Only documents whose name has this in it.
    #[arg(long, default_value = "")]
    named: String,
}

/// Documents of one kind, the larger the number the larger.
struct Family {
    name: String,
    document: Box<dyn Fn(usize) -> String>,
    /// The largest number that is tried.
    most: usize,
}

struct Found {
    name: String,
    size: usize,
    bytes: usize,
    cpu: Duration,
    time: Duration,
    answer: usize,
    /// What is found wrong with it; that takes time too.
    error: String,
}

impl Worst {
    pub async fn run(self) {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("counterpart.db").display());
        let world = World::fill(&url, folder.path(), self.users).await;
        let app = http::router(Arc::clone(&world.services), front_door(), CancellationToken::new()).unwrap();
        let asker = Asker { app, token: world.administrator.token.clone() };
        let mut found = Vec::new();
        let mut families = of_each_field();
        families.extend(known());
        for family in families.into_iter().filter(|family| family.name.contains(&self.named)) {
            found.extend(asker.largest(&family).await);
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.cpu));
        println!("{:>9} {:>9} {:>6} {:>7} {:>9}  document", "CPU", "time", "size", "bytes", "answer");
        for Found { name, size, bytes, cpu, time, answer, error } in found.iter().take(self.show) {
            println!("{:>6.1} ms {:>6.1} ms {size:>6} {bytes:>7} {answer:>9}  {name} {error}", ms(*cpu), ms(*time));
        }
        println!("{} documents", found.len());
        world.close().await;
    }
}

struct Asker {
    app: Router,
    token: String,
}

struct Answer {
    text: String,
    cpu: Duration,
    time: Duration,
}

impl Asker {
    async fn ask(&self, document: &str) -> Answer {
        let body = serde_json::json!({ "query": document }).to_string();
        let request = Request::post("/graphql")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap();
        let (before, started) = (processor_time(), Instant::now());
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let (cpu, time) = (processor_time().saturating_sub(before), started.elapsed());
        Answer { text: String::from_utf8(text.to_vec()).unwrap(), cpu, time }
    }

    /// What the largest document of a family takes that is not refused, at best of five times.
    async fn largest(&self, family: &Family) -> Option<Found> {
        let refused = |answer: &Answer| answer.text.contains("LIMIT_EXCEEDED");
        let (mut low, mut high) = (0, family.most + 1);
        while high - low > 1 + high / 20 {
            let middle = if high > family.most { family.most } else { low.midpoint(high) };
            let answer = self.ask(&(family.document)(middle)).await;
            if refused(&answer) {
                high = middle;
            } else {
                low = middle;
            }
            if high > family.most {
                break;
            }
        }
        let document = (family.document)(low);
        let mut best: Option<Answer> = None;
        for round in 0..5 {
            // Another text each time, so that it is read each time.
            let answer = self.ask(&format!("{document}{}", " ".repeat(round))).await;
            if best.as_ref().is_none_or(|best| answer.cpu < best.cpu) {
                best = Some(answer);
            }
        }
        let Answer { text, cpu, time } = best?;
        let json: Value = serde_json::from_str(&text).unwrap();
        let error = json["errors"][0]["message"].as_str().unwrap_or_default().chars().take(60).collect();
        let (name, bytes, answer) = (family.name.clone(), document.len(), text.len());
        Some(Found { name, size: low, bytes, cpu, time, answer, error })
    }
}

/// Where the objects of a type are to be had: what opens before their fields, and closes behind.
struct Place {
    opened: String,
    closed: usize,
    has_pages: bool,
}

/// Each field of each type, under many names, below pages of one size or another.
fn of_each_field() -> Vec<Family> {
    let schema = Schema::parse_and_validate(graphql::sdl(), "schema.graphql").unwrap();
    let mut families = Vec::new();
    let mut seen = HashSet::from(["Query".to_owned()]);
    let mut places =
        VecDeque::from([("Query".to_owned(), Place { opened: String::new(), closed: 0, has_pages: false })]);
    while let Some((name, place)) = places.pop_front() {
        let Some(ExtendedType::Object(object)) = schema.types.get(name.as_str()) else { continue };
        for field in object.fields.values() {
            let Some(arguments) = arguments(field) else { continue };
            let below = field.ty.inner_named_type();
            let is_leaf = matches!(schema.types.get(below), Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_)));
            let pages = field.arguments.iter().any(|argument| argument.name == "first");
            let sizes: &[usize] = if place.has_pages { &[1, 15, 200] } else { &[0] };
            for &size in sizes {
                let of_own: &[usize] = if pages { &[1, 200] } else { &[0] };
                for &own in of_own {
                    let call = call(field, &arguments, (own > 0).then_some("$S"));
                    let selected = if is_leaf { String::new() } else { deepest(&schema, below) };
                    let (opened, closed) = (place.opened.replace("$P", &size.to_string()), place.closed);
                    let call_of_size = move |size: usize| call.replace("$S", &size.to_string());
                    let name = format!("{opened}{}{selected}{}", call_of_size(own), "}".repeat(closed));
                    let document = move |times: usize| {
                        let mut text = format!("{{{opened}");
                        // Of one size, many pages would be one and the same.
                        let sizes = (0..times).map(|i| own - i % own.div_ceil(2).max(1));
                        for (i, size) in sizes.enumerate() {
                            write!(text, " a{i}:{}{selected}", call_of_size(size)).unwrap();
                        }
                        text + &"}".repeat(closed + 1)
                    };
                    families.push(Family { name, document: Box::new(document), most: 499 });
                }
            }
            if !is_leaf && seen.insert(below.to_string()) {
                let size = if pages && !place.has_pages { "$P" } else { "1" };
                let call = call(field, &arguments, pages.then_some(size));
                places.push_back((
                    below.to_string(),
                    Place {
                        opened: format!("{}{call}{{", place.opened),
                        closed: place.closed + 1,
                        has_pages: place.has_pages || pages,
                    },
                ));
            }
        }
    }
    families
}

/// The least that is selected of an object; of a page, its items.
fn deepest(schema: &Schema, name: &str) -> String {
    let Some(ExtendedType::Object(object)) = schema.types.get(name) else { return "{__typename}".to_owned() };
    if object.fields.contains_key("nodes") { "{nodes{__typename}}".to_owned() } else { "{__typename}".to_owned() }
}

/// A field with its arguments, and the size of its page.
fn call(field: &FieldDefinition, arguments: &str, size: Option<&str>) -> String {
    let mut all = arguments.to_owned();
    if let Some(size) = size {
        let _ = write!(all, " first:{size}");
    }
    if all.is_empty() { field.name.to_string() } else { format!("{}({})", field.name, all.trim()) }
}

/// What a field must be told; `None` where that is not known here.
fn arguments(field: &FieldDefinition) -> Option<String> {
    let mut text = String::new();
    for argument in &field.arguments {
        if !argument.is_required() {
            continue;
        }
        let value = match &*argument.ty {
            Type::NonNullList(_) => {
                let ids = (0..200).map(|n| format!("\"{n}\"")).collect::<Vec<_>>();
                format!("[{}]", ids.join(" "))
            }
            ty => match ty.inner_named_type().as_str() {
                "IntegrationRef" => format!("{{name:\"{}\"}}", world::INTEGRATION),
                "UserRef" => format!("{{email:\"{}\"}}", email(17)),
                "TeamRef" => format!("{{path:\"{}\"}}", world::team_paths()[0]),
                "CrmUserRef" => format!("{{externalId:\"{}\"}}", world::external_id(17)),
                "ID" => "\"none\"".to_owned(),
                "Int" => "1".to_owned(),
                other => {
                    eprintln!("{}: not asked for, since it needs a {other}", field.name);
                    return None;
                }
            },
        };
        let _ = write!(text, " {}:{value}", argument.name);
    }
    Some(text)
}

/// What is known to be dear, here or elsewhere.
fn known() -> Vec<Family> {
    let family = |name: &str, most: usize, document: fn(usize) -> String| Family {
        name: name.to_owned(),
        most,
        document: Box::new(document),
    };
    let aliased = |times: usize, field: &str| {
        let mut text = String::new();
        (0..times).for_each(|i| write!(text, " a{i}:{field}").unwrap());
        text
    };
    let searching: [(&str, &str); 6] = [
        ("one letter", "filter:{search:\"a\"}"),
        ("few", "filter:{search:\"ali abbott1\"}"),
        ("many words", "filter:{search:\"a b c d e f g h\"}"),
        ("by name", "orderBy:{field:NAME}"),
        ("unmapped", "filter:{link:{integration:{name:\"CRM\"} state:[NO_MATCH]}}"),
        ("status", "filter:{status:[SUSPENDED]}"),
    ];
    let mut families = Vec::new();
    for (name, argument) in searching {
        for selected in ["{totalCount}", "{nodes{id}}"] {
            let field = format!("users(first:1 {argument}){selected}");
            families.push(Family {
                name: format!("users, {name}, {selected}"),
                most: 499,
                document: Box::new(move |times| format!("{{{}}}", aliased(times, &field))),
            });
        }
        families.push(Family {
            name: format!("users, {name}, counted many times"),
            most: 499,
            document: Box::new(move |times| {
                format!("{{users(first:1 {argument}){{{}}}}}", aliased(times, "totalCount"))
            }),
        });
    }
    let below: [(&str, &str, &str); 5] = [
        (
            "CRM users, searched",
            "integration(by:{name:\"CRM\"}){",
            "crmUsers(first:1 filter:{search:\"a$I\"}){totalCount nodes{id}}",
        ),
        (
            "mappings, searched",
            "integration(by:{name:\"CRM\"}){",
            "mappings(first:1 filter:{search:\"a$I\"}){totalCount nodes{id}}",
        ),
        (
            "mappings in several orders of time",
            "integration(by:{name:\"CRM\"}){",
            "mappings(first:1 filter:{asOf:\"2030-01-01T00:00:$ZZ\"}){totalCount}",
        ),
        ("members of a team and below", "team(by:{path:\"Region 000\"}){", "members(first:$I){totalCount nodes{id}}"),
        ("candidates", "users(first:$I){nodes{link(integration:{name:\"CRM\"}){", "candidates{__typename}"),
    ];
    for (name, opened, field) in below {
        families.push(Family {
            name: name.to_owned(),
            most: 199,
            document: Box::new(move |times| {
                let fields = (0..times).map(|i| {
                    let field =
                        field.replace("$I", &(i % 200 + 1).to_string()).replace("$Z", &format!("{:02}", i % 60));
                    format!(" a{i}:{field}")
                });
                let opened = opened.replace("$I", "10");
                format!(
                    "{{{opened}{}{}}}",
                    fields.collect::<String>(),
                    "}".repeat(opened.matches('{').count() - opened.matches('}').count())
                )
            }),
        });
    }
    families.extend([
        family("fields once more, without aliases", 20_000, |times| format!("{{viewer{{{}}}}}", "id ".repeat(times))),
        family("different fields that merge", 3_000, |times| {
            let mut text = "{".to_owned();
            (0..times).for_each(|_| text += "users(first:1){nodes{id}}");
            text + "}"
        }),
        family("merging below a page of 200", 3_000, |times| {
            format!("{{users(first:200){{{}}}}}", "nodes{id}".repeat(times))
        }),
        family("all of a user", 200, |times| {
            format!(
                "{{users(first:{times}){{nodes{{id email firstName lastName title role objectVisibility status \
                 suspendedAt createdAt updatedAt lockedFields team{{id name path ancestors{{id name}}}} \
                 configurationProfile{{id name}} managerOf{{id}} licenses{{id}} mappings{{id source crmUser{{id \
                 externalId email name}}}}}}}}}}"
            )
        }),
        family("teams below teams", 200, |times| {
            format!(
                "{{teams(first:{times}){{nodes{{name children(first:{times}){{nodes{{name children(first:{times}){{\
                 nodes{{name}}}}}}}}}}}}}}"
            )
        }),
        family("members of teams", 200, |times| {
            format!("{{teams(first:{times}){{nodes{{name members(first:200){{nodes{{id email team{{path}}}}}}}}}}}}")
        }),
        family("everybody below, for each team", 200, |times| {
            format!(
                "{{teams(first:{times}){{nodes{{members(first:1 includeSubteams:true){{totalCount nodes{{id}}}}}}}}}}"
            )
        }),
        family("fragments, a chain", 3_000, |times| {
            let mut text = "{viewer{...F0}}".to_owned();
            (0..times).for_each(|i| write!(text, " fragment F{i} on User{{id ...F{}}}", i + 1).unwrap());
            write!(text, " fragment F{times} on User{{id}}").unwrap();
            text
        }),
        family("fragments, side by side", 3_000, |times| {
            let mut text = "{viewer{".to_owned();
            (0..times).for_each(|i| write!(text, "...F{i} ").unwrap());
            text += "}}";
            (0..times).for_each(|i| write!(text, " fragment F{i} on User{{id}}").unwrap());
            text
        }),
        family("one fragment, many times", 3_000, |times| {
            format!("{{viewer{{{}}}}} fragment F on User{{id email}}", "...F ".repeat(times))
        }),
        family("inline fragments", 5_000, |times| format!("{{viewer{{{}}}}}", "...{id} ".repeat(times))),
        family("variables", 5_000, |times| {
            let mut text = "query(".to_owned();
            (0..times).for_each(|i| write!(text, "$v{i}:Int=1 ").unwrap());
            text += "){";
            (0..times).for_each(|i| write!(text, "users(first:$v{i}){{nodes{{id}}}}").unwrap());
            text + "}"
        }),
        family("a long text", 65_000, |bytes| {
            format!("{{users(first:1 filter:{{search:\"{}\"}}){{nodes{{id}}}}}}", "a ".repeat(bytes / 2))
        }),
        family("a long comment", 65_000, |bytes| format!("#{}\n{{viewer{{id}}}}", "x".repeat(bytes))),
        family("ids", 200, |times| {
            let ids = vec!["\"VXNlcjox\""; times].join(" ");
            format!("{{nodes(ids:[{ids}]){{id}}}}")
        }),
        family("wrong fields", 9_000, |times| format!("{{viewer{{{}}}}}", "nix ".repeat(times))),
        family("operations", 3_000, |times| {
            let mut text = String::new();
            (0..times).for_each(|i| write!(text, "query Q{i}{{viewer{{id}}}} ").unwrap());
            text
        }),
        family("the schema", 1, |_| INTROSPECTION.to_owned()),
        family("the schema, many times", 100, |times| {
            let mut text = "{".to_owned();
            (0..times).for_each(|i| {
                write!(
                    text,
                    " s{i}:__schema{{types{{name description fields{{name description type{{name kind}}}}}}}}"
                )
                .unwrap();
            });
            text + "}"
        }),
    ]);
    families
}

const INTROSPECTION: &str = "{__schema{queryType{name} mutationType{name} types{...T} directives{name description \
    locations args{...I}}}} fragment T on __Type{kind name description fields(includeDeprecated:true){name description \
    args{...I} type{...R} isDeprecated deprecationReason} inputFields{...I} interfaces{...R} \
    enumValues(includeDeprecated:true){name description isDeprecated deprecationReason} possibleTypes{...R}} \
    fragment I on __InputValue{name description type{...R} defaultValue} fragment R on __Type{kind name ofType{kind \
    name ofType{kind name ofType{kind name ofType{kind name}}}}}";
