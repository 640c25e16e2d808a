// What a user of franz-go does. main BOOTSTRAP
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	bootstrap = os.Args[1]
	run       = fmt.Sprintf("franz-go-%d", time.Now().UnixNano())
	admin     *kadm.Client
)

// --- small words --------------------------------------------------------------------------------

// failure carries a broken expectation up to the check that it ends.
type failure struct{ err error }

func (f failure) String() string { return f.err.Error() }

func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func expect(holds bool, format string, arguments ...any) {
	if !holds {
		panic(failure{fmt.Errorf(format, arguments...)})
	}
}

func refused(wanted, got error) {
	expect(errors.Is(got, wanted), "wanted %v, got %v", wanted, got)
}

func same(wanted, got []string) {
	expect(len(wanted) == len(got), "wanted %d records, got %d", len(wanted), len(got))
	for i := range wanted {
		expect(wanted[i] == got[i], "record %d: wanted %.50q, got %.50q", i, wanted[i], got[i])
	}
}

func numbers(from, to int) []string {
	var list []string
	for number := from; number < to; number++ {
		list = append(list, strconv.Itoa(number))
	}
	return list
}

func within(duration time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func connect(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// Without it the client answers questions about topics from its cache for seconds.
		kgo.MetadataMinAge(10 * time.Millisecond),
	}, options...)...)
	must(err)
	return client
}

func create(name string, partitions int32, settings map[string]string) string {
	configs := map[string]*string{}
	for key, value := range settings {
		configs[key] = kadm.StringPtr(value)
	}
	_, err := admin.CreateTopic(within(20*time.Second), partitions, 1, configs, name)
	must(err)
	return name
}

func produce(topic string, partition int32, values []string, options ...kgo.Opt) error {
	client := connect(options...)
	defer client.Close()
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)})
	}
	return client.ProduceSync(within(20*time.Second), records...).FirstErr()
}

func poll(client *kgo.Client, count int) []*kgo.Record {
	var records []*kgo.Record
	ctx := within(20 * time.Second)
	for len(records) < count {
		fetches := client.PollRecords(ctx, count-len(records))
		must(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func read(
	topic string, partition int32, from kgo.Offset, count int, options ...kgo.Opt,
) []*kgo.Record {
	client := connect(append(options, kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{topic: {partition: from}}))...)
	defer client.Close()
	return poll(client, count)
}

func values(records []*kgo.Record) []string {
	var list []string
	for _, record := range records {
		list = append(list, string(record.Value))
	}
	return list
}

func until(what string, condition func() bool) {
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		expect(time.Now().Before(deadline), "not within 20 s: %s", what)
		time.Sleep(20 * time.Millisecond)
	}
}

var start = kgo.NewOffset().AtStart()

// --- topics -------------------------------------------------------------------------------------

func createDescribeList() {
	topic := create(run+"-topic", 3,
		map[string]string{"retention.ms": "3600000", "max.message.bytes": "2097152"})
	listed, err := admin.ListTopics(within(10*time.Second), topic)
	must(err)
	expect(len(listed[topic].Partitions) == 3, "%d partitions", len(listed[topic].Partitions))
	expect(listed[topic].ID != kadm.TopicID{}, "no topic id")
	expect(settingOf(topic, "retention.ms") == "3600000", "retention.ms is not what was set")
	expect(settingOf(topic, "max.message.bytes") == "2097152", "max.message.bytes is not")
	_, err = admin.CreateTopic(within(10*time.Second), 1, 1, nil, topic)
	refused(kerr.TopicAlreadyExists, err)
}

func settingOf(topic, key string) string {
	configs, err := admin.DescribeTopicConfigs(within(10*time.Second), topic)
	must(err)
	config, err := configs.On(topic, nil)
	must(err)
	must(config.Err)
	for _, setting := range config.Configs {
		if setting.Key == key {
			return setting.MaybeValue()
		}
	}
	return "(not described)"
}

func morePartitions() {
	topic := run + "-topic"
	updated, err := admin.UpdatePartitions(within(10*time.Second), 4, topic)
	must(err)
	must(updated.Error())
	until("four partitions", func() bool {
		listed, err := admin.ListTopics(within(10*time.Second), topic)
		return err == nil && len(listed[topic].Partitions) == 4
	})
	must(produce(topic, 3, []string{"in the new one"}))
	same([]string{"in the new one"}, values(read(topic, 3, start, 1)))
}

func alterConfig() {
	topic := run + "-topic"
	change := []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("7200000")}}
	altered, err := admin.AlterTopicConfigs(within(10*time.Second), change, topic)
	must(err)
	must(altered[0].Err)
	expect(settingOf(topic, "retention.ms") == "7200000", "retention.ms is not what was set")
	expect(settingOf(topic, "max.message.bytes") == "2097152", "max.message.bytes changed too")
}

