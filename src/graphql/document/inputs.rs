//! Two rules for input values that the validation leaves out: of an `@oneOf` input exactly one field is given, and a
//! variable within an object or a list is of the type that is wanted there.

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema as Types,
    ast::{Type, Value, VariableDefinition},
    executable::{Operation, Selection, SelectionSet},
    response::JsonMap,
    schema::InputObjectType,
};
use async_graphql::{Pos, ServerError};
use serde_json_bytes::Value as Json;

use crate::graphql::error::Failure;

/// Checks the values that a valid document gives.
///
/// # Errors
/// What is wrong with the first that is not as it should be.
pub fn check(document: &ExecutableDocument, types: &Types) -> Result<(), ServerError> {
    document.operations.iter().try_for_each(|operation| {
        let mut walk = Walk { document, types, operation, seen: HashSet::new() };
        for variable in &operation.variables {
            variable.default_value.iter().try_for_each(|default| walk.value(default, &variable.ty, false))?;
        }
        walk.selections(&operation.selection_set)
    })
}

/// Checks the values of an operation's variables, which are of their types.
///
/// # Errors
/// What is wrong with the first that is not as it should be.
pub fn check_variables(operation: &Operation, values: &JsonMap, types: &Types) -> Result<(), Failure> {
    operation.variables.iter().try_for_each(|variable| {
        let found = values.get(variable.name.as_str()).map_or(Ok(()), |found| given(found, &variable.ty, types));
        found.map_err(|wrong| Failure::bad_request(format!("In the variable `${}`: {wrong}", variable.name)))
    })
}

/// The input of a type, and whether exactly one of its fields is given.
fn input<'a>(ty: &Type, types: &'a Types) -> Option<(&'a Node<InputObjectType>, bool)> {
    let input = types.get_input_object(ty.inner_named_type())?;
    Some((input, input.directives.get("oneOf").is_some()))
}

fn wrong(input: &InputObjectType) -> String {
    let names: Vec<&str> = input.fields.keys().map(|name| name.as_str()).collect();
    format!("{} takes exactly one of its fields, and a value for it: {}.", input.name, names.join(" or "))
}

fn given(found: &Json, ty: &Type, types: &Types) -> Result<(), String> {
    match found {
        Json::Array(items) => items.iter().try_for_each(|item| given(item, ty, types)),
        Json::Object(members) => {
            let Some((input, takes_one)) = input(ty, types) else { return Ok(()) };
            if takes_one && (members.len() != 1 || members.values().any(Json::is_null)) {
                return Err(wrong(input));
            }
            members.iter().try_for_each(|(name, found)| {
                input.fields.get(name.as_str()).map_or(Ok(()), |field| given(found, &field.ty, types))
            })
        }
        _ => Ok(()),
    }
}

/// The specification's rule of where a variable may stand.
fn may_stand(variable: &VariableDefinition, ty: &Type, has_default: bool) -> bool {
    let has_value = has_default || variable.default_value.as_ref().is_some_and(|default| !default.is_null());
    if ty.is_non_null() && !variable.ty.is_non_null() && has_value {
        return variable.ty.is_assignable_to(&ty.clone().nullable());
    }
    variable.ty.is_assignable_to(ty)
}

