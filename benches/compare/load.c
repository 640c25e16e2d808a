// Throughput through any broker of Kafka's protocol, with librdkafka.
//
//   load produce BROKERS TOPIC PARTITIONS SIZE COUNT ACKS   a thousand records a partition in turn
//   load consume BROKERS TOPIC PARTITIONS COUNT             every partition from the beginning
//
// Prints JSON: records per second, seconds, and what was delivered, failed or read.
// Build: gcc -O2 load.c -o load -lrdkafka
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock_and_histogram.h"

#define SECONDS_AT_MOST 600

static long failed, delivered;

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

static void on_ack(rd_kafka_t *producer, const rd_kafka_message_t *record, void *opaque) {
  (void)producer, (void)opaque;
  if (record->err) failed++;
  else delivered++;
}

static rd_kafka_t *producer(const char *brokers, const char *acks) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", brokers);
  set(conf, "acks", acks);
  set(conf, "linger.ms", "5");
  set(conf, "batch.size", "1000000");
  set(conf, "batch.num.messages", "1000000");
  set(conf, "queue.buffering.max.messages", "1000000");
  set(conf, "queue.buffering.max.kbytes", "1048576");
  rd_kafka_conf_set_dr_msg_cb(conf, on_ack);
  return client(RD_KAFKA_PRODUCER, conf);
}

static int produce(char **argument) {
  int partitions = atoi(argument[4]), size = atoi(argument[5]);
  long count = atol(argument[6]);
  rd_kafka_t *p = producer(argument[2], argument[7]);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(p, argument[3], NULL);
  const struct rd_kafka_metadata *metadata = NULL; // the connection is not part of the figure
  rd_kafka_metadata(p, 0, topic, &metadata, 10000);
  if (metadata) rd_kafka_metadata_destroy(metadata);
  char *value = malloc(size);
  for (int i = 0; i < size; i++) value[i] = 'a' + (i * 7) % 26;
  double start = now();
  for (long i = 0; i < count; i++) {
    int partition = i / 1000 % partitions;
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, value, size, 0, 0, 0) == -1)
      rd_kafka_poll(p, 5);
    if (i % 10000 == 0) rd_kafka_poll(p, 0);
  }
  while (failed + delivered < count && now() - start < SECONDS_AT_MOST) rd_kafka_poll(p, 10);
  double took = now() - start;
  printf("{\"rate\":%.0f,\"seconds\":%.3f,\"delivered\":%ld,\"failed\":%ld}\n", delivered / took,
         took, delivered, failed);
  return failed || delivered < count;
}

static rd_kafka_t *consumer(const char *brokers, const char *topic, int partitions) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", brokers);
  set(conf, "group.id", "load");
  set(conf, "enable.auto.commit", "false");
  set(conf, "fetch.message.max.bytes", "1048576");
  set(conf, "queued.min.messages", "500000");
  set(conf, "queued.max.messages.kbytes", "262144");
  rd_kafka_t *c = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(c);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; i++)
    rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(c, list);
  rd_kafka_topic_partition_list_destroy(list);
  return c;
}

static int consume(char **argument) {
  long count = atol(argument[5]), got = 0, bytes = 0;
  rd_kafka_t *c = consumer(argument[2], argument[3], atoi(argument[4]));
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(c);
  static rd_kafka_message_t *record[10000];
  double start = now(), first = 0; // the clock starts with the first record
  while (got < count && now() - start < SECONDS_AT_MOST) {
    ssize_t n = rd_kafka_consume_batch_queue(queue, 200, record, 10000);
    for (ssize_t i = 0; i < n; i++) {
      if (!record[i]->err) {
        if (!got) first = now();
        got++, bytes += record[i]->len;
      }
      rd_kafka_message_destroy(record[i]);
    }
  }
  double took = now() - first;
  printf("{\"rate\":%.0f,\"seconds\":%.3f,\"records\":%ld,\"bytes\":%ld}\n", got / took, took, got,
         bytes);
  return got < count;
}

int main(int count, char **argument) {
  if (count == 8 && !strcmp(argument[1], "produce")) return produce(argument);
  if (count == 6 && !strcmp(argument[1], "consume")) return consume(argument);
  return fputs("see the head of load.c\n", stderr), 2;
}
