#![doc = include_str!("../README.md")]

pub mod agenda;
pub mod chance;
pub mod faults;
pub mod fresh_seeds;
pub mod history;
pub mod host;
pub mod node_ports;
pub mod node_settings;
pub mod replicas;
pub mod run;
pub mod sometimes;
pub mod trace;
pub mod virtual_network;
pub mod virtual_peers;
pub mod weather;
pub mod workload;