func deleteAndRecreate() {
	topic := create(run+"-again", 1, nil)
	must(produce(topic, 0, numbers(0, 10)))
	before, err := admin.ListTopics(within(10*time.Second), topic)
	must(err)
	deleted, err := admin.DeleteTopics(within(10*time.Second), topic)
	must(err)
	must(deleted.Error())
	create(topic, 2, nil)
	until("the new topic has an id of its own", func() bool {
		after, err := admin.ListTopics(within(10*time.Second), topic)
		return err == nil && before[topic].ID != after[topic].ID
	})
	must(produce(topic, 0, []string{"new"}))
	same([]string{"new"}, values(read(topic, 0, start, 1)))
}

func describeCluster() {
	metadata, err := admin.BrokerMetadata(within(10 * time.Second))
	must(err)
	expect(len(metadata.Brokers) == 1 && metadata.Cluster != "", "%+v", metadata)
}

// --- produce ------------------------------------------------------------------------------------

func acks(level kgo.Acks, name string) func() {
	return func() {
		topic := create(run+"-acks-"+name, 1, nil)
		must(produce(topic, 0, numbers(0, 200), kgo.RequiredAcks(level),
			kgo.DisableIdempotentWrite()))
		same(numbers(0, 200), values(read(topic, 0, start, 200)))
	}
}

func codec(codec kgo.CompressionCodec, name string) func() {
	return func() {
		topic := create(run+"-"+name, 1, nil)
		must(produce(topic, 0, numbers(0, 3000), kgo.ProducerBatchCompression(codec)))
		same(numbers(0, 3000), values(read(topic, 0, start, 3000)))
	}
}

func nullsAndHeaders() {
	topic := create(run+"-nulls", 1, nil)
	client := connect()
	defer client.Close()
	must(client.ProduceSync(within(10*time.Second),
		&kgo.Record{Topic: topic, Key: []byte("key"), Value: []byte("value"),
			Headers: []kgo.RecordHeader{{Key: "color", Value: []byte("blue")}, {Key: "none"}}},
		&kgo.Record{Topic: topic, Key: []byte("key")},
		&kgo.Record{Topic: topic, Key: []byte{}, Value: []byte{}}).FirstErr())
	got := read(topic, 0, start, 3)
	expect(len(got[0].Headers) == 2 && string(got[0].Headers[0].Value) == "blue" &&
		got[0].Headers[1].Value == nil, "headers: %+v", got[0].Headers)
	expect(string(got[1].Key) == "key" && got[1].Value == nil, "second: %+v", got[1])
	expect(got[2].Key != nil && got[2].Value != nil, "third: %+v", got[2])
}

func idempotent() {
	topic := create(run+"-idempotent", 1, nil)
	must(produce(topic, 0, numbers(0, 5000), kgo.MaxBufferedRecords(50)))
	same(numbers(0, 5000), values(read(topic, 0, start, 5000)))
}

func largeRecord() {
	topic := create(run+"-large", 1, map[string]string{"max.message.bytes": "2097152"})
	value := string(bytes.Repeat([]byte("0123456789abcdef"), 65536))
	must(produce(topic, 0, []string{value}, kgo.ProducerBatchMaxBytes(2000000),
		kgo.ProducerBatchCompression(kgo.NoCompression())))
	same([]string{value}, values(read(topic, 0, start, 1, kgo.FetchMaxPartitionBytes(65536))))
}

func oversizedRecord() {
	topic := create(run+"-oversized", 1, map[string]string{"max.message.bytes": "10000"})
	refused(kerr.MessageTooLarge, produce(topic, 0, []string{strings.Repeat("x", 20000)},
		kgo.ProducerBatchCompression(kgo.NoCompression())))
	must(produce(topic, 0, []string{"small"}))
	same([]string{"small"}, values(read(topic, 0, start, 1)))
}

func autoCreated() {
	topic := run + "-automatic"
	must(produce(topic, 0, numbers(0, 5), kgo.AllowAutoTopicCreation()))
	same(numbers(0, 5), values(read(topic, 0, start, 5)))
}

// --- consume ------------------------------------------------------------------------------------

