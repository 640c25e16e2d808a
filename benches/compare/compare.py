"""The same cells against Callboard and Kafka on one machine, alternating A B, B A.

Cells: start, produce, consume, closed, latency, idle. Those of produce, closed and latency run
without and with a flush before the ack (Callboard: callboard.flush.before.ack, Kafka:
flush.messages=1). With --nodes 3 there are three brokers of each kind, topics have three replicas,
two of which must be in sync, and acks are those of all in-sync replicas. CPU is user and system time
of the brokers' processes. Every value of every round goes to FILE as a line of JSON; the table shows
medians. It is started by the script `run`, which gives --programs and --home.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import time
import uuid

from brokers import Callboard, Cluster, Kafka

# size of a record in bytes, partitions, records in units of --scale
LOADS = [(100, 1, 8), (100, 16, 6), (1024, 1, 1.5), (1024, 16, 1.5)]
FLUSHED_LOADS = [(100, 1, 4), (100, 16, 4), (1024, 1, 1), (1024, 16, 1)]
# partitions, connections
LOOPS = [(1, 1), (1, 64), (1, 256), (16, 256)]
# records a second, by number of nodes; the second: a three-node Kafka does not hold that on two cores
RATES = {1: [(1000, None)], 3: [(100, None), (1000, "callboard")]}


def new_topic(broker, partitions, flush):
    return broker.create("t" + uuid.uuid4().hex[:10], partitions, flush)


def disk_flushes():
    """Flushes that all disks of the machine have done."""
    fields = (line.split() for line in open("/proc/diskstats"))
    return sum(int(line[18]) for line in fields if len(line) > 18)


class Cells:
    def __init__(self, options):
        self.options = options

    def program(self, broker, name, *arguments, seconds=900):
        """Runs a load program; returns its JSON and the CPU seconds that the brokers spent."""
        before, flushes = broker.cpu_seconds(), disk_flushes()
        done = subprocess.run([f"{self.options.programs}/{name}", *map(str, arguments)],
                              stdout=subprocess.PIPE, text=True, timeout=seconds)
        result = json.loads(done.stdout.strip().splitlines()[-1])
        result["disk_flushes"] = disk_flushes() - flushes
        return result, broker.cpu_seconds() - before

    def produce(self, broker, size, partitions, units, flush, keep=False):
        count, topic = int(units * self.options.scale), new_topic(broker, partitions, flush)
        result, cpu = self.program(broker, "load", "produce", broker.bootstrap, topic, partitions,
                                   size, count, -1)
        late = self.end(broker, topic, partitions, keep)
        return dict(per_s=result["rate"], mb_per_s=result["rate"] * size / 1e6,
                    cpu_us=cpu / count * 1e6, errors=count - result["delivered"], topic=topic,
                    out_of_sync=late, disk_flushes=result["disk_flushes"])

    def end(self, broker, topic, partitions, keep=False):
        """How many partitions have lost a replica from their ISR; a figure with some is void."""
        late = partitions - broker.in_sync(topic)
        if not keep:
            broker.delete(topic)
        return late

    def consume(self, broker, size, partitions, units):
        topic = self.produce(broker, size, partitions, units, False, keep=True)["topic"]
        count = int(units * self.options.scale)
        time.sleep(1)
        result, cpu = self.program(broker, "load", "consume", broker.bootstrap, topic, partitions,
                                   count)
        broker.delete(topic)
        return dict(per_s=result["rate"], mb_per_s=result["rate"] * size / 1e6,
                    cpu_us=cpu / count * 1e6, errors=count - result["records"])

    def closed(self, broker, partitions, connections, flush):
        topic = new_topic(broker, partitions, flush)
        ports = ",".join(map(str, broker.leader_ports(topic)))
        result, cpu = self.program(broker, "closed", "127.0.0.1", ports, topic, partitions,
                                   connections, self.options.seconds / 2, 100, -1)
        late = self.end(broker, topic, partitions)
        return dict(per_s=result["acks_per_s"], ms=result["ms"], errors=result["errors"],
                    cpu_us=cpu / max(result["acked"], 1) * 1e6, out_of_sync=late,
                    disk_flushes=result["disk_flushes"])

    def latency(self, broker, rate, flush):
        topic = new_topic(broker, 1, flush)
        seconds = max(self.options.seconds, 3 * self.options.seconds * 100 // rate)
        result, cpu = self.program(broker, "latency", broker.bootstrap, topic, rate, seconds, 100,
                                   "all")
        late = self.end(broker, topic, 1)
        return dict(ack_ms=result["ack_ms"], ms=result["e2e_ms"], errors=result["failed"],
                    lost=result["acked"] - result["got"], late_s=result["late_s"],
                    cpu_us=cpu / (rate * seconds) * 1e6, out_of_sync=late,
                    disk_flushes=result["disk_flushes"])

    def start(self, broker):
        broker.stop()
        return dict(start_ms=broker.start() * 1000)

    def idle(self, broker):
        before = broker.cpu_seconds()
        time.sleep(self.options.seconds)
        percent = (broker.cpu_seconds() - before) / self.options.seconds * 100
        return dict(cpu_percent=percent, memory_mib=broker.memory_mib())

    def all(self):
        """Name of each cell, the function that measures one kind of broker in it, and the only
        kind that it is for, if it is not for both."""
        wanted = self.options.cells.split(",")
        if "start" in wanted:
            yield "start", self.start, None
        if "idle" in wanted:
            yield "idle before load", self.idle, None
        for flush in (False, True):
            mark = " flush" if flush else ""
            if "produce" in wanted:
                for load in FLUSHED_LOADS if flush else LOADS:
                    yield (f"produce {load[0]} B {load[1]} p{mark}",
                           lambda b, load=load, flush=flush: self.produce(b, *load, flush), None)
            if "closed" in wanted:
                for loop in LOOPS:
                    yield (f"closed loop {loop[1]} connections {loop[0]} p{mark}",
                           lambda b, loop=loop, flush=flush: self.closed(b, *loop, flush), None)
            if "latency" in wanted:
                for rate, only in RATES[self.options.nodes]:
                    yield (f"latency {rate}/s{mark}",
                           lambda b, rate=rate, flush=flush: self.latency(b, rate, flush), only)
        if "consume" in wanted:
            for load in LOADS:
                yield (f"consume {load[0]} B {load[1]} p",
                       lambda b, load=load: self.consume(b, *load), None)
        if "idle" in wanted:
            yield "idle after load", self.idle, None


def median(values, key):
    found = [value[key] for value in values if key in value]
    if found and isinstance(found[0], list):
        return [statistics.median(column) for column in zip(*found)]
    return statistics.median(found) if found else None


def shown(values):
    """One cell of the table: medians over the rounds."""
    good = [value for value in values if "failure" not in value]
    if not good:
        return values[-1]["failure"]
    forms = (("start_ms", "{:.0f} ms"), ("per_s", "{:,.0f}/s"), ("mb_per_s", "{:.0f} MB/s"),
             ("cpu_us", "{:.2f} us CPU"), ("cpu_percent", "{:.1f} % CPU"),
             ("memory_mib", "{:.0f} MiB"))
    words = [form.format(median(good, key)) for key, form in forms if key in good[0]]
    for key, name in (("ack_ms", "ack"), ("ms", "p50 p99 p99.9")):
        if key in good[0]:
            words.append(name + " " + " ".join(f"{ms:.2f}" for ms in median(good, key)) + " ms")
    wrong = sum(value.get("errors", 0) + value.get("lost", 0) for value in good)
    late = sum(value.get("out_of_sync", 0) for value in good)
    words += [f"{wrong} ERRORS"] if wrong else []
    return ", ".join(words + ([f"{late} OUT OF SYNC"] if late else []))


def measure(function, broker):
    try:
        return function(broker)
    except Exception as error:  # a cell that fails is a result, and the next one goes on
        return dict(failure=f"{type(error).__name__}: {str(error)[:120]}")


def machine():
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                 if line.startswith("model name"))
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="where the load programs are")
    parser.add_argument("--home", required=True, help="where the brokers keep their data")
    parser.add_argument("--only", choices=["callboard", "kafka"], help="one kind of broker")
    parser.add_argument("--nodes", type=int, choices=sorted(RATES), default=1, help="of each kind")
    parser.add_argument("--cells", default="start,produce,consume,closed,latency,idle",
                        help="separated by commas; all")
    parser.add_argument("--rounds", type=int, default=2, help="in turn A B, B A (2)")
    parser.add_argument("--scale", type=int, default=1_000_000,
                        help="records a unit; a cell has 1 to 8 (1000000)")
    parser.add_argument("--seconds", type=int, default=10,
                        help="of latency and idle; a closed loop takes half as long (10)")
    parser.add_argument("--warm", type=float, default=5,
                        help="units that each kind gets first, uncounted (5)")
    parser.add_argument("--out", default="compare.jsonl", help="every value of every round")
    return parser.parse_args()


def main():
    options = arguments()
    brokers = [Cluster(kind, options.home, options.nodes) for kind in (Callboard, Kafka)
               if options.only in (None, kind.name)]
    print(f"{machine()}; {options.nodes} nodes of each, {options.rounds} rounds, "
          f"{options.scale} records a unit, {options.seconds} s", flush=True)
    cells = Cells(options)
    try:
        for broker in brokers:
            broker.start()
        for broker in brokers:
            cells.produce(broker, 100, 16, options.warm, False)
        with open(options.out, "a") as out:
            for name, function, only in cells.all():
                among = [broker for broker in brokers if only in (None, broker.name)]
                if among:
                    run_cell(name, function, among, options.rounds, out)
    finally:
        for broker in brokers:
            broker.stop()


def run_cell(name, function, brokers, rounds, out):
    results = {broker.name: [] for broker in brokers}
    for number in range(rounds):
        for broker in brokers if number % 2 == 0 else brokers[::-1]:
            value = measure(function, broker)
            results[broker.name].append(value)
            out.write(json.dumps(dict(cell=name, broker=broker.name, round=number, **value)))
            out.write("\n")
            out.flush()
    row = " | ".join(f"{broker}: {shown(values)}" for broker, values in results.items())
    print(f"{name:40} {row}", flush=True)


main()
