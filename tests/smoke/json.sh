#!/usr/bin/env bash
# Every command of the table prints JSON that jq reads, in the form that the table says, under occtl's keys where occtl has them.
#
#   anna ════ 192.0.2.1 gateway ── admin socket ── penstockctl -j
. "$(dirname "$0")/lib.sh"

network
client_from_afar "$CLIENT" 2
# Who guesses has another address.
ip -n "$CLIENT" addr add 198.51.100.3/32 dev eth0
ip -n "$SERVER" route add 198.51.100.3 dev outer
mkdir "$WORK/users"
printf 'iroute = 10.77.0.0/24\n' > "$WORK/users/anna"
gateway 192.0.2.1 << CONF
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
config-per-user = $WORK/users
rx-data-per-sec = 1000000
tx-data-per-sec = 1000000
restrict-user-to-ports = "tcp(443), icmp()"
compression = true
max-ban-score = 40
quota-day = 1G
quota-file = $WORK/quota
ban-points-wrong-password = 30
CONF

answer() { # FORM: is what stands in $WORK/json of this form?
  case $1 in
  table | records) jq -e 'type == "array" and length > 0 and all(type == "object" and length > 1)' "$WORK/json" ;;
  status) jq -e 'type == "object" and length > 1 and ([.[] | arrays | .[] | type == "object"] | all)' "$WORK/json" ;;
  events) jq -es 'length == 1 and (.[0] | type == "object" and has("event"))' "$WORK/json" ;;
  done) jq -e 'type == "object" and (.message | length > 0)' "$WORK/json" ;;
  local) jq -e . "$WORK/json" ;;
  esac > "$WORK/jq.log" 2>&1
}

# How each command is tried: its argument, and what has to be there. One that is not here fails.
connected() { user_has anna State connected > /dev/null || login anna anna --compression=all; }
scored() {
  ip -n "$CLIENT" route replace 192.0.2.1 dev eth0 src 198.51.100.3
  get_cookie bert wrong1 > /dev/null || :
  get_cookie bert wrong2 > /dev/null || :
  ip -n "$CLIENT" route replace 192.0.2.1 dev eth0 src 198.51.100.2
}
id() { user_field anna ID; }
sid() { user_field anna Session; }
flows() { start ping ip netns exec "$CLIENT" ping -i 0.1 "$INSIDE"; }
something_happens() { # as often as it takes until it is told
  rm "$WORK/json"
  (for _ in {1..20}; do [ -s "$WORK/json" ] || get_cookie bert bert-secret > /dev/null; done) &
}
declare -A before=() argument=()
tried() { argument[$1]=${2-} before[$1]=${3-connected}; } # COMMAND ARGUMENT BEFORE
tried "show status"
tried "show users"
tried "show iroutes"
tried "show sessions"
tried "show sessions all"
tried "show sessions valid"
tried "show auth"
tried "show dataplane"
tried "show dataplane cores"
tried "show user" anna
tried "show id" '$(id)'
tried "show session" '$(sid)'
tried "show events" 1 something_happens
tried "show ip bans" "" scored
tried "show ip ban points"
tried "unban ip" 198.51.100.3 ""
tried "trace session" '$(id) 2' 'connected; flows'
tried "capture session" '$(id) $WORK/packets packets=2' 'connected; flows'
tried "show quota"
tried "show quota user" anna
tried "reset quota user" anna
tried "limit user" "anna rx=100K"
tried "limit session" '$(sid) tx=100K'
tried "maintenance on"
tried "maintenance off" "" ""
tried "disconnect user" anna
tried "disconnect id" '$(id)'
tried "terminate user" anna
tried "terminate id" '$(id)'
tried "terminate session" '$(sid)'
tried "reload"
tried "upgrade"
tried "top" "seconds=1 count=1"
tried "doctor" '$WORK/penstock.conf' ""
tried "help" "" ""
tried "reset" "" ""
tried "exit" "" ""
tried "stop now" "" ""