/// A walk through what an operation asks for, each fragment once.
struct Walk<'a> {
    document: &'a ExecutableDocument,
    types: &'a Types,
    operation: &'a Operation,
    seen: HashSet<&'a Name>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, selected: &'a SelectionSet) -> Result<(), ServerError> {
        selected.selections.iter().try_for_each(|selection| match selection {
            Selection::Field(field) => {
                for argument in &field.arguments {
                    let defined = field.definition.argument_by_name(&argument.name);
                    defined.map_or(Ok(()), |defined| {
                        self.value(&argument.value, &defined.ty, defined.default_value.is_some())
                    })?;
                }
                self.selections(&field.selection_set)
            }
            Selection::InlineFragment(inline) => self.selections(&inline.selection_set),
            Selection::FragmentSpread(spread) => match self.document.fragments.get(&spread.fragment_name) {
                Some(fragment) if self.seen.insert(&spread.fragment_name) => self.selections(&fragment.selection_set),
                _ => Ok(()),
            },
        })
    }

    /// `has_default` says whether the place has a value by itself.
    fn value(&self, found: &Node<Value>, ty: &Type, has_default: bool) -> Result<(), ServerError> {
        match &**found {
            Value::Variable(name) => match self.variable(name) {
                Some(variable) if !may_stand(variable, ty, has_default) => {
                    let message =
                        format!("The variable `${name}` is of the type `{}`; `{ty}` is wanted here.", variable.ty);
                    Err(self.at(found, message))
                }
                _ => Ok(()),
            },
            Value::List(items) => items.iter().try_for_each(|item| self.value(item, ty.item_type(), false)),
            Value::Object(members) => {
                let Some((input, takes_one)) = input(ty, self.types) else { return Ok(()) };
                if takes_one {
                    match members.as_slice() {
                        [(_, only)] if !only.is_null() => self.has_value(only, input)?,
                        _ => return Err(self.at(found, wrong(input))),
                    }
                }
                members.iter().try_for_each(|(name, found)| {
                    let field = input.fields.get(name);
                    field.map_or(Ok(()), |field| self.value(found, &field.ty, field.default_value.is_some()))
                })
            }
            _ => Ok(()),
        }
    }

    /// A variable that may be null may leave the one field without a value; that it has a default is of no matter, as with
    /// `graphql-js`.
    fn has_value(&self, found: &Node<Value>, input: &InputObjectType) -> Result<(), ServerError> {
        let Value::Variable(name) = &**found else { return Ok(()) };
        match self.variable(name) {
            Some(variable) if !variable.ty.is_non_null() => {
                let ty = &variable.ty;
                Err(self.at(found, format!("{} Declare `${name}` as `{ty}!`: now it may be null.", wrong(input))))
            }
            _ => Ok(()),
        }
    }

    fn variable(&self, name: &Name) -> Option<&'a Node<VariableDefinition>> {
        self.operation.variables.iter().find(|variable| variable.name == *name)
    }

    fn at(&self, found: &Node<Value>, message: String) -> ServerError {
        let mut error = ServerError::from(Failure::bad_request(message));
        let place = found.line_column_range(&self.document.sources);
        error.locations =
            place.map(|place| Pos { line: place.start.line, column: place.start.column }).into_iter().collect();
        error
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Request, Variables};
    use serde_json::{Value, json};

    use super::super::{Documents, Limits};

    const REF: &str = "UserRef takes exactly one of its fields, and a value for it: id or email.";
    const TEAM: &str = "TeamRef takes exactly one of its fields, and a value for it: id or path.";

    fn documents() -> Documents {
        Documents::new(&crate::graphql::sdl(), Limits::default(), true).unwrap()
    }

    fn told(document: &str, variables: Value) -> Option<String> {
        let request = Request::new(document).variables(Variables::from_json(variables));
        documents().prepare(request).err().map(|errors| errors[0].message.clone())
    }

    #[test]
    fn what_a_document_gives_is_one_of_several() {
        for (document, is_right) in [
            ("{ user(by: {email: \"a@x.com\"}) { id } }", true),
            ("{ user(by: {}) { id } }", false),
            ("{ user(by: {email: null}) { id } }", false),
            ("{ user(by: {email: \"a@x.com\", id: \"x\"}) { id } }", false),
            ("{ ...Q } fragment Q on Query { ... { user(by: {}) { id } } }", false),
            ("mutation { moveTeam(input: {team: {path: \"A\"}, destination: {root: true}}) { team { id } } }", true),
            ("query ($by: UserRef! = {id: null}) { user(by: $by) { id } }", false),
            ("query ($id: ID!) { user(by: {id: $id}) { id } }", true),
        ] {
            let said = told(document, json!({ "id": "x" }));
            assert_eq!(said.as_deref(), (!is_right).then_some(REF), "{document}");
        }
        let team = "mutation { moveTeam(input: {team: {}, destination: {root: true}}) { team { id } } }";
        assert_eq!(told(team, json!({})).as_deref(), Some(TEAM));
    }

    #[test]
    fn a_variable_that_may_be_null_is_no_value() {
        let said = Some(format!("{REF} Declare `$id` as `ID!`: now it may be null."));
        assert_eq!(told("query ($id: ID) { user(by: {id: $id}) { id } }", json!({ "id": "x" })), said);
        assert_eq!(told("query ($id: ID = \"x\") { user(by: {id: $id}) { id } }", json!({})), said);
        let fragment = "fragment Q on Query { user(by: {id: $id}) { id } }";
        assert_eq!(told(&format!("query ($id: ID) {{ ...Q }} {fragment}"), json!({ "id": "x" })), said);
        // A fragment is looked at for each operation that has it, and a variable as that operation declares it.
        let (sure, unsure) = ("query A($id: ID!) { ...Q }", "query B($id: ID) { ...Q }");
        assert_eq!(told(&format!("{sure} {unsure} {fragment}"), json!({})), said);
        assert_eq!(told(&format!("{unsure} {sure} {fragment}"), json!({})), said);
        let elsewhere = "query B($id: ID = \"x\") { node(id: $id) { id } }";
        assert!(documents().read(&format!("{elsewhere} {sure} {fragment}")).is_ok());
    }

    #[test]
    fn a_variable_within_a_value_is_of_its_type() {
        let update = |declared: &str, value: &str| {
            let input = format!("{{user: {{email: \"a@x.com\"}}, {value}}}");
            let document = format!("mutation ($v: {declared}) {{ updateUser(input: {input}) {{ user {{ id }} }} }}");
            documents().read(&document).err().map(|errors| errors[0].message.clone())
        };
        let said = |is, wanted| Some(format!("The variable `$v` is of the type `{is}`; `{wanted}` is wanted here."));
        assert_eq!(update("[ID!]!", "team: {id: $v}"), said("[ID!]!", "ID"));
        assert_eq!(update("TeamRef", "managerOf: [$v]"), said("TeamRef", "TeamRef!"));
        assert_eq!(update("ID!", "team: {id: $v}"), None);
        assert_eq!(update("TeamRef!", "managerOf: [$v]"), None);
        assert_eq!(update("[TeamRef!]", "managerOf: $v"), None);
        assert_eq!(update("TeamRef!", "managerOf: [$v, {}]"), Some(TEAM.to_owned()));
        assert_eq!(update("String", "managerOf: {}, title: $v"), Some(TEAM.to_owned()));
    }

    #[test]
    fn what_a_variable_holds_is_one_of_several() {
        let document = "query ($by: UserRef!) { user(by: $by) { id } }";
        assert_eq!(told(document, json!({ "by": { "id": "x" } })), None);
        let said = Some(format!("In the variable `$by`: {REF}"));
        for by in [json!({}), json!({ "id": null }), json!({ "id": "x", "email": "a@x.com" })] {
            assert_eq!(told(document, json!({ "by": by })), said);
        }
        let within = "mutation ($input: CreateTeamInput!) { createTeam(input: $input) { team { id } } }";
        let said = Some(format!("In the variable `$input`: {TEAM}"));
        assert_eq!(told(within, json!({ "input": { "name": "A", "parent": {} } })), said);
        let listed = "mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }";
        let teams = json!([{ "path": "A" }, { "path": "B", "id": "x" }]);
        let input = json!({ "user": { "email": "a@x.com" }, "managerOf": teams });
        assert_eq!(told(listed, json!({ "input": input })), said);
    }
}
