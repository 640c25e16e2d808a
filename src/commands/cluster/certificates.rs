//! `callboard cluster certificates`: what nodes need to talk to each other over TLS.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::SystemTime;

use actors::cluster_certificates::{NodeToCertify, make_certificates};
use clap::Args;

use super::node;
use crate::output::Output;

/// Make certificates for the TLS between nodes: a private authority and one a node.
///
/// Every node needs ca.pem and its own two files, in the directory that its setting
/// callboard.cluster.tls.directory names. ca.key stays where it is safe: with it and ca.pem in the
/// directory, further nodes get theirs from the same authority. Nothing is overwritten.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  callboard cluster certificates tls --node 1 --node 2 --node 3
  callboard cluster certificates tls --node 4=10.0.0.4,board4.example")]
pub struct CertificatesArguments {
    /// Where the files go; it is made if need be
    directory: PathBuf,
    /// A node, with the hosts that it is reached at besides the name node-ID; may be given often
    #[arg(long = "node", required = true, value_name = "ID[=HOST,HOST…]")]
    nodes: Vec<NamedNode>,
}

/// `ID` or `ID=HOST,HOST`.
#[derive(Clone, Debug)]
struct NamedNode(NodeToCertify);

impl FromStr for NamedNode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, hosts) = text.split_once('=').unwrap_or((text, ""));
        let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        let hosts = hosts.map(str::to_owned).collect();
        Ok(Self(NodeToCertify { node: node(id)?, hosts }))
    }
}

pub fn run(arguments: &CertificatesArguments) -> anyhow::Result<ExitCode> {
    let nodes: Vec<_> = arguments.nodes.iter().map(|node| node.0.clone()).collect();
    let mut output = Output::new();
    for file in make_certificates(&arguments.directory, &nodes, SystemTime::now())? {
        output.line(file.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
