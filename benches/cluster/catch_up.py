"""How fast a link replicates: while records come, and when a node has much to catch up with.

1. steady: a producer (1 KiB records, acks=all), and the bytes that each node sent to each other
   meanwhile, by the nodes' own counters.
2. catch up: the third node is stopped in order, the same is produced to the other two, and the node is
   started again: seconds from the start of its process until it answers clients, and until it is in
   sync everywhere, while nobody produces.
"""
import argparse
import json
import subprocess
import time

import nodes as measured
from brokers import wait_until


def produce(nodes, topic, options):
    """Produces the bytes asked for; returns the producer's result."""
    count = int(options.gib * 2**30 / 1024)
    done = subprocess.run([f"{options.programs}/load", "produce", nodes.bootstrap, topic,
                           str(options.partitions), "1024", str(count), "-1"],
                          stdout=subprocess.PIPE)
    result = json.loads(done.stdout)
    assert result["delivered"] == count, f"{count - result['delivered']} records were not acked"
    return result


def steady(nodes, topic, options):
    period = measured.Period(nodes)
    result = produce(nodes, topic, options)
    period.end()
    links = {link: round(rate / 1e6, 1) for link, rate in period.link_bytes_per_s().items()}
    measured.tell("steady", mb_per_s=round(result["rate"] * 1024 / 1e6, 1), link_mb_per_s=links,
                  cpu_percent=period.cpu_percent(),
                  in_sync=nodes.in_sync(topic) == options.partitions)


def catch_up(nodes, topic, options):
    late = nodes.brokers[-1]
    late.stop()
    wait_until("two lead everything", lambda: all(
        partition.leader not in (-1, late.number) for partition in nodes.partitions(topic)))
    produce(nodes, topic, options)
    behind = options.partitions - nodes.in_sync(topic)
    began = time.monotonic()
    late.start()
    wait_until("the node answers", late.is_up, pause=0.005)
    up = time.monotonic() - began
    wait_until("the node is in sync", seconds=600, pause=0.02,
               condition=lambda: nodes.in_sync(topic) == options.partitions)
    took = time.monotonic() - began
    received = measured.Sample(late).by_peer("callboard_link_received_bytes_total")
    measured.tell("catch up", gib=options.gib, partitions_behind=behind, up_s=round(up, 3),
                  in_sync_s=round(took, 3), mb_per_s=round(options.gib * 2**30 / took / 1e6, 1),
                  received_mb={peer: round(count / 1e6) for peer, count in received.items()},
                  cpu_s=round(late.cpu_seconds(), 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="where the load programs are")
    parser.add_argument("--home", required=True, help="where the nodes keep their data")
    parser.add_argument("--gib", type=float, default=2, help="produced in each part (2)")
    parser.add_argument("--partitions", type=int, default=16, help="of the topic (16)")
    parser.add_argument("--flush", action="store_true", help="flush before the ack")
    parser.add_argument("--rounds", type=int, default=3, help="of both (3)")
    options = parser.parse_args()
    print(f"{measured.machine()}; {options.gib} GiB of 1 KiB records in {options.partitions} "
          f"partitions, flush before the ack: {options.flush}")
    with measured.running(options.home) as nodes:
        for number in range(options.rounds):
            topic = nodes.create(f"catch-up-{number}", options.partitions, options.flush)
            steady(nodes, topic, options)
            catch_up(nodes, topic, options)
            nodes.delete(topic)


main()
