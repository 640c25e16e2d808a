#!/bin/bash
# Sourced after broker.sh: the jars of Apache Kafka, fetched by name, and its tools by short name.
#
#   kafka_jars            fetches the jars once; sets KAFKA_JARS, a class path
#   kafka_tool NAME ...   runs a console tool

kafka_jars() {
  local home=$INTEROP_CACHE/java
  KAFKA_JARS="$home/lib/*"
  [ -e "$home/complete" ] && cmp -s "$INTEROP_HERE/java/pom.xml" "$home/pom.xml" && return 0
  command -v mvn >/dev/null || return 1
  mkdir -p "$home"; cp "$INTEROP_HERE/java/pom.xml" "$home/pom.xml"
  (cd "$home" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib >&2) || return 1
  touch "$home/complete"
}

kafka_tool() {
  local tools=org.apache.kafka.tools class; class=$1; shift
  case $class in
    topics) class=$tools.TopicCommand ;;
    configs) class=kafka.admin.ConfigCommand ;;
    groups) class=$tools.consumer.group.ConsumerGroupCommand ;;
    console-producer) class=$tools.ConsoleProducer ;;
    console-consumer) class=$tools.consumer.ConsoleConsumer ;;
    producer-perf) class=$tools.ProducerPerformance ;;
    consumer-perf) class=$tools.ConsumerPerformance ;;
    verifiable-producer) class=$tools.VerifiableProducer ;;
    delete-records) class=$tools.DeleteRecordsCommand ;;
    get-offsets) class=$tools.GetOffsetShell ;;
    broker-api) class=$tools.BrokerApiVersionsCommand ;;
    cluster) class=$tools.ClusterTool ;;
    dump-log) class=$tools.DumpLogSegments ;;
    *) echo "no tool is called $class" >&2; return 2 ;;
  esac
  # These tools live for a second: the cheap compiler and a shared class archive suit them.
  timeout 60 java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto \
    -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_TOOL_LOG:-error}" \
    -cp "$KAFKA_JARS" "$class" "$@"
}
