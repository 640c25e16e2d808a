"""The brokers under comparison, alone or as a cluster: how they are started, stopped and looked at."""
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

TICKS = os.sysconf("SC_CLK_TCK")
# whoever is told to end stops its brokers first
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
# Kafka's own defaults for a server; the heap is what its start script gives.
JAVA = ["java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35", "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def brokers_known(port):
    """How many brokers the answer to a Metadata request (v1, no topics) names; 0 without one."""
    body = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = connection.recv(12, socket.MSG_WAITALL)
            return struct.unpack(">iii", head)[2] if len(head) == 12 else 0
    except OSError:
        return 0


def wait_until(what, condition, seconds=120, pause=0.05):
    """Waits until the condition holds; returns the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(pause)
    return time.monotonic() - began


class Broker:
    """A process with a data directory and ports: for clients, for other nodes, for administration."""

    name, plain, flush = "", {}, {}

    def __init__(self, home, number, settings):
        self.settings = settings
        self.number, self.home, self.process = number, f"{home}/{self.name}-{number}", None
        self.port, self.peer_port, self.admin_port = free_port(), free_port(), free_port()
        self.listener = f"PLAINTEXT://127.0.0.1:{self.port}"
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)

    def prepare(self, all_brokers):
        """What has to be done once before the first start."""
        self.all = all_brokers

    def start(self):
        with open(f"{self.home}/log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)

    def is_up(self):
        """Whether clients are told of all brokers."""
        assert self.process.poll() is None, f"{self.name} ended: see {self.home}/log"
        return brokers_known(self.port) == len(self.all)

    def ask_to_stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self):
        self.ask_to_stop()
        self.wait_for_end()

    def wait_for_end(self, seconds=120):
        if self.process:
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:  # is seen in its log, and must not stay behind
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self):
        smaps = open(f"/proc/{self.process.pid}/smaps_rollup").read()
        return int(re.search(r"Pss:\s+(\d+)", smaps).group(1)) / 1024


class Callboard(Broker):
    name = "callboard"
    plain = {"callboard.flush.before.ack": "false"}
    flush = {"callboard.flush.before.ack": "true"}

    def command(self):
        command = [os.environ["INTEROP_BROKER"], "serve", "--data-dir", f"{self.home}/data",
                   "--listeners", self.listener,
                   "--admin-listener", f"127.0.0.1:{self.admin_port}"]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        if len(self.all) == 1:
            return command
        founder = f"127.0.0.1:{self.all[0].peer_port}"
        return [*command, "--node-id", str(self.number), "--set", "min.insync.replicas=2",
                "--cluster-listener", f"127.0.0.1:{self.peer_port}",
                *(["--new-cluster"] if self is self.all[0] else ["--join", founder])]


class Kafka(Broker):
    name = "kafka"
    plain = {}
    flush = {"flush.messages": "1"}

    def prepare(self, all_brokers):
        super().prepare(all_brokers)
        replicas = min(3, len(all_brokers))
        voters = ",".join(f"{broker.number}@127.0.0.1:{broker.peer_port}" for broker in all_brokers)
        settings = {
            "process.roles": "broker,controller", "node.id": self.number,
            "controller.quorum.voters": voters,
            "listeners": f"{self.listener},CONTROLLER://127.0.0.1:{self.peer_port}",
            "controller.listener.names": "CONTROLLER", "log.dirs": f"{self.home}/data",
            "min.insync.replicas": replicas // 2 + 1,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": replicas // 2 + 1,
            "group.initial.rebalance.delay.ms": 0, **self.settings}
        with open(f"{self.home}/server.properties", "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())
        self.java("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAA", "-c",
                  f"{self.home}/server.properties")

    def java(self, *arguments):
        subprocess.run(JAVA + ["-cp", os.environ["KAFKA_JARS"], *arguments], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def command(self):
        return JAVA + ["-cp", os.environ["KAFKA_JARS"], "kafka.Kafka",
                       f"{self.home}/server.properties"]


class Cluster:
    """One broker or several of one kind; a topic has a replica on each, up to three."""

    def __init__(self, kind, home, nodes=1, settings=None):
        self.name, self.kind, self.replicas = kind.name, kind, min(3, nodes)
        self.brokers = [kind(home, number, settings or {}) for number in range(1, nodes + 1)]
        self.bootstrap = ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)
        self.admin = None
        for broker in self.brokers:
            broker.prepare(self.brokers)

    def start(self):
        """Starts the processes; returns the seconds until each tells clients of all."""
        began = time.monotonic()
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            wait_until(f"{self.name} {broker.number} is up", broker.is_up, pause=0.001)
        took = time.monotonic() - began
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})
        return took

    def stop(self):
        for broker in self.brokers:
            broker.ask_to_stop()
        for broker in self.brokers:
            broker.wait_for_end()

    def cpu_seconds(self):
        return sum(broker.cpu_seconds() for broker in self.brokers)

    def memory_mib(self):
        return sum(broker.memory_mib() for broker in self.brokers)

    def create(self, topic, partitions, flush):
        """A topic that flushes before the ack or does not; returns when all replicas are in sync."""
        settings = self.kind.flush if flush else self.kind.plain
        new = NewTopic(topic, partitions, self.replicas, config=settings)
        wait_until(f"{topic} is created", lambda: self.is_created(new), 60, 0.2)
        wait_until(f"{topic} is in sync", lambda: self.in_sync(topic) == partitions, 60)
        time.sleep(0.5)
        return topic

    def is_created(self, new):
        """Asks for the topic; an answer that got lost on a busy machine is asked for again."""
        try:
            self.admin.create_topics([new])[new.topic].result(60)
        except KafkaException as error:
            return error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
        return True

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(60)

    def partitions(self, topic):
        """The topic's partitions as a broker describes them, in order; none while it is unknown."""
        known = self.admin.list_topics(topic, timeout=60).topics[topic].partitions
        return [known[index] for index in sorted(known)]

    def in_sync(self, topic):
        """How many partitions have a leader and all their replicas in sync."""
        return sum(partition.leader >= 0 and len(partition.isrs) == self.replicas
                   for partition in self.partitions(topic))

    def leader_ports(self, topic):
        """Where the leader of each partition answers clients."""
        ports = {broker.number: broker.port for broker in self.brokers}
        return [ports[partition.leader] for partition in self.partitions(topic)]
