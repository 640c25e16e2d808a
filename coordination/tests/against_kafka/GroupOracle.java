package org.apache.kafka.coordinator.group;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.message.HeartbeatRequestData;
import org.apache.kafka.common.message.JoinGroupRequestData;
import org.apache.kafka.common.message.JoinGroupResponseData;
import org.apache.kafka.common.message.LeaveGroupRequestData;
import org.apache.kafka.common.message.LeaveGroupResponseData;
import org.apache.kafka.common.message.SyncGroupRequestData;
import org.apache.kafka.common.message.SyncGroupResponseData;
import org.apache.kafka.common.network.ClientInformation;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.RequestContext;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.coordinator.common.runtime.CoordinatorExecutor;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorResult;
import org.apache.kafka.coordinator.common.runtime.CoordinatorTimer;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetricsShard;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.timeline.SnapshotRegistry;

/**
 * Kafka's own classic group, driven by lines on standard input: one command a line, then lines that
 * tell what came of it, then a line with a dot. Its clock and its disk are told what to do, too.
 */
public final class GroupOracle {
    private static final String GROUP = "group";
    private static final HexFormat HEX = HexFormat.of();
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

    private static final class Clock implements Time {
        long now = 0;

        @Override public long milliseconds() {
            return now;
        }

        @Override public long nanoseconds() {
            return now * 1_000_000;
        }

        @Override public void sleep(long millis) {
            throw new UnsupportedOperationException();
        }

        @Override public void waitObject(Object object, Supplier<Boolean> condition, long deadline) {
            throw new UnsupportedOperationException();
        }
    }

    private record Alarm(String key, long at, long number, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation) { }

    private final class Alarms implements CoordinatorTimer<CoordinatorRecord> {
        final Map<String, Alarm> byKey = new TreeMap<>();
        long number = 0;

        @Override public void schedule(String key, long delay, TimeUnit unit, boolean retry, TimeoutOperation<CoordinatorRecord> operation) {
            byKey.put(key, new Alarm(key, clock.now + unit.toMillis(delay), number++, operation));
        }

        @Override public void schedule(String key, long delay, TimeUnit unit, boolean retry, long backoff, TimeoutOperation<CoordinatorRecord> operation) {
            schedule(key, delay, unit, retry, operation);
        }

        @Override public void scheduleIfAbsent(String key, long delay, TimeUnit unit, boolean retry, TimeoutOperation<CoordinatorRecord> operation) {
            if (!byKey.containsKey(key)) {
                schedule(key, delay, unit, retry, operation);
            }
        }

        @Override public void cancel(String key) {
            byKey.remove(key);
        }

        @Override public boolean isScheduled(String key) {
            return byKey.containsKey(key);
        }

        Optional<Alarm> next(long until) {
            return byKey.values().stream()
                .filter(alarm -> alarm.at <= until)
                .min((a, b) -> a.at != b.at ? Long.compare(a.at, b.at) : Long.compare(a.number, b.number));
        }
    }

    private static final class NoExecutor implements CoordinatorExecutor<CoordinatorRecord> {
        @Override public <R> boolean schedule(String key, TaskRunnable<R> task, TaskOperation<CoordinatorRecord, R> operation) {
            throw new UnsupportedOperationException();
        }

        @Override public boolean isScheduled(String key) {
            return false;
        }

        @Override public void cancel(String key) { }
    }

    private record Append(CoordinatorResult<?, CoordinatorRecord> result, Consumer<Errors> outcome) { }

    private final Clock clock = new Clock();
    private final Alarms alarms = new Alarms();
    private final ArrayDeque<Append> appends = new ArrayDeque<>();
    private final GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
    private final GroupMetadataManager manager;
    private Set<String> known = Set.of();

    private GroupOracle(long initialDelay) {
        AbstractConfig settings = new AbstractConfig(
            Utils.mergeConfigs(List.of(GroupCoordinatorConfig.CONFIG_DEF, ShareGroupConfig.CONFIG_DEF)),
            Map.of("group.initial.rebalance.delay.ms", initialDelay + ""), false);
        GroupCoordinatorConfig config = new GroupCoordinatorConfig(settings);
        SnapshotRegistry registry = new SnapshotRegistry(new LogContext());
        manager = new GroupMetadataManager.Builder()
            .withSnapshotRegistry(registry)
            .withTime(clock)
            .withTimer(alarms)
            .withExecutor(new NoExecutor())
            .withConfig(config)
            .withGroupConfigManager(new GroupConfigManager(Map.of(), config, new ShareGroupConfig(settings)))
            .withGroupCoordinatorMetricsShard(new GroupCoordinatorMetricsShard(
                registry, new SilentSensors(), new TopicPartition("__consumer_offsets", 0)))
            .build();
    }

