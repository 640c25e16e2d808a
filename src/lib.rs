//! The node program as a library: what a program needs that starts a node inside of itself, as
//! the tests and the examples do.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let settings = callboard::StaticSettings::parse([
//!     ("log.dirs", "/tmp/board"),
//!     ("listeners", "PLAINTEXT://127.0.0.1:0"),
//!     ("callboard.admin.listener", "127.0.0.1:0"),
//! ])?;
//! let node = callboard::Node::start(settings).await?;
//! let bootstrap = node.bootstrap();
//! node.stop(Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```

pub mod config;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;

pub use actors::{Node, NodeError, SettingErrors, StaticSettings};
