# shellcheck shell=bash disable=SC2034,SC2153  # names shared with the other libraries
# Ports, settings and start of Tocsin's programs. Uses common.sh and stores.sh.

# The services in start order. `tocsin-NAME` is the program, TOCSIN_OPS_NAME_ADDRESS the setting with the
# address of its operations endpoint.
SERVICES=(audit sms-worker voice-worker ingress)

# A stack uses a range of ports from its base on: nine for the stores and the simulator, then a block per
# service with four ports per replica: operations, HTTP for Twilio, HTTP for clients, gRPC. scripts/up holds
# the last port of the range while it runs. The port of a broker's controller follows that of the broker.
readonly PORT_KAFKA=0 PORT_POSTGRES=2 PORT_REDIS=3 PORT_SIM=4 PORT_MORE_BROKERS=5
readonly PORT_CLAIM=199 PORT_SERVICES=10 PORTS_PER_REPLICA=4 MAX_REPLICAS=10
readonly PORT_OPS=0 PORT_HTTP=1 PORT_CALLER=2 PORT_GRPC=3
readonly FIRST_BASE=21800 BASE_STEP=200 BASE_SLOTS=50 # all below 32768, the first ephemeral port
readonly LAST_BASE=$((65535 - BASE_STEP))
readonly PORT_FREE_SECONDS=5 # the sockets of a killed process remain for a moment

# The numbers of the simulator's account; the second is reserved for emergencies.
readonly MAIN_NUMBER=+15017122661 EMERGENCY_NUMBER=+15017122662

# --- Components of the stack --------------------------------------------------------------------------
# Stored in $STATE/stack between calls: PORT_BASE, PARTS, SIM (yes or no), REPLICAS ("audit=1 ingress=2"), BROKERS.

load_stack() {
  PORT_BASE='' PARTS='' SIM=yes REPLICAS='' BROKERS=1
  if [[ -e $STATE/stack ]]; then
    # shellcheck source=/dev/null
    source "$STATE/stack"
  fi
}

save_stack() {
  printf '%s=%q\n' PORT_BASE "$PORT_BASE" PARTS "$PARTS" SIM "$SIM" REPLICAS "$REPLICAS" BROKERS "$BROKERS" \
    >"$STATE/stack"
}

is_service() { [[ " ${SERVICES[*]} " == *" $1 "* ]]; }

# replicas_of SERVICE: 1 by default.
replicas_of() {
  local pair
  for pair in $REPLICAS; do
    [[ ${pair%=*} != "$1" ]] || { printf '%s' "${pair#*=}"; return; }
  done
  printf 1
}

# parse_replicas TEXT: "2", or "sms-worker=2,audit=2"; sets REPLICAS.
parse_replicas() {
  local pair name count
  REPLICAS=''
  if [[ $1 != *=* ]]; then set -- "$(printf "%s=$1," "${SERVICES[@]}")"; fi
  for pair in ${1//,/ }; do
    name=${pair%%=*} count=${pair#*=}
    is_service "$name" || die "--replicas: unknown service '$name'; the services are: ${SERVICES[*]}" "$EXIT_USAGE"
    [[ $count =~ ^[1-9][0-9]?$ && $count -le $MAX_REPLICAS ]] ||
      die "--replicas: '$pair' is not a number from 1 to $MAX_REPLICAS" "$EXIT_USAGE"
    REPLICAS+="$name=$count "
  done
}

# store_processes STORE...: every NAME-I of these stores.
store_processes() {
  local name
  for name in "$@"; do
    if [[ $name == kafka ]]; then printf 'kafka-%d\n' $(seq "$BROKERS"); else printf '%s-1\n' "$name"; fi
  done
}

# processes: every NAME-I of the stack, in start order.
processes() {
  local name i
  # shellcheck disable=SC2086  # a list of names
  [[ -z $PARTS ]] || { store_processes ${PARTS//,/ }; return; }
  store_processes "${STORES[@]}"
  [[ $SIM == no ]] || printf 'twilio-sim-1\n'
  for name in "${SERVICES[@]}"; do
    for ((i = 1; i <= $(replicas_of "$name"); i++)); do printf '%s-%d\n' "$name" "$i"; done
  done
}

# --- Ports --------------------------------------------------------------------------------------------

# broker_port I
broker_port() {
  if [[ $1 -eq 1 ]]; then printf '%d' $((PORT_BASE + PORT_KAFKA)); else
    printf '%d' $((PORT_BASE + PORT_MORE_BROKERS + ($1 - 2) * 2))
  fi
}

# service_port NAME I OFFSET
service_port() {
  local index
  for index in "${!SERVICES[@]}"; do
    [[ ${SERVICES[index]} == "$1" ]] || continue
    printf '%d' $((PORT_BASE + PORT_SERVICES + (index * MAX_REPLICAS + $2 - 1) * PORTS_PER_REPLICA + $3))
    return
  done
}

# ports_of NAME-I: the ports that process listens on.
ports_of() {
  local name=${1%-*} i=${1##*-} offset
  case $name in
    kafka) printf '%d\n' "$(broker_port "$i")" $(($(broker_port "$i") + 1)) ;;
    postgres) printf '%d\n' $((PORT_BASE + PORT_POSTGRES)) ;;
    redis) printf '%d\n' $((PORT_BASE + PORT_REDIS)) ;;
    twilio-sim) printf '%d\n' $((PORT_BASE + PORT_SIM)) ;;
    *) for offset in $PORT_OPS $PORT_HTTP $PORT_CALLER $PORT_GRPC; do
      printf '%d\n' "$(service_port "$name" "$i" "$offset")"
    done ;;
  esac
}

