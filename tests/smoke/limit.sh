#!/usr/bin/env bash
# The operator changes what a session is kept to while it is up: its speed, at once, and its times.
#
#   anna ═══ DTLS ═══╮
#                    ├ 192.0.2.1 gateway: no limits           penstockctl limit
#   bert ═══ CSTP ═══╯
. "$(dirname "$0")/lib.sh"

network
gateway < /dev/null
login anna anna
INTERFACE=tun1 login bert bert --no-dtls
soon "anna has DTLS" client_on_dtls anna
id=$(user_field anna ID)
limits_of() { ctl -j show user "$1" | jq -r '.[0] | "\(.raw_limit_rx // 0) \(.raw_limit_tx // 0)"'; } # USER
no_limits=$(limits_of anna)
lost() { counter drop_rate_in; }
# 20 packets of 1000 bytes at once, with replies as large: more than a burst of that speed.
flood() { in_ns "$CLIENT" ping -q -f -c 400 -s 1000 -I "$1" $INSIDE > "$WORK/flood" || :; } # DEVICE

flood tun0
expect "nothing is too fast" same "$(lost)" 0
expect "anna is limited" matches "$(ctl limit session "$id" rx=1K tx=1M)" '^1 session is changed$'
expect "which everybody sees" same "$(limits_of anna)" "1000 1000000"
expect "after an upgrade, too" eval 'ctl upgrade && same "$(limits_of anna)" "1000 1000000"'
flood tun0
expect "and her packets feel" more "$(lost)" 10
expect "bert has no limit" same "$(limits_of bert)" "$no_limits"
expect "hers is taken away, as a user's" matches "$(ctl limit user anna rx=0 tx=0)" '^1 session is changed$'
expect "she is as she was" same "$(limits_of anna)" "$no_limits"
was=$(lost)
expect "packets too" eval 'sleep 0.1; flood tun0; same "$(lost)" "$was"'

expect "a limit that is none" matches "$(ctl limit user anna speed=3 2>&1 || :)" "'speed=3' is no limit: rx=BYTES"
expect "nobody of that name" matches "$(ctl limit user carl rx=1 2>&1 || :)" "user 'carl' has no session"
expect "no such session" matches "$(ctl limit session 4711 rx=1 2>&1 || :)" "there is no session '4711'"
expect "words are missing" never ctl limit user anna
expect "JSON says so, too" jq -e '.message | test("1 session is changed")' <<< "$(ctl -j limit user bert idle-timeout=600)"

login_is_over() { client_gone bert; }
expect "a time that is over already" ctl limit user bert session-timeout=1
soon "ends the session" login_is_over
expect "with its reason" has "$WORK/gateway.log" "user 'bert' disconnected .*session-timeout"
expect "anna is still there" pings -I tun0 $INSIDE
