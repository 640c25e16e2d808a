// Open-loop latency from producer to consumer through any broker of Kafka's protocol, with
// librdkafka on both ends.
//
//   latency BROKERS TOPIC RATE SECONDS SIZE ACKS
//
// Every record carries the time when it should have been sent, so a stalled broker is charged for
// all that waited. Prints JSON: ack and end-to-end latency in ms (p50, p99, p99.9), lost records.
// Build: gcc -O2 latency.c -o latency -lrdkafka -lpthread
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock_and_histogram.h"

static histogram acks, deliveries;
static atomic_long acked, failed, got, stop;
static double warm; // what was due before is not counted
static rd_kafka_t *consumer;

static void set(rd_kafka_conf_t *conf, const char *key, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, key, value, error, sizeof error))
    fprintf(stderr, "%s\n", error), exit(1);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
  char error[512];
  rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof error);
  if (!client) fprintf(stderr, "%s\n", error), exit(1);
  return client;
}

static void count(histogram *h, const rd_kafka_message_t *record) {
  double due;
  memcpy(&due, record->payload, sizeof due);
  if (due >= warm) histogram_add(h, now() - due);
}

static void on_ack(rd_kafka_t *producer, const rd_kafka_message_t *record, void *opaque) {
  (void)producer, (void)opaque;
  if (record->err) {
    failed++;
  } else {
    acked++;
    count(&acks, record);
  }
}

static void *consume(void *unused) {
  while (!stop) {
    rd_kafka_message_t *record = rd_kafka_consumer_poll(consumer, 100);
    if (!record) continue;
    if (!record->err && record->len >= sizeof(double)) {
      got++;
      count(&deliveries, record);
    }
    rd_kafka_message_destroy(record);
  }
  return unused;
}

static void start_consumer(const char *brokers, const char *topic, pthread_t *thread) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", brokers);
  set(conf, "group.id", "latency");
  set(conf, "enable.auto.commit", "false");
  set(conf, "fetch.error.backoff.ms", "1");
  consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  pthread_create(thread, 0, consume, 0);
}

// Sleeps in short steps and serves acks in between, until the time has come.
static void wait_until(rd_kafka_t *producer, double due) {
  double left;
  while ((left = due - now()) > 0) {
    if (rd_kafka_poll(producer, left > 0.002 ? 1 : 0) || left <= 0.0003) continue;
    struct timespec nap = {0, (left > 0.001 ? 0.0005 : left * 0.5) * 1e9};
    nanosleep(&nap, 0);
  }
}

int main(int arguments, char **argument) {
  if (arguments < 7) return fputs("see the head of latency.c\n", stderr), 2;
  double rate = atof(argument[3]), seconds = atof(argument[4]);
  int size = atoi(argument[5]);
  pthread_t thread;
  start_consumer(argument[1], argument[2], &thread);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argument[1]);
  set(conf, "linger.ms", "0");
  set(conf, "acks", argument[6]);
  rd_kafka_conf_set_dr_msg_cb(conf, on_ack);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argument[2], 0);
  for (double w = now() + 3; now() < w;) rd_kafka_poll(producer, 50); // both ends connect
  char *value = calloc(1, size < 8 ? 8 : size);
  double start = now() + 0.05;
  long total = rate * seconds;
  warm = start + (seconds > 10 ? 3 : 0);
  for (long i = 0; i < total; i++) {
    double due = start + i / rate;
    wait_until(producer, due);
    memcpy(value, &due, sizeof due);
    while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, size, 0, 0, 0) == -1)
      rd_kafka_poll(producer, 1);
  }
  double late = now() - start - seconds;
  rd_kafka_flush(producer, 30000);
  for (double w = now() + 5; now() < w && got < acked;) rd_kafka_poll(producer, 20);
  stop = 1;
  pthread_join(thread, 0);
  printf("{\"rate\":%.0f,\"sent\":%ld,\"late_s\":%.3f,\"acked\":%ld,\"failed\":%ld,\"got\":%ld,"
         "\"ack_ms\":[%.2f,%.2f,%.2f],\"e2e_ms\":[%.2f,%.2f,%.2f]}\n",
         rate, total, late, (long)acked, (long)failed, (long)got, histogram_ms(&acks, .5),
         histogram_ms(&acks, .99), histogram_ms(&acks, .999), histogram_ms(&deliveries, .5),
         histogram_ms(&deliveries, .99), histogram_ms(&deliveries, .999));
  return failed > 0 || acked < total;
}
