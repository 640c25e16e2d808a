"""What a user of confluent-kafka does. confluent_kafka_checks.py BOOTSTRAP"""
import sys
import time

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError,
                             KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewPartitions, NewTopic, OffsetSpec, ResourceType)

from checks import Checks, same, until

BOOTSTRAP = sys.argv[1]
checks = Checks("confluent-kafka")
RUN = checks.run
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


# --- small words -------------------------------------------------------------------------------

def create(name, partitions=1, **config):
    config = {key.replace("_", "."): str(value) for key, value in config.items()}
    created = admin.create_topics([NewTopic(name, partitions, 1, config=config)])
    created[name].result(30)
    return name


def producer(**settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    return Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 5, **settings})


def produce(topic, values, key=None, headers=None, partition=-1, **settings):
    """Produces and waits for every delivery report; an error of a record is raised."""
    reports = []
    client = producer(**settings)
    for value in values:
        client.produce(topic, value, key=key, headers=headers, partition=partition,
                       on_delivery=lambda error, message: reports.append((error, message)))
    same(0, client.flush(30))
    for error, _ in reports:
        if error:
            raise KafkaException(error)
    same(len(values), len(reports))
    return [message for _, message in reports]


def consumer(group=None, **settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group or f"{RUN}-none",
                     "enable.auto.commit": False, "auto.offset.reset": "earliest",
                     "fetch.wait.max.ms": 100, **settings})


def read(topic, count, partition=0, offset=OFFSET_BEGINNING, **settings):
    client = consumer(**settings)
    try:
        client.assign([TopicPartition(topic, partition, offset)])
        return poll(client, count)
    finally:
        client.close()


def poll(client, count, seconds=20):
    messages, deadline = [], time.monotonic() + seconds
    while len(messages) < count:
        assert time.monotonic() < deadline, f"{len(messages)} of {count} records in {seconds} s"
        for message in client.consume(count - len(messages), 0.2):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
    return messages


def values(messages):
    return [message.value() for message in messages]


def numbers(count):
    return [str(number).encode() for number in range(count)]


def refused(code, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except KafkaException as error:
        same(code, error.args[0].code())
    else:
        raise AssertionError("was not refused")


# --- topics ------------------------------------------------------------------------------------

TOPIC = f"{RUN}-topic"


def create_describe_list():
    create(TOPIC, 3, retention_ms=3600000, max_message_bytes=2097152)
    topic = admin.list_topics(timeout=10).topics[TOPIC]
    same([0, 1, 2], sorted(topic.partitions))
    assert all(p.leader >= 0 and p.isrs for p in topic.partitions.values())
    config = describe_config(TOPIC)
    same("3600000", config["retention.ms"].value)
    same("2097152", config["max.message.bytes"].value)
    same("604800000", describe_config(create(f"{RUN}-defaults"))["retention.ms"].value)


def describe_config(topic):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return admin.describe_configs([resource])[resource].result(10)


def creating_twice_is_refused():
    refused(KafkaError.TOPIC_ALREADY_EXISTS, create, TOPIC)
    refused(KafkaError.TOPIC_EXCEPTION, create, "not a name!")
    refused(KafkaError.INVALID_CONFIG, create, f"{RUN}-bad", retention_ms="soon")
    two_replicas = [NewTopic(f"{RUN}-replicas", 1, 2)]
    refused(KafkaError.INVALID_REPLICATION_FACTOR,
            lambda: admin.create_topics(two_replicas)[f"{RUN}-replicas"].result(10))


def more_partitions():
    admin.create_partitions([NewPartitions(TOPIC, 4)])[TOPIC].result(10)
    until(lambda: len(admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions) == 4,
          "four partitions")
    produce(TOPIC, [b"in the new one"], partition=3)
    same([b"in the new one"], values(read(TOPIC, 1, partition=3)))


def alter_config():
    entry = ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)
    same("7200000", describe_config(TOPIC)["retention.ms"].value)
    same("2097152", describe_config(TOPIC)["max.message.bytes"].value)


