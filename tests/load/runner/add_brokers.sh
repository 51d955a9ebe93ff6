#!/usr/bin/env bash
# Adds brokers 2 and 3 to the stack in TOCSIN_STATE_DIR, whose broker 1 runs and stays the only controller.
# scripts/down stops them with the stack.

set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/install.sh
source "$ROOT/scripts/lib/install.sh"
# shellcheck source=scripts/lib/stores.sh
source "$ROOT/scripts/lib/stores.sh"
# shellcheck source=scripts/lib/services.sh
source "$ROOT/scripts/lib/services.sh"

readonly FIRST_FREE_PORT=5 # of the range of a stack, after the simulator's

# start_broker NODE PORT CLUSTER: with the configuration of broker 1.
start_broker() {
  local node=$1 port=$2 cluster=$3 data=$DATA/node-$1
  sed -e 's/^process.roles=.*/process.roles=broker/' -e "s/^node.id=.*/node.id=$node/" \
    -e "s|^listeners=.*|listeners=PLAINTEXT://127.0.0.1:$port|" \
    -e "s|^advertised.listeners=.*|advertised.listeners=PLAINTEXT://127.0.0.1:$port|" \
    -e "s|^log.dirs=.*|log.dirs=$data|" "$DATA/server.properties" >"$DATA/node-$node.properties"
  "${KAFKA_JAVA[@]}" kafka.tools.StorageTool format --cluster-id "$cluster" \
    --config "$DATA/node-$node.properties" >>"$STATE/log/kafka-$node.log" 2>&1 ||
    die "the storage of Kafka could not be formatted; see $STATE/log/kafka-$node.log"
  launch "kafka-$node" "${KAFKA_JAVA[@]}" kafka.Kafka "node-$node.properties"
}

broker_ready() { /usr/bin/python3 "$ROOT/scripts/lib/kafka_ready.py" 127.0.0.1 "$1"; }

load_stack
DATA=$(realpath "$STATE/kafka")
prepare_kafka # sets KAFKA_JAVA
cluster=$(sed -n 's/^cluster.id=//p' "$DATA/log/meta.properties")
for node in 2 3; do
  port=$((PORT_BASE + FIRST_FREE_PORT + node - 2))
  start_broker "$node" "$port" "$cluster"
  await_ready "kafka-$node" "$STORE_READY_SECONDS" broker_ready "$port"
done
