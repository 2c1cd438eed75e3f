//! Scalars of our own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// An address.
#[derive(Debug, Clone)]
pub struct Address(pub url::Url);

/// An address, as RFC 3986 spells it.
#[Scalar(name = "URL", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3986")]
impl ScalarType for Address {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}
