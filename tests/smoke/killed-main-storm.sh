#!/usr/bin/env bash
# Main is killed again and again while clients log in and go: at the end nothing is left of those who have gone, and who stayed is there.
#
#   anna, many ════ 192.0.2.1 keeper ── main  <- SIGKILL, SIGKILL, ...
. "$(dirname "$0")/lib.sh"
MAY_LOG='main died of signal 9'
RANDOM=${SEED:-7} KILLS=${KILLS:-5} # in the night: KILLS=100

open_files() { find "/proc/$1/fd" -mindepth 1 | wc -l; } # PID
free_tunnels() { ctl -j show users | jq length; }
only_anna() { same "$(ctl -j show users | jq length)" 1; }
sessions_left() { ctl -j show sessions valid | jq 'map(select(.State != "authenticated")) | length'; }
workers() { pgrep -cP "$(pid_of 'Nursery PID')" penstock-worker; }
mains() { pgrep -P "$GATEWAY" penstockd; }

network
gateway << CONF
max-same-clients = 0
max-clients = 40
cookie-timeout = 5
ipv4-network = 10.99.0.0/26
CONF
login anna anna
soon "anna is on DTLS" client_on_dtls anna
before=$(user_field anna 'Full session')

# A round: it logs in twenty clients, which come, send and go; some find nobody, in the middle of something.
rounds() { while [ ! -e "$WORK/enough" ]; do timeout 20 "$STORM" -n 20 -d -t 3 192.0.2.1 443 bert bert-secret || :; done; }
export -f rounds
export WORK STORM
start storm ip netns exec "$CLIENT" bash -c rounds
rounds=$pid
start pings ip netns exec "$CLIENT" ping -q -i 0.02 -W 5 -I tun0 $INSIDE
pings=$pid
for ((i = 0; i < KILLS; i++)); do
  sleep "0.$((RANDOM % 9))"
  main=$(mains) && kill -KILL $main || :
done
touch "$WORK/enough"
PATIENCE=30 soon "the storm is over" gone "$rounds"
soon "main is there" gateway_online
kill -INT "$pings"
soon "the pings are over" gone "$pings"
say "$(grep -h ' logins, ' "$WORK/storm.log" | awk '{ n += $1 - $3; f += $3 } END { print n " logins, " f " were broken off" }'), $(ctl -j show status | jq '."Main restarts"') deaths"
expect "some have logged in" more "$(grep -c ' logins, ' "$WORK/storm.log")" 0
PATIENCE=30 soon "nobody is left but anna" only_anna
expect "who is in the same session" same "$(user_field anna 'Full session')" "$before"
expect "and has lost no packet" has "$WORK/pings.log" ' 0% packet loss'
only_a_worker() { same "$(workers)" 1; }
soon "one worker is left" only_a_worker
no_voids() { same "$(sessions_left)" 1; }
soon "one session is in use" no_voids
few_files() { more 40 "$(open_files "$(main_pid)")" && more 40 "$(open_files "$GATEWAY")"; }
soon "neither main nor its keeper holds what was theirs" few_files
# Each of the 61 addresses and of the 40 tunnels is free again, but for hers.
all_at_once() { in_ns "$CLIENT" timeout 50 "$STORM" -n 39 -c -k -t 40 192.0.2.1 443 bert bert-secret < /dev/null; }
expect "all of what is lent is free" all_at_once
expect "packets cross" pings -I tun0 $INSIDE
