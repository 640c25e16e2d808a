//! Three brokers as processes of their own that form one cluster, and the faults of processes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use super::{Finished, first_line, program, read, run_with_input, send_signal};

/// What every node of a test has, beside its own addresses: quick groups, small internal topics.
const SETTINGS: &[&str] = &[
    "group.initial.rebalance.delay.ms=0",
    "offsets.topic.num.partitions=4",
    "default.replication.factor=3",
    "min.insync.replicas=2",
];

struct Member {
    child: Child,
    is_frozen: bool,
}

/// Where one node is, also while it does not run.
struct Seat {
    data: PathBuf,
    client_port: u16,
    cluster_port: u16,
    admin_port: u16,
}

impl Seat {
    /// Ports that are free now; a node keeps its own over all its starts, as on real hosts.
    fn reserve(directory: &Path, id: i32) -> Self {
        let data = directory.join(format!("node-{id}"));
        let (client_port, cluster_port, admin_port) = (free_port(), free_port(), free_port());
        Self { data, client_port, cluster_port, admin_port }
    }

    fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

/// A free port below those that the system gives to connections: nobody else takes it before its
/// node does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 160).unwrap() * 128;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 128;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The cluster. What runs is killed when this is dropped.
pub struct Cluster {
    seats: BTreeMap<i32, Seat>,
    members: BTreeMap<i32, Member>,
    /// Disks of a size of their own.
    mounted: Vec<PathBuf>,
    _directory: TempDir,
}

impl Cluster {
    /// Three nodes: the first founds the cluster, the others join it.
    pub fn start() -> Self {
        Self::start_of(3)
    }

    /// So many nodes.
    pub fn start_of(nodes: i32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let seats = (1..=nodes).map(|id| (id, Seat::reserve(directory.path(), id))).collect();
        let (members, mounted) = (BTreeMap::new(), Vec::new());
        let mut cluster = Self { seats, members, mounted, _directory: directory };
        for id in 1..=nodes {
            cluster.run(id);
        }
        cluster
    }

    /// Starts a node and waits until it is ready. An empty directory founds or joins.
    pub fn run(&mut self, id: i32) {
        let mut child = self.spawn(id);
        if first_line(child.stdout.take().unwrap()).is_none() {
            let _ = child.kill();
            panic!("node {id} does not say that it is ready: {}", read(&self.seats[&id].log()));
        }
        self.members.insert(id, Member { child, is_frozen: false });
    }

    /// Starts several nodes at once and waits until all are ready: after a stop of all, none is
    /// before a majority is there.
    pub fn run_together(&mut self, ids: &[i32]) {
        let children: Vec<_> = ids.iter().map(|id| (*id, self.spawn(*id))).collect();
        for (id, mut child) in children {
            let line = first_line(child.stdout.take().unwrap());
            self.members.insert(id, Member { child, is_frozen: false });
            assert!(line.is_some(), "node {id} is not ready: {}", read(&self.seats[&id].log()));
        }
    }

    fn spawn(&self, id: i32) -> Child {
        let seat = &self.seats[&id];
        let mut command = program();
        command.arg("serve").arg("--data-dir").arg(&seat.data);
        let address = |port: u16| format!("127.0.0.1:{port}");
        command.args(["--listeners", &format!("PLAINTEXT://127.0.0.1:{}", seat.client_port)]);
        command.args(["--admin-listener", &address(seat.admin_port)]);
        command.args(["--node-id", &id.to_string()]);
        command.args(["--cluster-listener", &address(seat.cluster_port)]);
        match id {
            1 => command.arg("--new-cluster"),
            _ => command.args(["--join", &address(self.seats[&1].cluster_port)]),
        };
        for setting in SETTINGS {
            command.args(["--set", setting]);
        }
        let log = OpenOptions::new().create(true).append(true).open(seat.log());
        let log: File = log.unwrap();
        command.stdout(Stdio::piped()).stderr(log).spawn().unwrap()
    }

    /// Where clients find the cluster, whichever node is there.
    pub fn bootstrap(&self) -> String {
        let addresses = self.seats.values().map(|seat| format!("127.0.0.1:{}", seat.client_port));
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Ends a node at once (`kill -9`).
    pub fn kill(&mut self, id: i32) {
        let mut member = self.members.remove(&id).unwrap();
        member.child.kill().unwrap();
        member.child.wait().unwrap();
    }

    /// Stops a node in order.
    pub fn stop(&mut self, id: i32) {
        let mut member = self.members.remove(&id).unwrap();
        send_signal(&member.child, "TERM");
        assert!(member.child.wait().unwrap().success(), "{}", read(&self.seats[&id].log()));
    }

    /// Stops a node's process in the middle of whatever it does; its sockets stay open.
    pub fn freeze(&mut self, id: i32) {
        let member = self.members.get_mut(&id).unwrap();
        send_signal(&member.child, "STOP");
        member.is_frozen = true;
    }

    /// Lets a frozen node go on.
    pub fn thaw(&mut self, id: i32) {
        let member = self.members.get_mut(&id).unwrap();
        send_signal(&member.child, "CONT");
        member.is_frozen = false;
    }

    /// Takes a node's disk away. It must not run.
    pub fn wipe(&mut self, id: i32) {
        assert!(!self.members.contains_key(&id));
        std::fs::remove_dir_all(&self.seats[&id].data).unwrap();
    }

    /// Gives a node's disk a size, such as `32m`, from its next start on. It must not run. False if
    /// this machine lets nobody but root do that, and this is not root.
    pub fn limit_disk(&mut self, id: i32, size: &str) -> bool {
        assert!(!self.members.contains_key(&id));
        let data = &self.seats[&id].data;
        let aside = data.with_extension("aside");
        std::fs::rename(data, &aside).unwrap();
        std::fs::create_dir(data).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(data).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            std::fs::remove_dir(data).unwrap();
            std::fs::rename(&aside, data).unwrap();
            return false;
        }
        self.mounted.push(data.clone());
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(aside.join(".")).arg(data);
        assert!(copy.status().unwrap().success());
        true
    }

    /// Writes to a node's disk until there is no room; gives what is to be removed.
    pub fn fill_disk(&self, id: i32) -> PathBuf {
        let filler = self.seats[&id].data.join("filler");
        let mut file = File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        filler
    }

    /// Where a node's metrics are.
    pub fn admin(&self, id: i32) -> String {
        format!("127.0.0.1:{}", self.seats[&id].admin_port)
    }

    /// The data directory of a node.
    pub fn data(&self, id: i32) -> &Path {
        &self.seats[&id].data
    }

    /// Runs a client command to its end.
    pub fn command(&self, arguments: &[&str]) -> Finished {
        let mut command = program();
        command.env("CALLBOARD_BOOTSTRAP", self.bootstrap()).args(arguments);
        run_with_input(&mut command, "")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in self.members.values_mut() {
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
        for disk in &self.mounted {
            let _ = Command::new("umount").arg(disk).status();
        }
        if std::thread::panicking() {
            for (id, seat) in &self.seats {
                let log = read(&seat.log());
                let from = log.len().saturating_sub(20_000);
                let tail = log.get(from..).unwrap_or(&log);
                let _ = std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("the log of node {id}, its end:\n{tail}\n"),
                );
            }
        }
    }
}
