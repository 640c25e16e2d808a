//! The rules, one family a file. Each takes the index and accuses; none knows of another.

pub(crate) mod bounds;
pub(crate) mod commits;
pub(crate) mod epochs;
pub(crate) mod losses;
pub(crate) mod offsets;
pub(crate) mod owners;
pub(crate) mod polls;
pub(crate) mod reads;
pub(crate) mod sends;
pub(crate) mod zombies;
