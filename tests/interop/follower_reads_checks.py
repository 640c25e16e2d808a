"""Consumers read from the follower in their rack (KIP-392). follower_reads_checks.py PROGRAM

Three nodes, one rack each. Who served is read from the nodes' metrics. With KAFKA_JARS (a class path)
in the environment the Java console consumer does the same.
"""
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from checks import Checks, same, until

PROGRAM, TOPIC, NODES = sys.argv[1], "follower-reads", (1, 2, 3)
SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
checks = Checks("follower-reads")
has_java = "KAFKA_JARS" in os.environ


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Node:
    """One process of the cluster, in a rack of its own."""

    def __init__(self, number, directory, join):
        self.rack = f"rack-{number}"
        self.port, self.admin_port, self.cluster_port = free_ports(3)
        self.cluster = f"127.0.0.1:{self.cluster_port}"
        meeting = ["--join", join] if join else ["--new-cluster"]
        self.log = open(f"{directory}/node-{number}.log", "wb")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--node-id", str(number), "--data-dir", f"{directory}/{number}",
             "--listeners", f"PLAINTEXT://127.0.0.1:{self.port}",
             "--admin-listener", f"127.0.0.1:{self.admin_port}",
             "--cluster-listener", self.cluster, *meeting,
             "--set", f"broker.rack={self.rack}", "--set", f"replica.selector.class={SELECTOR}",
             "--set", "group.initial.rebalance.delay.ms=0"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def read_from_follower(self):
        """Bytes that consumers have read here from partitions that this node follows."""
        address = f"http://127.0.0.1:{self.admin_port}/metrics"
        text = urllib.request.urlopen(address, timeout=10).read().decode()
        found = re.search(r"^callboard_read_from_followers_bytes_total (\d+)", text, re.M)
        return int(found.group(1))


directory = tempfile.mkdtemp()
nodes = {}
for number in NODES:
    nodes[number] = Node(number, directory, nodes[1].cluster if nodes else None)
bootstrap = ",".join(f"127.0.0.1:{node.port}" for node in nodes.values())
admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def partition():
    return admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions[0]


def is_in_sync():
    try:
        return len(partition().isrs) == 3
    except (KafkaException, KeyError):
        return False


def make_topic():
    def is_made():
        topic = NewTopic(TOPIC, 1, 3, config={"min.insync.replicas": "2"})
        try:
            admin.create_topics([topic], operation_timeout=10)[TOPIC].result(15)
            return True
        except KafkaException as error:
            return "EXISTS" in str(error)
    until(is_made, "a topic with three replicas", 60)
    until(is_in_sync, "three replicas in sync", 60)


def produce(numbers):
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
    for number in numbers:
        producer.produce(TOPIC, str(number).encode() + b"." * 100, partition=0)
    same(0, producer.flush(60))


def consumer(**settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": checks.run,
                       "enable.auto.commit": False, "auto.offset.reset": "error",
                       "fetch.wait.max.ms": 100, **settings})
    client.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    return client


def poll(client, count, seconds=30):
    numbers, deadline = [], time.monotonic() + seconds
    while len(numbers) < count:
        assert time.monotonic() < deadline, f"{len(numbers)} of {count} records in {seconds} s"
        for message in client.consume(count - len(numbers), 0.2):
            if message.error():
                raise KafkaException(message.error())
            numbers.append(int(message.value().rstrip(b".")))
    return numbers


def followers():
    leader = partition().leader
    return [number for number in nodes if number != leader and nodes[number].process.poll() is None]


def served_by():
    return {number: node.read_from_follower() for number, node in nodes.items()
            if node.process.poll() is None}


def grown(before):
    now = served_by()
    return [number for number in now if now[number] > before[number]]


def reads_from_the_follower_in_its_rack():
    produce(range(1000))
    for follower in followers():
        before = served_by()
        client = consumer(client_rack=nodes[follower].rack)
        same(list(range(1000)), poll(client, 1000))
        client.close()
        same([follower], grown(before))


def reads_from_the_leader_without_a_rack():
    before = served_by()
    for settings in ({}, {"client_rack": "elsewhere"},
                     {"client_rack": nodes[partition().leader].rack}):
        client = consumer(**settings)
        same(list(range(1000)), poll(client, 1000))
        client.close()
    same([], grown(before))


def console_consumer(follower, count):
    """The Java console consumer in the follower's rack, until it has read that many records."""
    return subprocess.Popen(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
         "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", os.environ["KAFKA_JARS"],
         "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", bootstrap,
         "--topic", TOPIC, "--partition", "0", "--offset", "earliest", "--max-messages", str(count),
         "--timeout-ms", "30000", "--command-property", f"client.rack={nodes[follower].rack}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def lines(console, count):
    """The next records that it prints; fewer when it has given up."""
    return [int(line.rstrip(".\n")) for line in itertools.islice(console.stdout, count)]


def console_consumer_reads_from_the_follower():
    follower, before = followers()[0], served_by()
    with console_consumer(follower, 1000) as console:
        same(list(range(1000)), lines(console, 1001))
    same([follower], grown(before))


def kill(follower):
    nodes[follower].process.send_signal(signal.SIGKILL)
    nodes[follower].process.wait()
    produce(range(1000, 1500))


def goes_on_when_the_follower_is_killed():
    follower, before = followers()[-1], served_by()
    client = consumer(client_rack=nodes[follower].rack)
    same(list(range(1000)), poll(client, 1000))
    same([follower], grown(before))
    if not has_java:
        kill(follower)
    else:
        before = served_by()
        with console_consumer(follower, 1500) as console:
            same(list(range(1000)), lines(console, 1000))
            same([follower], grown(before))
            kill(follower)
            same(list(range(1000, 1500)), lines(console, 501))
    same(list(range(1000, 1500)), poll(client, 500))
    client.close()


def another_follower_serves_the_rest():
    client = consumer(client_rack=nodes[followers()[0]].rack)
    same(list(range(1500)), poll(client, 1500))
    produce(range(1500, 1600))
    same(list(range(1500, 1600)), poll(client, 100))
    client.close()


try:
    make_topic()
    console = [("the Java console consumer reads from the follower in its rack",
                console_consumer_reads_from_the_follower)] if has_java else []
    for name, function in [
            ("a consumer reads from the follower in its rack", reads_from_the_follower_in_its_rack),
            ("one without a rack, or elsewhere, reads from the leader",
             reads_from_the_leader_without_a_rack),
            *console,
            ("consumers go on when that follower is killed", goes_on_when_the_follower_is_killed),
            ("another follower serves what came meanwhile", another_follower_serves_the_rest)]:
        checks.check(name, function)
finally:
    for node in nodes.values():
        node.process.kill()
        node.process.wait()
    if checks.failed:
        for number in NODES:
            print(f"# the end of node {number}'s log:")
            for line in open(f"{directory}/node-{number}.log", errors="replace").readlines()[-10:]:
                print(f"#   {line.rstrip()}")
    shutil.rmtree(directory, ignore_errors=True)
checks.end()
