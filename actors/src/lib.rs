#![doc = include_str!("../README.md")]

pub mod admin;
pub mod broker;
pub mod broker_lifecycle;
pub mod client_listener;
pub mod client_session;
pub mod cluster_certificates;
pub mod controller;
pub mod group_coordinator;
pub mod group_directory;
pub mod lifeline;
pub mod log_checkpoints;
pub mod log_maintenance;
pub mod metadata_publisher;
pub mod metadata_quorum;
pub mod metrics;
pub mod node;
pub mod partition_directory;
pub mod partition_house;
pub mod partition_replica;
pub mod partition_settings;
pub mod peer_messages;
pub mod peer_service;
pub mod ports;
pub mod producer_ids;
pub mod quarantine_reporter;
pub mod read_view;
pub mod request_memory;
pub mod requests;
pub mod segment_writer;
pub mod supervision_tree;
pub mod view_waiters;

pub use metadata::settings::{Alteration, SettingDefinition, SettingError};
pub use metadata::{HostAndPort, SettingErrors, StaticSettings, broker_settings};
pub use node::{Node, NodeError};
