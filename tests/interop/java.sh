#!/bin/bash
# The Java client (kafka-clients): producer, consumer and admin. java.sh [BOOTSTRAP]
. "$(dirname "$0")/broker.sh"
. "$INTEROP_HERE/kafka-jars.sh"
INTEROP_CLIENT=java
skip_unless java
kafka_jars || install_failed "Apache Kafka's jars"
interop_begin java "${1:-}"
java -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=off -cp "$KAFKA_JARS" \
  "$INTEROP_HERE/java/Checks.java" "$BOOTSTRAP"
