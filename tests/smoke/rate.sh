#!/usr/bin/env bash
# A user's rates: what is more is dropped, by name, each way by itself, and TCP gets on with what is left.
#
#   anna ════ gateway     users/anna: 1 MB/s from her, 2 MB/s to her
# Alone: it measures.
. "$(dirname "$0")/lib.sh"
SECONDS_OF_IPERF=2

mkdir "$WORK/users"
printf '%s\n' 'rx-data-per-sec = 1000000' 'tx-data-per-sec = 2000000' > "$WORK/users/anna"
network
gateway << CONF
config-per-user = $WORK/users
CONF
# A sanitizer may be slower than the least.
between() { more "$1" "$([ -n "${SANITIZED-}" ] && echo 0 || echo "$2")" && more "$3" "$1"; } # NUMBER LEAST MOST
show() { ctl -j show user anna | jq -r ".[0] | .\"$1\""; }

login anna anna
soon "anna has DTLS" client_on_dtls anna
expect "the operator sees her limits" same "$(show 'Limit RX') $(show 'Limit TX')" '1.0 MB/sec 2.0 MB/sec'
iperf_server
# 8 and 16 Mbit/s inside the tunnel; iperf3 does not count headers, and bursts come on top
expect "TCP from her" between "$(megabits)" 4 10
expect "what was more is counted" more "$(counter drop_rate_in)" 0
expect "and not as what goes to her" same "$(counter drop_rate_out)" 0
expect "TCP to her" between "$(megabits -R)" 8 19
expect "is counted too" more "$(counter drop_rate_out)" 0
expect "UDP from her, far beyond" between "$(megabits -u -b 40M -l 1200)" 5 10
leave anna

login tls anna --no-dtls
expect "over TLS it is the same" between "$(megabits -R)" 8 19
leave tls
INTERFACE=tun1 login bert bert
[ -n "${SANITIZED-}" ] || expect "bert has no limit" more "$(megabits)" 20
