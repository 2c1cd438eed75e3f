//! What a request asks for: one operation, or several in an array, from JSON or from an address.

use async_graphql::{Request as Operation, Value, Variables};
use serde_json::{Map, Value as Json, json};

use super::{
    persisted::{Persisted, Reference},
    refusal::Refusal,
};
use crate::graphql::document::FILE_MARK;

/// Operations, as they came.
pub enum Operations {
    One(Box<Operation>),
    /// Each is answered by itself: what is wrong with one does not touch the others.
    Several(Vec<Result<Operation, Refusal>>),
}

/// Operations from the JSON of a body.
pub fn parse(body: &[u8], persisted: &Persisted, max_batch: usize) -> Result<Operations, Refusal> {
    match json(body)? {
        Json::Array(operations) if operations.is_empty() => Err(Refusal::bad_request("The array holds no operation.")),
        Json::Array(operations) if operations.len() > max_batch => Err(Refusal::too_large(format!(
            "{} operations came in one request; {max_batch} is the most.",
            operations.len()
        ))),
        Json::Array(operations) => {
            let operations = operations.into_iter();
            Ok(Operations::Several(operations.map(|one| operation(one, persisted)).collect()))
        }
        one => Ok(Operations::One(Box::new(operation(one, persisted)?))),
    }
}

/// The JSON of a body.
pub fn json(body: &[u8]) -> Result<Json, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The request is not valid JSON: {error}.")))
}

/// An operation from a JSON value: `query`, and perhaps `operationName`, `variables` and `extensions`.
pub fn operation(json: Json, persisted: &Persisted) -> Result<Operation, Refusal> {
    use Json::{Null, Object, String};
    let Object(mut members) = json else {
        return Err(Refusal::bad_request("The request must be a JSON object with the member `query`."));
    };
    let mut text = |name: &str| match members.remove(name) {
        None | Some(Null) => Ok(None),
        Some(String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::bad_request(format!("The member `{name}` must be a string."))),
    };
    let (query, id, name) = (text("query")?, text("documentId")?, text("operationName")?);
    let mut object = |name: &str| match members.remove(name) {
        None | Some(Null) => Ok(Map::new()),
        Some(Object(object)) => Ok(object),
        Some(_) => Err(Refusal::bad_request(format!("The member `{name}` must be an object."))),
    };
    let (variables, extensions) = (object("variables")?, object("extensions")?);
    let hash =
        extensions.get("persistedQuery").and_then(|persisted| persisted.get("sha256Hash")).and_then(Json::as_str);
    let query = persisted.find(Reference { text: query, hash: hash.map(str::to_owned), id })?;
    let mut operation = Operation::new(query).variables(Variables::from_json(Object(variables)));
    operation.operation_name = name;
    if operation.query.contains(FILE_MARK) || operation.variables.values().any(names_a_file) {
        return Err(Refusal::bad_request(format!("A string that begins with `{FILE_MARK}` can't be sent.")));
    }
    Ok(operation)
}

fn names_a_file(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(FILE_MARK),
        Value::List(values) => values.iter().any(names_a_file),
        Value::Object(members) => members.values().any(names_a_file),
        _ => false,
    }
}

/// An operation from the parameters of an address.
pub fn parameters(query: &str, persisted: &Persisted) -> Result<Operation, Refusal> {
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" | "documentId" => json!(value),
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|error| Refusal::bad_request(format!("The parameter `{name}` is not valid JSON: {error}.")))?,
            _ => continue,
        };
        members.insert(name.into_owned(), value);
    }
    operation(members.into(), persisted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        let refused =
            |operation: Result<Operation, Refusal>| operation.err().map(|refusal| refusal.message.to_string());
        let refused = match parse(body.as_bytes(), &Persisted::Off, 2) {
            Ok(Operations::One(operation)) => refused(Ok(*operation)),
            Ok(Operations::Several(operations)) => operations.into_iter().find_map(refused),
            Err(refusal) => refused(Err(refusal)),
        };
        refused.unwrap_or_default()
    }

    #[test]
    fn what_is_wrong_with_a_request_is_named() {
        for (body, message) in [
            (r#" {"query": "{a}", "variables": {"b": [1]}, "operationName": null, "more": {"query": 1}}"#, ""),
            (r#"{"query": "{a}", "extensions": {}, "documentId": "a"}"#, ""),
            ("", "The request is not valid JSON: EOF while parsing a value at line 1 column 0."),
            (r#"{"query": "{a}""#, "The request is not valid JSON: EOF while parsing an object at line 1 column 15."),
            (r#"{"query": "{a}"} 1"#, "The request is not valid JSON: trailing characters at line 1 column 18."),
            ("1", "The request must be a JSON object with the member `query`."),
            ("{}", "The member `query` is needed, and must be a string."),
            (r#"{"query": 1}"#, "The member `query` must be a string."),
            (r#"{"query": "{a}", "operationName": []}"#, "The member `operationName` must be a string."),
            (r#"{"query": "{a}", "variables": "{}"}"#, "The member `variables` must be an object."),
            (r#"{"query": "{a}", "extensions": 0}"#, "The member `extensions` must be an object."),
            ("[]", "The array holds no operation."),
            (r#"["{a}"]"#, "The request must be a JSON object with the member `query`."),
            (r#"[{"query": "{a}"}, {"query": 1}]"#, "The member `query` must be a string."),
            ("[1, 2, 3]", "3 operations came in one request; 2 is the most."),
        ] {
            assert_eq!(refusal(body), message, "{body}");
        }
    }
}
