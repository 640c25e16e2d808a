//! Which node of a trial is where: directories, ports, and the arguments of its process.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::UpArguments;

/// From a port of clients to that of the other nodes.
const CLUSTER_PORTS: u16 = 1000;
/// What only a directory has that a node has used.
const IDENTITY: &str = "meta.properties";

pub struct Layout {
    pub nodes: u16,
    directory: PathBuf,
    base_port: u16,
    admin_base_port: u16,
    settings: Vec<String>,
}

impl Layout {
    pub fn new(arguments: &UpArguments) -> Result<Self> {
        let layout = Self {
            nodes: arguments.nodes,
            directory: arguments.directory.clone(),
            base_port: arguments.base_port,
            admin_base_port: arguments.admin_base_port,
            settings: arguments.settings.clone(),
        };
        let above = layout.data_of(layout.nodes + 1).join(IDENTITY);
        if above.exists() {
            let directory = layout.directory.display();
            bail!("{directory} is of a trial with more nodes: give --nodes or another --directory");
        }
        std::fs::create_dir_all(&layout.directory)
            .with_context(|| layout.directory.display().to_string())?;
        Ok(layout)
    }

    fn data_of(&self, node: u16) -> PathBuf {
        self.directory.join(format!("node-{node}"))
    }

    fn is_used(&self, node: u16) -> bool {
        self.data_of(node).join(IDENTITY).exists()
    }

    /// Whether no node has ever run here.
    pub fn is_new(&self) -> bool {
        (1..=self.nodes).all(|node| !self.is_used(node))
    }

    fn client_address(&self, node: u16) -> String {
        format!("127.0.0.1:{}", self.base_port + node - 1)
    }

    fn cluster_address(&self, node: u16) -> String {
        format!("127.0.0.1:{}", self.base_port + CLUSTER_PORTS + node - 1)
    }

    fn admin_address(&self, node: u16) -> String {
        format!("127.0.0.1:{}", self.admin_base_port + node - 1)
    }

    /// Where clients find all nodes.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<_> = (1..=self.nodes).map(|node| self.client_address(node)).collect();
        addresses.join(",")
    }

    /// What makes a topic survive a node, where there are enough of them.
    fn replication(&self) -> Vec<String> {
        let replicas = self.nodes.min(3);
        let mut settings = vec![format!("default.replication.factor={replicas}")];
        if replicas == 3 {
            settings.push("min.insync.replicas=2".to_owned());
        }
        settings
    }

    /// `callboard serve` for one node.
    pub fn command(&self, node: u16) -> Result<Command> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--data-dir").arg(self.data_of(node));
        command.args(["--node-id", &node.to_string()]);
        command.args(["--listeners", &format!("PLAINTEXT://{}", self.client_address(node))]);
        command.args(["--admin-listener", &self.admin_address(node)]);
        command.args(["--cluster-listener", &self.cluster_address(node)]);
        if self.is_new() {
            command.arg("--new-cluster");
        } else if !self.is_used(node) {
            for other in (1..=self.nodes).filter(|other| self.is_used(*other)) {
                command.args(["--join", &self.cluster_address(other)]);
            }
        }
        // of two values for one setting the later holds
        for setting in self.replication().iter().chain(&self.settings) {
            command.args(["--set", setting]);
        }
        Ok(command)
    }

    /// What somebody needs to know who plays with a node.
    pub fn describe(&self, node: u16, process: u32) -> String {
        let (data, admin) = (self.data_of(node), self.admin_address(node));
        let data = data.display();
        format!("node {node}: process {process}, admin at http://{admin}, data in {data}")
    }
}
