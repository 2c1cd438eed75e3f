//! Answers in short, for snapshots that are read.

use serde_json::Value;

/// JSON without the quotes: `{email: a@x.com, team: {path: Sales}}`.
pub fn short(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", short(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(short).collect::<Vec<_>>().join(", ")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list, a line an entry.
#[track_caller]
pub fn lines(list: &Value) -> String {
    list.as_array().expect("a list").iter().map(short).collect::<Vec<_>>().join("\n")
}

/// What stands at `path` in each entry of a list, with spaces between.
#[track_caller]
pub fn each(list: &Value, path: &str) -> String {
    let entries = list.as_array().expect("a list").iter();
    entries.map(|entry| short(entry.pointer(path).expect("every entry has it"))).collect::<Vec<_>>().join(" ")
}

/// What a mutation answers: the object, or a line for each thing that is wrong.
#[track_caller]
pub fn payload(answer: &Value) -> String {
    let errors = answer["userErrors"].as_array().expect("every payload has userErrors");
    if errors.is_empty() {
        let mut fields = answer.as_object().unwrap().clone();
        fields.remove("userErrors");
        return fields.values().map(short).collect::<Vec<_>>().join(" ");
    }
    let line = |error: &Value| {
        let field = error["field"].as_array().map(|steps| {
            let steps: Vec<&str> = steps.iter().map(|step| step.as_str().unwrap()).collect();
            format!(" {}", steps.join("."))
        });
        format!("{}{}: {}", short(&error["code"]), field.unwrap_or_default(), short(&error["message"]))
    };
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}
