#!/usr/bin/env bash
# Clients come by HAProxy, which says by the PROXY protocol who they are: bans, leases and tables are theirs, not the proxy's.
#
#   client 203.0.113.2 ── .1 proxy: HAProxy 192.0.2.2 ── 192.0.2.1 gateway
#   and by UDP past it, through the proxy's kernel
. "$(dirname "$0")/lib.sh"
PROXY=$NAME-p

add_netns "$SERVER" "$PROXY" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$PROXY" east 192.0.2.2/24
add_link "$CLIENT" eth0 203.0.113.2/24 "$PROXY" west 203.0.113.1/24
ip -n "$CLIENT" addr add 203.0.113.3/24 dev eth0
ip -n "$CLIENT" route add default via 203.0.113.1
ip -n "$SERVER" route add default via 192.0.2.2
in_ns "$PROXY" sysctl -qw net.ipv4.ip_forward=1

# One port for each way to say it. The last server says nothing, and is asked for its health by a handshake.
cat > "$WORK/haproxy.cfg" << CFG
global
  maxconn 100
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen v1
  bind 203.0.113.1:443
  server gateway 192.0.2.1:443 send-proxy
listen v2
  bind 203.0.113.1:2443
  server gateway 192.0.2.1:443 send-proxy-v2 check inter 200ms check-ssl verify none check-send-proxy
listen v2-ssl-cn
  bind 203.0.113.1:3443
  server gateway 192.0.2.1:443 send-proxy-v2-ssl-cn proxy-v2-options crc32c,unique-id
listen none
  bind 203.0.113.1:4443
  server gateway 192.0.2.1:443
frontend state
  mode http
  bind 127.0.0.1:80
  http-request return status 200 content-type text/plain lf-string "%[srv_is_up(v2/gateway)]"
CFG
healthy() { same "$(in_ns "$PROXY" curl -s http://127.0.0.1/)" 1; }
logged() { has "$WORK/gateway.log" "$1"; } # REGEX
refused() { more "$(ctl -j show status | jq '."Refused (proxy-from)"')" 0; }

gateway 192.0.2.1 << CONF
listen-proxy-proto = true
proxy-from = 192.0.2.2
max-ban-score = 40
ban-points-wrong-password = 30
ban-reset-time = 1000000
CONF
start haproxy ip netns exec "$PROXY" haproxy -db -f "$WORK/haproxy.cfg"
soon "the proxy's health checks, which say that they are its own, get their handshake" healthy

for how in v1:443 v2:2443 v2-ssl-cn:3443; do
  HOST=203.0.113.1:${how#*:} login "${how%:*}" anna --no-dtls
  expect "${how%:*}: the client has its own address" user_has anna 'Remote IP' '^203\.0\.113\.2$'
  expect "and called the proxy's" user_has anna 'Local Device IP' '^203\.0\.113\.1$'
  expect "packets cross" answers $INSIDE
  leave "${how%:*}"
  soon "the client has gone" nobody
done
expect "RADIUS and the log know it likewise" logged 'anna.*203\.0\.113\.2'

# DTLS goes to the host of the TCP connection: whoever has that has to pass it on.
in_ns "$PROXY" nft -f - << NFT
table ip pass {
  chain pre { type nat hook prerouting priority dstnat; udp dport 443 dnat to 192.0.2.1; }
}
NFT
echo 'deny-roaming = true' >> "$CONFIG"
expect "sessions are bound to an address" ctl reload
HOST=203.0.113.1 login dtls anna
soon "DTLS past the proxy is of the same address" client_on_dtls dtls
soon "and is taken" user_has anna Channel DTLS
expect "packets cross" answers $INSIDE
leave dtls

expect "a wrong password" same "$(HOST=203.0.113.1 get_cookie anna wrong)" ''
expect "and another" same "$(HOST=203.0.113.1:2443 get_cookie anna wrong)" ''
soon "ban the client" banned 203.0.113.2
expect "and not the proxy" never banned 192.0.2.2
expect "the right one helps no more" same "$(HOST=203.0.113.1 get_cookie anna anna-secret)" ''
ip -n "$CLIENT" route replace 203.0.113.1 dev eth0 src 203.0.113.3
expect "but others by the same proxy" matches "$(HOST=203.0.113.1 get_cookie bert bert-secret)" '.{40,}'
expect "the proxy has no points" same "$(ctl -j show ip ban points | jq '[.[] | select(.IP == "192.0.2.2")] | length')" 0
expect "its checks go on" healthy

expect "a connection without the header comes to nothing" same "$(HOST=203.0.113.1:4443 get_cookie bert bert-secret)" ''
expect "and the log says why" logged 'no PROXY header: TLS begins at once'
# without an end of what it sends: who is gone before his turn gets no worker, and nobody says why
expect "a header of nonsense too" eval "printf 'PROXY TCP4 anna\r\n' | in_ns $PROXY socat -t5 - TCP:192.0.2.1:443,shut-none"
expect "likewise" logged 'a PROXY line with too few words'

expect "who is no proxy is refused" same "$(HOST=192.0.2.1 get_cookie bert bert-secret)" ''
expect "whatever he says" same "$(printf 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n' | in_ns "$CLIENT" socat -t5 - TCP:192.0.2.1:443 2>&1 | head -c 1)" ''
expect "which is counted" refused
expect "and logged" logged '203\.0\.113\.2 is refused: listen-proxy-proto'

sed -i 's/^listen-proxy-proto.*//; s/^proxy-from.*//' "$CONFIG"
expect "without it" ctl reload
expect "and without the ban" ctl unban ip 203.0.113.2
expect "clients come by themselves" matches "$(HOST=192.0.2.1 get_cookie bert bert-secret)" '.{40,}'
echo 'listen-proxy-proto = true' >> "$CONFIG"
expect "as ocserv has it, without proxy-from" matches "$("$BIN/penstockd" -t -c "$CONFIG" 2>&1)" 'listen-proxy-proto: .*proxy-from'
expect "proxies are the neighbours" ctl reload
expect "who are believed" matches "$(HOST=203.0.113.1 get_cookie bert bert-secret)" '.{40,}'
expect "and nobody else" same "$(HOST=192.0.2.1 get_cookie bert bert-secret)" ''