try() { # COMMAND FORM
  [ -n "${argument[$1]+there}" ] || fail "'$1' is tried: say in this test how"
  eval "${before[$1]}"
  eval "ctl --debug -j $1 ${argument[$1]}" > "$WORK/json" 2> "$WORK/complaint" || fail "$1: $(cat "$WORK/complaint")"
  expect "$1" answer "$2"
  lacks "$WORK/complaint" twice || fail "$1: $(grep twice "$WORK/complaint")"
  cp "$WORK/json" "$WORK/${1// /-}.json"
}
"$BIN/penstockctl" -j help | jq -r '.[] | .answer + " " + .command' > "$WORK/table"
more "$(wc -l < "$WORK/table")" 20
while read -r form command <&7; do
  [ "$command" = "stop now" ] || try "$command" "$form"
done 7< "$WORK/table"
MAY_END=1
expect "the last" try "stop now" done
soon "the gateway ends" gone "$GATEWAY"

# -------------------------------------------------------------------------------------------------------------- occtl's keys

keys() { # FILE FILTER KEY...: those that are missing
  local file=$WORK/$1 filter=$2
  shift 2
  printf '%s\n' "$@" | jq -R . | jq -sr --slurpfile got "$file" "map(select(. as \$k | (\$got[0] | $filter | has(\$k)) | not)) | .[]"
}
expect "show status has them" same "$(keys show-status.json . Status 'Server PID' 'Sec-mod PID' 'Sec-mod instance count' 'Up since' '_Up since' raw_up_since \
  uptime 'Active sessions' 'Total sessions' 'Total authentication failures' 'IPs in ban list' 'Median latency' raw_median_latency 'STDEV latency' \
  raw_stdev_latency 'Last stats reset' '_Last stats reset' raw_last_stats_reset 'Sessions handled' 'Timed out sessions' 'Timed out (idle) sessions' \
  'Closed due to error sessions' 'Authentication failures' 'Average auth time' raw_avg_auth_time 'Max auth time' raw_max_auth_time \
  'Average session time' raw_avg_session_time 'Max session time' raw_max_session_time 'Min MTU' 'Max MTU' RX raw_rx TX raw_tx)" ""
for of in users user id; do
  expect "show $of has them" same "$(keys "show-$of.json" '.[0]' ID Username Groupname State vhost Device MTU 'Remote IP' Location 'Local Device IP' IPv4 \
    'P-t-P IPv4' IPv6 'P-t-P IPv6' User-Agent 'Limit RX' 'Limit TX' RX TX _RX _TX 'Average RX' 'Average TX' DPD KeepAlive Hostname \
    'Last connected at' '_Last connected at' 'Session started at' '_Session started at' raw_connected_at raw_session_started_at 'Connected at' \
    '_Connected at' 'Full session' Session 'TLS ciphersuite' 'DTLS cipher' 'CSTP compression' 'DTLS compression' DNS NBNS Split-DNS-Domains Routes \
    No-routes iRoutes 'Restricted to routes' 'Restricted to ports')" ""
done
for of in session sessions sessions-all sessions-valid; do
  expect "show $of has them" same "$(keys "show-$of.json" '.[0]' Session 'Full session' Created State Username Groupname vhost User-Agent 'Remote IP' \
    Location session_is_open tls_auth_ok in_use)" ""
done
expect "show ip bans has them" same "$(keys show-ip-bans.json '.[0]' IP Since _Since Score)" ""
expect "show iroutes has them" same "$(keys show-iroutes.json '.[0]' ID Username vhost Device IP iRoutes)" ""
expect "what is forbidden is a list" same "$(jq -c '.[0]."Restricted to ports"' "$WORK/show-user.json")" '["tcp(443)","icmp()"]'
expect "how she was let in is there" same "$(jq -c '.[0] | [."Login method", .tls_auth_ok, (."Acct-Session-Id" | length)]' "$WORK/show-id.json")" '["plain",false,16]'
expect "as it is of the session" same "$(jq -r '.[0]."Acct-Session-Id"' "$WORK/show-session.json")" "$(jq -r '.[0]."Acct-Session-Id"' "$WORK/show-user.json")"
numbers='[paths(type == "string" and test("^[0-9]+$")) as $p | [$p[-1], getpath($p)]]'
expect "numbers are numbers, but for those that occtl has as text" same \
  "$(jq -c "$numbers | map(.[0]) | .[]" "$WORK"/*.json | sort -u | tr '\n' ' ')" '"DPD" "KeepAlive" "MTU" '
expect "or stand beside" same "$(jq -c '.[0] | [.DPD, .KeepAlive, .MTU] == ([.raw_dpd, .raw_keepalive, .raw_mtu] | map(tostring))' "$WORK/show-id.json")" true
