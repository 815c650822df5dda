#!/usr/bin/env bash
# Clients that may send to their routes only, or to some ports only: over DTLS and over TLS alike, without a firewall.
#
#   anna (routes) ══╮                      ┌ 10.20.0.1  fd20::1    a route of hers
#                   ├ gateway 10.99.0.1 ───┼ 10.20.66.1            but for this part
#   bert (ports) ═══╯                      ├ 10.30.0.1  fd30::1    not hers
#                                          └ 10.40.0.53            her DNS server
#   Behind all of them: TCP 8443 and 8080, UDP 53 and 54, which echo.
. "$(dirname "$0")/lib.sh"

mkdir "$WORK/users"
cat > "$WORK/users/anna" << CONF
restrict-user-to-routes = true
route = 10.20.0.0/255.255.0.0
route = fd20::/64
no-route = 10.20.66.0/24
dns = 10.40.0.53
CONF
echo 'restrict-user-to-ports = "tcp(8443), udp(54), icmp()"' > "$WORK/users/bert"
network
set_address "$SERVER" lo 10.20.0.1/32,10.20.66.1/32,10.30.0.1/32,10.40.0.53/32,fd20::1/128,fd30::1/128
for port in 8443 8080; do start tcp$port ip netns exec "$SERVER" socat TCP6-LISTEN:$port,fork,reuseaddr,ipv6only=0 EXEC:cat; done
for at in 10.40.0.53:53 10.40.0.53:54 10.30.0.1:53 10.30.0.1:54; do
  start "udp-$at" ip netns exec "$SERVER" socat "UDP4-LISTEN:${at#*:},bind=${at%:*},fork,reuseaddr" EXEC:cat
done
gateway << CONF
ipv6-network = fd99::/64
route = 10.0.0.0/8
route = fd00::/8
mtu = 1300
config-per-user = $WORK/users
CONF

echoes() { [ "$(say hello | in_ns "$CLIENT" timeout 1 socat -t 0.5 - "$1,bind=$SOURCE" 2>> "$WORK/socat.log")" = hello ]; } # TCP4:HOST:PORT
refuses() { # SENTENCE COUNTER COMMAND...
  local sentence=$1 counter=$2 before WAIT=0.3 # for what does not come
  shift 2
  before=$(counter "$counter")
  expect "$sentence" never "$@"
  [ -z "$counter" ] || expect "  and it is counted" more "$(counter "$counter")" "$before"
}

login anna anna
soon "anna has DTLS" client_on_dtls anna
SOURCE=$(given anna INTERNAL_IP4_ADDRESS)
ip -n "$CLIENT" route replace 10.0.0.0/8 dev tun0
ip -n "$CLIENT" route replace fd00::/8 dev tun0
expect "her route answers" answers 10.20.0.1
expect "of both families" answers fd20::1
soon "on any port" echoes TCP4:10.20.0.1:8080
refuses "a part that is none does not" drop_target answers 10.20.66.1
refuses "nor what is no route" drop_target answers 10.30.0.1
refuses "of both families" drop_target answers fd30::1
expect "the gateway itself does" answers $INSIDE
soon "and her DNS server, where it is one" echoes UDP4:10.40.0.53:53
refuses "elsewhere it does not" drop_target echoes UDP4:10.40.0.53:54
show() { ctl -j show user "$1" | jq -r ".[0] | .\"$2\" | if type == \"array\" then join(\", \") else . end"; }
expect "the operator sees it" same "$(show anna 'Restricted to routes')" True
leave anna
login tls anna --no-dtls
ip -n "$CLIENT" route replace 10.0.0.0/8 dev tun0
expect "it is the same over TLS" answers 10.20.0.1
refuses "both ways" drop_target answers 10.30.0.1
leave tls

login bert bert
soon "bert has DTLS" client_on_dtls bert
SOURCE=$(given bert INTERNAL_IP4_ADDRESS)
soon "his port answers" echoes TCP4:10.30.0.1:8443
refuses "another does not" drop_port echoes TCP4:10.30.0.1:8080
expect "nor a port of the other protocol" never echoes UDP4:10.30.0.1:53
soon "one of that does" echoes UDP4:10.30.0.1:54
expect "pings do" answers 10.30.0.1
expect "in fragments too, for they have no ports" answers -s 3000 10.30.0.1
refuses "but not those of IPv6, which he was not given" drop_port answers fd30::1
big() { head -c 3000 /dev/zero | in_ns "$CLIENT" socat -b 4000 - "UDP4-SENDTO:10.30.0.1:54,bind=$SOURCE"; }
before=$(counter drop_port_fragment)
expect "a large datagram goes in fragments" big
soon "of which those without a port are dropped by name" more "$(counter drop_port_fragment)" "$before"
expect "the operator sees it" same "$(show bert 'Restricted to ports')" 'tcp(8443), udp(54), icmp()'
leave bert

echo 'restrict-user-to-ports = "!(tcp(8080))"' > "$WORK/users/bert"
login again bert
SOURCE=$(given again INTERNAL_IP4_ADDRESS)
soon "all but one" echoes TCP4:10.30.0.1:8443
soon "is the other way round" echoes UDP4:10.30.0.1:53
refuses "and that one is refused" drop_port echoes TCP4:10.30.0.1:8080