# ports_in_use: "PORT (NAME-I)" for each port that a process of WANTED needs and another program uses.
ports_in_use() {
  local process port
  for process in "${WANTED[@]}"; do
    running "$process" && continue
    for port in $(ports_of "$process"); do
      if port_in_use "$port"; then printf '%s (%s) ' "$port" "$process"; fi
    done
  done
}

# ports_free: whether all ports of WANTED are free; sets IN_USE to those that are not.
ports_free() {
  IN_USE=$(ports_in_use)
  [[ -z $IN_USE ]]
}

# claim_range: reserves the range at PORT_BASE against other stacks that start at the same time.
claim_range() {
  local answer=''
  exec 7< <(exec /usr/bin/python3 "$ROOT/scripts/lib/hold_port.py" $((PORT_BASE + PORT_CLAIM)) 9>&-)
  read -r answer <&7 || exec 7<&-
  [[ $answer == held ]]
}

# choose_ports: TOCSIN_PORT_BASE, else the previous range of this state folder, else a free range. An existing
# stack keeps its range, because other programs use its addresses.
choose_ports() {
  local requested=${TOCSIN_PORT_BASE:-$PORT_BASE} in_use
  if [[ -z $requested ]]; then
    free_base
    return
  fi
  refuse_to_move "$requested"
  PORT_BASE=$requested
  claim_range || die "another scripts/up is using the ports from $PORT_BASE on; wait for it, or set TOCSIN_PORT_BASE"
  if ! wait_until "$PORT_FREE_SECONDS" ports_free; then
    in_use=$IN_USE
    free_base >/dev/null
    die "ports already in use: ${in_use% }. Free them, or use others: TOCSIN_PORT_BASE=$PORT_BASE scripts/up"
  fi
}

check_port_base() {
  [[ -z ${TOCSIN_PORT_BASE:-} ]] ||
    [[ $TOCSIN_PORT_BASE =~ ^[0-9]{4,5}$ && $TOCSIN_PORT_BASE -ge 1024 && $TOCSIN_PORT_BASE -le $LAST_BASE ]] ||
    die "TOCSIN_PORT_BASE must be a number from 1024 to $LAST_BASE, not '$TOCSIN_PORT_BASE'" "$EXIT_USAGE"
}

refuse_to_move() {
  local process
  [[ -n $PORT_BASE && $1 != "$PORT_BASE" ]] || return 0
  for process in $(processes); do
    ! running "$process" || die "the stack runs on port base $PORT_BASE; scripts/down first to move it to $1"
  done
}

