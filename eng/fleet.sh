#!/usr/bin/env bash
# A fleet: a PostgreSQL of its own, three workers and 100 runs. Workers are killed with kill -9 and replaced; every run ends, and no finished step is done twice.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-100}
work=$(mktemp -d /tmp/pawl-fleet.XXXXXX)
chmod 711 "$work"
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill -9 "$pid" 2> /dev/null || true; done
  [ -z "${server:-}" ] || { kill -INT "$server" 2> /dev/null && wait "$server" 2> /dev/null; } || true
  rm -rf "$work"
}
trap cleanup EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

binaries=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres 2> /dev/null | tail -1 || command -v postgres)")
[ -x "$binaries/initdb" ] || { echo "PostgreSQL is missing: apt-get install postgresql" >&2; exit 1; }
# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=postgres --regid=postgres --clear-groups); mkdir "$work/pg" && chown postgres "$work/pg"; else mkdir "$work/pg"; fi

say "1. Build the command, and start a database"
dotnet build src/Pawl.Cli -c Release -v q --nologo > "$work/build.log" || { cat "$work/build.log" >&2; exit 1; }
pawl=$PWD/artifacts/bin/Pawl.Cli/release/pawl
"${as[@]}" "$binaries/initdb" -D "$work/pg/data" -U pawl -A trust --no-sync > /dev/null
port=$((20000 + RANDOM))
while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((20000 + RANDOM)); done
"${as[@]}" "$binaries/postgres" -D "$work/pg/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$work/pg" 2> "$work/pg.log" & server=$!
export PAWL_STORE=postgres://pawl@127.0.0.1:$port/postgres
until "$pawl" list > /dev/null 2>&1; do sleep 0.2; done
mkdir "$work/parcels"

say "2. Three workers"
worker() { "$pawl" worker --concurrency 8 >> "$work/worker.log" 2>&1 & pids+=($!); echo "worker $!"; }
worker; worker; worker

say "3. $runs runs into the queue"
for i in $(seq "$runs"); do "$pawl" enqueue samples/fleet/workflow.yaml --run-id "parcel-$i" --param folder="$work/parcels" > /dev/null; done & enqueuing=$!

say "4. Workers are killed"
for victim in 0 1 2; do
  sleep 4
  echo "kill -9 ${pids[$victim]}"
  kill -9 "${pids[$victim]}"
  worker
done

wait "$enqueuing"

say "5. The end"
done=0
for _ in $(seq 300); do
  done=$("$pawl" list --status completed --limit 0 --json 2> /dev/null | grep -o '"run_id"' | wc -l)
  [ "$done" = "$runs" ] && break
  sleep 0.5
done
echo "$done of $runs runs are completed"
lines=$(cat "$work"/parcels/* | wc -l)
echo "$lines steps were begun to the end for $((runs * 3)) steps to do; only one that was under way at a kill is begun again"
[ "$done" = "$runs" ] && [ "$lines" -ge $((runs * 3)) ] && [ "$lines" -le $((runs * 3 + 24)) ]
