"""Three nodes of a cluster, each in a network namespace of its own behind one bridge."""
import os
import shutil
import signal
import subprocess

NODES = (1, 2, 3)
NETWORK = "10.213.7"
CLIENTS, PEERS, ADMIN = 9092, 9093, 9644


def ip(*arguments, check=True):
    subprocess.run(["ip", *arguments], check=check, stderr=None if check else subprocess.DEVNULL)


class Network:
    """One bridge; node N answers at NETWORK.N, whoever measures is NETWORK.254."""

    def __enter__(self):
        self.__exit__()
        ip("link", "add", "cbfail", "type", "bridge")
        ip("addr", "add", f"{NETWORK}.254/24", "dev", "cbfail")
        ip("link", "set", "cbfail", "up")
        for node in NODES:
            ip("netns", "add", f"cbfail{node}")
            ip("link", "add", f"cbf{node}", "type", "veth", "peer", "name", "eth0",
               "netns", f"cbfail{node}")
            ip("link", "set", f"cbf{node}", "master", "cbfail", "up")
            for command in (("addr", "add", f"{NETWORK}.{node}/24", "dev", "eth0"),
                            ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
                ip("-n", f"cbfail{node}", *command)
        return self

    def __exit__(self, *_):
        for node in NODES:
            ip("netns", "del", f"cbfail{node}", check=False)
        ip("link", "del", "cbfail", check=False)

    def cut(self, node):
        ip("link", "set", f"cbf{node}", "nomaster")

    def mend(self, node):
        ip("link", "set", f"cbf{node}", "master", "cbfail")


class Cluster:
    """Processes, one a node, with directories under `home`."""

    def __init__(self, home, network):
        self.home, self.network, self.processes = f"{home}/{self.name}", network, {}
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        self.bootstrap = ",".join(f"{NETWORK}.{node}:{CLIENTS}" for node in NODES)

    def start(self, node):
        log = open(f"{self.home}/node-{node}.log", "ab")
        command = ["ip", "netns", "exec", f"cbfail{node}", *self.command(node)]
        self.processes[node] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log)

    def signal(self, node, number):
        self.processes[node].send_signal(number)

    def kill(self, node):
        self.signal(node, signal.SIGKILL)
        self.processes[node].wait()

    def stop(self, node):
        self.signal(node, signal.SIGTERM)

    def stop_all(self):
        for node, process in self.processes.items():
            if process.poll() is None:
                process.kill()
                process.wait()


class Callboard(Cluster):
    name = "callboard"

    def command(self, node):
        address = f"{NETWORK}.{node}"
        meeting = ["--new-cluster"] if node == 1 else ["--join", f"{NETWORK}.1:{PEERS}"]
        return [os.environ["INTEROP_BROKER"], "serve", "--data-dir", f"{self.home}/data-{node}",
                "--node-id", str(node), "--listeners", f"PLAINTEXT://{address}:{CLIENTS}",
                "--cluster-listener", f"{address}:{PEERS}", "--admin-listener",
                f"{address}:{ADMIN}", *meeting,
                "--set", "callboard.cluster.plaintext.allowed=true",
                "--set", "min.insync.replicas=2"]

    def quorum_leader(self, admin):
        """The controller in Metadata is the quorum's leader."""
        return admin.list_topics(timeout=10).controller_id


class Kafka(Cluster):
    name = "kafka"
    JAVA = ["java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
            "-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]

    def command(self, node):
        directory = f"{self.home}/node-{node}"
        if not os.path.exists(directory):
            self.format(node, directory)
        return [*self.JAVA, "-cp", os.environ["KAFKA_JARS"], "kafka.Kafka",
                f"{directory}/server.properties"]

    def format(self, node, directory):
        os.makedirs(directory)
        voters = ",".join(f"{other}@{NETWORK}.{other}:{PEERS}" for other in NODES)
        settings = {
            "process.roles": "broker,controller", "node.id": node,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{NETWORK}.{node}:{CLIENTS},"
                         f"CONTROLLER://{NETWORK}.{node}:{PEERS}",
            "controller.listener.names": "CONTROLLER", "log.dirs": f"{directory}/data",
            "min.insync.replicas": 2, "group.initial.rebalance.delay.ms": 0}
        with open(f"{directory}/server.properties", "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())
        subprocess.run([*self.JAVA, "-cp", os.environ["KAFKA_JARS"], "kafka.tools.StorageTool",
                        "format", "-t", "AAAAAAAAQACAAAAAAAAAAA", "-c",
                        f"{directory}/server.properties"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def quorum_leader(self, admin):
        """Kafka's Metadata names a random broker, so its leader is not known here."""
        return None