    /** No metric is looked at. */
    private static final class SilentSensors extends java.util.HashMap<String, org.apache.kafka.common.metrics.Sensor> {
        private final org.apache.kafka.common.metrics.Metrics metrics = new org.apache.kafka.common.metrics.Metrics();

        @Override public org.apache.kafka.common.metrics.Sensor get(Object name) {
            return metrics.sensor((String) name);
        }

        @Override public boolean containsKey(Object name) {
            return true;
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        GroupOracle oracle = null;
        String line;
        while ((line = input.readLine()) != null) {
            String[] words = line.split(" ");
            if (words[0].equals("reset")) {
                oracle = new GroupOracle(Long.parseLong(words[1]));
            } else {
                oracle.command(words);
                oracle.elapse(0);
                oracle.tellState();
            }
            OUT.println(".");
            OUT.flush();
        }
    }

    private void command(String[] words) throws Exception {
        switch (words[0]) {
            case "join" -> join(words);
            case "sync" -> sync(words);
            case "heartbeat" -> heartbeat(words);
            case "leave" -> leave(words);
            case "commit" -> commit(words);
            case "wait" -> elapse(Long.parseLong(words[1]));
            case "durable" -> settle(Errors.NONE);
            case "failed" -> settle(Errors.valueOf(words[1]));
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private RequestContext context(ApiKeys api, int version, String client) throws Exception {
        return new RequestContext(
            new RequestHeader(api, (short) version, client, 0), "1", InetAddress.getByName("127.0.0.1"),
            KafkaPrincipal.ANONYMOUS, ListenerName.forSecurityProtocol(SecurityProtocol.PLAINTEXT),
            SecurityProtocol.PLAINTEXT, ClientInformation.EMPTY, false);
    }

    /** join ticket client version member instance session rebalance type name:metadata,... */
    private void join(String[] words) throws Exception {
        JoinGroupRequestData.JoinGroupRequestProtocolCollection protocols = new JoinGroupRequestData.JoinGroupRequestProtocolCollection();
        for (String protocol : words[9].split(",")) {
            String[] pair = protocol.split(":");
            protocols.add(new JoinGroupRequestData.JoinGroupRequestProtocol().setName(pair[0]).setMetadata(HEX.parseHex(pair[1])));
        }
        JoinGroupRequestData request = new JoinGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(text(words[4]))
            .setGroupInstanceId(optional(words[5]))
            .setSessionTimeoutMs(Integer.parseInt(words[6]))
            .setRebalanceTimeoutMs(Integer.parseInt(words[7]))
            .setProtocolType(words[8])
            .setProtocols(protocols);
        CompletableFuture<JoinGroupResponseData> answer = new CompletableFuture<>();
        answer.thenAccept(response -> OUT.println(String.join(" ", "answer", words[1], "join",
            Errors.forCode(response.errorCode()).name(), response.generationId() + "", shown(response.protocolName()),
            shown(response.leader()), shown(response.memberId()), response.skipAssignment() + "",
            shown(response.members().stream()
                .map(member -> member.memberId() + "=" + HEX.formatHex(member.metadata()))
                .sorted().collect(Collectors.joining(","))))));
        int version = Integer.parseInt(words[3]);
        begin(manager.classicGroupJoin(context(ApiKeys.JOIN_GROUP, version, words[2]), request, answer), error -> { });
    }

    /** sync ticket version member instance generation type name member:assignment,... */
    private void sync(String[] words) throws Exception {
        List<SyncGroupRequestData.SyncGroupRequestAssignment> assignments = new ArrayList<>();
        if (!words[8].equals("-")) {
            for (String assignment : words[8].split(",")) {
                String[] pair = assignment.split(":");
                assignments.add(new SyncGroupRequestData.SyncGroupRequestAssignment().setMemberId(pair[0]).setAssignment(HEX.parseHex(pair[1])));
            }
        }
        SyncGroupRequestData request = new SyncGroupRequestData()
            .setGroupId(GROUP)
            .setMemberId(text(words[3]))
            .setGroupInstanceId(optional(words[4]))
            .setGenerationId(Integer.parseInt(words[5]))
            .setProtocolType(optional(words[6]))
            .setProtocolName(optional(words[7]))
            .setAssignments(assignments);
        CompletableFuture<SyncGroupResponseData> answer = new CompletableFuture<>();
        answer.thenAccept(response -> OUT.println(String.join(" ", "answer", words[1], "sync",
            Errors.forCode(response.errorCode()).name(), shown(response.protocolName()), shown(HEX.formatHex(response.assignment())))));
        int version = Integer.parseInt(words[2]);
        begin(manager.classicGroupSync(context(ApiKeys.SYNC_GROUP, version, "c"), request, answer), error -> { });
    }

    /** heartbeat ticket member instance generation */
    private void heartbeat(String[] words) throws Exception {
        HeartbeatRequestData request = new HeartbeatRequestData()
            .setGroupId(GROUP)
            .setMemberId(text(words[2]))
            .setGroupInstanceId(optional(words[3]))
            .setGenerationId(Integer.parseInt(words[4]));
        Errors error;
        try {
            error = Errors.forCode(manager.classicGroupHeartbeat(context(ApiKeys.HEARTBEAT, 4, "c"), request).response().errorCode());
        } catch (ApiException refusal) {
            error = Errors.forException(refusal);
        }
        OUT.println("answer " + words[1] + " heartbeat " + error.name());
    }

    /** leave ticket member@instance,... */
    private void leave(String[] words) throws Exception {
        List<LeaveGroupRequestData.MemberIdentity> members = new ArrayList<>();
        for (String member : words[2].split(",")) {
            String[] pair = member.split("@");
            members.add(new LeaveGroupRequestData.MemberIdentity().setMemberId(text(pair[0])).setGroupInstanceId(optional(pair[1])));
        }
        LeaveGroupRequestData request = new LeaveGroupRequestData().setGroupId(GROUP).setMembers(members);
        CoordinatorResult<LeaveGroupResponseData, CoordinatorRecord> result =
            manager.classicGroupLeave(context(ApiKeys.LEAVE_GROUP, 5, "c"), request);
        begin(result, error -> {
            String each = result.response().members().stream()
                .map(member -> Errors.forCode(member.errorCode()).name()).collect(Collectors.joining(","));
            OUT.println("answer " + words[1] + " leave " + (error == Errors.NONE ? "NONE " + each : "failed"));
        });
    }

    /** commit ticket version member instance generation: only whether it would be accepted */
    private void commit(String[] words) {
        int version = Integer.parseInt(words[2]);
        int generation = Integer.parseInt(words[5]);
        Errors error = Errors.NONE;
        try {
            ClassicGroup group = (ClassicGroup) manager.group(GROUP);
            group.validateOffsetCommit(text(words[3]), optional(words[4]), generation, false, version);
            if (group.isInState(ClassicGroupState.STABLE) || group.isInState(ClassicGroupState.PREPARING_REBALANCE)) {
                manager.rescheduleClassicGroupMemberHeartbeat(group, group.member(text(words[3])));
            }
        } catch (ApiException refusal) {
            error = Errors.forException(refusal);
        }
        OUT.println("answer " + words[1] + " commit " + error.name());
    }

    private void begin(CoordinatorResult<?, CoordinatorRecord> result, Consumer<Errors> outcome) {
        if (result.records().isEmpty()) {
            outcome.accept(Errors.NONE);
            return;
        }
        Append append = new Append(result, outcome);
        CoordinatorRecord first = result.records().get(0);
        GroupMetadataValue value = (GroupMetadataValue) first.value().message();
        if (value.generation() == 0 && value.members().isEmpty()) {
            // the record by which Kafka notes a new group
            settle(append, Errors.NONE);
            return;
        }
        for (CoordinatorRecord record : result.records()) {
            OUT.println("record " + HEX.formatHex(serde.serializeKey(record)) + " " + HEX.formatHex(serde.serializeValue(record)));
        }
        appends.add(append);
    }

    private void settle(Errors error) {
        settle(appends.remove(), error);
    }

    private void settle(Append append, Errors error) {
        CompletableFuture<Void> future = append.result.appendFuture();
        if (future != null && error == Errors.NONE) {
            future.complete(null);
        } else if (future != null) {
            future.completeExceptionally(error.exception());
        }
        append.outcome.accept(error);
    }

    private void elapse(long millis) {
        long until = clock.now + millis;
        Optional<Alarm> due;
        while ((due = alarms.next(until)).isPresent()) {
            Alarm alarm = due.get();
            clock.now = Math.max(clock.now, alarm.at);
            alarms.cancel(alarm.key);
            begin(alarm.operation.generateRecords(), error -> { });
        }
        clock.now = until;
    }

    private void tellState() throws Exception {
        ClassicGroup group;
        try {
            group = (ClassicGroup) manager.group(GROUP);
        } catch (GroupIdNotFoundException none) {
            OUT.println("state - 0 - -");
            return;
        }
        Set<String> members = new TreeSet<>(group.allMemberIds());
        var field = ClassicGroup.class.getDeclaredField("pendingJoinMembers");
        field.setAccessible(true);
        Set<String> all = new TreeSet<>(members);
        for (Object pending : (Set<?>) field.get(group)) {
            all.add((String) pending);
        }
        all.stream().filter(id -> !known.contains(id)).forEach(id -> OUT.println("id " + id));
        known = all;
        OUT.println(String.join(" ", "state", group.stateAsString(), group.generationId() + "",
            shown(group.leaderOrNull()), shown(String.join(",", members))));
    }

    private static String text(String word) {
        return word.equals("-") ? "" : word;
    }

    private static String optional(String word) {
        return word.equals("-") ? null : word;
    }

    private static String shown(String text) {
        return text == null || text.isEmpty() ? "-" : text;
    }
}
