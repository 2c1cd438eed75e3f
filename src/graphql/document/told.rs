//! What is wrong with a document, told to the one who wrote it.

use apollo_compiler::{Schema as Types, response::GraphQLError, schema::ExtendedType, validation::DiagnosticList};
use async_graphql::{Pos, ServerError};

/// Errors of one document that are told.
const TOLD: usize = 20;
/// Names of one error that are suggested.
const SUGGESTED: usize = 3;
/// What the validation says of a field without a selection; also of one whose selected fields are all unknown.
const UNSELECTED: &str = "interface, union and object types must have a subselection set";

/// The errors of a document; with names that may have been meant, where the schema may be told.
pub fn diagnosed(errors: &DiagnosticList, types: &Types, suggests: bool) -> Vec<ServerError> {
    let mut told: Vec<GraphQLError> = Vec::new();
    for error in errors.iter().take(TOLD) {
        let error = error.to_json();
        if !told.iter().any(|other| other.message == error.message && other.locations == error.locations) {
            told.push(error);
        }
    }
    // Once its fields are known, a field has a selection.
    if told.iter().any(|error| error.message != UNSELECTED) {
        told.retain(|error| error.message != UNSELECTED);
    }
    told.iter()
        .map(|error| server_error(error, if suggests { suggestion(&error.message, types) } else { None }))
        .collect()
}

/// An error of the validation's as one of ours.
pub fn server_error(error: &GraphQLError, more: Option<String>) -> ServerError {
    let mut message = sentence(&error.message);
    if let Some(more) = more {
        message = format!("{message} {more}");
    }
    let mut server_error = ServerError::new(message, None);
    server_error.locations = error.locations.iter().map(|at| Pos { line: at.line, column: at.column }).collect();
    server_error
}

/// The message as a sentence, like all others.
fn sentence(message: &str) -> String {
    if message == UNSELECTED {
        return "This field is an object: say which of its fields you want, in braces behind it.".to_owned();
    }
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest = letters.as_str().trim_end_matches('.');
    format!("{first}{rest}.")
}

/// Names of the schema that are like an unknown one. The validation tells what it knows as text alone; where it came to say
/// it in other words, nothing would be suggested.
fn suggestion(message: &str, types: &Types) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, names) = match *quoted.as_slice() {
        [owner, field] if message.ends_with(&format!("does not have a field `{field}`")) => {
            (field, fields(types.types.get(owner)?))
        }
        [field, owner] if message.contains("does not exist on") => (field, fields(types.types.get(owner)?)),
        [argument, place] if message.starts_with("the argument") => {
            let (owner, field) = place.split_once('.')?;
            let field = types.type_field(owner, field).ok()?;
            (argument, field.arguments.iter().map(|argument| argument.name.as_str()).collect())
        }
        [name, ..] if ["type condition", "cannot find type"].iter().any(|start| message.starts_with(start)) => {
            (name, types.types.keys().map(|name| name.as_str()).filter(|name| !name.starts_with("__")).collect())
        }
        _ => return None,
    };
    let near = near(unknown, names);
    let (last, others) = near.split_last()?;
    let others: String = others.iter().map(|name| format!("{name}, ")).collect();
    let others = others.strip_suffix(", ").map(|others| format!("{others} or ")).unwrap_or_default();
    Some(format!("Did you mean {others}{last}?"))
}

fn fields(of: &ExtendedType) -> Vec<&str> {
    match of {
        ExtendedType::Object(object) => object.fields.keys().map(|name| name.as_str()).collect(),
        ExtendedType::Interface(interface) => interface.fields.keys().map(|name| name.as_str()).collect(),
        ExtendedType::InputObject(input) => input.fields.keys().map(|name| name.as_str()).collect(),
        ExtendedType::Enum(names) => names.values.keys().map(|name| name.as_str()).collect(),
        ExtendedType::Scalar(_) | ExtendedType::Union(_) => Vec::new(),
    }
}

/// The names that are like this one, the likest first.
fn near<'a>(unknown: &str, names: Vec<&'a str>) -> Vec<&'a str> {
    let unknown = unknown.to_lowercase();
    let most = unknown.chars().count() * 2 / 5 + 1;
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&unknown, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    near.truncate(SUGGESTED);
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Documents, Limits};

    fn told(document: &str, introspection: bool) -> Vec<String> {
        let documents = Documents::new(&crate::graphql::sdl(), Limits::default(), introspection).unwrap();
        let errors = documents.read(document).err().unwrap_or_default();
        errors.into_iter().map(|error| error.message).collect()
    }

    #[test]
    fn names_that_are_like_an_unknown_one_are_suggested() {
        for (document, message) in [
            ("{ viewer { emial } }", "Type `User` does not have a field `emial`. Did you mean email?"),
            ("{ viewer { qqqqqq } }", "Type `User` does not have a field `qqqqqq`."),
            ("{ user(by: {emal: \"x\"}) { id } }", "Field `emal` does not exist on `UserRef`. Did you mean email?"),
            (
                "{ users(filter: {status: [ACTIV]}) { nodes { id } } }",
                "Value `ACTIV` does not exist on `UserStatus`. Did you mean ACTIVE?",
            ),
            (
                "{ users(frist: 1) { nodes { id } } }",
                "The argument `frist` is not supported by `Query.users`. Did you mean first or last?",
            ),
            (
                "{ viewer { ... on Usr { id } } }",
                "Type condition `Usr` of inline fragment is not a type defined in the schema. Did you mean User or URL?",
            ),
        ] {
            assert_eq!(told(document, true), [message]);
            // Who is not told the schema is not told its names.
            let alone = message.split(" Did you mean").next().unwrap();
            assert_eq!(told(document, false), [alone]);
        }
    }

    #[test]
    fn an_object_without_fields_is_told_once_and_alone() {
        let message = "This field is an object: say which of its fields you want, in braces behind it.";
        assert_eq!(told("{ viewer }", true), [message]);
        assert_eq!(told("{ viewer { id ", true).len(), 1);
    }
}