def delete_and_recreate():
    name = create(f"{RUN}-again")
    produce(name, numbers(10))
    for _ in range(3):
        admin.delete_topics([name])[name].result(10)
        create(name, 2)
        same(0, produce(name, [b"new"], partition=0)[0].offset())
        same([b"new"], values(read(name, 1)))
    admin.delete_topics([name])[name].result(10)
    until(lambda: name not in admin.list_topics(timeout=10).topics, "the topic is gone")
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: admin.delete_topics([name])[name].result(10))


def describe_cluster():
    cluster = admin.describe_cluster().result(10)
    same(1, len(cluster.nodes))
    assert cluster.cluster_id and cluster.controller is not None


# --- produce -----------------------------------------------------------------------------------

def acks(level):
    name = create(f"{RUN}-acks-{level}")
    produce(name, numbers(200), acks=level)
    same(numbers(200), values(read(name, 200)))


def codec(name):
    topic = create(f"{RUN}-{name}")
    produce(topic, numbers(3000), compression_type=name)
    same(numbers(3000), values(read(topic, 3000)))


def all_codecs_in_one_partition():
    topic = create(f"{RUN}-mixed")
    for name in ("none", "gzip", "snappy", "lz4", "zstd"):
        produce(topic, numbers(100), compression_type=name)
    same(numbers(100) * 5, values(read(topic, 500)))


def nulls_and_headers():
    topic = create(f"{RUN}-nulls")
    headers = [("color", b"blue"), ("color", b"red"), ("empty", b""), ("none", None)]
    produce(topic, [b"value"], key=b"key", headers=headers)
    produce(topic, [None], key=b"key")
    produce(topic, [b""], key=b"")
    produce(topic, [None])
    got = [(m.key(), m.value(), m.headers()) for m in read(topic, 4)]
    wanted = [(b"key", b"value", headers), (b"key", None, None), (b"", b"", None),
              (None, None, None)]
    same(wanted, got)


def idempotent():
    topic = create(f"{RUN}-idempotent", 2)
    produce(topic, numbers(5000), partition=0, enable_idempotence=True, linger_ms=0)
    same(numbers(5000), values(read(topic, 5000)))


def large_record():
    topic = create(f"{RUN}-large", max_message_bytes=2097152)
    value = bytes(range(256)) * 4096
    for kind in ("none", "lz4"):
        produce(topic, [value], message_max_bytes=4000000, compression_type=kind)
    same([value, value], values(read(topic, 2, fetch_message_max_bytes=65536)))


def oversized_record():
    topic = create(f"{RUN}-oversized", max_message_bytes=10000)
    refused(KafkaError.MSG_SIZE_TOO_LARGE, produce, topic, [b"x" * 20000])
    produce(topic, [b"small"])
    same([b"small"], values(read(topic, 1)))


def timestamps():
    topic = create(f"{RUN}-create-time")
    client = producer()
    client.produce(topic, b"old", timestamp=1600000000123)
    client.flush(10)
    same((1, 1600000000123), read(topic, 1)[0].timestamp())
    topic = create(f"{RUN}-append-time", message_timestamp_type="LogAppendTime")
    client.produce(topic, b"old", timestamp=1600000000123)
    client.flush(10)
    kind, at = read(topic, 1)[0].timestamp()
    same(2, kind)
    assert abs(at / 1000 - time.time()) < 60


def auto_created():
    topic = f"{RUN}-automatic"
    produce(topic, numbers(5))
    same(numbers(5), values(read(topic, 5)))


# --- consume -----------------------------------------------------------------------------------

def by_offset_and_watermarks():
    topic = create(f"{RUN}-offsets")
    produce(topic, numbers(100))
    same(numbers(100)[40:], values(read(topic, 60, offset=40)))
    client = consumer()
    same((0, 100), client.get_watermark_offsets(TopicPartition(topic, 0), 10))
    client.assign([TopicPartition(topic, 0, 0)])
    poll(client, 5)
    client.seek(TopicPartition(topic, 0, 90))
    got = poll(client, 10)
    same(numbers(100)[90:], values(got))
    client.close()