# free_base: reserves a free range and sets PORT_BASE. The search of each state folder starts at its own slot, so
# that addresses usually stay the same.
free_base() {
  local slot=0 i
  [[ $STATE == "$ROOT/.tocsin" ]] || slot=$((16#$(printf '%s' "$STATE" | sha256sum | cut -c1-6) % BASE_SLOTS))
  for ((i = 0; i < BASE_SLOTS; i++)); do
    PORT_BASE=$((FIRST_BASE + (slot + i) % BASE_SLOTS * BASE_STEP))
    claim_range || continue
    ! ports_free || return 0
    say "ports already in use: ${IN_USE% }; trying the next range (TOCSIN_PORT_BASE sets it)"
  done
  die "no free range of ports from $FIRST_BASE on; set TOCSIN_PORT_BASE"
}

# --- Secrets and files --------------------------------------------------------------------------------

# secret NAME: prints the secret. It is created on first use in a file of mode 0600.
secret() {
  local file=$STATE/secrets/$1
  [[ -s $file ]] || case $1 in
    api-key) write_secret "$file" "tk_$(random_hex 24)" ;;
    account-sid) write_secret "$file" "AC$(random_hex 16)" ;;
    *) write_secret "$file" "$(random_hex 16)" ;;
  esac
  cat "$file"
}

# Without a newline at the end, which some programs would read as part of the secret.
write_secret() { (umask 077 && printf '%s' "$2" >"$1.part" && mv "$1.part" "$1"); }

# write_registry: writes $STATE/registry.yaml, unless it was edited since it was generated.
write_registry() {
  local file=$STATE/registry.yaml generated=$STATE/run/registry.generated part=$STATE/registry.yaml.part
  default_registry >"$part"
  if [[ -e $file ]] && ! cmp -s "$file" "$generated" && ! cmp -s "$file" "$part"; then
    rm -f "$part"
    say "registry.yaml was edited and is not modified; delete $file to generate it again"
    return
  fi
  cp "$part" "$generated"
  mv "$part" "$file"
}

# The initial registry: one client with one key, one account, two senders.
default_registry() {
  local key
  key=$(secret api-key)
  cat <<EOF
clients:
  - id: demo
    api_keys:
      - {prefix: "${key:0:8}", sha256: "$(printf '%s' "$key" | sha256sum | cut -d' ' -f1)", scopes: [send, status, admin, reveal]}
accounts:
  - {sid: $ACCOUNT_SID, auth_token_file: "$TOKEN_FILE"}
senders:
  - {id: main, number: "$MAIN_NUMBER", account: $ACCOUNT_SID, channels: [sms, voice], segments_per_second: 100000, calls_per_second: 1000}
  - {id: emergency, number: "$EMERGENCY_NUMBER", account: $ACCOUNT_SID, channels: [sms, voice], priorities: [emergency], segments_per_second: 100000, calls_per_second: 1000}
routes:
  - {pattern: "^\\\\+", priority: 1, account: $ACCOUNT_SID}
channels: {sms: live, voice: live}
EOF
}

make_keyring() {
  [[ -s $STATE/secrets/keyring ]] || (umask 077 && "$BIN/tocsin" keyring init --out "$STATE/secrets/keyring") \
    >>"$STATE/log/keyring.log" 2>&1 || die "the keyring could not be created; see $STATE/log/keyring.log"
}

# --- The environment ----------------------------------------------------------------------------------

# all_of SERVICE OFFSET: the addresses of all its replicas, separated by commas.
all_of() {
  local i list=''
  for ((i = 1; i <= $(replicas_of "$1"); i++)); do list+=",127.0.0.1:$(service_port "$1" "$i" "$2")"; done
  printf '%s' "${list#,}"
}

# ops_setting SERVICE: the name of its operations address in env. The setting of the service adds _ADDRESS.
ops_setting() { local name=${1^^}; printf 'TOCSIN_OPS_%s' "${name//-/_}"; }

# The Twilio account: the simulator's, or with --no-sim the one of the environment.
choose_account() {
  ACCOUNT_SID=$(secret account-sid) TOKEN_FILE=$STATE/secrets/twilio-auth-token
  TWILIO_URL=http://127.0.0.1:$((PORT_BASE + PORT_SIM))
  if [[ $SIM == no ]]; then
    TWILIO_URL=${TOCSIN_TWILIO_BASE_URL:-}
    ACCOUNT_SID=${TOCSIN_TWILIO_ACCOUNT_SID:-$ACCOUNT_SID}
    TOKEN_FILE=${TOCSIN_TWILIO_AUTH_TOKEN_FILE:-$TOKEN_FILE}
  fi
  secret twilio-auth-token >/dev/null
}

