//! What a request asks for: one operation, or several in an array, from JSON or from an address.

use std::fmt;

use async_graphql::{Name, Request as Operation, Value, Variables, indexmap::IndexMap};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};

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

/// The members that make an operation, whatever they are; of one that comes twice the last.
///
/// What clients send is never read as a value of `serde_json`'s: that takes an object with a certain member for JSON in a
/// string, and follows such strings in strings until the stack is at its end.
#[derive(Default)]
struct Members {
    query: Value,
    document_id: Value,
    operation_name: Value,
    variables: Value,
    extensions: Value,
}

impl Members {
    fn operation(self, persisted: &Persisted) -> Result<Operation, Refusal> {
        let text = |name: &str, member| match member {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(Refusal::bad_request(format!("The member `{name}` must be a string."))),
        };
        let object = |name: &str, member| match member {
            Value::Null => Ok(IndexMap::new()),
            Value::Object(object) => Ok(object),
            _ => Err(Refusal::bad_request(format!("The member `{name}` must be an object."))),
        };
        let (query, id) = (text("query", self.query)?, text("documentId", self.document_id)?);
        let name = text("operationName", self.operation_name)?;
        let variables = object("variables", self.variables)?;
        let extensions = object("extensions", self.extensions)?;
        let hash = extensions.get("persistedQuery").and_then(|persisted| member(persisted, "sha256Hash"));
        let hash = hash.and_then(text_of).map(str::to_owned);
        let query = persisted.find(Reference { text: query, hash, id })?;
        let mut operation = Operation::new(query);
        operation.operation_name = name;
        if !variables.is_empty() {
            operation.variables = Variables::from_value(Value::Object(variables));
        }
        if operation.query.contains(FILE_MARK) || operation.variables.values().any(names_a_file) {
            return Err(Refusal::bad_request(format!("A string that begins with `{FILE_MARK}` can't be sent.")));
        }
        Ok(operation)
    }
}

impl From<IndexMap<Name, Value>> for Members {
    fn from(mut members: IndexMap<Name, Value>) -> Self {
        let mut member = |name| members.swap_remove(name).unwrap_or_default();
        Self {
            query: member("query"),
            document_id: member("documentId"),
            operation_name: member("operationName"),
            variables: member("variables"),
            extensions: member("extensions"),
        }
    }
}

/// Most requests bring one operation: nothing is made of it but these members. Written by hand, since what could be derived
/// refuses members that come twice, and takes arrays.
impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "camelCase")]
        enum Member {
            Query,
            DocumentId,
            OperationName,
            Variables,
            Extensions,
            #[serde(other)]
            Other,
        }

        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some(member) = map.next_key()? {
                    let place = match member {
                        Member::Query => &mut members.query,
                        Member::DocumentId => &mut members.document_id,
                        Member::OperationName => &mut members.operation_name,
                        Member::Variables => &mut members.variables,
                        Member::Extensions => &mut members.extensions,
                        Member::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *place = map.next_value()?;
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Operations from the JSON of a body.
pub fn parse(body: &[u8], persisted: &Persisted, max_batch: usize) -> Result<Operations, Refusal> {
    if !body.trim_ascii_start().starts_with(b"[") {
        return Ok(Operations::One(Box::new(read(body, persisted)?)));
    }
    let operations: Vec<Value> = json(body)?;
    match operations.len() {
        0 => Err(Refusal::bad_request("The array holds no operation.")),
        many if many > max_batch => {
            Err(Refusal::too_large(format!("{many} operations came in one request; {max_batch} is the most.")))
        }
        _ => Ok(Operations::Several(operations.into_iter().map(|one| operation(one, persisted)).collect())),
    }
}

/// An operation from JSON: an object with `query`, and perhaps `operationName`, `variables` and `extensions`.
pub fn read(text: &[u8], persisted: &Persisted) -> Result<Operation, Refusal> {
    json::<Members>(text)?.operation(persisted)
}

/// An operation from JSON that has been read.
pub fn operation(json: Value, persisted: &Persisted) -> Result<Operation, Refusal> {
    match json {
        Value::Object(members) => Members::from(members).operation(persisted),
        _ => Err(no_object()),
    }
}

fn json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    // The library does not look at the text of strings that are passed over.
    let text = str::from_utf8(text)
        .map_err(|error| Refusal::bad_request(format!("The request is not valid JSON: {error}.")))?;
    serde_json::from_str(text).map_err(|error| match error.is_data() {
        true => no_object(),
        false => Refusal::bad_request(format!("The request is not valid JSON: {error}.")),
    })
}

fn no_object() -> Refusal {
    Refusal::bad_request("The request must be a JSON object with the member `query`.")
}

/// A member of an object.
pub fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(name),
        _ => None,
    }
}

/// What a string holds.
pub fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
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
    let mut members = Members::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let parsed = || {
            serde_json::from_str(&value)
                .map_err(|error| Refusal::bad_request(format!("The parameter `{name}` is not valid JSON: {error}.")))
        };
        match &*name {
            "query" => members.query = Value::from(value.as_ref()),
            "documentId" => members.document_id = Value::from(value.as_ref()),
            "operationName" => members.operation_name = Value::from(value.as_ref()),
            "variables" => members.variables = parsed()?,
            "extensions" => members.extensions = parsed()?,
            _ => {}
        }
    }
    members.operation(persisted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &[u8]) -> String {
        let refused =
            |operation: Result<Operation, Refusal>| operation.err().map(|refusal| refusal.message.to_string());
        let refused = match parse(body, &Persisted::Off, 2) {
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
            (r#""{a}""#, "The request must be a JSON object with the member `query`."),
            (r#"{"query": 1, "query": "{a}"}"#, ""),
            (r#"{"query": "{a}", "query": 1}"#, "The member `query` must be a string."),
            (r#"[{"query": 1, "query": "{a}"}]"#, ""),
            (r#"[{"query": "{a}", "query": 1}]"#, "The member `query` must be a string."),
            // What is passed over is only looked at as far as it takes to find its end.
            (r#"{"query": "{a}", "more": ["\ud800", 1e999]}"#, ""),
            ("{}", "The member `query` is needed, and must be a string."),
            (r#"{"query": 1}"#, "The member `query` must be a string."),
            (r#"{"query": "{a}", "operationName": []}"#, "The member `operationName` must be a string."),
            (r#"{"query": "{a}", "variables": "{}"}"#, "The member `variables` must be an object."),
            (r#"{"query": "{a}", "extensions": 0}"#, "The member `extensions` must be an object."),
            (" \n[{\"query\": \"{a}\"}]", ""),
            ("[]", "The array holds no operation."),
            (r#"["{a}"]"#, "The request must be a JSON object with the member `query`."),
            (r#"[{"query": "{a}"}, {"query": 1}]"#, "The member `query` must be a string."),
            ("[1, 2, 3]", "3 operations came in one request; 2 is the most."),
        ] {
            assert_eq!(refusal(body.as_bytes()), message, "{body}");
        }
        assert_eq!(
            refusal(b"{\"query\": \"{a}\", \"more\": \"\xff\"}"),
            "The request is not valid JSON: invalid utf-8 sequence of 1 bytes from index 26."
        );
    }
}
