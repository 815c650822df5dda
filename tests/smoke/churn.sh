#!/usr/bin/env bash
# Hundreds of clients do at random what clients do in the field: they log in, with a wrong password too, send, move to other ports and networks, lose UDP or
# the connection, shake hands anew, break off, say goodbye. Some workers are killed. Nobody loses a session, nobody gets another's
# packet, and when all have gone the gateway holds exactly what it held before.
#
#   300 clients, one process ════ 192.0.2.1 gateway
#
#   tests/smoke/churn.sh [8 | 60s | 10m | 2h]      `make soak T=10m` is this; CLIENTS=300, DEEDS=100 a second, SEED=N: the same deeds again
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/swarm.sh"
MAY_LOG='worker [0-9]+ .*died of signal 9'
SLICE=4
GROWTH=1024 # KiB, in the second half: what the number of clients that happen to be there makes, and some for malloc

seconds_of() { # 90 | 90s | 10m | 2h
  case $1 in *h) say $((${1%h} * 3600)) ;; *m) say $((${1%m} * 60)) ;; *) say "${1%s}" ;; esac
}
clients=300 length=$(seconds_of "${1:-8}")
# Of the suite the same deeds each time; a soak tries others.
seed=${SEED:-$([ $# = 0 ] && echo 1 || date +%s)}
[ -z "${SANITIZED-}" ] || clients=50 # each worker has megabytes then
clients=${CLIENTS:-$clients}

# Each worker is of somebody who is connected, so that each that is killed ends a connection.
only_needed() { [ "$(worker_count)" = "$(told .connected)" ]; }
kill_worker() {
  wait_for 15 only_needed || return 1
  order return 1
  kill -KILL "$(workers | shuf -n 1)" && say killed >> "$WORK/killed"
  answered
}
sample() { # SECOND
  local part
  for part in $PARTS; do say "$1 $part $(memory "$(part_pid "$part")")"; done >> "$WORK/memory"
}
churn() { # SECONDS
  local end=$((SECONDS + $1))
  while [ $SECONDS -lt $end ]; do
    kill_worker && ask churn $SLICE || return 1
    sample $SECONDS
  done
}
# KiB now, KiB a minute by least squares, and KiB grown, all over the second half.
slope() { # PART
  awk -v part="$1" '$2 == part { x[++n] = $1; y[n] = $3 }
    END {
      for (first = i = int(n / 2) + 1; i <= n; i++) { m++; sx += x[i]; sy += y[i]; sxx += x[i] * x[i]; sxy += x[i] * y[i] }
      d = m * sxx - sx * sx
      printf "%d %+.0f %d\n", y[n], d ? 60 * (m * sxy - sx * sy) / d : 0, y[n] - y[first]
    }' "$WORK/memory"
}
stays_small() { # PART GROWN
  # the buffers of its pools are touched one after the other; that none is missing is seen below
  [ "$1" = dataplane ] || more "$GROWTH" "$2" || [ -n "${SANITIZED-}" ] # ASan keeps what is freed for a while
}

# sec-mod keeps what a client may resume for so long: until then its memory grows, by some 400 bytes a connection.
keeps=300
[ $# = 0 ] || keeps=60
swarm_gateway $((clients + 100)) <<< "cookie-timeout = $keeps"
swarm_start "$clients" -s "$seed" -d "${DEEDS:-100}"
say "seed $seed"

expect "$clients clients get in" ask up
expect "all of them on DTLS" same "$(told .dtls)" "$clients"
expect "each gets its packets" ask ping
expect "a first churn" churn $SLICE
expect "all say goodbye" ask down
PATIENCE=30 soon "and have gone" idle
holdings > "$WORK/before"
rm "$WORK/memory"

expect "they are back" ask up
expect "churn for $length seconds" churn "$length"
expect "UDP gets through for everybody" ask udp
expect "everybody's packets cross" ask ping
tail -n 1 "$WORK/answers.log"
expect "no session was lost" same "$(told .lost)" 0
expect "no packet went astray" same "$(told .astray)" 0
expect "nobody was let in by a wrong password" same "$(told '"\(.let_in) \(.refused)"')" "0 $(told '.deeds.impostor // 0')"
expect "no connection ended that was not killed" same "$(told .broken)" "$(wc -l < "$WORK/killed")"
expect "no attempt to connect failed" same "$(told '.failed | length')" 0
for part in $PARTS; do
  read -r now slope grown < <(slope "$part")
  expect "$part has $now KiB, $slope KiB a minute" stays_small "$part" "$grown"
done
expect "all say goodbye" ask down
PATIENCE=30 soon "and have gone" idle
as_before() { holdings > "$WORK/after" && diff "$WORK/before" "$WORK/after"; }
soon "and the gateway holds what it held before" as_before
sed 's/^/  /' "$WORK/after"
