#!/usr/bin/env bash
# The gateway listens in another network namespace than that where its clients' packets come out; TCP and UDP at addresses of their own.
#
#   client 192.0.2.2 ── .1, .11 [namespace outside] penstockd [namespace inside] vpns0 10.99.0.1
. "$(dirname "$0")/lib.sh"
OUTSIDE=$NAME-o
MAY_END=yes
MAY_LOG='died of signal 9'

add_netns "$SERVER" "$OUTSIDE" "$CLIENT"
add_link "$OUTSIDE" outer 192.0.2.1/24,192.0.2.11/24,2001:db8::1/64 "$CLIENT" eth0 192.0.2.2/24,2001:db8::2/64
at() { in_ns "$1" ss -Hnl"$2" | awk '{ print $4 }' | sort | tr '\n' ' '; } # NETNS t or u
another_runs() { matches "$(pid_of 'Dataplane PID')" '^[1-9]' && differ "$(pid_of 'Dataplane PID')" "$dead" && gateway_online; }
# Clients send DTLS to the host of their TCP connection: here that is another address.
pass_udp() {
  in_ns "$CLIENT" nft -f - << NFT
table ip pass {
  chain out { type nat hook output priority -100; ip daddr 192.0.2.1 udp dport 443 dnat to 192.0.2.11; }
}
NFT
}

for outer in auto outer; do
  gateway 192.0.2.1 2001:db8::1 << CONF
udp-listen-host = 192.0.2.11
udp-listen-host = 2001:db8::1
listen-netns = $OUTSIDE
outer = $outer
CONF
  expect "outer = $outer: TCP is outside" same "$(at "$OUTSIDE" t)" '192.0.2.1:443 [2001:db8::1]:443 '
  expect "UDP too, at its own addresses" same "$(at "$OUTSIDE" u)" '192.0.2.11:443 [2001:db8::1]:443 '
  expect "nothing of it is inside" same "$(at "$SERVER" t)$(at "$SERVER" u)" ''
  expect "nor the other way round" never ip -n "$OUTSIDE" link show vpns0
  HOST='[2001:db8::1]' login six anna
  soon "a client connects, with DTLS" client_on_dtls six
  soon "both sides say so" user_has anna Channel DTLS
  expect "its packets come out inside" pings $INSIDE
  [ "$outer" = outer ] || pass_udp
  INTERFACE=tun1 login four bert
  soon "one with IPv4 too" client_on_dtls four
  soon "both sides say so" user_has bert Channel DTLS
  stop "${client[six]}"
  stop "${client[four]}"
  soon "they leave" nobody
  if [ "$outer" = auto ]; then
    dead=$(pid_of 'Dataplane PID')
    kill -KILL "$dead"
    soon "the dataplane is started anew" another_runs
    HOST='[2001:db8::1]' login again anna
    soon "and finds its way out again" client_on_dtls again
    stop "${client[again]}"
  fi
  stop "$GATEWAY"
done

tried() { "$BIN/penstockd" -t -c "$CONFIG" 2>&1 || :; }
sed -i "s/^listen-netns.*/listen-netns = $NAME-nowhere/" "$CONFIG"
expect "a namespace that there is not is named" matches "$(tried)" "listen-netns: $NAME-nowhere: there is no such"
expect "and nothing starts" matches "$(in_ns "$SERVER" "$BIN/penstockd" -f -c "$CONFIG" 2>&1 || :)" "listen-netns $NAME-nowhere: No such file"
sed -i "s/^listen-netns.*/listen-netns = ..\/x/" "$CONFIG"
expect "nor is every text a name" matches "$(tried)" 'listen-netns: it is to be a name in /run/netns'
