//! The part of the developer tasks that tests use too: the schemas of the messages.

pub mod naming;
pub mod schema;
