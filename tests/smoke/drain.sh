#!/usr/bin/env bash
# A gateway behind HAProxy goes into maintenance and is drained: its ports refuse, HAProxy sends new connections to the other gateway,
# and who is connected notices nothing.
#
#   anna tun0 203.0.113.2 ── 203.0.113.1 HAProxy 192.0.2.2 ──┬── 192.0.2.1:443 gateway
#                                                            ╰── 192.0.2.1:444 another: whoever comes is counted
. "$(dirname "$0")/lib.sh"
PROXY=$NAME-p
MAY_END=yes

add_netns "$SERVER" "$PROXY" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$PROXY" east 192.0.2.2/24
add_link "$CLIENT" eth0 203.0.113.2/24 "$PROXY" west 203.0.113.1/24

cat > "$WORK/haproxy.cfg" << CFG
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  retries 3
  option redispatch
listen vpn
  bind 203.0.113.1:443
  balance first
  default-server check inter 200ms fall 2 rise 1
  server gateway 192.0.2.1:443 send-proxy-v2
  server other 192.0.2.1:444
frontend state
  mode http
  bind 127.0.0.1:80
  http-request return status 200 content-type text/plain lf-string "%[srv_is_up(vpn/gateway)]"
CFG
up() { same "$(in_ns "$PROXY" curl -s http://127.0.0.1/)" "$1"; } # 1 or 0
status() { ctl -j show status | jq -r .Status; }
is() { same "$(status)" "$1"; }
listening() { [ -n "$(in_ns "$SERVER" ss -Hltn 'sport = :443')" ]; }
goes_to_other() { same "$(in_ns "$CLIENT" timeout 5 socat -u TCP:203.0.113.1:443 - 2>/dev/null)" other; }
login_works() { matches "$(HOST=203.0.113.1 get_cookie bert bert-secret)" '.{40,}'; }
pinging() { start "$1" ip netns exec "$CLIENT" ping -i 0.05 $INSIDE; ping=$pid; soon "pings cross" has "$WORK/$1.log" 'icmp_seq=5'; } # LABEL
none_lost() { # LABEL
  stop "$ping"
  same "$(grep -c 'bytes from' "$WORK/$1.log")" "$(sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$WORK/$1.log" | tail -n 1)"
}

start other ip netns exec "$SERVER" socat TCP-LISTEN:444,fork,reuseaddr SYSTEM:'echo other'
gateway 192.0.2.1 << CONF
listen-proxy-proto = true
proxy-from = 192.0.2.2
server-drain-ms = 600000
CONF
start haproxy ip netns exec "$PROXY" haproxy -db -f "$WORK/haproxy.cfg"
soon "HAProxy finds the gateway" up 1
HOST=203.0.113.1 login anna anna --no-dtls
pinging maintenance

expect "maintenance begins" matches "$(ctl maintenance on)" 'refused; [1-9]'
expect "nobody listens any more" never listening
expect "the gateway says so" is maintenance
expect "not even one connection is lost on the way" goes_to_other
soon "HAProxy takes it out" up 0
expect "new ones go to the other" goes_to_other
expect "a reload changes nothing of that" ctl reload
expect "nor does an upgrade" ctl upgrade
expect "the gateway says so" is maintenance
expect "nobody listens" never listening
expect "maintenance ends" matches "$(ctl maintenance off)" online
soon "HAProxy takes it in again" up 1
expect "clients can log in" login_works
kill -USR2 "$GATEWAY"
soon "SIGUSR2 does the same" is maintenance
soon "HAProxy sees it" up 0
kill -USR2 "$GATEWAY"
soon "and the next ends it" is online
expect "of all that anna has noticed nothing" none_lost maintenance

soon "HAProxy is back" up 1
pinging draining
kill -TERM "$GATEWAY"
soon "TERM: the gateway drains" is draining
expect "its port refuses" never listening
expect "new connections go to the other" goes_to_other
soon "HAProxy takes it out" up 0
expect "anna has noticed nothing" none_lost draining
leave anna
soon "when she has gone the gateway ends, long before its time is over" gone "$GATEWAY"
expect "in order" has "$WORK/gateway.log" 'stopping: nobody is left'

sed -i 's/^server-drain-ms.*/server-drain-ms = 1500/' "$CONFIG"
start_gateway "$SERVER" || fail "the gateway starts again"
soon "HAProxy has it" up 1
HOST=203.0.113.1 INTERFACE=tun1 login again anna --no-dtls
kill -TERM "$GATEWAY"
soon "who stays is told to go when the time is over" gone "$GATEWAY"
expect "and not before" has "$WORK/gateway.log" 'stopping: the time to drain is over'
soon "the client was told" client_says again 'disconnect|Disconnect|terminated|reconnect'

sed -i 's/^server-drain-ms.*/server-drain-ms = 600000/' "$CONFIG"
start_gateway "$SERVER" || fail "the gateway starts again"
soon "HAProxy has it" up 1
HOST=203.0.113.1 INTERFACE=tun2 login last anna --no-dtls
kill -TERM "$GATEWAY"
soon "who does not want to wait" is draining
expect "says stop now" ctl stop now
soon "and need not" gone "$GATEWAY"