store_env() {
  local name
  for name in "$@"; do
    case $name in
      kafka) STACK_ENV+=("TOCSIN_KAFKA_BOOTSTRAP=$(each_broker '%.0s%s' broker_address)")
        [[ $BROKERS -eq 1 ]] ||
          STACK_ENV+=("TOCSIN_KAFKA_REPLICATION=$BROKERS" "TOCSIN_KAFKA_MIN_INSYNC=$((BROKERS / 2 + 1))") ;;
      postgres) STACK_ENV+=("TOCSIN_POSTGRES_URL=postgresql://tocsin:$(secret postgres-password)@$(store_host):$((PORT_BASE + PORT_POSTGRES))/tocsin") ;;
      redis) STACK_ENV+=("TOCSIN_REDIS_URL=redis://$(store_host):$((PORT_BASE + PORT_REDIS))/0") ;;
    esac
  done
}

service_env() {
  local name http
  http=127.0.0.1:$(service_port ingress 1 $PORT_HTTP)
  STACK_ENV+=(
    "TOCSIN_INGRESS_HTTP=$http"
    "TOCSIN_CALLER_HTTP=127.0.0.1:$(service_port ingress 1 $PORT_CALLER)"
    "TOCSIN_INGRESS_GRPC=127.0.0.1:$(service_port ingress 1 $PORT_GRPC)"
    "TOCSIN_INGRESS_GRPC_ALL=$(all_of ingress $PORT_GRPC)"
    "TOCSIN_AUDIT_GRPC=127.0.0.1:$(service_port audit 1 $PORT_GRPC)"
    "TOCSIN_TWILIO_BASE_URL=$TWILIO_URL"
    "TOCSIN_TWILIO_ACCOUNT_SID=$ACCOUNT_SID"
    "TOCSIN_TWILIO_AUTH_TOKEN_FILE=$TOKEN_FILE"
    "TOCSIN_PUBLIC_BASE_URL=${TOCSIN_PUBLIC_BASE_URL:-http://$http}"
    "TOCSIN_API_KEY_FILE=$STATE/secrets/api-key"
    "TOCSIN_REGISTRY_FILE=$STATE/registry.yaml"
    "TOCSIN_KEYRING_FILE=$STATE/secrets/keyring"
    "TOCSIN_SPOOL_DIR=$STATE/spool/ingress-1"
  )
  for name in "${SERVICES[@]}"; do
    STACK_ENV+=("$(ops_setting "$name")=127.0.0.1:$(service_port "$name" 1 $PORT_OPS)")
  done
}

# Unsets the variables of another stack whose env this shell has sourced.
forget_other_stack() {
  [[ -n ${TOCSIN_ENV_OF:-} && $TOCSIN_ENV_OF != "$STATE" && -r $TOCSIN_ENV_OF/env ]] || return 0
  local -a names
  mapfile -t names < <(sed -n 's/^export \([A-Z_]*\)=.*/\1/p' "$TOCSIN_ENV_OF/env")
  unset "${names[@]}"
}