func byOffset() {
	topic := create(run+"-offsets", 1, nil)
	must(produce(topic, 0, numbers(0, 100)))
	same(numbers(40, 100), values(read(topic, 0, kgo.NewOffset().At(40), 60)))
	same(numbers(95, 100), values(read(topic, 0, kgo.NewOffset().AtEnd().Relative(-5), 5)))
	ends, err := admin.ListEndOffsets(within(10*time.Second), topic)
	must(err)
	end, _ := ends.Lookup(topic, 0)
	expect(end.Offset == 100, "end offset %d", end.Offset)
	same(numbers(0, 100), values(read(topic, 0, kgo.NewOffset().At(5000), 100,
		kgo.ConsumeResetOffset(start))))
}

func byTimestamp() {
	topic := create(run+"-times", 1, nil)
	first := time.UnixMilli(1700000000000)
	client := connect()
	defer client.Close()
	for number := range 10 {
		must(client.ProduceSync(within(10*time.Second), &kgo.Record{Topic: topic,
			Value:     []byte(strconv.Itoa(number)),
			Timestamp: first.Add(time.Duration(number) * time.Second)}).FirstErr())
	}
	at := kgo.NewOffset().AfterMilli(first.UnixMilli() + 3500)
	same(numbers(4, 10), values(read(topic, 0, at, 6)))
	newest, err := admin.ListMaxTimestampOffsets(within(10*time.Second), topic)
	must(err)
	offset, _ := newest.Lookup(topic, 0)
	expect(offset.Offset == 9, "offset of the newest timestamp: %d", offset.Offset)
}

func deleteRecords() {
	topic := create(run+"-trimmed", 1, nil)
	must(produce(topic, 0, numbers(0, 100)))
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 30, -1)
	deleted, err := admin.DeleteRecords(within(10*time.Second), offsets)
	must(err)
	must(deleted.Error())
	same(numbers(30, 100), values(read(topic, 0, start, 70)))
}

// --- groups -------------------------------------------------------------------------------------

// member keeps polling in the background, so that rebalances go on.
type member struct {
	client  *kgo.Client
	records chan *kgo.Record
}

func join(group, topic string, balancer kgo.GroupBalancer) *member {
	client := connect(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(start), kgo.Balancers(balancer), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(300*time.Millisecond))
	m := &member{client, make(chan *kgo.Record, 1000)}
	go func() {
		for {
			fetches := client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachRecord(func(record *kgo.Record) { m.records <- record })
		}
	}()
	return m
}

func (m *member) partitions(group string) int {
	described, err := admin.DescribeGroups(within(5*time.Second), group)
	must(err)
	id, _ := m.client.GroupMetadata()
	for _, other := range described[group].Members {
		if other.MemberID == id {
			if assigned, ok := other.Assigned.AsConsumer(); ok && len(assigned.Topics) == 1 {
				return len(assigned.Topics[0].Partitions)
			}
		}
	}
	return 0
}

func twoMembers(balancer kgo.GroupBalancer, name string) func() {
	return func() {
		group, topic := run+"-group-"+name, create(run+"-members-"+name, 4, nil)
		first := join(group, topic, balancer)
		defer first.client.Close()
		until("the first has all four", func() bool { return first.partitions(group) == 4 })
		second := join(group, topic, balancer)
		until("two partitions each", func() bool {
			return first.partitions(group) == 2 && second.partitions(group) == 2
		})
		for partition := range int32(4) {
			must(produce(topic, partition, numbers(0, 10)))
		}
		until("20 records each", func() bool {
			return len(first.records) == 20 && len(second.records) == 20
		})
		second.client.Close()
		until("the first has all four again", func() bool { return first.partitions(group) == 4 })
	}
}

func commitAndResume() {
	group, topic := run+"-group-resume", create(run+"-resume", 1, nil)
	must(produce(topic, 0, numbers(0, 100)))
	options := []kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(start), kgo.DisableAutoCommit()}
	first := connect(options...)
	got := poll(first, 60)
	must(first.CommitRecords(within(10*time.Second), got[39]))
	first.Close()
	second := connect(options...)
	same(numbers(40, 100), values(poll(second, 60)))
	must(second.CommitUncommittedOffsets(within(10 * time.Second)))
	second.Close()
	committed, err := admin.FetchOffsets(within(10*time.Second), group)
	must(err)
	at, _ := committed.Lookup(topic, 0)
	expect(at.At == 100, "committed %d", at.At)
	lags, err := admin.Lag(within(10*time.Second), group)
	must(err)
	lag := lags[group]
	expect(lag.Lag.Total() == 0, "lag %d", lag.Lag.Total())
}

