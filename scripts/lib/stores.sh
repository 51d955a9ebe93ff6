# shellcheck shell=bash disable=SC2034,SC2153  # names shared with the other libraries
# Kafka, PostgreSQL and Redis of one state folder: on loopback (or TOCSIN_STORE_HOST, for tests in which other hosts
# connect), on their own ports, with data that survives kill -9. Uses common.sh and KAFKA_JARS of install.sh.

STORES=(kafka postgres redis)

# The address on which the stores listen, and that Kafka advertises. Only PostgreSQL asks for a password.
store_host() { printf %s "${TOCSIN_STORE_HOST:-127.0.0.1}"; }

# PostgreSQL refuses to run as root, and the others should not. As root, the stores run as the user of Debian's
# postgresql package.
readonly STORE_USER=postgres
OUTSIDE=/var/tmp/tocsin-$(printf '%s' "$STATE" | sha256sum | cut -c1-12)
AS_STORE_USER=()
if [[ $EUID -eq 0 ]]; then
  AS_STORE_USER=(setpriv "--reuid=$STORE_USER" "--regid=$STORE_USER" --init-groups --)
fi

# --- Data folders -------------------------------------------------------------------------------------

# make_store_data NAME: creates $STATE/NAME for the user of the stores. If that user cannot access the state
# folder (such as below /root), it is a link to a folder in /var/tmp.
make_store_data() {
  local data=$STATE/$1
  [[ ! -d $data ]] || return 0
  rm -f "$data" # a link without a target
  if [[ $EUID -ne 0 ]] || "${AS_STORE_USER[@]}" test -x "$STATE"; then
    mkdir -m 700 "$data"
  else
    make_outside_folder
    unused "$OUTSIDE/$1" || die "a process of a removed state folder is still running in $OUTSIDE/$1"
    rm -rf "${OUTSIDE:?}/$1" # of a state folder that was removed
    (umask 077 && mkdir -p "$OUTSIDE/$1")
    ln -s "$OUTSIDE/$1" "$data"
  fi
  [[ $EUID -ne 0 ]] || chown "$STORE_USER:" "$data/."
}

# unused FOLDER: whether no process has it as its working directory, as each store does.
unused() { [[ -z $(find /proc -maxdepth 2 -name cwd \( -lname "$1" -o -lname "$1/*" \) 2>/dev/null) ]]; }

# The name is predictable and /var/tmp is shared, so a folder of another user is refused.
make_outside_folder() {
  mkdir -m 711 "$OUTSIDE" 2>/dev/null || [[ -d $OUTSIDE && ! -L $OUTSIDE && -O $OUTSIDE ]] ||
    die "$OUTSIDE belongs to another user; remove it or set TOCSIN_STATE_DIR"
}

# --- Kafka: one node in KRaft mode, or three, of which each can be lost --------------------------------

# broker_netns I: the network namespace in which the broker runs, NAME-I of TOCSIN_BROKER_NETNS=NAME (for tests).
broker_netns() { [[ -z ${TOCSIN_BROKER_NETNS:-} ]] || printf '%s-%s' "$TOCSIN_BROKER_NETNS" "$1"; }

# broker_host I: the address of its namespace, else that of the stores.
broker_host() {
  local netns
  netns=$(broker_netns "$1")
  if [[ -z $netns ]]; then store_host; else
    ip -n "$netns" -4 -o address show scope global | sed -n '1s|.* inet \([0-9.]*\)/.*|\1|p'
  fi
}

broker_address() { printf '%s:%d' "$(broker_host "$1")" "$(broker_port "$1")"; }

# controller_address I: of the controller in the process of broker I. Only other brokers connect to it.
controller_address() {
  local host=127.0.0.1
  [[ -z $(broker_netns "$1") ]] || host=$(broker_host "$1")
  printf '%s:%d' "$host" $(($(broker_port "$1") + 1))
}

# each_broker FORMAT FUNCTION: the list of FUNCTION I for each broker I, formatted and separated by commas.
each_broker() {
  local i list=''
  for ((i = 1; i <= BROKERS; i++)); do
    # shellcheck disable=SC2059  # the format is the argument
    list+=,$(printf "$1" "$i" "$("$2" "$i")")
  done
  printf '%s' "${list#,}"
}

# kafka_file NAME I: its name for broker I. That of the first has no number.
kafka_file() { if [[ $2 -eq 1 ]]; then printf '%s' "$1"; else printf '%s-%d' "$1" "$2"; fi; }

# prepare_kafka I: sets KAFKA_JAVA and KAFKA_CONFIG.
prepare_kafka() {
  local i=$1 data libs=$KAFKA_JARS
  local -a enter=()
  data=$(realpath "$STATE/kafka")
  KAFKA_CONFIG=$(kafka_file server "$i").properties
  write_kafka_config "$data" "$i"
  if ! "${AS_STORE_USER[@]}" test -r "$libs/kafka_2.13-$KAFKA_VERSION.jar"; then
    # The user of the stores cannot read root's home: use hard links, or a copy.
    libs=$data/libs
    [[ -d $libs ]] || cp -al "$KAFKA_JARS" "$libs" 2>/dev/null || { rm -rf "$libs"; cp -a "$KAFKA_JARS" "$libs"; }
  fi
  [[ -z $(broker_netns "$i") ]] || enter=(nsenter "--net=/run/netns/$(broker_netns "$i")" --)
  KAFKA_JAVA=("${enter[@]}" "${AS_STORE_USER[@]}" env -C "$data" java -Xms128m -Xmx384m -XX:+ExitOnOutOfMemoryError
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX" -cp "$libs/*")
  [[ -e $data/$(kafka_file log "$i")/meta.properties ]] ||
    "${KAFKA_JAVA[@]}" kafka.tools.StorageTool format --cluster-id "$(cluster_id "$data")" \
      --config "$data/$KAFKA_CONFIG" >>"$STATE/log/kafka-$i.log" 2>&1 ||
    die "the storage of Kafka could not be formatted; see $STATE/log/kafka-$i.log"
}

# cluster_id DATA: of the brokers that are formatted, else a new one.
cluster_id() {
  local id
  id=$(cat "$1"/log*/meta.properties 2>/dev/null | sed -n '/^cluster.id=/{s///p;q}') || true
  printf '%s' "${id:-$(random_hex 11)}"
}

