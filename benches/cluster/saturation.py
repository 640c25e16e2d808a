"""Three nodes at full produce load: does anybody mistake a busy node for a dead one?

Producers run one after the other in several lanes (100 B and 1 KiB records in turn, 16 partitions, 3
replicas, acks=all) until the time is over. Expected: no fencing, no election, no link down, no replica
out of sync, no record failed. Told besides: the p99 of the heartbeats between each pair of nodes, as
the bucket of the histogram that it lies in, and the bytes over each link.
"""
import argparse
import json
import subprocess
import threading
import time

import nodes as measured

# Counters that should stand still; whichever of them this version of the program has.
QUIET = "election|candidac|fencing|leader_changes|link_connects|link_ends|failures|quarantine|failed"
LOADS = [(100, 4_000_000), (1024, 600_000)]


class Lane(threading.Thread):
    """One producer after the other, until the time is over."""

    def __init__(self, options, nodes, topic, number, end):
        super().__init__()
        self.options, self.nodes, self.topic, self.number = options, nodes, topic, number
        self.end, self.acked, self.failed, self.bytes = end, 0, 0, 0

    def run(self):
        turn = self.number
        while time.monotonic() < self.end:
            size, count = LOADS[turn % len(LOADS)]
            turn += 1
            done = subprocess.run(
                [f"{self.options.programs}/load", "produce", self.nodes.bootstrap, self.topic, "16",
                 str(size), str(int(count * self.options.scale)), "-1"], stdout=subprocess.PIPE)
            result = json.loads(done.stdout)
            self.acked += result["delivered"]
            self.bytes += result["delivered"] * size
            self.failed += int(count * self.options.scale) - result["delivered"]


class Watch(threading.Thread):
    """The most partitions that lacked an in-sync replica at any look, one a second."""

    def __init__(self, nodes, end):
        super().__init__()
        self.nodes, self.end, self.most, self.looks = nodes, end, 0, 0

    def run(self):
        while time.monotonic() < self.end:
            name = "callboard_replication_under_replicated"
            self.most = max(self.most, sum(s.sum(name) for s in self.nodes.samples()))
            self.looks += 1
            time.sleep(1)


def measure(nodes, options):
    topic = nodes.create("saturation", 16, options.flush)
    term, period = nodes.quorum()["leader_epoch"], measured.Period(nodes)
    end = time.monotonic() + options.seconds
    threads = [Lane(options, nodes, topic, number, end) for number in range(options.lanes)]
    watch = Watch(nodes, end)
    for thread in [*threads, watch]:
        thread.start()
    for thread in [*threads, watch]:
        thread.join()
    period.end()
    heartbeats, changed = {}, {}
    for node, before, after in zip(nodes.brokers, period.before, period.after):
        p99 = measured.quantile_bounds(before, after, "callboard_link_heartbeat_seconds", 0.99)
        for peer, bounds in p99.items():
            heartbeats[f"{node.number}>{peer}"] = [round(bound * 1000, 1) for bound in bounds]
        for name, count in measured.events(before, after, QUIET).items():
            changed[f"node {node.number}: {name}"] = count
    acked, seconds = sum(lane.acked for lane in threads), period.seconds
    measured.tell(
        "saturation", seconds=round(seconds), flush=options.flush, acked=acked,
        failed=sum(lane.failed for lane in threads), per_s=round(acked / seconds),
        mb_per_s=round(sum(lane.bytes for lane in threads) / seconds / 1e6),
        cpu_percent=period.cpu_percent(), link_bytes_per_s=period.link_bytes_per_s(),
        heartbeat_p99_ms=heartbeats, terms=[term, nodes.quorum()["leader_epoch"]], changed=changed,
        under_replicated_most=watch.most, looks=watch.looks,
        in_sync_at_the_end=nodes.in_sync(topic) == 16)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="where the load programs are")
    parser.add_argument("--home", required=True, help="where the nodes keep their data")
    parser.add_argument("--seconds", type=float, default=60, help="of load (60)")
    parser.add_argument("--lanes", type=int, default=2, help="producers at a time (2)")
    parser.add_argument("--scale", type=float, default=1, help="of the records of a producer (1)")
    parser.add_argument("--flush", action="store_true", help="flush before the ack")
    options = parser.parse_args()
    print(measured.machine())
    # the disk does not hold minutes of this
    kept = {"log.retention.bytes": 64 << 20, "log.segment.bytes": 32 << 20,
            "log.retention.check.interval.ms": 5000, "log.segment.delete.delay.ms": 1000}
    with measured.running(options.home, kept) as nodes:
        measure(nodes, options)


main()
