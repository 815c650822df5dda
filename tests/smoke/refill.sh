#!/usr/bin/env bash
# The dataplane is killed, twice. Each time another gets the tunnels of who is connected: nobody connects anew, packets cross over the TLS connections of
# before, who had DTLS is led into new keys, and what a tunnel is kept to holds as before.
#
#   anna  DTLS          ╮                                                               ╭ 198.51.100.1
#   bert  CSTP alone    ├ 10.0.0.2 ── router: NAT to 192.0.2.254 ── 192.0.2.1 gateway ──┤ 10.99.0.1
#   cora  AES-CBC-SHA   ╯                                           dataplane <- SIGKILL ╰ vpns0
#
#   anna: iroute = 10.50.0.0/24; bert: restrict-user-to-routes, which are 10.99.0.0/24
. "$(dirname "$0")/lib.sh"
MAY_LOG='died of signal 9'
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 10.0.0.2/24 "$ROUTER" west 10.0.0.1/24
ip -n "$CLIENT" route add default via 10.0.0.1
ip -n "$CLIENT" addr add 10.50.0.1/32 dev lo
ip -n "$SERVER" addr add 198.51.100.1/32 dev lo
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1
in_ns "$ROUTER" nft -f - << NFT
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oif east masquerade
  }
}
NFT

mkdir "$WORK/users"
echo 'iroute = 10.50.0.0/24' > "$WORK/users/anna"
printf '%s\n' 'restrict-user-to-routes = true' 'route = 10.99.0.0/24' > "$WORK/users/bert"

connects() { grep -c 'CSTP connected' "$WORK/$1.log"; }          # LABEL
handshakes() { grep -c 'Established DTLS' "$WORK/$1.log"; }      # LABEL
on_dtls() { answers -I "$2" $INSIDE && user_has "$1" Channel DTLS; } # USER INTERFACE
bytes_of() { ctl -j show user anna | jq '.[0] | (.RX | tonumber) + (.TX | tonumber)'; }
refilled() { has "$WORK/gateway.log" "new dataplane has the tunnels of $1 sessions"; } # HOW_MANY
kill_dataplane() { old=$(pid_of 'Dataplane PID') && kill -KILL "$old"; }
is_another() { local now; now=$(pid_of 'Dataplane PID') && [ "$now" != 0 ] && [ "$now" != "$old" ] && gateway_online; }

{ add_user anna anna-secret; add_user bert bert-secret; add_user cora cora-secret; } > /dev/null
gateway 192.0.2.1 << CONF
config-per-user = $WORK/users
CONF
login anna anna
INTERFACE=tun1 login bert bert --no-dtls
INTERFACE=tun2 login cora cora --dtls12-ciphers=AES128-SHA
ip -n "$CLIENT" rule add from 10.50.0.1 table 50
ip -n "$CLIENT" route add default dev tun0 table 50
soon "anna has DTLS" on_dtls anna tun0
soon "cora has hers" on_dtls cora tun2
kept_as_before() {
  expect "bert's packets cross" pings -I tun1 $INSIDE
  expect "but not to where he may not send" never answers -I tun1 198.51.100.1
  NETNS=$SERVER expect "what is behind anna is reached" pings -I $INSIDE 10.50.0.1
}
kept_as_before

for times in 1 2; do
  carried=$(bytes_of) shaken=$(handshakes anna)
  kill_dataplane
  soon "another takes its place" is_another
  soon "anna's packets cross over DTLS" on_dtls anna tun0
  expect "by new keys" same "$(handshakes anna)" $((shaken + 1))
  soon "cora's by those that her worker still has" on_dtls cora tun2
  kept_as_before
  expect "what was counted before counts" more "$(bytes_of)" "$carried"
done
expect "show status says that it does not stay alive" matches "$(ctl -j show status | jq -r .Status)" '^online; dataplane has died 2 times in a row$'
expect "and so does the log" has "$WORK/gateway.log" 'dataplane has died 2 times in a row: the next one in 200 ms'
expect "the log has it in one line" same "$(grep -c 'the new dataplane has the tunnels of 3 sessions' "$WORK/gateway.log")" 2
expect "nobody has connected anew" same "$(connects anna) $(connects bert) $(connects cora)" '1 1 1'
expect "cora needed no keys" same "$(handshakes cora)" 1
expect "nobody has logged in again" same "$(grep -c 'login of ' "$WORK/gateway.log")" 3
say "--- who was about to connect waits"
kill -STOP "$(pid_of 'Dataplane PID')"
INTERFACE=tun3 start_client late "$CLIENT" bert bert-secret 192.0.2.1
late=$pid
soon "bert logs in once more" eval 'same "$(grep -c "login of .bert" "$WORK/gateway.log")" 2'
kill_dataplane
soon "and is connected by the next one" client_up late
expect "at once" same "$(connects late)" 1
stop "$late"

soon "who leaves leaves no tunnel" eval 'leave anna && leave bert && leave cora && no_sessions && same "$(ctl -j show dataplane | jq .tunnels)" 0'

say "--- frames: the way back is what the client itself shows"
stop "$GATEWAY"
GATEWAY=
gateway 192.0.2.1 <<< 'outer = outer'
login frames anna
soon "anna has DTLS" on_dtls anna tun0
kill_dataplane
soon "another takes its place" is_another
soon "her next packet brings her new keys" eval 'on_dtls anna tun0 && same "$(handshakes frames)" 2'
expect "she has not connected anew" same "$(connects frames)" 1
