"""Enough of Kafka's wire format to say something wrong on purpose, and to be a healthy client.

Layouts: the protocol guide of Apache Kafka; record batch format v2. Only old, inflexible versions
are used: their bytes can be written down in a line each.
"""
import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS = 0, 1, 2, 3, 18
CREATE_TOPICS = 19


def crc32c(data, table=[]):
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def record(value, offset_delta=0):
    body = b"\0" + varint(0) + varint(offset_delta) + varint(-1) + varint(len(value)) + value
    body += varint(0)
    return varint(len(body)) + body


def batch(records, count=1, last_delta=None, attributes=0, magic=2, crc=None, timestamp=None):
    """A record batch around the bytes of its records; every field can be wrong."""
    now = int(time.time() * 1000) if timestamp is None else timestamp
    last_delta = count - 1 if last_delta is None else last_delta
    tail = struct.pack(">hiqqqhii", attributes, last_delta, now, now, -1, -1, -1, count) + records
    crc = crc32c(tail) if crc is None else crc
    head = struct.pack(">ibI", -1, magic, crc)
    return struct.pack(">qi", 0, len(head) + len(tail)) + head + tail


def request(key, version, body, correlation=7, client="bad-input"):
    frame = struct.pack(">hhi", key, version, correlation) + string(client) + body
    return struct.pack(">i", len(frame)) + frame


def produce(topic, batches, acks=-1, partition=0):
    body = struct.pack(">hhii", -1, acks, 10000, 1) + string(topic)
    body += struct.pack(">iii", 1, partition, len(batches)) + batches
    return request(PRODUCE, 3, body)


def fetch(topic, offset, wait_ms=100, max_bytes=1 << 20, partition=0):
    body = struct.pack(">iiiibi", -1, wait_ms, 1, max_bytes, 0, 1) + string(topic)
    body += struct.pack(">iiqi", 1, partition, offset, max_bytes)
    return request(FETCH, 4, body)


def create_topic(topic, partitions=1, **settings):
    body = struct.pack(">i", 1) + string(topic) + struct.pack(">ihii", partitions, 1, 0,
                                                              len(settings))
    for key, value in settings.items():
        body += string(key.replace("_", ".")) + string(str(value))
    return request(CREATE_TOPICS, 2, body + struct.pack(">ib", 20000, 0))


def offset_of_timestamp(topic, timestamp):
    body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, 0, timestamp)
    return request(LIST_OFFSETS, 1, body)


class Connection:
    """One socket. `closed` and `answer` wait, but never longer than their deadline."""

    def __init__(self, address, seconds=10):
        self.socket = socket.create_connection(address, seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError(f"closed after {len(data)} of {count} bytes")
            data += part
        return data

    def answer(self):
        """The body of the next response, behind its correlation id."""
        length, = struct.unpack(">i", self.exactly(4))
        return self.exactly(length)[4:]

    def closed(self, seconds=10):
        """Whether the other side closes, whatever it says before."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            return True
        except socket.timeout:
            return False
        return True


def produce_answer(body):
    """Error code and base offset of a Produce v3 response with one partition."""
    topic_length, = struct.unpack_from(">h", body, 4)
    _, code, offset = struct.unpack_from(">ihq", body, 6 + topic_length + 4)
    return code, offset


def fetch_answer(body):
    """Error code and record bytes of a Fetch v4 response with one partition."""
    at = 4 + 4
    topic_length, = struct.unpack_from(">h", body, at)
    at += 2 + topic_length + 4
    _, code, _, _, aborted = struct.unpack_from(">ihqqi", body, at)
    at += 26 + 16 * max(aborted, 0)
    length, = struct.unpack_from(">i", body, at)
    return code, body[at + 4:at + 4 + max(length, 0)]
