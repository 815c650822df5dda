#!/usr/bin/env bash
# Another penstockd takes the place of the one that runs, while clients do what they do: no packet is lost, no connect fails, and
# who was about to type his password types it.
#
#   anna ══ DTLS ══╮                                            ╭ penstockd 0.1.0, pid N
#   bert ══ CSTP ══╪ 192.0.2.1 gateway ── penstockctl upgrade ──┤
#   a login, half ─┤                                            ╰ penstockd 9.1.0, pid N
#   connects ──────╯
. "$(dirname "$0")/lib.sh"

. "$TOP/tests/smoke/data/versions.sh"

programs "$VERSION"

network
gateway << CONF
cookie-timeout = 60
max-ban-score = 50
ban-points-wrong-password = 10
CONF
login anna anna
soon "anna is on DTLS" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
expect "somebody has guessed wrongly" same "$(get_cookie bert wrong)" ''
expect "a packet of each crosses" eval 'pings -I tun0 $INSIDE && pings -I tun1 $INSIDE'

tls_open
http_post / "$(init_xml)" > /dev/null
expect "somebody is asked for his password" matches "$(http_post /auth "$(reply_xml username anna)")" 'type="password"'

# What has to be the same afterwards.
facts() { ctl -j show users | jq -c '.[] | [.ID, .Username, ."Full session", .IPv4, .IPv6, ."Remote IP", ."DTLS cipher", ."TLS cipher", .State, .raw_connected_at]' | sort; }
points() { ctl -j show ip ban points | jq -c '.[] | [.IP, .Score]'; }
before=$(facts) points_before=$(points)
main=$(main_pid) dataplane=$(pid_of 'Dataplane PID') nursery=$(pid_of 'Nursery PID')

# Traffic through both roads and both ways, and handshakes one after the other.
iperf() { # LABEL INTERFACE PORT [OPTION...]
  local label=$1 interface=$2 port=$3
  shift 3
  start "server-$label" ip netns exec "$SERVER" iperf3 -s -1 -p "$port"
  wait_for 10 listens "$SERVER" "$port" || fail "iperf3 listens"
  start "$label" ip netns exec "$CLIENT" iperf3 -c $INSIDE -p "$port" --bind-dev "$interface" -u -b 2M -l 1000 -t 5 -J "$@"
  running[$label]=$pid
}
declare -A running
iperf anna-up tun0 5201
iperf anna-down tun0 5202 -R
iperf bert-up tun1 5203
iperf bert-down tun1 5204 -R
handshakes() {
  while :; do
    if timeout 10 openssl s_client -connect 192.0.2.1:443 < /dev/null 2>&1 | grep -q 'Verify return code'; then say good; else say failed; fi
  done
}
export -f handshakes say
start handshakes ip netns exec "$CLIENT" bash -c handshakes
handshaker=$pid
connects() { grep -c "$1" "$WORK/handshakes.log" || :; } # good | failed
some() { more "$(connects good)" "$1"; }
soon "handshakes succeed" some 3

start events "$BIN/penstockctl" -s "$WORK/admin.socket" -n -j show events
listener=$pid
programs "$NEXT"
expect "penstockctl upgrade" ctl upgrade
soon "the next version answers" upgraded "$NEXT"
flows() { local label; for label in anna-up anna-down bert-up bert-down; do alive "${running[$label]}" || return 1; done; }
expect "while packets flow" flows
expect "under the same pid" same "$(main_pid)" "$main"
expect "with all that it had" same "$(facts)" "$before"
expect "and who was scored still is" same "$(points)" "$points_before"
expect "the dataplane has gone on" same "$(pid_of 'Dataplane PID')" "$dataplane"
expect "new workers are of the new version" differ "$(pid_of 'Nursery PID')" "$nursery"
soon "handshakes go on" some "$(($(connects good) + 3))"

expect "who was asked for his password is let in" matches "$(http_post /auth "$(reply_xml password anna-secret)")" 'webvpn='
tls_close
expect "kill -USR1 does the same" kill -USR1 "$main"
twice() { [ "$(grep -c 'has taken over from' "$WORK/gateway.log")" = 2 ]; }
soon "once more" twice
soon "with all that it had" eval 'same "$(facts)" "$before"'

for label in anna-up anna-down bert-up bert-down; do
  soon "$label has ended" gone "${running[$label]}"
  expect "$label has lost nothing" same "$(jq -c '.end.sum | [.lost_packets, .packets > 500]' "$WORK/$label.log")" '[0,true]'
done
stop "$handshaker"
expect "no connect has failed" same "$(connects failed)" 0
soon "when nobody logs in sec-mod is of the new version too" secmod_is "$NEXT"
expect "which knows every session" same "$(facts)" "$before"
expect "the dataplane is of the old one" same "$(ctl -j show status | jq -r '."Dataplane version"')" "$VERSION"

INTERFACE=tun2 login third anna
expect "who comes now gets an address of his own" same "$(ctl -j show users | jq '[.[].IPv4] | unique | length')" 3
leave third
soon "who listened to events hears of it still" has "$WORK/events.log" '"event":"disconnect".*"Username":"anna"'
expect "as the same" alive "$listener"
leave anna
one_user() { [ "$(ctl -j show users | jq length)" = 1 ]; }
soon "who leaves has left" one_user
MAY_END=1
stop "$GATEWAY"
expect "and an orderly stop ends all" eval 'client_gone bert || wait_for 5 client_gone bert'
expect "nothing is left of it" eval '! [ -e "$WORK/penstockd.pid" ] && ! [ -e "$WORK/admin.socket" ] && ! [ -e "$WORK/sessions" ]'
expect "nothing has died" lacks "$WORK/gateway.log" 'died of'
