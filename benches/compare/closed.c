// Closed loop on raw sockets: every connection has one Produce (v3) of one record in flight.
// It measures the broker and not a client library.
//
//   closed HOST PORTS TOPIC PARTITIONS CONNECTIONS SECONDS SIZE ACKS
//
// Connection i writes to partition i % PARTITIONS. PORTS, separated by commas, are where the leaders of
// the partitions answer, in turn; a single one leads all. Prints JSON: all acks, acks per second, latency in ms
// (p50, p99, p99.9), errors. The first second is not counted.
// Build: gcc -O2 closed.c -o closed
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock_and_histogram.h"

static uint32_t crc32c(const uint8_t *p, size_t n) {
  uint32_t crc = ~0u;
  while (n--) {
    crc ^= *p++;
    for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0x82F63B78u & -(crc & 1));
  }
  return ~crc;
}

// --- writing a request: `at` is the place of the next byte ---

static uint8_t *at;
static void u8(int v) { *at++ = v; }
static void i16(int v) { u8(v >> 8), u8(v); }
static void i32(uint32_t v) { i16(v >> 16), i16(v); }
static void i64(uint64_t v) { i32(v >> 32), i32(v); }
static void string(const char *s) {
  i16(strlen(s));
  memcpy(at, s, strlen(s));
  at += strlen(s);
}
static void varint(int64_t v) {
  uint64_t z = ((uint64_t)v << 1) ^ (v >> 63);
  for (; z > 127; z >>= 7) u8(z | 128);
  u8(z);
}
static int varint_length(int64_t v) {
  uint64_t z = ((uint64_t)v << 1) ^ (v >> 63);
  int n = 1;
  for (; z > 127; z >>= 7) n++;
  return n;
}
// Writes a length or checksum into the hole that was left for it.
static void fill(uint8_t *hole, uint32_t v) {
  uint8_t *end = at;
  at = hole, i32(v), at = end;
}
static uint8_t *hole(void) { return at += 4, at - 4; }

static int build_request(uint8_t *start, const char *topic, int partition, int size, int acks) {
  at = start;
  uint8_t *frame = hole();
  i16(0), i16(3), i32(7), string("closed");                  // Produce v3, correlation, client
  i16(-1), i16(acks), i32(30000);                            // no transaction, acks, timeout
  i32(1), string(topic), i32(1), i32(partition);
  uint8_t *records = hole(), *batch = at;
  i64(0);                                                    // base offset
  uint8_t *batch_length = hole();
  i32(-1), u8(2);                                            // leader epoch, magic
  uint8_t *crc = hole(), *covered = at;
  uint64_t timestamp = (uint64_t)time(0) * 1000;
  i16(0), i32(0), i64(timestamp), i64(timestamp);            // attributes, last delta, times
  i64(-1), i16(-1), i32(-1), i32(1);                         // no producer, one record
  varint(1 + 1 + 1 + 1 + varint_length(size) + size + 1);
  u8(0), varint(0), varint(0), varint(-1), varint(size);     // attributes, deltas, null key
  for (int i = 0; i < size; i++) u8('a' + (i * 7 + partition) % 26);
  varint(0);                                                 // no headers
  fill(crc, crc32c(covered, at - covered));
  fill(batch_length, at - batch_length - 4);
  fill(records, at - batch);
  fill(frame, at - start - 4);
  return at - start;
}

// --- connections ---

typedef struct {
  int socket, length, got;
  uint8_t *request, answer[512];
  double sent;
} connection;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void send_request(connection *c) {
  c->got = 0, c->sent = now();
  if (write(c->socket, c->request, c->length) != c->length) fail("write");
}

static void open_connection(connection *c, const char *host, int port, int epoll) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &address.sin_addr);
  c->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->socket, (void *)&address, sizeof address)) fail("connect");
  int one = 1;
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {EPOLLIN, {.ptr = c}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->socket, &event);
}

// Whether a whole response is there; -1 when the connection has ended.
static int read_answer(connection *c) {
  ssize_t n = read(c->socket, c->answer + c->got, sizeof c->answer - c->got);
  if (n <= 0) return -1;
  c->got += n;
  uint32_t length;
  memcpy(&length, c->answer, 4);
  return c->got >= 4 && c->got >= (int)ntohl(length) + 4;
}

// The port of a partition's leader: of the list, in turn.
static int port_of(const char *ports, int partition) {
  int count = 1;
  for (const char *c = ports; *c; c++) count += *c == ',';
  for (int skip = partition % count; skip > 0; skip--) ports = strchr(ports, ',') + 1;
  return atoi(ports);
}

static int error_code(const connection *c, const char *topic) {
  int16_t code; // behind length, correlation, topics, name, partitions, partition
  memcpy(&code, c->answer + 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4, 2);
  return (int16_t)ntohs(code);
}

int main(int count, char **argument) {
  if (count < 9) return fputs("see the head of closed.c\n", stderr), 2;
  const char *topic = argument[3];
  int partitions = atoi(argument[4]), connections = atoi(argument[5]), size = atoi(argument[7]);
  double seconds = atof(argument[6]);
  connection *all = calloc(connections, sizeof *all);
  histogram *latency = calloc(1, sizeof *latency);
  int epoll = epoll_create1(0), last_code = 0;
  long acked = 0, acked_before = 0, errors = 0, counting = 0;
  for (int i = 0; i < connections; i++) {
    connection *c = &all[i];
    c->request = malloc(size + 512);
    c->length = build_request(c->request, topic, i % partitions, size, atoi(argument[8]));
    open_connection(c, argument[1], port_of(argument[2], i % partitions), epoll);
  }
  double warm = now() + 1, end = warm + seconds;
  for (int i = 0; i < connections; i++) send_request(&all[i]);
  struct epoll_event ready[256];
  while (now() < end) {
    int n = epoll_wait(epoll, ready, 256, 100);
    if (!counting && now() >= warm) counting = 1, acked_before = acked;
    for (int i = 0; i < n; i++) {
      connection *c = ready[i].data.ptr;
      int whole = read_answer(c);
      if (whole < 0) errors++, epoll_ctl(epoll, EPOLL_CTL_DEL, c->socket, 0);
      if (whole <= 0) continue;
      int code = error_code(c, topic);
      if (code) errors++, last_code = code;
      else acked++;
      if (counting) histogram_add(latency, now() - c->sent);
      send_request(c);
    }
  }
  printf("{\"connections\":%d,\"acked\":%ld,\"acks_per_s\":%.0f,\"ms\":[%.2f,%.2f,%.2f],\"errors\":%ld,"
         "\"last_code\":%d}\n",
         connections, acked, (acked - acked_before) / seconds, histogram_ms(latency, .5),
         histogram_ms(latency, .99), histogram_ms(latency, .999), errors, last_code);
  return errors > 0;
}
