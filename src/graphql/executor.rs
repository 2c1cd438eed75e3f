//! How the fields of an object are executed.
//!
//! The library gives each field a task of its own, which tells when it can go on. Nearly all fields are there at once, and
//! the others wait for the same batches: [`Pace`](super::pace::Pace) polls the request as a whole. So here a field is
//! polled where it stands, and only one that has to wait is kept, to be polled again with those beside it. What comes of
//! it, values, errors and all, is what the library makes of it, with the fields in the order of the query.
//!
//! Not asked here are extensions and directives of our own; the schema has neither.
//!
//! The objects that are shown say `#[Object(crate = "crate::graphql::executor")]`: what the macro writes then meets, under
//! the library's names, this module's [`resolve_container`](resolver_utils::resolve_container).

use std::{future::Future, pin::Pin, task::Poll};

pub use async_graphql::*;
use async_graphql::{
    indexmap::{IndexMap, map::Entry},
    parser::types::{Field, Selection, SelectionSet},
};
use futures::future::{BoxFuture, poll_fn};

/// The library's, but for how an object's fields are executed.
pub mod resolver_utils {
    use futures::FutureExt;

    use super::{BoxFuture, ContextSelectionSet, ObjectType, ServerResult, Value};
    pub use async_graphql::resolver_utils::*;

    /// Executes the fields of an object. In a box, since below an object there may be another of its type.
    pub fn resolve_container<'a, T: ObjectType + ?Sized>(
        ctx: &'a ContextSelectionSet<'a>,
        object: &'a T,
    ) -> BoxFuture<'a, ServerResult<Value>> {
        super::fields(ctx, object).boxed()
    }
}

async fn fields<'a, T: ObjectType + ?Sized>(ctx: &'a ContextSelectionSet<'a>, object: &'a T) -> ServerResult<Value> {
    let mut selected = Vec::with_capacity(ctx.item.node.items.len());
    select(ctx, object, &ctx.item.node, &mut selected)?;
    let mut values: Vec<Option<Value>> = Vec::new();
    values.resize_with(selected.len(), || None);
    let running = selected.iter().map(|&field| async move {
        if field.node.name.node == "__typename" {
            return Ok(Value::String(object.introspection_type_name().into_owned()));
        }
        let ctx = ctx.with_field(field);
        Ok(object.resolve_field(&ctx).await?.unwrap_or_default())
    });
    run(running, |index, outcome: ServerResult<Value>| match outcome {
        Ok(value) => values[index] = Some(value),
        Err(error) => ctx.add_error(error),
    })
    .await;
    let mut object = IndexMap::with_capacity(selected.len());
    for (field, value) in selected.iter().zip(values) {
        if let Some(value) = value {
            put(&mut object, field.node.response_key().node.clone(), value);
        }
    }
    Ok(if object.is_empty() { Value::Null } else { Value::Object(object) })
}

/// The fields that are selected of an object, those of the fragments that are about it among them.
fn select<'a, T: ObjectType + ?Sized>(
    ctx: &ContextSelectionSet<'a>,
    object: &T,
    selection_set: &'a SelectionSet,
    fields: &mut Vec<&'a Positioned<Field>>,
) -> ServerResult<()> {
    for selection in &selection_set.items {
        let (condition, below) = match &selection.node {
            Selection::Field(field) => {
                fields.push(field);
                continue;
            }
            Selection::InlineFragment(inline) => (inline.node.type_condition.as_ref(), &inline.node.selection_set),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = ctx
                    .query_env
                    .fragments
                    .get(name)
                    .ok_or_else(|| ServerError::new(format!(r#"Unknown fragment "{name}"."#), Some(spread.pos)))?;
                (Some(&fragment.node.type_condition), &fragment.node.selection_set)
            }
        };
        let is_about = condition.is_none_or(|condition| {
            let (name, condition) = (object.introspection_type_name(), condition.node.on.node.as_str());
            let interfaces = ctx.schema_env.registry.implements.get(&*name);
            name == condition || interfaces.is_some_and(|interfaces| interfaces.contains(condition))
        });
        if is_about {
            select(ctx, object, &below.node, fields)?;
        }
    }
    Ok(())
}

/// Puts a field's value into an object. Of a field that is selected twice, what is below it comes together.
fn put(object: &mut IndexMap<Name, Value>, name: Name, value: Value) {
    match object.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(value);
        }
        Entry::Occupied(mut entry) => merge(entry.get_mut(), value),
    }
}

