#!/usr/bin/env bash
# What is full refuses the next client by name; who is there stays, and when one has left the next gets in.
#
#   anna  tun0 ════╮
#   bert  tun1 ════┼ 192.0.2.1 gateway: two connections, one address for them, one session a user
#   anna  tun2 ════╯
. "$(dirname "$0")/lib.sh"

refused() { ctl -j show status | jq -r --arg k "Refused ($1)" '.[$k]'; } # REASON
counted() { more "$(refused "$1")" 0; }
logged() { has "$WORK/gateway.log" "$1"; } # REGEX
has_connections() { same "$(ctl -j show status | jq .Connections)" "$1"; }
# A client that is turned away: it ends by itself, and never had a tunnel.
turned_away() { # LABEL USER
  INTERFACE=tun2 start_client "$1" "$CLIENT" "$2" "$2-secret" 192.0.2.1
  wait_for 10 gone "$pid" && never client_up "$1"
}
goes_on() { pings -I tun0 $INSIDE; }

network
gateway << CONF
max-clients = 2
max-same-clients = 1
ipv4-network = 10.99.0.0/30
CONF
login anna anna
expect "nobody has been refused" same "$(refused max-clients) $(refused max-same-clients) $(refused 'no free address') $(refused 'no tunnel')" "0 0 0 0"

expect "a second session of anna's is refused" turned_away again anna
expect "and is told why" client_says again 'unavailable; reason: .*max-same-clients'
expect "the log names the option" logged 'no session: .*max-same-clients'
expect "it is counted" counted max-same-clients

soon "its connection is gone" has_connections 1
expect "there is no address for bert" turned_away no-address bert
expect "and he is told so" client_says no-address 'unavailable; reason: no address is free'
expect "the log names the option" logged 'no session: no address is free in ipv4-network'
expect "it is counted" counted 'no free address'

# Who has not logged in yet is no client: strangers do not shut the door.
soon "his connection is gone" has_connections 1
sed -i 's/^max-clients = 2/max-clients = 1/' "$CONFIG"
expect "there is room for one client only" ctl reload
is() { same "$(ctl -j show status | jq -r .Status)" "$1"; } # STATUS
soon "the gateway is full" is full
expect "another is refused, so that load balancers see it" turned_away second bert
expect "by the kernel" client_says second 'Connection refused'
expect "the log names the option" logged 'full: there are 1 clients, as many as max-clients allows'
expect "it is counted" counted max-clients
sed -i 's/^max-clients = 1/max-clients = 2/' "$CONFIG"
expect "there is room again" ctl reload
soon "the gateway is open" is online
tls_open
http_post / "$(init_xml)" > "$WORK/stranger"
soon "a stranger has come" has_connections 2
expect "which shuts nothing" is online
tls_close
soon "he has left" has_connections 1

expect "anna has noticed nothing" goes_on
leave anna
soon "anna has left" nobody
INTERFACE=tun1 login bert bert
expect "bert gets in, and has the address" same "$(given bert INTERNAL_IP4_ADDRESS)" 10.99.0.2
expect "and his packets cross" pings -I tun1 $INSIDE
expect "no session was refused for want of a tunnel" same "$(refused 'no tunnel')" 0
leave bert
stop "$GATEWAY"

# As many clients as it can be told of. Where the machine has not the memory for them, it says how much that is and what to lower.
with_little_memory() { in_ns "$SERVER" sh -c 'ulimit -v 3000000; exec "$@"' penstockd "$BIN/penstockd" -f -c "$CONFIG" > "$WORK/little.log" 2>&1; }
configure 192.0.2.1 <<< 'max-clients = 1000000'
expect "a million clients can be configured" "$BIN/penstockd" -t -c "$CONFIG"
if [ -n "${SANITIZED-}" ] || [ "$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)" -lt 8000000 ]; then
  say "this machine has no memory for them: that half was not tried"
  GATEWAY=
  exit 0
fi
expect "with little memory it does not start" never with_little_memory
expect "it names the option and what is needed" has "$WORK/little.log" 'max-clients.* [0-9]{4} MB needed'
start_gateway "$SERVER" || fail "the gateway starts with room for a million"
expect "there is room for them" more "$(ctl -j show dataplane | jq '.["tunnels max"]')" 999999
login many anna
expect "packets cross" goes_on
MAY_END=1
stop "$GATEWAY"
expect "it ends as quickly as a small one" lacks "$WORK/gateway.log" 'does not end'
