"""Bad input and bad manners: a clear error code or a closed connection, everybody else unharmed.

bad_input.py BOOTSTRAP [PID]. With the broker's process id its memory is watched too. After every
check a healthy client produces a record and reads it back.
"""
import random
import re
import resource
import socket
import struct
import sys
import threading
import time
import zlib

import kafka_bytes as k
from checks import Checks, same, until

HOST, PORT = sys.argv[1].rsplit(":", 1)
ADDRESS = (HOST, int(PORT))
PID = sys.argv[2] if len(sys.argv) > 2 else ""
checks = Checks("bad-input")
HEALTHY, HOSTILE = f"{checks.run}-healthy", f"{checks.run}-hostile"
CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_REQUIRED_ACKS = 2, 10, 21
UNSUPPORTED_VERSION, INVALID_REQUEST, INVALID_RECORD = 35, 42, 87
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(200))


def memory_mib():
    status = open(f"/proc/{PID}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def healthy():
    """A new client of good manners is served, and soon."""
    began, value = time.monotonic(), random.randbytes(20)
    with k.Connection(ADDRESS) as client:
        answer = client.send(k.produce(HEALTHY, k.batch(k.record(value)))).answer()
        code, offset = k.produce_answer(answer)
        same(0, code)
        code, records = k.fetch_answer(client.send(k.fetch(HEALTHY, offset)).answer())
        same(0, code)
        assert value in records, "the record just acked is not there"
    took = time.monotonic() - began
    assert took < 5, f"the healthy client took {took:.1f} s"


def check(name, function, *arguments, memory=128):
    """The check itself, then the healthy client, then the broker's memory."""
    def all_three():
        before = memory_mib() if PID else 0
        function(*arguments)
        healthy()
        if PID and memory:
            grown = memory_mib() - before
            assert grown < memory, f"the broker grew by {grown:.0f} MiB, at most {memory}"
    checks.check(name, all_three)


def closes(data, seconds=10):
    with k.Connection(ADDRESS) as connection:
        connection.send(data)
        assert connection.closed(seconds), "the connection stays open"


def refuses(codes, *batches, topic=HOSTILE, acks=-1):
    """Every batch is refused with one of the codes, on the same connection."""
    with k.Connection(ADDRESS) as connection:
        for number, wrong in enumerate(batches):
            code, _ = k.produce_answer(connection.send(k.produce(topic, wrong, acks)).answer())
            assert code in codes, f"batch {number}: wanted one of {codes}, got {code}"


# --- frames ------------------------------------------------------------------------------------

def wrong_lengths():
    for length in (-1, -2147483648, 0, 3, 2147483647, 104857600 + 1):
        closes(struct.pack(">i", length) + b"\0" * 16)


def claims_without_bytes():
    """Thirty requests that claim 90 MiB each and never come: a claim is not an allocation."""
    sockets = [k.Connection(ADDRESS) for _ in range(30)]
    for connection in sockets:
        connection.send(struct.pack(">ihhi", 90 << 20, k.PRODUCE, 3, 1) + b"\0" * 1000)
    healthy()
    for connection in sockets:
        connection.socket.close()


def half_a_request():
    whole = k.produce(HOSTILE, k.batch(k.record(b"x" * 1000)))
    with k.Connection(ADDRESS) as silent, k.Connection(ADDRESS) as leaving:
        silent.send(whole[:100])
        leaving.send(whole[:100]).socket.close()
        healthy()


def byte_by_byte():
    with k.Connection(ADDRESS) as slow:
        for byte in k.produce(HOSTILE, k.batch(k.record(b"slowly"))):
            slow.send(bytes([byte]))
        same(0, k.produce_answer(slow.answer())[0])


def foreign_protocols():
    closes(TLS_HELLO)
    closes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    closes(b"SSH-2.0-OpenSSH_9.2\r\n")


def noise():
    """Frames of random bytes behind a right length, from a fixed seed."""
    chance = random.Random(4711)
    for _ in range(300):
        body = chance.randbytes(chance.randrange(1, 200))
        with k.Connection(ADDRESS) as connection:
            connection.send(struct.pack(">i", len(body)) + body)
            connection.socket.settimeout(0.02)
            try:
                connection.socket.recv(1000)
            except OSError:
                pass


def damaged_requests():
    """Every byte of good requests damaged in turn, each on its own connection."""
    chance = random.Random(4712)
    for good in (k.produce(HOSTILE, k.batch(k.record(b"value"))), k.fetch(HOSTILE, 0, 1),
                 k.create_topic(f"{HOSTILE}-damaged"), k.request(k.METADATA, 1, b"\0\0\0\0")):
        for place in range(4, len(good)):
            damaged = bytearray(good)
            damaged[place] ^= 1 << chance.randrange(8)
            with k.Connection(ADDRESS) as connection:
                connection.send(damaged)


# --- versions ----------------------------------------------------------------------------------

def unknown_api():
    for key in (999, -1, 4, 32767):
        closes(k.request(key, 0, b""))


def unknown_version():
    for key, version in ((k.PRODUCE, 99), (k.PRODUCE, 2), (k.FETCH, 3), (k.METADATA, -1)):
        closes(k.request(key, version, b"\0" * 8))


def unknown_api_versions_version():
    with k.Connection(ADDRESS) as connection:
        for version in (99, 32767):
            body = connection.send(k.request(k.API_VERSIONS, version, b"\0" * 20)).answer()
            code, count = struct.unpack_from(">hi", body)
            same(UNSUPPORTED_VERSION, code)
            same(len(body), 6 + 6 * count)
            ranges = dict((key, (low, high)) for key, low, high in
                          struct.iter_unpack(">hhh", body[6:]))
            assert k.API_VERSIONS in ranges and ranges[k.API_VERSIONS][1] >= 3, ranges
            # Kafka names this one key only; who names more names Produce from 0 on.
            same(0, ranges.get(k.PRODUCE, (0, 0))[0])


# --- counts and batches ------------------------------------------------------------------------

def absurd_counts():
    closes_or_refuses(k.request(k.METADATA, 1, struct.pack(">i", 2147483647)))
    closes_or_refuses(k.request(k.METADATA, 1, struct.pack(">i", 1000) + string_of(32767)))
    topics = struct.pack(">hhii", -1, -1, 1000, 2147483647)
    closes_or_refuses(k.request(k.PRODUCE, 3, topics))
    closes_or_refuses(k.request(k.FETCH, 4, struct.pack(">iiiibi", -1, 0, 1, 1, 0, 1 << 30)))
    # A client id longer than the request, and a flexible one with 2^32 - 1 tagged fields.
    frame = struct.pack(">hhih", k.METADATA, 1, 1, 32767)
    closes_or_refuses(struct.pack(">i", len(frame)) + frame)
    frame = struct.pack(">hhih", k.METADATA, 12, 1, -1) + b"\xff\xff\xff\xff\x0f"
    closes_or_refuses(struct.pack(">i", len(frame)) + frame)


def string_of(length):
    return struct.pack(">h", length) + b"x"


def closes_or_refuses(data):
    with k.Connection(ADDRESS) as connection:
        connection.send(data)
        connection.socket.settimeout(10)
        try:
            said = connection.socket.recv(4096)
        except ConnectionResetError:
            return
        except socket.timeout:
            raise AssertionError("neither an answer nor an end within 10 s")
        assert not said or struct.pack(">h", INVALID_REQUEST) in said, f"it said {said[:60]}"


def wrong_crc():
    good = k.batch(k.record(b"value"))
    refuses({CORRUPT_MESSAGE}, k.batch(k.record(b"value"), crc=1), good[:-3] + b"zzz")


def wrong_counts():
    one, bad = k.record(b"value"), {CORRUPT_MESSAGE, INVALID_RECORD, INVALID_REQUEST}
    refuses(bad, k.batch(one, count=2), k.batch(one, count=1, last_delta=5),
            k.batch(one, count=-1), k.batch(one, count=0), k.batch(one, count=2147483647))


def wrong_forms():
    one, bad = k.record(b"value"), {CORRUPT_MESSAGE, INVALID_RECORD, INVALID_REQUEST, 43, 76}
    good = k.batch(one)
    short, long = good[:8] + struct.pack(">i", 20) + good[12:], good[:8] + b"\x7f\xff\xff\xff"
    refuses(bad, k.batch(one, magic=1), k.batch(one, attributes=7), short, long + good[12:],
            good[:30], b"x")


def wrong_acks():
    refuses({INVALID_REQUIRED_ACKS}, k.batch(k.record(b"value")), acks=7)


def oversized_record():
    refuses({MESSAGE_TOO_LARGE}, k.batch(k.record(b"x" * (1 << 20))))


def decompression_bomb():
    """One MiB is gigabytes once unpacked: 1 GiB of zeros in one record of a gzip batch."""
    topic, size, at = f"{checks.run}-bomb", 1 << 30, 1700000000000
    head = b"\0" + k.varint(0) + k.varint(0) + k.varint(-1) + k.varint(size)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(k.varint(len(head) + size + 1) + head)
    for _ in range(size >> 20):
        packed += packer.compress(b"\0" * (1 << 20))
    packed += packer.compress(k.varint(0)) + packer.flush()
    with k.Connection(ADDRESS, 60) as client:
        client.send(k.create_topic(topic, max_message_bytes=2 << 20)).answer()
        bomb = k.batch(packed, attributes=1, timestamp=at)
        code, _ = k.produce_answer(client.send(k.produce(topic, bomb)).answer())
        assert code in (0, MESSAGE_TOO_LARGE, INVALID_RECORD, CORRUPT_MESSAGE), code
        # A lookup by time is the one place where a broker may want to look inside.
        client.send(k.offset_of_timestamp(topic, at)).answer()


# --- many and slow -----------------------------------------------------------------------------

def idle_connections():
    sockets = [k.Connection(ADDRESS) for _ in range(2000)]
    healthy()
    body = sockets[1000].send(k.request(k.METADATA, 1, struct.pack(">i", 0))).answer()
    assert len(body) > 8
    for connection in sockets:
        connection.socket.close()


def slow_readers():
    """Forty connections ask for 200 MiB each and read none of it."""
    topic = f"{checks.run}-unread"
    with k.Connection(ADDRESS) as client:
        client.send(k.create_topic(topic)).answer()
        big = k.batch(k.record(b"x" * 1000000))
        for _ in range(3):
            same(0, k.produce_answer(client.send(k.produce(topic, big)).answer())[0])
    readers = [k.Connection(ADDRESS) for _ in range(40)]
    for reader in readers:
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.send(k.fetch(topic, 0) * 200)
    healthy()
    for reader in readers:
        reader.socket.close()


def flood_without_reading():
    """Requests without end whose answers nobody takes: the sender is held, nobody else."""
    connection, sent, stop = k.Connection(ADDRESS), [0], time.monotonic() + 3
    many = k.request(k.METADATA, 1, struct.pack(">i", -1)) * 1000
    connection.socket.settimeout(1)

    def flood():
        try:
            while time.monotonic() < stop:
                sent[0] += connection.socket.send(many)
        except OSError:
            pass
    thread = threading.Thread(target=flood)
    thread.start()
    healthy()
    thread.join()
    connection.socket.close()


def leaving_in_the_middle():
    """A long poll whose client goes away leaves nothing behind."""
    for _ in range(200):
        with k.Connection(ADDRESS) as connection:
            connection.send(k.fetch(HEALTHY, 1 << 40, 30000) + k.fetch(HEALTHY, 0, 30000))
    healthy()


def served_at_last():
    def served():
        try:
            healthy()
            return True
        except (AssertionError, ConnectionError, struct.error):
            return False
    with k.Connection(ADDRESS) as client:
        for topic in (HEALTHY, HOSTILE):
            client.send(k.create_topic(topic)).answer()
    until(served, "a healthy client is served before anything bad is sent")


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    served_at_last()
    check("wrong lengths close the connection", wrong_lengths)
    check("a claimed length is not an allocation", claims_without_bytes)
    check("half a request and then silence", half_a_request)
    check("a request byte by byte is served", byte_by_byte)
    check("TLS, HTTP and SSH on the plain port", foreign_protocols)
    check("300 frames of noise", noise)
    check("good requests with every byte damaged", damaged_requests)
    check("an unknown API closes the connection", unknown_api)
    check("an unknown version closes the connection", unknown_version)
    check("ApiVersions of an unknown version: v0, error 35, keys", unknown_api_versions_version)
    check("absurd counts and lengths inside a request", absurd_counts)
    check("a wrong CRC", wrong_crc)
    check("wrong counts in a batch", wrong_counts)
    check("wrong magic, codec and lengths of a batch", wrong_forms)
    check("acks=7", wrong_acks)
    check("an oversized record", oversized_record)
    check("a decompression bomb", decompression_bomb, memory=256)
    check("2,000 idle connections", idle_connections, memory=256)
    check("forty readers that never read", slow_readers, memory=512)
    check("a flood of requests whose answers nobody reads", flood_without_reading, memory=256)
    check("200 long polls whose clients leave", leaving_in_the_middle)
    checks.end()


main()
