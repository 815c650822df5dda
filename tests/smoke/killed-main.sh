#!/usr/bin/env bash
# Main is killed, and another takes over: nobody's packet is lost, nobody logs in again, and what comes meanwhile waits. The same where it
# stands still.
#
#   anna ════ 192.0.2.1 keeper ── main  <- SIGKILL, SIGSTOP
#   bert ════╯
. "$(dirname "$0")/lib.sh"
MAY_LOG='main died of signal 9'

another_main() { local now; now=$(main_pid) && [ "$now" != "$main" ]; }
kill_main() { main=$(main_pid); kill -KILL "$main"; }
facts() { ctl -j show users | jq -c '.[] | [.ID, .Username, ."Full session", .IPv4, ."DTLS cipher", .State, .raw_connected_at]' | sort; }
open_files() { find "/proc/$1/fd" -mindepth 1 | wc -l; } # PID
logged() { has "$WORK/gateway.log" "$1"; }

network
gateway << CONF
predictable-ips = false
persistent-cookies = true
max-ban-score = 80
CONF
login anna anna
soon "anna is on DTLS" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
parts=$(ctl -j show status | jq -c '[."Server PID", ."Sec-mod PID", ."Dataplane PID", ."Nursery PID"]')
before=$(facts)

# Both ways of packets while one main dies and another comes.
in_ns "$CLIENT" ping -q -i 0.02 -c 150 -W 5 -I tun0 $INSIDE > "$WORK/anna.ping" & anna_pings=$!
in_ns "$CLIENT" ping -q -i 0.02 -c 150 -W 5 -I tun1 $INSIDE > "$WORK/bert.ping" & bert_pings=$!
sleep 0.5
kill_main
in_ns "$CLIENT" timeout 20 "$STORM" -n 1 -d -t 10 192.0.2.1 443 anna anna-secret > "$WORK/storm.log" 2>&1 & storm=$!
expect "whoever asks is answered" ctl show users
soon "by another main" another_main
expect "nothing else has died" same "$(ctl -j show status | jq -c '[."Server PID", ."Sec-mod PID", ."Dataplane PID", ."Nursery PID"]')" "$parts"
wait $storm && say "who has come meanwhile logs in" || fail "who has come meanwhile logs in: $(cat "$WORK/storm.log")"
wait $anna_pings && wait $bert_pings || :
expect "anna has lost no packet" has "$WORK/anna.ping" '150 received'
expect "nor has bert" has "$WORK/bert.ping" '150 received'
same_facts() { same "$(facts)" "$before"; }
soon "all is as it was" same_facts
expect "with her numbers" more "$(user_field anna RX)" 5000

# What the new one has is its own: clients go and come, a child dies, there is a reload, and it dies again.
leave bert
soon "bert is gone" same "$(ctl -j show users | jq 'map(select(.Username == "bert")) | length')" 0
INTERFACE=tun1 login again bert
expect "his packets cross" pings -I tun1 $INSIDE
nursery=$(pid_of 'Nursery PID')
kill -KILL "$nursery"
MAY_LOG="$MAY_LOG|nursery \(pid [0-9]+\) died of signal 9"
another_nursery() { local now; now=$(pid_of 'Nursery PID') && [ "$now" != "$nursery" ] && [ "$now" != 0 ] && gateway_online; }
soon "a nursery that was its predecessor's is missed" another_nursery
expect "a reload is done" ctl reload
ctl maintenance on > /dev/null
before=$(facts) files=$(open_files "$(main_pid)")
kill_main
soon "another main again" another_main
soon "has everything again" same_facts
expect "maintenance goes on" matches "$(ctl show status)" 'Status: maintenance'
ctl maintenance off > /dev/null
expect "two have died" same "$(ctl -j show status | jq -r '.raw_main_restarts // ."Main restarts"')" 2
few_files() { more $((files + 2)) "$(open_files "$(main_pid)")"; }
soon "and it holds no more than the one before" few_files
expect "packets cross" eval 'pings -I tun0 $INSIDE && pings -I tun1 $INSIDE'
expect "nobody had to come back" never eval 'client_says anna "sleep 10s" || client_says again "sleep 10s"'

# A main that stands still is as good as dead.
main=$(main_pid)
kill -STOP "$main"
PATIENCE=8 soon "one that does not answer is killed" gone "$main"
soon "and replaced" another_main
soon "with everything" same_facts
