// What a user of kafka-clients does. java -cp 'lib/*' Checks.java BOOTSTRAP

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidSessionTimeoutException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Checks {
  static final String RUN = "java-" + System.nanoTime();
  static final String TOPIC = RUN + "-topic";
  static String bootstrap;
  static Admin admin;

  // --- small words ------------------------------------------------------------------------------

  interface Action {
    void run() throws Exception;
  }

  static void expect(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static void same(Object wanted, Object got) {
    String both = "wanted " + brief(wanted) + ", got " + brief(got);
    expect(Objects.equals(wanted, got), both);
  }

  static String brief(Object object) {
    String text = String.valueOf(object);
    return text.length() < 300 ? text : text.substring(0, 300) + "…";
  }

  static void refused(Class<? extends Throwable> wanted, Action action) throws Exception {
    try {
      action.run();
    } catch (Exception e) {
      Throwable got = e instanceof ExecutionException ? e.getCause() : e;
      expect(wanted.isInstance(got), "wanted " + wanted.getSimpleName() + ", got " + got);
      return;
    }
    throw new AssertionError("was not refused with " + wanted.getSimpleName());
  }

  static void until(String what, BooleanSupplier condition) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      expect(System.nanoTime() < deadline, "not within 20 s: " + what);
      Thread.sleep(10);
    }
  }

  static <T> T wait(Future<T> future) throws Exception {
    return future.get(20, TimeUnit.SECONDS);
  }

  static Map<String, Object> settings(Object... pairs) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap);
    for (int i = 0; i < pairs.length; i += 2) settings.put((String) pairs[i], pairs[i + 1]);
    return settings;
  }

  static String create(String name, int partitions, String... pairs) throws Exception {
    Map<String, String> configs = new HashMap<>();
    for (int i = 0; i < pairs.length; i += 2) configs.put(pairs[i], pairs[i + 1]);
    NewTopic topic = new NewTopic(name, partitions, (short) 1).configs(configs);
    wait(admin.createTopics(List.of(topic)).all());
    return name;
  }

  static byte[] bytes(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }

  static List<String> numbers(int from, int to) {
    return IntStream.range(from, to).mapToObj(String::valueOf).collect(Collectors.toList());
  }

  static KafkaProducer<byte[], byte[]> producer(Object... pairs) {
    return new KafkaProducer<>(settings(pairs), new ByteArraySerializer(),
        new ByteArraySerializer());
  }

  static List<RecordMetadata> produce(String topic, int partition, List<String> values,
      Object... pairs) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer = producer(pairs)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (String value : values) {
        sent.add(producer.send(new ProducerRecord<>(topic, partition, null, bytes(value))));
      }
      List<RecordMetadata> written = new ArrayList<>();
      for (Future<RecordMetadata> future : sent) written.add(wait(future));
      return written;
    }
  }

  static KafkaConsumer<byte[], byte[]> consumer(Object... pairs) {
    Map<String, Object> settings = settings("enable.auto.commit", false, "auto.offset.reset",
        "earliest", "fetch.max.wait.ms", 100);
    settings.putAll(settings(pairs));
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static List<ConsumerRecord<byte[], byte[]>> poll(KafkaConsumer<byte[], byte[]> consumer,
      int count) throws Exception {
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    until(count + " records", () -> {
      consumer.poll(Duration.ofMillis(200)).forEach(records::add);
      return records.size() >= count;
    });
    return records;
  }

  static List<ConsumerRecord<byte[], byte[]>> read(String topic, int partition, long offset,
      int count, Object... pairs) throws Exception {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(pairs)) {
      TopicPartition place = new TopicPartition(topic, partition);
      consumer.assign(List.of(place));
      consumer.seek(place, offset);
      return poll(consumer, count);
    }
  }

  static List<String> values(List<ConsumerRecord<byte[], byte[]>> records) {
    return records.stream().map(record -> text(record.value())).collect(Collectors.toList());
  }

  static String settingOf(String topic, String key) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    Config config = wait(admin.describeConfigs(List.of(resource)).all()).get(resource);
    return config.get(key).value();
  }

  static TopicDescription describe(String topic) throws Exception {
    return wait(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
  }

  // --- topics -----------------------------------------------------------------------------------

  static void describeCluster() throws Exception {
    same(1, wait(admin.describeCluster().nodes()).size());
    expect(!wait(admin.describeCluster().clusterId()).isEmpty(), "no cluster id");
    expect(wait(admin.describeCluster().controller()) != null, "no controller");
  }

  static void createDescribeList() throws Exception {
    create(TOPIC, 3, "retention.ms", "3600000", "max.message.bytes", "2097152");
    expect(wait(admin.listTopics().names()).contains(TOPIC), "not listed");
    same(3, describe(TOPIC).partitions().size());
    same("3600000", settingOf(TOPIC, "retention.ms"));
    same("2097152", settingOf(TOPIC, "max.message.bytes"));
    same("delete", settingOf(TOPIC, "cleanup.policy"));
  }

  static void wrongTopics() throws Exception {
    refused(TopicExistsException.class, () -> create(TOPIC, 1));
    refused(InvalidTopicException.class, () -> create("not a name!", 1));
    refused(InvalidPartitionsException.class, () -> create(RUN + "-none", 0));
    refused(InvalidConfigurationException.class,
        () -> create(RUN + "-bad", 1, "retention.ms", "soon"));
    refused(InvalidReplicationFactorException.class, () -> wait(
        admin.createTopics(List.of(new NewTopic(RUN + "-two", 1, (short) 2))).all()));
    refused(InvalidPartitionsException.class, () -> wait(
        admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(2))).all()));
  }

  static void morePartitions() throws Exception {
    wait(admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(4))).all());
    until("four partitions", () -> {
      try {
        return describe(TOPIC).partitions().size() == 4;
      } catch (Exception e) {
        return false;
      }
    });
    produce(TOPIC, 3, List.of("in the new one"));
    same(List.of("in the new one"), values(read(TOPIC, 3, 0, 1)));
  }

  static void alterConfig() throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
    ConfigEntry entry = new ConfigEntry("retention.ms", "7200000");
    Collection<AlterConfigOp> set = List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET));
    wait(admin.incrementalAlterConfigs(Map.of(resource, set)).all());
    same("7200000", settingOf(TOPIC, "retention.ms"));
    same("2097152", settingOf(TOPIC, "max.message.bytes"));
    set = List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.DELETE));
    wait(admin.incrementalAlterConfigs(Map.of(resource, set)).all());
    same("604800000", settingOf(TOPIC, "retention.ms"));
  }

  static void deleteAndRecreate() throws Exception {
    String topic = create(RUN + "-again", 1);
    try (KafkaProducer<byte[], byte[]> producer = producer()) {
      for (int round = 0; round < 3; round++) {
        // One producer goes on over the deletion: it learns of the new topic by itself.
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, 0, null, bytes("new"));
        same(0L, wait(producer.send(record)).offset());
        wait(admin.deleteTopics(List.of(topic)).all());
        create(topic, 2);
      }
    }
    wait(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(describe(topic).topicId()))).all());
    until("the topic is gone", () -> {
      try {
        return !wait(admin.listTopics().names()).contains(topic);
      } catch (Exception e) {
        return false;
      }
    });
    refused(UnknownTopicOrPartitionException.class, () -> describe(topic));
  }

  // --- produce ----------------------------------------------------------------------------------

  static void acks(String level) throws Exception {
    String topic = create(RUN + "-acks-" + level, 1);
    produce(topic, 0, numbers(0, 200), "acks", level, "enable.idempotence", false);
    same(numbers(0, 200), values(read(topic, 0, 0, 200)));
  }

  static void codec(String name) throws Exception {
    String topic = create(RUN + "-" + name, 1);
    produce(topic, 0, numbers(0, 3000), "compression.type", name, "linger.ms", 5);
    same(numbers(0, 3000), values(read(topic, 0, 0, 3000)));
  }

  static void nullsAndHeaders() throws Exception {
    String topic = create(RUN + "-nulls", 1);
    try (KafkaProducer<byte[], byte[]> producer = producer()) {
      ProducerRecord<byte[], byte[]> first =
          new ProducerRecord<>(topic, 0, bytes("key"), bytes("value"));
      first.headers().add("color", bytes("blue")).add("color", bytes("red")).add("none", null);
      wait(producer.send(first));
      wait(producer.send(new ProducerRecord<>(topic, 0, bytes("key"), null)));
      wait(producer.send(new ProducerRecord<>(topic, 0, bytes(""), bytes(""))));
      wait(producer.send(new ProducerRecord<>(topic, 0, null, null)));
    }
    List<ConsumerRecord<byte[], byte[]>> got = read(topic, 0, 0, 4);
    same(Arrays.asList("key", "key", "", null),
        got.stream().map(record -> text(record.key())).collect(Collectors.toList()));
    same(Arrays.asList("value", null, "", null), values(got));
    same(Arrays.asList("color=blue", "color=red", "none=null"),
        Arrays.stream(got.get(0).headers().toArray())
            .map(header -> header.key() + "=" + text(header.value()))
            .collect(Collectors.toList()));
  }

  static void idempotent() throws Exception {
    String topic = create(RUN + "-idempotent", 1);
    produce(topic, 0, numbers(0, 5000), "batch.size", 500);
    same(numbers(0, 5000), values(read(topic, 0, 0, 5000)));
  }

  static void largeRecord() throws Exception {
    String topic = create(RUN + "-large", 1, "max.message.bytes", "2097152");
    String value = "0123456789abcdef".repeat(65536);
    produce(topic, 0, List.of(value), "max.request.size", 4000000);
    same(List.of(value), values(read(topic, 0, 0, 1, "max.partition.fetch.bytes", 65536)));
  }

  static void oversizedRecord() throws Exception {
    String topic = create(RUN + "-oversized", 1, "max.message.bytes", "10000");
    refused(RecordTooLargeException.class,
        () -> produce(topic, 0, List.of("x".repeat(20000))));
    produce(topic, 0, List.of("small"));
    same(List.of("small"), values(read(topic, 0, 0, 1)));
  }

  static void autoCreated() throws Exception {
    String topic = RUN + "-automatic";
    produce(topic, 0, numbers(0, 5));
    same(numbers(0, 5), values(read(topic, 0, 0, 5)));
  }

  static void transactionsAreRefusedAtOnce() throws Exception {
    try (KafkaProducer<byte[], byte[]> producer =
        producer("transactional.id", RUN + "-transaction", "max.block.ms", 10000)) {
      // A broker without transactions says so in a word that no client repeats.
      producer.initTransactions();
    } catch (TransactionalIdAuthorizationException refusal) {
      return;
    }
  }

  // --- consume ----------------------------------------------------------------------------------

  static void byOffset() throws Exception {
    String topic = create(RUN + "-offsets", 1);
    TopicPartition place = new TopicPartition(topic, 0);
    produce(topic, 0, numbers(0, 100));
    same(numbers(40, 100), values(read(topic, 0, 40, 60)));
    same(numbers(0, 100), values(read(topic, 0, 5000, 100)));
    refused(OffsetOutOfRangeException.class,
        () -> read(topic, 0, 5000, 1, "auto.offset.reset", "none"));
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      same(Map.of(place, 0L), consumer.beginningOffsets(List.of(place)));
      same(Map.of(place, 100L), consumer.endOffsets(List.of(place)));
    }
  }

  static void byTimestamp() throws Exception {
    String topic = create(RUN + "-times", 1);
    TopicPartition place = new TopicPartition(topic, 0);
    long start = 1700000000000L;
    try (KafkaProducer<byte[], byte[]> producer = producer()) {
      for (int i = 0; i < 10; i++) {
        wait(producer.send(new ProducerRecord<>(topic, 0, start + i * 1000, null, bytes("" + i))));
      }
    }
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      same(4L, consumer.offsetsForTimes(Map.of(place, start + 3500)).get(place).offset());
      same(null, consumer.offsetsForTimes(Map.of(place, start + 99000)).get(place));
    }
    same(9L, offset(place, OffsetSpec.maxTimestamp()));
    same(10L, offset(place, OffsetSpec.latest()));
    same(0L, offset(place, OffsetSpec.earliest()));
    same(4L, offset(place, OffsetSpec.forTimestamp(start + 3500)));
  }

  static long offset(TopicPartition place, OffsetSpec spec) throws Exception {
    return wait(admin.listOffsets(Map.of(place, spec)).all()).get(place).offset();
  }

  static void deleteRecords() throws Exception {
    String topic = create(RUN + "-trimmed", 1);
    TopicPartition place = new TopicPartition(topic, 0);
    produce(topic, 0, numbers(0, 100));
    wait(admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(30))).all());
    same(30L, offset(place, OffsetSpec.earliest()));
    same(numbers(30, 100), values(read(topic, 0, 0, 70)));
  }

  // --- groups -----------------------------------------------------------------------------------

  static void twoMembers(Class<?> assignor) throws Exception {
    String name = assignor.getSimpleName();
    String topic = create(RUN + "-members-" + name, 4);
    Object[] pairs = {"group.id", RUN + "-group-" + name, "heartbeat.interval.ms", 300,
        "partition.assignment.strategy", assignor.getName()};
    try (KafkaConsumer<byte[], byte[]> first = consumer(pairs)) {
      first.subscribe(List.of(topic));
      until("the first has all four", () -> assigned(first) == 4);
      try (KafkaConsumer<byte[], byte[]> second = consumer(pairs)) {
        second.subscribe(List.of(topic));
        until("two partitions each", () -> assigned(first) == 2 & assigned(second) == 2);
        for (int partition = 0; partition < 4; partition++) {
          produce(topic, partition, numbers(0, 10));
        }
        same(20, poll(first, 20).size());
        same(20, poll(second, 20).size());
        first.commitSync();
        second.commitSync();
      }
      until("the first has all four again", () -> assigned(first) == 4);
    }
  }

  static int assigned(KafkaConsumer<byte[], byte[]> consumer) {
    consumer.poll(Duration.ofMillis(50));
    return consumer.assignment().size();
  }

  static void commitAndResume() throws Exception {
    String topic = create(RUN + "-resume", 1);
    String group = RUN + "-group-resume";
    TopicPartition place = new TopicPartition(topic, 0);
    produce(topic, 0, numbers(0, 100));
    try (KafkaConsumer<byte[], byte[]> first = consumer("group.id", group)) {
      first.subscribe(List.of(topic));
      poll(first, 60);
      first.commitSync(Map.of(place, new OffsetAndMetadata(40, Optional.empty(), "forty")));
    }
    try (KafkaConsumer<byte[], byte[]> second = consumer("group.id", group)) {
      second.subscribe(List.of(topic));
      same(numbers(40, 100), values(poll(second, 60)));
      same("forty", second.committed(Set.of(place)).get(place).metadata());
      second.commitSync();
      refused(GroupNotEmptyException.class,
          () -> wait(admin.deleteConsumerGroups(List.of(group)).all()));
    }
    same(100L, wait(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata())
        .get(place).offset());
  }

  static void administerAGroup() throws Exception {
    String group = RUN + "-group-resume";
    TopicPartition place = new TopicPartition(RUN + "-resume", 0);
    expect(wait(admin.listGroups().all()).stream().map(GroupListing::groupId)
        .anyMatch(group::equals), "not listed");
    wait(admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(7))).all());
    same(7L, wait(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata())
        .get(place).offset());
    wait(admin.deleteConsumerGroupOffsets(group, Set.of(place)).all());
    wait(admin.deleteConsumerGroups(List.of(group)).all());
    expect(wait(admin.listGroups().all()).stream().map(GroupListing::groupId)
        .noneMatch(group::equals), "still listed");
  }

  static void staticMember() throws Exception {
    String topic = create(RUN + "-static", 2);
    Object[] pairs = {"group.id", RUN + "-group-static", "group.instance.id", "one",
        "heartbeat.interval.ms", 300};
    KafkaConsumer<byte[], byte[]> first = consumer(pairs);
    first.subscribe(List.of(topic));
    until("both partitions", () -> assigned(first) == 2);
    try (KafkaConsumer<byte[], byte[]> second = consumer(pairs)) {
      second.subscribe(List.of(topic));
      until("both partitions for the one that came back", () -> assigned(second) == 2);
      // The one that was replaced under the same name learns that it is fenced.
      Action poll = () -> until("the first is fenced", () -> assigned(first) < 0);
      refused(KafkaException.class, poll);
    } finally {
      first.close(Duration.ZERO);
    }
  }

  static void lateCommitIsRefused() throws Exception {
    String topic = create(RUN + "-late", 1);
    produce(topic, 0, numbers(0, 10));
    Object[] pairs = {"group.id", RUN + "-group-late", "max.poll.interval.ms", 1000,
        "session.timeout.ms", 6000, "heartbeat.interval.ms", 100};
    try (KafkaConsumer<byte[], byte[]> slow = consumer(pairs)) {
      slow.subscribe(List.of(topic));
      poll(slow, 10);
      until("the group is empty", () -> {
        try {
          return wait(admin.describeConsumerGroups(List.of(RUN + "-group-late")).all())
              .get(RUN + "-group-late").members().isEmpty();
        } catch (Exception e) {
          return false;
        }
      });
      refused(CommitFailedException.class, slow::commitSync);
    }
  }

  static void badSessionTimeout() throws Exception {
    try (KafkaConsumer<byte[], byte[]> member = consumer("group.id", RUN + "-group-short",
        "session.timeout.ms", 100, "heartbeat.interval.ms", 50)) {
      member.subscribe(List.of(TOPIC));
      refused(InvalidSessionTimeoutException.class, () -> poll(member, 1));
    }
  }

  static void unknownTopic() throws Exception {
    String topic = RUN + "-unknown";
    refused(UnknownTopicOrPartitionException.class, () -> describe(topic));
    try (KafkaConsumer<byte[], byte[]> reader = consumer("allow.auto.create.topics", false)) {
      same(List.of(), reader.partitionsFor(topic));
    }
    expect(!wait(admin.listTopics().names()).contains(topic), "it was created");
  }

  // --- the run ----------------------------------------------------------------------------------

  static int passed;
  static int failed;

  static void check(String name, Action action) {
    try {
      action.run();
      passed++;
      System.out.println("ok - java: " + name);
    } catch (Throwable e) {
      failed++;
      System.out.println("not ok - java: " + name + "\n#   " + brief(e));
      Arrays.stream(e.getStackTrace()).filter(frame -> frame.getClassName().equals("Checks"))
          .forEach(frame -> System.out.println("#     at " + frame));
    }
  }

  public static void main(String[] arguments) {
    bootstrap = arguments[0];
    admin = Admin.create(settings());
    check("the cluster describes itself", Checks::describeCluster);
    check("create, describe and list a topic with settings", Checks::createDescribeList);
    check("wrong topics are refused with their reason", Checks::wrongTopics);
    check("more partitions", Checks::morePartitions);
    check("alter and reset one setting, the others stay", Checks::alterConfig);
    check("delete and recreate under a living producer", Checks::deleteAndRecreate);
    for (String level : List.of("0", "1", "all")) check("acks=" + level, () -> acks(level));
    for (String name : List.of("gzip", "snappy", "lz4", "zstd")) {
      check("codec " + name, () -> codec(name));
    }
    check("null keys, null values and headers", Checks::nullsAndHeaders);
    check("idempotent producer, 5000 records in order", Checks::idempotent);
    check("a record of 1 MiB", Checks::largeRecord);
    check("an oversized record is refused, the topic goes on", Checks::oversizedRecord);
    check("producing creates a topic", Checks::autoCreated);
    check("a transactional producer is told at once", Checks::transactionsAreRefusedAtOnce);
    check("consume by offset, watermarks, out of range", Checks::byOffset);
    check("offsets by timestamp and by every special one", Checks::byTimestamp);
    check("delete records", Checks::deleteRecords);
    check("two members, eager", () -> twoMembers(RangeAssignor.class));
    check("two members, cooperative", () -> twoMembers(CooperativeStickyAssignor.class));
    check("commit and resume", Checks::commitAndResume);
    check("list, alter and delete a group", Checks::administerAGroup);
    check("a static member replaces itself, the old one is fenced", Checks::staticMember);
    check("a commit of a member that left is refused", Checks::lateCommitIsRefused);
    check("a bad session timeout is refused", Checks::badSessionTimeout);
    check("an unknown topic is an error when it may not be created", Checks::unknownTopic);
    admin.close(Duration.ofSeconds(5));
    System.out.println("# java: " + passed + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }
}
