//! Reading: see `graphql` for who asks.
