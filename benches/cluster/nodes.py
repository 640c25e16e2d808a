"""Three nodes of Callboard under measurement: their metrics, and what they cost the machine."""
import contextlib
import json
import os
import platform
import re
import subprocess
import time
import urllib.request

from brokers import Callboard, Cluster, wait_until

LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class Sample:
    """What a node's /metrics said: values by name and labels."""

    def __init__(self, node):
        url = f"http://127.0.0.1:{node.admin_port}/metrics"
        text = urllib.request.urlopen(url, timeout=60).read().decode()
        lines = filter(None, map(LINE.match, text.splitlines()))
        self.values = {(m[1], tuple(sorted(LABEL.findall(m[2] or "")))): float(m[3]) for m in lines}

    def all(self, name):
        """Every value of a metric, with its labels."""
        return [(dict(labels), value) for (found, labels), value in self.values.items()
                if found == name]

    def sum(self, name):
        return sum(value for _, value in self.all(name))

    def by_peer(self, name):
        return {labels["node"]: value for labels, value in self.all(name)}


def grown(before, after, name):
    """By how much a counter has grown since, by peer."""
    old = before.by_peer(name)
    return {peer: value - old.get(peer, 0) for peer, value in after.by_peer(name).items()}


def events(before, after, pattern):
    """The counters whose name matches and that have grown since, and by how much."""
    changed = {}
    for (name, labels), value in after.values.items():
        difference = value - before.values.get((name, labels), 0)
        if re.search(pattern, name) and name.endswith("_total") and difference:
            words = ",".join(f"{key}={word}" for key, word in labels)
            changed[f"{name}{{{words}}}"] = difference
    return changed


def quantile_bounds(before, after, name, share):
    """By peer: the bucket (from, to] of a histogram that holds this share of what came since."""
    buckets = {}
    for labels, value in after.all(name + "_bucket"):
        key = (name + "_bucket", tuple(sorted(labels.items())))
        bound = float(labels["le"].replace("+Inf", "inf"))
        since = value - before.values.get(key, 0)
        buckets.setdefault(labels["node"], []).append((bound, since))
    found = {}
    for peer, values in buckets.items():
        values.sort()
        place = next(i for i, (_, count) in enumerate(values) if count >= share * values[-1][1])
        found[peer] = (values[place - 1][0] if place else 0, values[place][0])
    return found


class Nodes(Cluster):
    """Three nodes; the one that is measured apart is the third."""

    def __init__(self, home, settings=None, nodes=3):
        super().__init__(Callboard, home, nodes, settings)

    def samples(self):
        return [Sample(node) for node in self.brokers]

    def replicas_in_sync(self):
        return sum(sample.sum("callboard_replication_in_sync_replicas")
                   for sample in self.samples())

    def wait_in_sync(self, partitions, seconds=600):
        """Waits until every replica of so many partitions is in sync; internal topics count."""
        return wait_until(f"{partitions} partitions in sync", seconds=seconds, pause=0.1,
                          condition=lambda: self.replicas_in_sync() >= partitions * self.replicas)

    def quorum(self):
        """The metadata quorum as one node describes it; empty while none can."""
        told = subprocess.run([os.environ["INTEROP_BROKER"], "cluster", "voters", "--json",
                               "--bootstrap", self.bootstrap], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return json.loads(told.stdout) if told.returncode == 0 else {"voters": []}

    def wait_for_voters(self):
        """Waits until all vote, so that no change of voters falls into what is measured."""
        wait_until("all nodes vote", pause=0.5,
                   condition=lambda: len(self.quorum()["voters"]) == len(self.brokers))


class Period:
    """What nodes did between two looks: metrics, CPU."""

    def __init__(self, nodes):
        self.nodes, self.before = nodes, nodes.samples()
        self.cpu = [node.cpu_seconds() for node in nodes.brokers]
        self.began = time.monotonic()

    def end(self):
        self.seconds = time.monotonic() - self.began
        self.cpu = [node.cpu_seconds() - before
                    for node, before in zip(self.nodes.brokers, self.cpu)]
        self.after = self.nodes.samples()
        return self

    def cpu_percent(self):
        """Of one core, by node."""
        return [round(cpu / self.seconds * 100, 2) for cpu in self.cpu]

    def link_bytes_per_s(self):
        """What each node sent to each other, as `from>to`."""
        rates = {}
        for node, before, after in zip(self.nodes.brokers, self.before, self.after):
            for peer, count in grown(before, after, "callboard_link_sent_bytes_total").items():
                rates[f"{node.number}>{peer}"] = round(count / self.seconds)
        return rates


@contextlib.contextmanager
def running(home, settings=None):
    """Three nodes that run, until the block ends."""
    nodes = Nodes(home, settings)
    try:
        nodes.start()
        nodes.wait_for_voters()
        yield nodes
    finally:
        nodes.stop()


def resident_mib(node):
    status = open(f"/proc/{node.process.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def machine():
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                 if line.startswith("model name"))
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def tell(name, **values):
    """One line of JSON a figure."""
    print(json.dumps(dict(figure=name, **values)), flush=True)