fn merge(there: &mut Value, more: Value) {
    match (there, more) {
        (Value::Object(there), Value::Object(more)) => {
            more.into_iter().for_each(|(name, value)| put(there, name, value));
        }
        (Value::List(there), Value::List(more)) => {
            there.iter_mut().zip(more).for_each(|(there, more)| merge(there, more));
        }
        _ => {}
    }
}

/// Runs futures side by side until all have ended, and tells what each comes to when it does.
async fn run<F: Future>(mut futures: impl Iterator<Item = F>, mut ended: impl FnMut(usize, F::Output)) {
    // A box whose future has ended serves the next one.
    let mut spare: Option<Pin<Box<F>>> = None;
    let mut waiting: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut next = 0;
    poll_fn(|cx| {
        waiting.retain_mut(|(index, future)| match future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                ended(*index, output);
                false
            }
            Poll::Pending => true,
        });
        for future in futures.by_ref() {
            let mut boxed = match spare.take() {
                Some(mut boxed) => {
                    boxed.as_mut().set(future);
                    boxed
                }
                None => Box::pin(future),
            };
            match boxed.as_mut().poll(cx) {
                Poll::Ready(output) => {
                    spare = Some(boxed);
                    ended(next, output);
                }
                Poll::Pending => waiting.push((next, boxed)),
            }
            next += 1;
        }
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Request, Schema, Variables};
    use serde_json::{Value as Json, json};

    /// The same schema, executed by one or the other.
    macro_rules! schema {
        ($name:ident $(, $($executor:tt)+)?) => {
            mod $name {
                use async_graphql::{ID, Interface, Object, Result};

                async fn wait(turns: i32) {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                }

                #[derive(Debug, Clone)]
                pub struct Team(i32);

                #[Object$(($($executor)+))?]
                impl Team {
                    pub async fn id(&self) -> ID {
                        self.0.into()
                    }

                    async fn name(&self) -> Option<String> {
                        (self.0 > 0).then(|| format!("Team {}", self.0))
                    }

                    /// There after so many turns.
                    async fn late(&self, turns: i32) -> i32 {
                        wait(turns).await;
                        turns
                    }

                    async fn above(&self, #[graphql(default)] turns: i32) -> Option<Self> {
                        wait(turns).await;
                        (self.0 > 0).then(|| Self(self.0 - 1))
                    }

                    async fn below(&self, count: i32) -> Vec<Self> {
                        (1..=count).map(|i| Self(10 * self.0 + i)).collect()
                    }

                    async fn broken(&self, #[graphql(default)] turns: i32) -> Result<i32> {
                        wait(turns).await;
                        Err("broken".into())
                    }

                    async fn maybe(&self, even: bool) -> Result<Option<i32>> {
                        if even && self.0 % 2 == 1 { Err("odd".into()) } else { Ok(Some(self.0)) }
                    }

                    async fn lists(&self) -> Vec<Result<i32>> {
                        vec![Ok(1), Err("one is broken".into()), Ok(3)]
                    }

                    async fn node(&self) -> Node {
                        if self.0 % 2 == 1 { Node::Team(self.clone()) } else { Node::Person(Person(self.0)) }
                    }
                }

                #[derive(Debug, Clone)]
                pub struct Person(i32);

                #[Object$(($($executor)+))?]
                impl Person {
                    pub async fn id(&self) -> ID {
                        self.0.into()
                    }

                    async fn email(&self) -> &'static str {
                        "a@b.example"
                    }
                }

                #[derive(Debug, Clone, Interface)]
                #[graphql(field(name = "id", ty = "ID"))]
                pub enum Node {
                    Team(Team),
                    Person(Person),
                }

                pub struct Query;

                #[Object$(($($executor)+))?]
                impl Query {
                    async fn team(&self, id: i32) -> Team {
                        Team(id)
                    }
                }
            }
        };
    }

    schema!(ours, crate = "crate::graphql::executor");
    schema!(theirs);

    /// What comes of a query, and that it is what the library makes of it.
    async fn ask(query: &str, variables: Json) -> (String, Json) {
        let request = || Request::new(query).variables(Variables::from_json(variables.clone()));
        let ours = Schema::new(ours::Query, EmptyMutation, EmptySubscription).execute(request()).await;
        let theirs = Schema::new(theirs::Query, EmptyMutation, EmptySubscription).execute(request()).await;
        let text = serde_json::to_string(&ours.data).unwrap();
        let (ours, theirs) = (serde_json::to_value(&ours).unwrap(), serde_json::to_value(&theirs).unwrap());
        assert_eq!(ours, theirs, "{query}");
        (text, ours)
    }

    async fn answer(query: &str) -> String {
        let (text, all) = ask(query, Json::Null).await;
        assert_eq!(all.get("errors"), None, "{query}");
        text
    }

    #[tokio::test]
    async fn fields_come_as_they_are_selected_whenever_they_are_there() {
        assert_eq!(
            answer("{ team(id: 1) { c: late(turns: 3) id a: late(turns: 1) above(turns: 2) { b: late(turns: 1) id } name } }")
                .await,
            r#"{"team":{"c":3,"id":"1","a":1,"above":{"b":1,"id":"0"},"name":"Team 1"}}"#
        );
        assert_eq!(
            answer("{ team(id: 1) { below(count: 2) { late(turns: 1) above { name } id } } }").await,
            r#"{"team":{"below":[{"late":1,"above":{"name":"Team 10"},"id":"11"},{"late":1,"above":{"name":"Team 11"},"id":"12"}]}}"#
        );
        // The library takes longer lists in another way.
        let (_, long) = ask("{ team(id: 1) { below(count: 100) { late(turns: 2) id } } }", Json::Null).await;
        assert_eq!(long["data"]["team"]["below"][99], json!({"late": 2, "id": "110"}));
    }

    #[tokio::test]
    async fn fragments_are_taken_where_they_are_about_the_object() {
        assert_eq!(
            answer(
                "{ team(id: 1) { ...A ... { n: name } ... on Node { id } ... on Team { late(turns: 1) } node { ...B } \
                 above { node { ...B } } } } \
                 fragment A on Team { __typename alias: id } \
                 fragment B on Node { type: __typename id ... on Person { email } ... on Team { name } }"
            )
            .await,
            r#"{"team":{"__typename":"Team","alias":"1","n":"Team 1","id":"1","late":1,"node":{"type":"Team","id":"1","name":"Team 1"},"above":{"node":{"type":"Person","id":"0","email":"a@b.example"}}}}"#
        );
    }

    #[tokio::test]
    async fn a_field_that_is_selected_twice_comes_once_with_all_below_it() {
        assert_eq!(
            answer(
                "{ team(id: 2) { above { id } id below(count: 2) { id } above { name above { id } } ...A id } } \
                 fragment A on Team { below(count: 2) { name above { id } } above { above { name } } }"
            )
            .await,
            r#"{"team":{"above":{"id":"1","name":"Team 1","above":{"id":"0","name":null}},"id":"2","below":[{"id":"21","name":"Team 21","above":{"id":"20"}},{"id":"22","name":"Team 22","above":{"id":"21"}}]}}"#
        );
    }

    #[tokio::test]
    async fn what_is_skipped_is_not_there() {
        let query = "query($yes: Boolean!, $no: Boolean!) { team(id: 1) { id @skip(if: $yes) name @include(if: $yes) \
                     late(turns: 1) @include(if: $no) ... @include(if: $no) { __typename } ...A @skip(if: $no) \
                     above { id @skip(if: $yes) } } } fragment A on Team { a: id b: id @skip(if: $yes) }";
        let (text, all) = ask(query, json!({"yes": true, "no": false})).await;
        assert_eq!(text, r#"{"team":{"name":"Team 1","a":"1","above":null}}"#);
        assert_eq!(all.get("errors"), None);
    }

    #[tokio::test]
    async fn errors_stand_where_the_library_has_them() {
        for (query, errors) in [
            ("{ team(id: 1) { id broken name } }", 1),
            ("{ team(id: 1) { broken(turns: 2) id above { broken a: broken(turns: 1) id } b: broken } }", 4),
            ("{ team(id: 1) { below(count: 3) { maybe(even: true) id } } }", 2),
            ("{ team(id: 1) { below(count: 40) { broken(turns: 1) id } } }", 40),
            ("{ team(id: 1) { lists id } }", 1),
            ("{ team(id: 1) { broken } }", 1),
        ] {
            let (_, all) = ask(query, Json::Null).await;
            assert_eq!(all["errors"].as_array().map(Vec::len), Some(errors), "{query}: {all}");
        }
        let (_, all) = ask("{ team(id: 1) { above { below(count: 2) { id a: broken } } } }", Json::Null).await;
        assert_eq!(all["errors"][1]["path"], json!(["team", "above", "below", 1, "a"]));
    }
}