def by_timestamp():
    topic = create(f"{RUN}-times")
    client = producer()
    for number in range(10):
        client.produce(topic, str(number), timestamp=1700000000000 + number * 1000)
    client.flush(10)
    reader = consumer()
    ask = [TopicPartition(topic, 0, 1700000000000 + 3500)]
    same(4, reader.offsets_for_times(ask, 10)[0].offset)
    later = [TopicPartition(topic, 0, 1800000000000)]
    assert reader.offsets_for_times(later, 10)[0].offset in (-1, 10)
    reader.close()
    partition = TopicPartition(topic, 0)
    newest = admin.list_offsets({partition: OffsetSpec.max_timestamp()})[partition].result(10)
    same((9, 1700000009000), (newest.offset, newest.timestamp))
    earliest = admin.list_offsets({partition: OffsetSpec.earliest()})[partition].result(10)
    same(0, earliest.offset)


def out_of_range():
    topic = create(f"{RUN}-range")
    produce(topic, numbers(10))
    same(numbers(10), values(read(topic, 10, offset=5000)))
    refused(KafkaError._AUTO_OFFSET_RESET, read, topic, 1, offset=5000, auto_offset_reset="error")


def delete_records():
    topic = create(f"{RUN}-trimmed")
    produce(topic, numbers(100))
    partition = TopicPartition(topic, 0, 30)
    same(30, admin.delete_records([partition])[partition].result(10).low_watermark)
    same(numbers(100)[30:], values(read(topic, 70)))
    bad = TopicPartition(topic, 0, 3000)
    refused(KafkaError.OFFSET_OUT_OF_RANGE, lambda: admin.delete_records([bad])[bad].result(10))


# --- groups ------------------------------------------------------------------------------------

def two_members(strategy):
    topic, group = create(f"{RUN}-members-{strategy}", 4), f"{RUN}-group-{strategy}"
    settings = {"partition_assignment_strategy": strategy, "heartbeat_interval_ms": 500}
    first, second = consumer(group, **settings), consumer(group, **settings)
    first.subscribe([topic])
    until(lambda: first.poll(0.1) or len(first.assignment()) == 4, "the first has all four")
    second.subscribe([topic])

    def shared():
        first.poll(0.05)
        second.poll(0.05)
        return len(first.assignment()) == 2 and len(second.assignment()) == 2
    until(shared, "two partitions each")
    same(4, len({p.partition for p in first.assignment() + second.assignment()}))
    for partition in range(4):
        produce(topic, [b"x"] * 10, partition=partition)
    same(20, len(poll(first, 20)))
    same(20, len(poll(second, 20)))
    described = admin.describe_consumer_groups([group])[group].result(10)
    same((2, "STABLE"), (len(described.members), described.state.name))
    second.close()
    until(lambda: first.poll(0.1) or len(first.assignment()) == 4, "the first has all four again")
    first.close()


def commit_and_resume():
    topic, group = create(f"{RUN}-resume"), f"{RUN}-group-resume"
    produce(topic, numbers(100))
    first = consumer(group)
    first.subscribe([topic])
    got = poll(first, 60)
    first.commit(message=got[39], asynchronous=False)
    same(40, first.committed([TopicPartition(topic, 0)], 10)[0].offset)
    first.close()
    second = consumer(group)
    second.subscribe([topic])
    same(numbers(100)[40:], values(poll(second, 60)))
    second.commit(offsets=[TopicPartition(topic, 0, 70, metadata="seventy")], asynchronous=False)
    second.close()
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])]
    answer = admin.list_consumer_group_offsets(asked)[group].result(10)
    same((70, "seventy"), (answer.topic_partitions[0].offset, answer.topic_partitions[0].metadata))


