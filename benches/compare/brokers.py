"""The two brokers under comparison: how each is started, stopped and looked at."""
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

from confluent_kafka.admin import AdminClient, NewTopic

TICKS = os.sysconf("SC_CLK_TCK")
# Kafka's own defaults for a server; the heap is what its start script gives.
JAVA = ["java", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35", "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers_metadata(port):
    """Whether a Metadata request (v1, no topics) is answered with at least one broker."""
    body = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = connection.recv(12, socket.MSG_WAITALL)
            return len(head) == 12 and struct.unpack(">iii", head)[2] > 0
    except OSError:
        return False


class Broker:
    """A process with a data directory and a port."""

    name, plain, flush = "", {}, {}

    def __init__(self, home):
        self.home, self.port, self.process = f"{home}/{self.name}", free_port(), None
        self.bootstrap = f"127.0.0.1:{self.port}"
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        self.prepare()

    def prepare(self):
        """What has to be done once before the first start."""

    def start(self):
        """Starts the process; returns the seconds until a client is answered."""
        log = open(f"{self.home}/log", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log)
        while not answers_metadata(self.port):
            assert self.process.poll() is None, f"{self.name} ended: see {self.home}/log"
            assert time.monotonic() - began < 120, f"{self.name} does not answer"
            time.sleep(0.001)
        took = time.monotonic() - began
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})
        return took

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(120)

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self):
        smaps = open(f"/proc/{self.process.pid}/smaps_rollup").read()
        return int(re.search(r"Pss:\s+(\d+)", smaps).group(1)) / 1024

    def create(self, topic, partitions, flush):
        settings = self.flush if flush else self.plain
        created = self.admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])
        created[topic].result(60)
        time.sleep(0.5)
        return topic

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(60)


class Callboard(Broker):
    name = "callboard"
    plain = {"callboard.flush.before.ack": "false"}
    flush = {"callboard.flush.before.ack": "true"}

    def command(self):
        return [os.environ["INTEROP_BROKER"], "serve", "--data-dir", f"{self.home}/data",
                "--listeners", f"PLAINTEXT://{self.bootstrap}",
                "--admin-listener", f"127.0.0.1:{free_port()}"]


class Kafka(Broker):
    name = "kafka"
    plain = {}
    flush = {"flush.messages": "1"}

    def prepare(self):
        controller = free_port()
        settings = {
            "process.roles": "broker,controller", "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER", "log.dirs": f"{self.home}/data",
            "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "group.initial.rebalance.delay.ms": 0}
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
