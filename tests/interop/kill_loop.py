"""kill -9 under load: every acked record is read back exactly once, at its offset, in order.

kill_loop.py PROGRAM [KILLS]. Three idempotent producers with acks=all write to three partitions
while the broker is killed and started again on the same data and the same port. The page cache
survives a killed process: that the disk keeps what was acked through a power cut is shown by the
crash tests of commit-log, not here.
"""
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from confluent_kafka import (OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer,
                             TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic

from checks import Checks, same, until

PROGRAM, KILLS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
TOPIC, PARTITIONS, PRODUCERS = "kill-loop", 3, 3
# Records that must be acked after a start before the next kill: the load really runs.
ACKED_BETWEEN_KILLS = 500
COORDINATOR_ON_ITS_WAY = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE,
                          KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
checks = Checks("kill-loop")


class Broker:
    """The program under test on one data directory and one port."""

    def __init__(self, directory):
        self.directory, self.process = directory, None
        self.port, self.admin_port = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.start_seconds = []

    def start(self):
        log = open(f"{self.directory}/broker.log", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data-dir", f"{self.directory}/data",
             "--listeners", f"PLAINTEXT://{self.bootstrap}",
             "--admin-listener", f"127.0.0.1:{self.admin_port}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.listens, "the broker listens", 60)
        self.start_seconds.append(time.monotonic() - began)

    def listens(self):
        assert self.process.poll() is None, f"the broker ended by itself:\n{self.last_words()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def last_words(self):
        return "".join(open(f"{self.directory}/broker.log", errors="replace").readlines()[-15:])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Load(threading.Thread):
    """One idempotent producer that never stops by itself and remembers every ack."""

    def __init__(self, name, bootstrap):
        super().__init__(daemon=True)
        self.name, self.acked, self.errors, self.ending = name, [], [], threading.Event()
        self.sent = 0
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all",
            "linger.ms": 2, "message.timeout.ms": 300000, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20, "retry.backoff.max.ms": 200,
            "socket.timeout.ms": 10000, "log_level": 2, "error_cb": self.on_error})

    def on_error(self, error):
        if error.fatal():
            self.errors.append(str(error))

    def on_delivery(self, error, message):
        if error:
            self.errors.append(f"{message.value()}: {error}")
        else:
            self.acked.append((message.partition(), message.offset(), message.value().decode()))

    def run(self):
        while not self.ending.is_set() and not self.errors:
            # Few enough in flight that a kill hits fresh records, enough that it always hits some.
            if self.sent - len(self.acked) < 300:
                for _ in range(20):
                    self.producer.produce(TOPIC, f"{self.name}-{self.sent}".encode(),
                                          partition=self.sent % PARTITIONS,
                                          on_delivery=self.on_delivery)
                    self.sent += 1
            self.producer.poll(0.005)
        left = self.producer.flush(120)
        if left:
            self.errors.append(f"{left} records neither acked nor refused within 120 s")


def kill_under_load(broker, loads, number):
    """Waits until the load runs, then kills at a moment of chance, and starts again."""
    def acked():
        broken = [error for load in loads for error in load.errors]
        assert not broken, f"a producer failed: {broken[:3]}"
        return sum(len(load.acked) for load in loads)
    goal = acked() + ACKED_BETWEEN_KILLS
    until(lambda: acked() >= goal, f"{ACKED_BETWEEN_KILLS} more records are acked", 60)
    committed(broker, commit=number)
    time.sleep(random.random() * 0.2)
    broker.kill()
    broker.start()
    same(number, committed(broker))


def committed(broker, commit=None):
    """The committed offset of a group, which the kill must not lose either."""
    consumer = quiet_consumer(broker, "kill-loop-committed")
    answer = []

    def asked():
        try:
            if commit is not None:
                place = TopicPartition(TOPIC, 0, commit)
                consumer.commit(offsets=[place], asynchronous=False)
            answer[:] = consumer.committed([TopicPartition(TOPIC, 0)], 30)
        except KafkaException as error:
            if error.args[0].code() not in COORDINATOR_ON_ITS_WAY:
                raise
        return answer
    try:
        until(asked, "the group's coordinator answers")
        return answer[0].offset
    finally:
        consumer.close()


def quiet_consumer(broker, group):
    return Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group,
                     "enable.auto.commit": False, "fetch.wait.max.ms": 50, "log_level": 2})


def read_back(broker, partition):
    """Offset and value of every record of a partition."""
    consumer = quiet_consumer(broker, "kill-loop-read")
    place = TopicPartition(TOPIC, partition, OFFSET_BEGINNING)
    _, end = consumer.get_watermark_offsets(place, 30)
    consumer.assign([place])
    records, deadline = [], time.monotonic() + 120
    while not records or records[-1][0] < end - 1:
        assert time.monotonic() < deadline, f"read {len(records)} of {end} records in 120 s"
        for message in consumer.consume(10000, 0.5):
            if message.error():
                raise KafkaException(message.error())
            records.append((message.offset(), message.value().decode()))
    consumer.close()
    return records


def verify(broker, loads):
    for load in loads:
        same([], load.errors)
        same(load.sent, len(load.acked))
    for partition in range(PARTITIONS):
        records = read_back(broker, partition)
        found = dict(records)
        same(len(records), len(found))
        for load in loads:
            acked = [(offset, value) for p, offset, value in load.acked if p == partition]
            lost = [(o, v) for o, v in acked if found.get(o) != v]
            assert not lost, f"partition {partition}: {len(lost)} acked records lost: {lost[:5]}"
            # Everything sent was acked, so what is there must be what was sent: once, in order.
            mine = [value for _, value in records if value.startswith(f"{load.name}-")]
            wanted = [f"{load.name}-{n}" for n in range(load.sent) if n % PARTITIONS == partition]
            assert mine == wanted, (f"partition {partition}, {load.name}: {len(mine)} records, "
                                    f"wanted {len(wanted)}: {first_difference(wanted, mine)}")


def first_difference(wanted, got):
    for place, (left, right) in enumerate(zip(wanted, got)):
        if left != right:
            return f"record {place}: wanted {left}, got {right}"
    return "one is longer"


def main():
    directory = tempfile.mkdtemp(prefix="kill-loop-")
    broker = Broker(directory)
    try:
        run(broker)
    finally:
        if broker.process and broker.process.poll() is None:
            broker.kill()
    if checks.failed:
        print(f"# what is left of it: {directory}\n{broker.last_words()}")
    else:
        shutil.rmtree(directory)
    checks.end()


def run(broker):
    broker.start()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 2})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)
    loads = [Load(f"producer{number}", broker.bootstrap) for number in range(PRODUCERS)]
    for load in loads:
        load.start()
    for number in range(1, KILLS + 1):
        checks.check(f"kill {number}: the load goes on", kill_under_load, broker, loads,
                     number)
        if checks.failed:
            break
    for load in loads:
        load.ending.set()
    for load in loads:
        load.join(150)
    total = sum(len(load.acked) for load in loads)
    checks.check(f"{total} acked records are read back once, in order", verify, broker, loads)
    checks.check("it stops in order", broker.stop)
    starts = sorted(broker.start_seconds)
    print(f"# {len(starts)} starts: median {starts[len(starts) // 2] * 1000:.0f} ms, "
          f"slowest {starts[-1] * 1000:.0f} ms")


main()