func administerAGroup() {
	group, topic := run+"-group-resume", run+"-resume"
	listed, err := admin.ListGroups(within(10 * time.Second))
	must(err)
	expect(listed[group].Group == group, "not listed")
	var gone kadm.TopicsSet
	gone.Add(topic, 0)
	deletedOffsets, err := admin.DeleteOffsets(within(10*time.Second), group, gone)
	must(err)
	must(deletedOffsets.Error())
	committed, err := admin.FetchOffsets(within(10*time.Second), group)
	must(err)
	at, found := committed.Lookup(topic, 0)
	expect(!found || at.At == -1, "still committed at %d", at.At)
	deleted, err := admin.DeleteGroups(within(10*time.Second), group)
	must(err)
	must(deleted.Error())
	deleted, err = admin.DeleteGroups(within(10*time.Second), group)
	must(err)
	refused(kerr.GroupIDNotFound, deleted.Error())
}

// --- refusals -----------------------------------------------------------------------------------

func unknownTopic() {
	refused(kerr.UnknownTopicOrPartition,
		produce(run+"-unknown", 0, []string{"x"}, kgo.UnknownTopicRetries(0)))
	listed, err := admin.ListTopics(within(10 * time.Second))
	must(err)
	expect(!listed.Has(run+"-unknown"), "it was created")
}

func badSessionTimeout() {
	topic := create(run+"-short", 1, nil)
	client := connect(kgo.ConsumerGroup(run+"-group-short"), kgo.ConsumeTopics(topic),
		kgo.SessionTimeout(200*time.Millisecond), kgo.HeartbeatInterval(50*time.Millisecond))
	defer client.Close()
	var session *kgo.ErrGroupSession
	err := client.PollFetches(within(10 * time.Second)).Err()
	expect(errors.As(err, &session), "wanted the group's error, got %v", err)
	refused(kerr.InvalidSessionTimeout, session.Err)
}

// --- the run ------------------------------------------------------------------------------------

func check(name string, function func()) (passed bool) {
	defer func() {
		if broken := recover(); broken != nil {
			fmt.Printf("not ok - franz-go: %s\n#   %v\n", name, broken)
			passed = false
		}
	}()
	function()
	fmt.Printf("ok - franz-go: %s\n", name)
	return true
}

func main() {
	client := connect()
	admin = kadm.NewClient(client)
	passed, failed := 0, 0
	for _, c := range []struct {
		name     string
		function func()
	}{
		{"the cluster describes itself", describeCluster},
		{"create, describe and list a topic with settings", createDescribeList},
		{"more partitions", morePartitions},
		{"alter one setting, the others stay", alterConfig},
		{"delete and recreate under the same name, with a new id", deleteAndRecreate},
		{"acks=0", acks(kgo.NoAck(), "0")},
		{"acks=1", acks(kgo.LeaderAck(), "1")},
		{"acks=all", acks(kgo.AllISRAcks(), "all")},
		{"codec gzip", codec(kgo.GzipCompression(), "gzip")},
		{"codec snappy", codec(kgo.SnappyCompression(), "snappy")},
		{"codec lz4", codec(kgo.Lz4Compression(), "lz4")},
		{"codec zstd", codec(kgo.ZstdCompression(), "zstd")},
		{"null keys, null values and headers", nullsAndHeaders},
		{"idempotent producer, 5000 records in order", idempotent},
		{"a record of 1 MiB", largeRecord},
		{"an oversized record is refused, the topic goes on", oversizedRecord},
		{"producing creates a topic", autoCreated},
		{"consume by offset, from the end, out of range", byOffset},
		{"consume from a timestamp", byTimestamp},
		{"delete records", deleteRecords},
		{"two members, eager", twoMembers(kgo.RangeBalancer(), "range")},
		{"two members, cooperative", twoMembers(kgo.CooperativeStickyBalancer(), "cooperative")},
		{"commit and resume", commitAndResume},
		{"list a group, delete its offsets and the group", administerAGroup},
		{"an unknown topic is an error when it may not be created", unknownTopic},
		{"a bad session timeout is refused", badSessionTimeout},
	} {
		if check(c.name, c.function) {
			passed++
		} else {
			failed++
		}
	}
	client.Close()
	fmt.Printf("# franz-go: %d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
