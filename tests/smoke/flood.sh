#!/usr/bin/env bash
# Floods of strangers: datagrams that nobody has asked for get no answer that is larger, connections that come to nothing are ended in time, and meanwhile
# honest users log in and send as ever. `make attacks` measures what each costs.
#
#   anna 192.0.2.2 ─────────────────────────╮
#   strangers 198.18.0.0/15, 100.64.0.0/10 ─┴─ 192.0.2.1 gateway, auth-timeout = 2, max-startups = 40
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/flood.sh"

flood_network
gateway << CONF
auth-timeout = 2
max-startups = 40
max-ban-score = 0
CONF
pids() { ctl -j show status | jq -c '[."Server PID", ."Sec-mod PID", ."Nursery PID", ."Dataplane PID"]'; }
refused() { ctl -j show status | jq '."Refused (max-startups)"'; }
gets_in() { matches "$(get_cookie bert bert-secret)" '.{40,}'; }
login anna anna
soon "anna is on DTLS" user_has anna Channel DTLS
before=$(pids)

# Where that is forbidden, as in some containers, it is started all the same.
may_go_first() { (renice -n -1 -p $BASHPID) > /dev/null 2>&1; }
core_nice() { ps -L -o ni= -p "$(pid_of 'Dataplane PID')" | awk '$1 < least { least = $1 } END { print least + 0 }'; }
may_go_first && expect "a poll core goes before handshakes" same "$(core_nice)" -10

for attack in hello hello-known hello-fragments ip-fragments garbage; do
  flood $attack -s 1 -r 5000 -i "$(app_id anna)"
done
for attack in hello hello-fragments ip-fragments garbage; do
  expect "$attack: $(flooded $attack .made) datagrams get no answer" same "$(flooded $attack .bytes_in)" 0
done
expect "hello-known: no more bytes come than were sent" eval 'more "$(($(flooded hello-known .bytes_out) + 1))" "$(flooded hello-known .bytes_in)"'
expect "anna has noticed nothing" pings -I tun0 $INSIDE
expect "and is on DTLS" user_has anna Channel DTLS

# Ten of a kind and a place each: all at one time, so that there is room for half of them only.
slow="half-hello record headers body chunks silent"
pids=()
for attack in $slow; do
  flood $attack -1 -s 60 -n 10 -p 1 &
  pids+=($!)
done
expect "bert gets in among the slow" gets_in
expect "anna's packets cross" pings -I tun0 $INSIDE
wait "${pids[@]}"
for attack in $slow; do
  expect "$attack: all have been sent away, the last after $(flooded $attack .longest) s" same "$(flooded $attack '"\(.open) \(.ended)"')" "0 10"
done

# Who reads nothing does not see it: the gateway does.
flood unread -s 1 -n 10
only_anna() { same "$(ctl -j show status | jq .Connections)" 1; }
soon "unread: all have been sent away" only_anna

flood half-hello -s 3 -n 300 -p 1 &
flooding=$!
crowded() { more "$(ctl -j show status | jq '."Connections without a worker"')" 100; }
soon "a crowd from one place waits for itself" crowded
expect "bert gets in before it" gets_in
expect "one of the crowd has made room for him" more "$(refused)" 0
wait $flooding
expect "all parts are those of before" same "$(pids)" "$before"
