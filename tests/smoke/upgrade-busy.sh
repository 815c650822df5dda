#!/usr/bin/env bash
# After an upgrade sec-mod follows even where somebody is always about to log in: a stranger who only connects cannot keep the old one.
#
#   anna ════════════════════╮
#   connects, and no word ───┴ 192.0.2.1 gateway ── penstockctl upgrade
. "$(dirname "$0")/lib.sh"
. "$TOP/tests/smoke/data/versions.sh"

programs "$VERSION"
network
gateway << CONF
auth-timeout = 3
max-ban-score = 0
CONF
login anna anna

# Two at a time, one begun before the other has ended.
linger() {
  while :; do
    timeout 2 openssl s_client -quiet -connect 192.0.2.1:443 > /dev/null 2>&1 < <(exec sleep 3) &
    sleep 1
  done
}
export -f linger
start lingering ip netns exec "$CLIENT" bash -c linger
someone() { more "$(ctl -j show auth | jq '[.. | .Connections? // empty] | add // 0')" 0; }
soon "somebody is about to log in" someone

programs "$NEXT"
expect "penstockctl upgrade" ctl upgrade
soon "the next version answers" upgraded "$NEXT"
expect "sec-mod waits for those who are logging in" secmod_is "$VERSION"
soon "but not for those who always come" secmod_is "$NEXT"
expect "the log says that it did not" has "$WORK/gateway.log" 'makes room.*somebody was always logging in'
expect "anna has noticed nothing" pings $INSIDE
expect "and who comes now is let in" matches "$(get_cookie bert bert-secret)" '.{40,}'