def administer_a_group():
    group, topic = f"{RUN}-group-resume", f"{RUN}-resume"
    listed = admin.list_consumer_groups().result(10)
    assert group in {g.group_id for g in listed.valid}, "the group is listed"
    back = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 10)])]
    admin.alter_consumer_group_offsets(back)[group].result(10)
    member = consumer(group)
    member.subscribe([topic])
    same(numbers(100)[10:20], values(poll(member, 10)))
    refused(KafkaError.NON_EMPTY_GROUP,
            lambda: admin.delete_consumer_groups([group])[group].result(10))
    member.close()
    admin.delete_consumer_groups([group])[group].result(10)
    listed = admin.list_consumer_groups().result(10)
    assert group not in {g.group_id for g in listed.valid}, "the group is gone"


def static_member():
    topic, group = create(f"{RUN}-static", 2), f"{RUN}-group-static"
    for _ in range(2):
        member = consumer(group, group_instance_id="one")
        member.subscribe([topic])
        until(lambda: member.poll(0.1) or len(member.assignment()) == 2, "the same assignment")
        member.close()
    described = admin.describe_consumer_groups([group])[group].result(10)
    same("one", described.members[0].group_instance_id)


def bad_session_timeout():
    member = consumer(f"{RUN}-group-short", session_timeout_ms=100, heartbeat_interval_ms=50)
    member.subscribe([TOPIC])
    deadline, seen = time.monotonic() + 15, None
    while seen is None and time.monotonic() < deadline:
        message = member.poll(0.2)
        seen = message.error().code() if message is not None and message.error() else None
    member.close()
    same(KafkaError.INVALID_SESSION_TIMEOUT, seen)


# --- refusals ----------------------------------------------------------------------------------

def unknown_topic():
    reader = consumer(allow_auto_create_topics=False, topic_metadata_propagation_max_ms=1000)
    reader.subscribe([f"{RUN}-unknown"])
    try:
        refused(KafkaError.UNKNOWN_TOPIC_OR_PART, poll, reader, 1)
    finally:
        reader.close()
    assert f"{RUN}-unknown" not in admin.list_topics(timeout=10).topics


def transactional_producer_is_told_at_once():
    client = producer(transactional_id=f"{RUN}-transaction")
    try:
        client.init_transactions(10)
    except KafkaException as error:
        # A broker without transactions says so in words that no client repeats.
        same(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, error.args[0].code())


for name, function, *arguments in [
        ("the cluster describes itself", describe_cluster),
        ("create, describe and list a topic with settings", create_describe_list),
        ("wrong topics are refused with their reason", creating_twice_is_refused),
        ("more partitions", more_partitions),
        ("alter one setting, the others stay", alter_config),
        ("delete and recreate under the same name, three times", delete_and_recreate),
        *[(f"acks={level}", acks, level) for level in ("0", "1", "all")],
        *[(f"codec {name}", codec, name) for name in ("gzip", "snappy", "lz4", "zstd")],
        ("all codecs in one partition", all_codecs_in_one_partition),
        ("null keys, null values and headers", nulls_and_headers),
        ("idempotent producer, 5000 records in order", idempotent),
        ("a record of 1 MiB", large_record),
        ("an oversized record is refused, the topic goes on", oversized_record),
        ("create time and log append time", timestamps),
        ("producing creates a topic", auto_created),
        ("consume by offset, seek, watermarks", by_offset_and_watermarks),
        ("offsets by timestamp", by_timestamp),
        ("an offset out of range", out_of_range),
        ("delete records", delete_records),
        ("two members, eager", two_members, "range"),
        ("two members, cooperative", two_members, "cooperative-sticky"),
        ("commit and resume", commit_and_resume),
        ("list, alter and delete a group", administer_a_group),
        ("a static member comes back", static_member),
        ("a bad session timeout is refused", bad_session_timeout),
        ("an unknown topic is an error when it may not be created", unknown_topic),
        ("a transactional producer is told at once", transactional_producer_is_told_at_once)]:
    checks.check(name, function, *arguments)
checks.end()
