"""What a user of kafka-python does. kafka_python_checks.py BOOTSTRAP"""
import logging
import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import OffsetAndMetadata
from kafka import errors

from checks import Checks, same, until

logging.disable(logging.CRITICAL)
BOOTSTRAP = sys.argv[1]
checks = Checks("kafka-python")
RUN = checks.run
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


# --- small words -------------------------------------------------------------------------------

def create(name, partitions=1, **configs):
    configs = {key.replace("_", "."): str(value) for key, value in configs.items()}
    admin.create_topics({name: dict(num_partitions=partitions, replication_factor=1,
                                    configs=configs)})
    return name


def produce(topic, values, key=None, headers=None, partition=0, timestamp_ms=None, **settings):
    """Produces and waits for every answer; an error of a record is raised."""
    client = KafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=5,
                           **{"enable_idempotence": False, **settings})
    try:
        futures = [client.send(topic, value, key=key, headers=headers or [], partition=partition,
                               timestamp_ms=timestamp_ms) for value in values]
        client.flush(30)
        return [future.get(30) for future in futures]
    finally:
        client.close(10)


def consumer(group=None, **settings):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, enable_auto_commit=False,
                         fetch_max_wait_ms=100,
                         **{"auto_offset_reset": "earliest", **settings})


def read(topic, count, partition=0, offset=None, **settings):
    client = consumer(**settings)
    try:
        place = TopicPartition(topic, partition)
        client.assign([place])
        if offset is None:
            client.seek_to_beginning(place)
        else:
            client.seek(place, offset)
        return poll(client, count)
    finally:
        client.close()


def poll(client, count, seconds=20):
    records, deadline = [], time.monotonic() + seconds
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records in {seconds} s"
        for batch in client.poll(200, max_records=count - len(records)).values():
            records += batch
    return records


def values(records):
    return [record.value for record in records]


def numbers(count):
    return [str(number).encode() for number in range(count)]


def refused(kind, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"was not refused with {kind.__name__}")


def describe_config(topic):
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    return admin.describe_configs([resource], config_filter="all")["topic"][topic]


def value_of(config):
    return config["value"] if isinstance(config, dict) else config


# --- topics ------------------------------------------------------------------------------------

TOPIC = f"{RUN}-topic"


def create_describe_list():
    create(TOPIC, 3, retention_ms=3600000, max_message_bytes=2097152)
    assert TOPIC in admin.list_topics()
    described = admin.describe_topics([TOPIC])[0]
    same(3, len(described["partitions"]))
    config = describe_config(TOPIC)
    same("3600000", str(value_of(config["retention.ms"])))
    same("2097152", str(value_of(config["max.message.bytes"])))
    refused(errors.TopicAlreadyExistsError, create, TOPIC)


def more_partitions():
    admin.create_partitions({TOPIC: 4})
    until(lambda: len(admin.describe_topics([TOPIC])[0]["partitions"]) == 4, "four partitions")
    produce(TOPIC, [b"in the new one"], partition=3)
    same([b"in the new one"], values(read(TOPIC, 1, partition=3)))


def alter_config():
    resource = ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs={"retention.ms": "7200000"})
    admin.alter_configs([resource])
    config = describe_config(TOPIC)
    same("7200000", str(value_of(config["retention.ms"])))
    same("2097152", str(value_of(config["max.message.bytes"])))


def delete_and_recreate():
    name = create(f"{RUN}-again")
    produce(name, numbers(10))
    for _ in range(2):
        admin.delete_topics([name])
        create(name, 2)
        same(0, produce(name, [b"new"])[0].offset)
        same([b"new"], values(read(name, 1)))
    admin.delete_topics([name])
    until(lambda: name not in admin.list_topics(), "the topic is gone")
    refused(errors.UnknownTopicOrPartitionError, admin.delete_topics, [name])


def describe_cluster():
    same(1, len(admin.describe_cluster()["brokers"]))


# --- produce -----------------------------------------------------------------------------------

def acks(level):
    topic = create(f"{RUN}-acks-{level}")
    produce(topic, numbers(200), acks=level)
    same(numbers(200), values(read(topic, 200)))


def codec(name):
    topic = create(f"{RUN}-{name}")
    produce(topic, numbers(2000), compression_type=name)
    same(numbers(2000), values(read(topic, 2000)))


def nulls_and_headers():
    topic = create(f"{RUN}-nulls")
    headers = [("color", b"blue"), ("color", b"red"), ("empty", b"")]
    produce(topic, [b"value"], key=b"key", headers=headers)
    produce(topic, [None], key=b"key")
    produce(topic, [b""], key=b"")
    got = [(r.key, r.value, list(r.headers or [])) for r in read(topic, 3)]
    same([(b"key", b"value", headers), (b"key", None, []), (b"", b"", [])], got)


def idempotent():
    topic = create(f"{RUN}-idempotent")
    produce(topic, numbers(2000), enable_idempotence=True, acks="all")
    same(numbers(2000), values(read(topic, 2000)))


def large_record():
    topic = create(f"{RUN}-large", max_message_bytes=2097152)
    value = bytes(range(256)) * 4096
    produce(topic, [value], max_request_size=4000000)
    same([value], values(read(topic, 1, max_partition_fetch_bytes=65536)))


