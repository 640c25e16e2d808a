#!/usr/bin/env python3
"""The longest gap between acks while a fault hits the leader of a partition (3 replicas, acks=all,
idempotent, 500 records/s); then everything is read back: what was acknowledged must be there once.

One line of JSON a trial, and a table at the end: median and maximum of the gaps, by fault, and by
whether the fault also hit the leader of the metadata quorum."""
import argparse
import json
import random
import signal
import statistics
import sys
import threading
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from clusters import NODES, Callboard, Kafka, Network

QUICK = {"request.timeout.ms": 1000, "socket.timeout.ms": 1000, "reconnect.backoff.ms": 20,
         "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20, "retry.backoff.max.ms": 200}
QUIET = {"log_level": 0}


class Faults:
    """What is done to a node, and how it is undone."""

    def __init__(self, cluster, network):
        self.cluster, self.network = cluster, network

    def strike(self, fault, node):
        {"kill": self.cluster.kill, "stop": self.cluster.stop, "cut": self.network.cut,
         "freeze": lambda node: self.cluster.signal(node, signal.SIGSTOP)}[fault](node)

    def heal(self, fault, node):
        if fault == "cut":
            self.network.mend(node)
        elif fault == "freeze":
            self.cluster.signal(node, signal.SIGCONT)
        else:
            self.cluster.processes[node].wait()
            self.cluster.start(node)


def wait_until(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
        except Exception:  # the cluster may be without a leader just now
            pass
        time.sleep(0.1)
    raise SystemExit(f"{what}: not within {seconds} s")


def partition(admin, topic):
    return admin.list_topics(topic, timeout=5).topics[topic].partitions[0]


def in_sync(admin, topic):
    return len(partition(admin, topic).isrs) == len(NODES)


class Load:
    """A producer at a steady rate, and when each of its records was acknowledged."""

    def __init__(self, bootstrap, topic, rate, settings):
        self.topic, self.rate, self.acked, self.failed, self.times = topic, rate, set(), 0, []
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all",
                                  "enable.idempotence": True, "linger.ms": 0,
                                  "delivery.timeout.ms": 120000, **settings, **QUIET})
        self.sent, self.began = 0, time.monotonic()

    def on_delivery(self, error, message):
        if error:
            self.failed += 1
        else:
            self.acked.add(int(message.value()[:12]))
            self.times.append(time.monotonic())

    def run_until(self, end):
        while time.monotonic() < end:
            while self.sent < (time.monotonic() - self.began) * self.rate:
                self.producer.produce(self.topic, b"%012d" % self.sent + b"x" * 88, partition=0,
                                      on_delivery=self.on_delivery)
                self.sent += 1
            self.producer.poll(0.002)

    def run_until_acked(self, end):
        """A fault that hits before anything was acknowledged would show no gap."""
        self.run_until(end)
        wait_until("steady acks", lambda: self.run_until(time.monotonic() + 0.1)
                   or self.times[-1] > time.monotonic() - 0.1)


def read_all(bootstrap, topic):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none",
                         "enable.auto.commit": False, "auto.offset.reset": "earliest", **QUIET})
    end = wait_until("the end of the log", lambda: consumer.get_watermark_offsets(
        TopicPartition(topic, 0), timeout=5))[1]
    consumer.assign([TopicPartition(topic, 0, 0)])
    seen, deadline = {}, time.monotonic() + 60
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None or message.error():
            continue
        number = int(message.value()[:12])
        seen[number] = seen.get(number, 0) + 1
        if message.offset() >= end - 1:
            break
    consumer.close()
    return seen


def trial(cluster, faults, fault, options):
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "socket.timeout.ms": 5000, **QUIET})
    topic = "failover-" + uuid.uuid4().hex[:8]
    wait_until("three brokers", lambda: len(admin.list_topics(timeout=5).brokers) == len(NODES))
    created = admin.create_topics([NewTopic(topic, 1, 3, config={"min.insync.replicas": "2"})])
    created[topic].result(60)
    wait_until("three in-sync replicas", lambda: in_sync(admin, topic))
    leader, quorum_leader = partition(admin, topic).leader, cluster.quorum_leader(admin)
    load = Load(cluster.bootstrap, topic, options.rate, {} if options.defaults else QUICK)
    # clients look after their requests once a second: no moment of that second is preferred
    load.run_until_acked(time.monotonic() + 2 + random.random())
    struck = time.monotonic()
    striking = threading.Thread(target=faults.strike, args=(fault, leader))
    striking.start()
    load.run_until(struck + options.seconds)
    striking.join()
    faults.heal(fault, leader)
    load.run_until(time.monotonic() + 2)
    unflushed = load.producer.flush(60)
    wait_until("three in-sync replicas again", lambda: in_sync(admin, topic))
    seen = read_all(cluster.bootstrap, topic)
    pairs = zip(load.times, load.times[1:])
    gap = max((later - sooner for sooner, later in pairs if later > struck), default=float("nan"))
    return {"fault": fault, "leader": leader, "quorum_leader": quorum_leader,
            "hit_quorum_leader": leader == quorum_leader, "sent": load.sent,
            "acked": len(load.acked), "failed": load.failed, "unflushed": unflushed,
            "gap_s": round(gap, 3), "lost": len(load.acked - set(seen)),
            "duplicated": sum(count - 1 for count in seen.values())}


def summary(results):
    print("| fault | quorum leader hit | trials | median s | max s | lost | duplicated |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    groups = {}
    for result in results:
        groups.setdefault((result["fault"], result["hit_quorum_leader"]), []).append(result)
    for (fault, hit), group in sorted(groups.items()):
        gaps = [result["gap_s"] for result in group]
        lost = sum(result["lost"] for result in group)
        duplicated = sum(result["duplicated"] for result in group)
        print(f"| {fault} | {'yes' if hit else 'no'} | {len(gaps)} | {statistics.median(gaps):.2f} "
              f"| {max(gaps):.2f} | {lost} | {duplicated} |")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True, help="where the nodes keep their data")
    parser.add_argument("--peer", choices=["callboard", "kafka"], default="callboard")
    parser.add_argument("--faults", default="kill,freeze,cut,stop", help="separated by commas")
    parser.add_argument("--trials", type=int, default=20, help="of each fault")
    parser.add_argument("--rate", type=int, default=500, help="records a second")
    parser.add_argument("--seconds", type=float, default=0,
                        help="how long a fault lasts (6 s; 25 s with Kafka)")
    parser.add_argument("--defaults", action="store_true", help="keep the client's own time-outs")
    return parser.parse_args()


def main():
    options = arguments()
    options.seconds = options.seconds or (25 if options.peer == "kafka" else 6)
    results = []
    with Network() as network:
        cluster = {"callboard": Callboard, "kafka": Kafka}[options.peer](options.home, network)
        faults = Faults(cluster, network)
        try:
            for node in NODES:
                cluster.start(node)
                time.sleep(0.5)
            for fault in options.faults.split(","):
                for _ in range(options.trials):
                    results.append(trial(cluster, faults, fault, options))
                    print(json.dumps(results[-1]), flush=True)
        finally:
            cluster.stop_all()
    summary(results)
    return int(any(result["lost"] or result["duplicated"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