# make_env: sets and exports STACK_ENV, and writes $STATE/env.
make_env() {
  local line
  STACK_ENV=("TOCSIN_ENV_OF=$STATE")
  if [[ -n $PARTS ]]; then
    # shellcheck disable=SC2086  # a list of names
    store_env ${PARTS//,/ }
  else
    choose_account
    store_env "${STORES[@]}"
    service_env
  fi
  export "${STACK_ENV[@]}"
  (
    umask 077
    for line in "${STACK_ENV[@]}"; do printf 'export %s=%q\n' "${line%%=*}" "${line#*=}"; done >"$STATE/env.part"
    mv "$STATE/env.part" "$STATE/env"
  )
}

# --- Starting -----------------------------------------------------------------------------------------

# migrate: deploys the missing migrations.
migrate() {
  say "migrating the database"
  (
    cd "$ROOT/services/audit/migrations" &&
      SQITCH_PASSWORD=$(secret postgres-password) SQITCH_FULLNAME=Tocsin SQITCH_EMAIL=tocsin@localhost \
        sqitch deploy "db:pg://tocsin@$(store_host):$((PORT_BASE + PORT_POSTGRES))/tocsin"
  ) >>"$STATE/log/migrate.log" 2>&1 || {
    tail -n "$LOG_TAIL_LINES" "$STATE/log/migrate.log" >&2
    die "the database could not be migrated"
  }
}

start_simulator() {
  launch twilio-sim-1 "$BIN/tocsin-twilio-sim" --listen "127.0.0.1:$((PORT_BASE + PORT_SIM))" \
    --account "$TOCSIN_TWILIO_ACCOUNT_SID" --auth-token-file "$TOCSIN_TWILIO_AUTH_TOKEN_FILE" \
    --sms-url "$TOCSIN_PUBLIC_BASE_URL/twilio/sms/inbound" \
    --number "$MAIN_NUMBER" --number "$EMERGENCY_NUMBER" ${TOCSIN_SIM_SEED:+--seed "$TOCSIN_SIM_SEED"}
}

# start_service NAME I: with the addresses of this replica. env has those of the first, under shorter names.
start_service() {
  local name=$1 i=$2
  local -a own=("TOCSIN_INSTANCE=$name-$i" "TOCSIN_SPOOL_DIR=$STATE/spool/$name-$i"
    "$(ops_setting "$name")_ADDRESS=127.0.0.1:$(service_port "$name" "$i" $PORT_OPS)")
  case $name in
    ingress) own+=("TOCSIN_INGRESS_HTTP_ADDRESS=127.0.0.1:$(service_port ingress "$i" $PORT_HTTP)"
      "TOCSIN_INGRESS_GRPC_ADDRESS=127.0.0.1:$(service_port ingress "$i" $PORT_GRPC)") ;;
    audit) own+=("TOCSIN_AUDIT_GRPC_ADDRESS=127.0.0.1:$(service_port audit "$i" $PORT_GRPC)") ;;
  esac
  (umask 077 && mkdir -p "$STATE/spool/$name-$i")
  launch "$name-$i" env "${own[@]}" "$BIN/tocsin-$name"
}

# keys_restored INGRESS-I
keys_restored() {
  curl -fsS -m 2 "http://127.0.0.1:$(service_port "${1%-*}" "${1##*-}" $PORT_OPS)/metrics" 2>/dev/null |
    grep -c '^tocsin_acceptances_restored\({.*}\)\? 1$' >/dev/null # -q would end curl early, which then fails
}

responds() { curl -fsS -m 2 -o /dev/null "$1"; }

# start_process NAME-I: does not wait; await_process NAME-I does.
start_process() {
  local name=${1%-*}
  if [[ " ${STORES[*]} " == *" $name "* ]]; then
    make_store_data "$name"
    "start_$name" "${1##*-}"
  elif [[ $name == twilio-sim ]]; then
    start_simulator
  else
    start_service "$name" "${1##*-}"
  fi
}

await_process() {
  local name=${1%-*} port
  if [[ " ${STORES[*]} " == *" $name "* ]]; then
    await_ready "$1" "$STORE_READY_SECONDS" "${name}_ready" "${1##*-}"
  elif [[ $name == twilio-sim ]]; then
    await_ready "$1" "$SERVICE_READY_SECONDS" responds "http://127.0.0.1:$((PORT_BASE + PORT_SIM))/sim/health"
  else
    port=$(service_port "$name" "${1##*-}" $PORT_OPS)
    await_ready "$1" "$SERVICE_READY_SECONDS" responds "http://127.0.0.1:$port/readyz"
  fi
}

# start_all NAME-I...: starts those that do not run, in parallel, and waits for each.
start_all() {
  local process
  for process in "$@"; do
    running "$process" || start_process "$process"
  done
  for process in "$@"; do
    await_process "$process" || die "$process did not start; scripts/down stops the stack"
  done
}

# stop_surplus: stops replicas that are no longer part of the stack.
stop_surplus() {
  local name process
  for name in "${SERVICES[@]}" twilio-sim; do
    for process in $(names_of "$name"); do
      grep -qxF "$process" <(processes) || stop "$process"
    done
  done
}