def oversized_record():
    topic = create(f"{RUN}-oversized", max_message_bytes=10000)
    refused(errors.MessageSizeTooLargeError, produce, topic, [b"x" * 20000])
    produce(topic, [b"small"])
    same([b"small"], values(read(topic, 1)))


def auto_created():
    topic = f"{RUN}-automatic"
    produce(topic, numbers(5))
    same(numbers(5), values(read(topic, 5)))


# --- consume -----------------------------------------------------------------------------------

def by_offset():
    topic = create(f"{RUN}-offsets")
    produce(topic, numbers(100))
    same(numbers(100)[40:], values(read(topic, 60, offset=40)))
    client, place = consumer(), TopicPartition(topic, 0)
    same({place: 0}, client.beginning_offsets([place]))
    same({place: 100}, client.end_offsets([place]))
    client.close()
    same(numbers(100), values(read(topic, 100, offset=5000)))


def by_timestamp():
    topic, start = create(f"{RUN}-times"), 1700000000000
    for number in range(5):
        produce(topic, [str(number).encode()], timestamp_ms=start + number * 1000)
    client, place = consumer(), TopicPartition(topic, 0)
    found = client.offsets_for_times({place: start + 2500})[place]
    same((3, start + 3000), (found.offset, found.timestamp))
    same(None, client.offsets_for_times({place: start + 99000})[place])
    client.close()


def delete_records():
    topic = create(f"{RUN}-trimmed")
    produce(topic, numbers(100))
    admin.delete_records({TopicPartition(topic, 0): 30})
    same(numbers(100)[30:], values(read(topic, 70)))


# --- groups ------------------------------------------------------------------------------------

def two_members():
    topic, group = create(f"{RUN}-members", 4), f"{RUN}-group-members"
    first = consumer(group, heartbeat_interval_ms=500)
    second = consumer(group, heartbeat_interval_ms=500)
    for member in (first, second):
        member.subscribe([topic])

    def shared():
        for member in (first, second):
            # a shorter poll can end inside of a rebalance, which this client may not finish then
            member.poll(500)
        return len(first.assignment()) == 2 and len(second.assignment()) == 2
    until(shared, "two partitions each")
    same(4, len(first.assignment() | second.assignment()))
    for partition in range(4):
        produce(topic, numbers(10), partition=partition)
    same(20, len(poll(first, 20)))
    same(20, len(poll(second, 20)))
    second.close()
    until(lambda: first.poll(50) or len(first.assignment()) == 4, "the first has all four")
    first.close()


def commit_and_resume():
    topic, group = create(f"{RUN}-resume"), f"{RUN}-group-resume"
    place = TopicPartition(topic, 0)
    produce(topic, numbers(100))
    first = consumer(group)
    first.subscribe([topic])
    got = poll(first, 60)
    first.commit({place: OffsetAndMetadata(got[39].offset + 1, "forty", -1)})
    same(40, first.committed(place))
    first.close()
    second = consumer(group)
    second.subscribe([topic])
    same(numbers(100)[40:], values(poll(second, 60)))
    second.commit()
    second.close()
    same(100, admin.list_group_offsets([group])[group][place].offset)


def administer_a_group():
    group = f"{RUN}-group-resume"
    listed = [g["group_id"] if isinstance(g, dict) else g.group_id for g in admin.list_groups()]
    assert group in listed, f"{group} is not in {listed}"
    described = admin.describe_groups([group])[group]
    same("Empty", described["group_state"])
    admin.delete_groups([group])
    listed = [g["group_id"] if isinstance(g, dict) else g.group_id for g in admin.list_groups()]
    assert group not in listed


def bad_session_timeout():
    member = consumer(f"{RUN}-group-short", session_timeout_ms=200, heartbeat_interval_ms=50)
    member.subscribe([TOPIC])
    try:
        refused(errors.InvalidSessionTimeoutError, poll, member, 1, 10)
    finally:
        member.close()


def unknown_topic():
    reader = consumer(allow_auto_create_topics=False)
    assert not reader.partitions_for_topic(f"{RUN}-unknown")
    reader.close()
    assert f"{RUN}-unknown" not in admin.list_topics()


for name, function, *arguments in [
        ("the cluster describes itself", describe_cluster),
        ("create, describe and list a topic with settings", create_describe_list),
        ("more partitions", more_partitions),
        ("alter one setting, the others stay", alter_config),
        ("delete and recreate under the same name", delete_and_recreate),
        *[(f"acks={level}", acks, level) for level in (0, 1, "all")],
        *[(f"codec {name}", codec, name) for name in ("gzip", "snappy", "lz4", "zstd")],
        ("null keys, null values and headers", nulls_and_headers),
        ("idempotent producer, 2000 records in order", idempotent),
        ("a record of 1 MiB", large_record),
        ("an oversized record is refused, the topic goes on", oversized_record),
        ("producing creates a topic", auto_created),
        ("consume by offset, watermarks, out of range", by_offset),
        ("offsets by timestamp", by_timestamp),
        ("delete records", delete_records),
        ("two members share and take over", two_members),
        ("commit and resume", commit_and_resume),
        ("list, describe and delete a group", administer_a_group),
        ("a bad session timeout is refused", bad_session_timeout),
        ("an unknown topic stays unknown", unknown_topic)]:
    checks.check(name, function, *arguments)
checks.end()
