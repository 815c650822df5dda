#!/usr/bin/env bash
# How logins are doing: ways, methods, servers and queues, for people and for programs; and what happens when too many wait.
#
#   600 clients at once ════ 192.0.2.1 gateway ── sec-mod: two threads, hashes that take their time
. "$(dirname "$0")/lib.sh"

network
add_user anna anna-secret > /dev/null
slow=$(perl -e 'print crypt("slow-secret", q($6$rounds=400000$saltsalt$))')
echo "slow:*:$slow" >> "$WORK/passwd"
gateway 192.0.2.1 << CONF
rate-limit-ms = 500
max-ban-score = 1000000
ban-reset-time = 2000000000
ban-exempt = none
ban-points-wrong-password = 0
CONF
field() { ctl -j show auth | jq -r "$1"; }

expect "the way to log in" same "$(field '.ways | map(.vhost + " " + .by + " " + .way) | join(", ")')" 'default auth plain'
expect "its method is idle" same "$(field '.methods[0] | [.name, .vhost, .outstanding, .asked] | map(tostring) | join(" ")')" 'plain default 0 0'
get_cookie anna anna-secret > /dev/null
get_cookie anna wrong > /dev/null || :
expect "two hashes were made" same "$(field '.queues[] | select(.name == "hashes") | [.asked, .failures] | tostring')" '[2,0]'
expect "signatures have a queue of their own" matches "$(field '.queues[] | select(.name == "signatures") | .room')" '^[1-9]'
expect "whose time was taken" matches "$(field '.methods[0].raw_longest_us')" '^[0-9]{4,}$'
expect "people read tables" matches "$(ctl show auth)" $'methods:\n.*plain +default +in force'

expect "nobody is slowed down" same "$(field '."Logins wait"')" false
ulimit -n 4096
start storm ip netns exec "$CLIENT" "$STORM" -n 700 -t 60 192.0.2.1 443 slow slow-secret
soon "over half of the queue is full" has "$WORK/gateway.log" 'logins wait: a connection every 500 ms'
expect "which is told" same "$(field '."Logins wait"')" true
expect "and seen" more "$(field '.queues[] | select(.name == "hashes") | .outstanding')" 512
# Each connection that is taken is a point.
taken() { ctl -j show ip ban points | jq '.[] | select(.IP == "192.0.2.2") | .Score'; }
before=$(taken) began=${EPOCHREALTIME/./}
for n in {1..20}; do in_ns "$CLIENT" bash -c 'exec 3<>/dev/tcp/192.0.2.1/443; sleep 3' & done
sleep 2
after=$(taken) took=$((${EPOCHREALTIME/./} - began))
expect "others are taken" more $((after - before)) 0
expect "but only two connections a second are taken" more $((took / 500000 + 2)) $((after - before))
