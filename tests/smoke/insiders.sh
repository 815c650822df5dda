#!/usr/bin/env bash
# Who is inside the VPN is no neighbour of the gateway: a client gets points as strangers do, and is no proxy that is believed.
#
#   anna ══ tunnel, by 2001:db8::1 ══ gateway, 192.0.2.1 too
#   and through it, from her inner address, to 192.0.2.1:443
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
max-ban-score = 40
ban-points-wrong-password = 30
ban-reset-time = 1000000
CONF
HOST='[2001:db8::1]' login anna anna
inner=$(user_field anna IPv4)
ip -n "$CLIENT" route add 192.0.2.1/32 dev tun0 src "$inner"
expect "the gateway's other address is reached from inside" pings 192.0.2.1

expect "a wrong password" same "$(get_cookie bert wrong)" ''
expect "and another" same "$(get_cookie bert wrong)" ''
soon "ban an insider as anybody" banned "$inner"
expect "who is refused now" same "$(get_cookie bert bert-secret)" ''
expect "but goes on with his tunnel" pings $INSIDE

echo 'listen-proxy-proto = true' >> "$CONFIG"
expect "the neighbours are proxies" ctl reload
refused() { ctl -j show status | jq '."Refused (proxy-from)"'; }
before=$(refused)
says() { printf 'PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n' | in_ns "$CLIENT" timeout 5 socat -t2 - TCP:192.0.2.1:443,shut-none > "$WORK/said" 2>&1 || :; }
expect "an insider says that he is one" says
soon "and is refused" eval 'more "$(refused)" "$before"'
expect "nobody has heard of whom he named" lacks "$WORK/gateway.log" '203\.0\.113\.7'