# The broker session is short, so that a killed broker can register again within seconds. With three brokers it is half
# the session timeout of the consumers: while a lost broker still counts as in sync, nothing is acknowledged that has a
# replica on it, and heartbeats wait behind commits of offsets. A broker that is back leads its partitions again within
# seconds. The default buffer of the log cleaner would use a third of the heap.
write_kafka_config() {
  local data=$1 i=$2 in_sync=$((BROKERS / 2 + 1)) session_ms=${TOCSIN_BROKER_SESSION_MS:-} broker controller
  [[ -n $session_ms ]] || session_ms=$((BROKERS == 1 ? 6000 : 3000))
  broker=$(broker_address "$i") controller=$(controller_address "$i")
  cat >"$data/$KAFKA_CONFIG" <<EOF
process.roles=broker,controller
node.id=$i
controller.quorum.voters=$(each_broker '%d@%s' controller_address)
listeners=PLAINTEXT://$broker,CONTROLLER://$controller
advertised.listeners=PLAINTEXT://$broker
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$data/$(kafka_file log "$i")
auto.create.topics.enable=false
default.replication.factor=$BROKERS
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$BROKERS
offsets.topic.num.partitions=12
transaction.state.log.replication.factor=$BROKERS
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$BROKERS
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=4
leader.imbalance.check.interval.seconds=10
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=$session_ms
broker.heartbeat.interval.ms=$((session_ms / 6))
replica.lag.time.max.ms=5000
compression.type=producer
log.cleaner.dedupe.buffer.size=16777216
EOF
}

# start_kafka I
start_kafka() {
  prepare_kafka "$1"
  launch "kafka-$1" "${KAFKA_JAVA[@]}" kafka.Kafka "$KAFKA_CONFIG"
}

# kafka_ready I
kafka_ready() { /usr/bin/python3 "$ROOT/scripts/lib/kafka_ready.py" "$(broker_host "$1")" "$(broker_port "$1")"; }

# --- PostgreSQL ---------------------------------------------------------------------------------------

postgres_programs() { compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1; }

start_postgres() {
  local data programs
  data=$(realpath "$STATE/postgres")
  programs=$(postgres_programs)
  [[ -d $data/cluster ]] || make_cluster "$data" "$programs" >>"$STATE/log/postgres-1.log" 2>&1 ||
    die "the PostgreSQL cluster could not be created; see $STATE/log/postgres-1.log"
  # Backends of a killed server exit after a moment. Then the lock file is stale, even if the process of the server
  # remains as a zombie.
  wait_until 10 unused "$data/cluster" || die "backends of a killed PostgreSQL are still running"
  rm -f "$data/cluster/postmaster.pid"
  launch postgres-1 "${AS_STORE_USER[@]}" env -C "$data" "$programs/postgres" -D "$data/cluster" \
    -c "listen_addresses=$(store_host)" -c port=$((PORT_BASE + PORT_POSTGRES)) -c unix_socket_directories= \
    -c fsync=on -c synchronous_commit=on -c max_connections=100 -c shared_buffers=64MB
}

client_addresses() { if [[ $(store_host) == 127.0.0.1 ]]; then printf 127.0.0.1/32; else printf all; fi; }

# Only the role of the services can connect over the network; the superuser can only be used by --single. The folder
# is renamed when it is complete.
make_cluster() {
  local part=$1/part programs=$2
  rm -rf "$part"
  "${AS_STORE_USER[@]}" env -C "$1" "$programs/initdb" -D "$part" --username=postgres --encoding=UTF8 \
    --locale=C.UTF-8 --auth=reject &&
    "${AS_STORE_USER[@]}" tee "$part/pg_hba.conf" <<<"host all tocsin $(client_addresses) scram-sha-256" &&
    "${AS_STORE_USER[@]}" env -C "$1" "$programs/postgres" --single -D "$part" postgres <<EOF &&
create role tocsin login createdb password '$(secret postgres-password)'
create database tocsin owner tocsin
EOF
    mv "$part" "$1/cluster"
}

postgres_ready() {
  PGPASSWORD=$(secret postgres-password) psql -qAtX -h "$(store_host)" -p $((PORT_BASE + PORT_POSTGRES)) \
    -U tocsin -d tocsin -c 'select 1'
}

# --- Redis --------------------------------------------------------------------------------------------

start_redis() {
  local data
  data=$(realpath "$STATE/redis")
  cat >"$data/redis.conf" <<EOF
bind $(store_host)
protected-mode $(if [[ $(store_host) == 127.0.0.1 ]]; then printf yes; else printf no; fi)
port $((PORT_BASE + PORT_REDIS))
dir $data
daemonize no
appendonly yes
save ""
maxmemory-policy noeviction
hash-max-listpack-value 2048
EOF
  launch redis-1 "${AS_STORE_USER[@]}" redis-server "$data/redis.conf"
}

# A server that is still loading its data replies with an error instead of PONG.
redis_ready() { [[ $(redis-cli -h "$(store_host)" -p $((PORT_BASE + PORT_REDIS)) ping 2>/dev/null) == PONG ]]; }
