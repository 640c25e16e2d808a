"""What idle replicated partitions cost: CPU, memory, files, and bytes over each link.

Three nodes with a few partitions of three replicas, then with many: the traffic must not depend on
their number. Then one node is stopped in order and started, and killed and started: seconds until it
answers clients, and until it is in sync everywhere.
"""
import argparse
import os
import signal
import time

from confluent_kafka.admin import NewTopic

import nodes as measured
from brokers import wait_until


def create(nodes, name, partitions, topics):
    """Creates so many partitions in so many topics at once; waits until they are in sync."""
    held = nodes.replicas_in_sync()
    each = partitions // topics
    new = [NewTopic(f"{name}-{number}", each, nodes.replicas) for number in range(topics)]
    began = time.monotonic()
    for answer in nodes.admin.create_topics(new, request_timeout=120, operation_timeout=120).values():
        answer.result(180)
    answered = time.monotonic() - began
    wanted = held + each * topics * nodes.replicas
    wait_until("all in sync", lambda: nodes.replicas_in_sync() >= wanted, 300, 0.1)
    measured.tell("create", partitions=each * topics, topics=topics, answered_s=round(answered, 2),
                  in_sync_s=round(time.monotonic() - began, 2))


def idle(nodes, options):
    """What the nodes cost while nothing happens; returns their memory."""
    time.sleep(options.settle)
    period = measured.Period(nodes)
    time.sleep(options.seconds)
    period.end()
    memory = [measured.resident_mib(node) for node in nodes.brokers]
    held = [round(sample.sum("callboard_partitions")) for sample in period.after]
    files = [len(os.listdir(f"/proc/{node.process.pid}/fd")) for node in nodes.brokers]
    links = period.link_bytes_per_s()
    measured.tell("idle", replicas=held, cpu_percent=period.cpu_percent(),
                  resident_mib=[round(mib) for mib in memory], open_files=files,
                  link_bytes_per_s=links, bytes_per_s_in_all=sum(links.values()))
    return memory


def restart(nodes, how, number, partitions):
    nodes.wait_in_sync(partitions)
    node, others = nodes.brokers[-1], nodes.brokers[:-1]
    began = time.monotonic()
    node.process.send_signal(number)
    node.wait_for_end()
    stopped = time.monotonic() - began
    missed = wait_until("others lead", pause=0.1, condition=lambda: sum(
        measured.Sample(other).sum("callboard_replication_led") for other in others) >= partitions)
    began = time.monotonic()
    node.start()
    wait_until("it answers", node.is_up, pause=0.005)
    up = time.monotonic() - began
    nodes.wait_in_sync(partitions)
    measured.tell("restart", after=how, stopped_s=round(stopped, 2), others_lead_s=round(missed, 2),
                  up_s=round(up, 3), in_sync_s=round(time.monotonic() - began, 2),
                  cpu_s=round(node.cpu_seconds(), 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True, help="where the nodes keep their data")
    parser.add_argument("--programs", help="not used here")
    parser.add_argument("--few", type=int, default=100, help="partitions at first (100)")
    parser.add_argument("--many", type=int, default=10_000, help="partitions in the end (10000)")
    parser.add_argument("--topics", type=int, default=10, help="that hold them (10)")
    parser.add_argument("--settle", type=float, default=30, help="seconds before each look (30)")
    parser.add_argument("--seconds", type=float, default=60, help="that a look takes (60)")
    options = parser.parse_args()
    print(measured.machine())
    with measured.running(options.home) as nodes:
        create(nodes, "few", options.few, options.topics)
        before = idle(nodes, options)
        more = options.many - options.few
        create(nodes, "many", more, options.topics)
        after = idle(nodes, options)
        measured.tell("memory", kib_per_replica=[
            round((new - old) * 1024 / more, 1) for old, new in zip(before, after)])
        restart(nodes, "stop", signal.SIGTERM, options.many)
        restart(nodes, "kill", signal.SIGKILL, options.many)
        idle(nodes, options)


main()
