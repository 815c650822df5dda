# The smoke tests' harness: a gateway and real openconnect clients in network namespaces of the test's own.
# A test sources this, draws its topology, and then says what it expects; the first sentence that is not true ends it.
#
# SERVER and CLIENT are namespaces, `network` joins them: 192.0.2.1 and 2001:db8::1 is the gateway's side, .2 and ::2 the client's.
# Users: anna (password anna-secret) and bert (bert-secret). Inside: 10.99.0.0/24, the gateway itself is 10.99.0.1.
# BIN names the folder of the programs; SANITIZED is set where they are built with a sanitizer, and slow.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TEST=$(basename "$0" .sh)
NAME=penstock-$TEST-$$
. "$TOP/scripts/lib.sh"

SERVER=$NAME-s CLIENT=$NAME-c
STORM=$BUILD/bench/worker_storm # many clients at once; not what is tested, so without ASan wherever BIN is
INSIDE=10.99.0.1
GATEWAY=
MAY_END=     # set by tests that stop the gateway
MAY_LOG='^$' # log lines that a test provokes on purpose (a worker killed by a signal)

# ------------------------------------------------------------------------------------------------------------ beginning, end

skip() { say "$*"; exit 77; }

show_logs() {
  local log
  for log in "$WORK"/*.log; do
    printf '\n--- %s (last 60 lines)\n' "${log##*/}"
    tail -n 60 "$log"
  done
}

# A process that died or a sanitizer's report fails the test, whatever it has shown.
gateway_is_sound() {
  [ -n "$GATEWAY" ] || return 0
  if [ -z "$MAY_END" ] && gone "$GATEWAY"; then
    say "the gateway has ended by itself"
    return 1
  fi
  ! grep -vE "$MAY_LOG" "$WORK/gateway.log" | grep -E 'Sanitizer|runtime error:|died of signal|does not stay alive'
}

# Of any process that a sanitized test has started, ended or not.
nothing_reported() {
  [ -n "${SANITIZED-}" ] || return 0
  ! grep -hE 'Sanitizer|runtime error:' "$WORK"/*.log 2> /dev/null
}

conclude() {
  local status=$?
  trap - EXIT
  trap '' PIPE # whoever reads the output may have gone: what was started has to end all the same
  set +e
  if [ $status = 0 ]; then
    gateway_is_sound && nothing_reported || status=1
  fi
  [ $status = 0 ] || [ $status = 77 ] || show_logs
  finish
  exit $status
}

[ "$(id -u)" = 0 ] || skip "only root can make network namespaces"
begin
trap conclude EXIT

# ------------------------------------------------------------------------------------------------------------------ saying

fail() { say "NOT: $*"; exit 1; }

# A sentence that has to be true now.
expect() { # SENTENCE COMMAND...
  local sentence=$1 out
  shift
  if out=$("$@" 2>&1); then say "$sentence"; else fail "$sentence ($*)${out:+: $out}"; fi
}

# A sentence that has to come true soon.
soon() { # SENTENCE COMMAND...
  local sentence=$1
  shift
  if wait_for "${PATIENCE:-15}" "$@"; then say "$sentence"; else fail "$sentence ($*), after ${PATIENCE:-15} s"; fi
}

never() { ! "$@"; }
same() { [ "$1" = "$2" ] || { say "'$1' is not '$2'"; return 1; }; }
differ() { [ "$1" != "$2" ] || { say "both are '$1'"; return 1; }; }
matches() { [[ $1 =~ $2 ]] || { say "'$1' does not match '$2'"; return 1; }; }
more() { [ "$1" -gt "$2" ] || { say "$1 is not more than $2"; return 1; }; }

# -------------------------------------------------------------------------------------------------------------- the network

network() {
  add_netns "$SERVER" "$CLIENT"
  add_link "$SERVER" outer 192.0.2.1/24,2001:db8::1/64 "$CLIENT" eth0 192.0.2.2/24,2001:db8::2/64
}

# The operator's part where clients are to reach each other: the kernel routes between them.
forwarding() { in_ns "$SERVER" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; }

# A client that is no neighbour of the gateway: 198.51.100.N through the same cable.
client_from_afar() { # NETNS N
  ip -n "$1" addr flush dev eth0 scope global
  ip -n "$1" addr add "198.51.100.$2/32" dev eth0
  ip -n "$1" route add 192.0.2.1 dev eth0
  ip -n "$SERVER" route replace "198.51.100.$2" dev outer
}

# -------------------------------------------------------------------------------------------------------------- the gateway

# Certificate, users, configuration (more of it on standard input), and a running penstockd.
gateway() { # [LISTEN_ADDRESS...]
  [ -f "$WORK/cert.pem" ] || make_certificate
  [ -f "$WORK/passwd" ] || { add_user anna anna-secret; add_user bert bert-secret; } > /dev/null
  [ $# -gt 0 ] || set -- 192.0.2.1 2001:db8::1
  configure "$@"
  start_gateway "$SERVER" "${OPTIONS[@]}" || fail "the gateway does not start"
}
OPTIONS=() # of penstockd's, behind those that it always has

configure() { # LISTEN_ADDRESS... < MORE
  cat > "$WORK/more.conf"
  write_config "$@" < "$WORK/more.conf"
}

# One field of a user's connections, one a line; nothing when not connected.
user_field() { ctl -j show users | jq -r --arg u "$1" --arg k "$2" '.[] | select(.Username == $u) | .[$k] // empty'; } # USER KEY
user_has() { matches "$(user_field "$1" "$2")" "$3"; }                                                                # USER KEY REGEX
nobody() { [ "$(ctl -j show users | jq length)" = 0 ]; }
sessions() { ctl -j show sessions | jq length; }
no_sessions() { [ "$(sessions)" = 0 ]; }
banned() { ctl -j show ip bans | jq -e --arg ip "$1" '.[] | select(.IP == $ip)' > /dev/null; } # ADDRESS
counter() { ctl -j show dataplane | jq -r --arg n "$1" '.counters[] | select(.name == $n) | .value'; } # NAME
main_pid() { pid_of 'Main PID'; } # $GATEWAY is its keeper, whom signals are for
# As if the machine had lost both at once: what is left of the gateway ends by itself.
kill_gateway() {
  kill -KILL "$GATEWAY" "$(main_pid)"
  wait_for 15 gone "$GATEWAY"
}
pid_of() { ctl -j show status | jq -r --arg k "$1" '.[$k]'; }                                          # "Sec-mod PID" and the like

# --------------------------------------------------------------------------------------------------------------- clients

# Log in and wait for the tunnel; the client's process is $pid and ${client[LABEL]}.
declare -A client
login() { # LABEL USER [OPTION...]; NETNS and HOST may be set before
  local label=$1 user=$2
  shift 2
  start_client "$label" "${NETNS:-$CLIENT}" "$user" "$user-secret" "${HOST:-192.0.2.1}" "$@"
  client[$label]=$pid
  wait_for 20 client_settled "$label" "$pid"
  client_up "$label" || fail "$user logs in"
}

client_says() { has "$WORK/$1.log" "$2"; } # LABEL REGEX
client_gone() { gone "${client[$1]}"; }
leave() { stop "${client[$1]}"; }

# Only the login: prints the cookie.
get_cookie() { # USER PASSWORD [OPTION...]
  local user=$1 password=$2
  shift 2
  printf '%s\n' "$password" | in_ns "${NETNS:-$CLIENT}" openconnect --passwd-on-stdin --user "$user" --servercert "$PIN" \
    --non-inter --authenticate "$@" "$(url_of "${HOST:-192.0.2.1}")" 2>> "$WORK/authenticate.log" | sed -n "s/^COOKIE='\(.*\)'/\1/p"
}

# Come with a cookie instead of a password.
login_with_cookie() { # LABEL COOKIE [OPTION...]
  local label=$1 cookie=$2
  shift 2
  rm -f "$WORK/$label.log" "$WORK/$label.network"
  printf '%s\n' "$cookie" > "$WORK/$label.cookie"
  NETWORK_LOG=$WORK/$label.network start "$label" ip netns exec "${NETNS:-$CLIENT}" \
    sh -c 'exec openconnect "$@" < '"$WORK/$label.cookie" openconnect --cookie-on-stdin --servercert "$PIN" \
    --script "$TOP/scripts/client-network" --interface "${INTERFACE:-tun0}" --timestamp -v "$@" "https://${HOST:-192.0.2.1}/"
  client[$label]=$pid
  wait_for 20 client_settled "$label" "$pid"
}

# What the client was given by its script: INTERNAL_IP4_ADDRESS and the like, of the last connect.
given() { grep -E '^.*reason=(re)?connect' "$WORK/$1.network" | tail -n 1 | tr ' ' '\n' | sed -n "s/^$2=//p"; } # LABEL NAME

# ----------------------------------------------------------------------------------------------------------------- traffic

pings() { in_ns "${NETNS:-$CLIENT}" ping -c "${COUNT:-3}" -i 0.1 -W 2 "$@"; } # ADDRESS
answers() { in_ns "${NETNS:-$CLIENT}" ping -c 1 -W "${WAIT:-1}" "$@"; }

iperf_server() { # [ADDRESS]
  start iperf ip netns exec "$SERVER" iperf3 -s --forceflush
  wait_for 10 has "$WORK/iperf.log" 'Server listening' || fail "iperf3 listens"
}

# Megabits a second that arrived; 0 where none did.
megabits() { # IPERF3_OPTION...
  in_ns "${NETNS:-$CLIENT}" iperf3 -c "${TO:-$INSIDE}" -t "${SECONDS_OF_IPERF:-1}" -J "$@" 2>> "$WORK/iperf-client.log" |
    jq '(.end.sum_received // .end.sum).bits_per_second // 0 | . / 1000000 | floor'
}

# Share of UDP datagrams lost, in percent.
lost_percent() {
  in_ns "${NETNS:-$CLIENT}" iperf3 -c "${TO:-$INSIDE}" -u -t "${SECONDS_OF_IPERF:-1}" -l 1200 -J "$@" 2>> "$WORK/iperf-client.log" |
    jq '.end.sum.lost_percent // 100 | ceil'
}

# TCP and UDP, both ways. How fast is the bench's business: here it has to work.
carries_traffic() {
  if [ -n "${SANITIZED-}" ]; then
    carries_file "$CLIENT" "$SERVER" "${TO:-$INSIDE}"
    return
  fi
  more "$(megabits)" 1 && more "$(megabits -R)" 1 && more 20 "$(lost_percent -b 5M)" && more 20 "$(lost_percent -b 5M -R)"
}

# A file over TCP, from one namespace to an address of the other; it arrives as it was.
carries_file() { # FROM_NETNS TO_NETNS ADDRESS
  local family=4 file=$WORK/file copy=$WORK/copy
  case $3 in *:*) family=6 ;; esac
  [ -f "$file" ] || head -c 24000000 /dev/urandom > "$file"
  rm -f "$copy"
  start receiver ip netns exec "$2" socat -u "TCP$family-LISTEN:7000,bind=[$3]" "CREATE:$copy"
  wait_for 5 listens "$2" 7000 || return 1
  timeout 60 ip netns exec "$1" socat -u "FILE:$file" "TCP$family:[$3]:7000" || return 1
  wait_for 5 gone "$pid" && same "$(sha256sum < "$copy")" "$(sha256sum < "$file")"
}
listens() { [ -n "$(in_ns "$1" ss -Hltn "sport = :$2")" ]; } # NETNS PORT

# ------------------------------------------------------------------------------------------------------------ bare TLS, HTTP

# A TLS connection without openconnect: what http_post says goes there, and its answer is read whole.
tls_open() { # [OPTION of s_client...]
  coproc TLS { exec ip netns exec "${NETNS:-$CLIENT}" openssl s_client -quiet -connect "${HOST:-192.0.2.1}:443" "$@" 2>> "$WORK/s_client.log"; }
  at_end "stop $TLS_PID $(born "$TLS_PID")"
}

tls_close() { stop "$TLS_PID"; }

http_send() { # PATH BODY
  printf 'POST %s HTTP/1.1\r\nHost: vpn.example\r\nUser-Agent: smoke test\r\nContent-Type: application/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s' \
    "$1" "${#2}" "$2" >&"${TLS[1]}"
}

# The answer: status line and headers, an empty line, the body.
http_post() { # PATH BODY
  http_send "$@" && http_answer
}
http_answer() {
  local line length=0
  while IFS= read -r -t 20 -u "${TLS[0]}" line; do
    line=${line%$'\r'}
    say "$line"
    [[ $line =~ ^[Cc]ontent-[Ll]ength:\ *([0-9]+) ]] && length=${BASH_REMATCH[1]}
    [ -n "$line" ] || break
  done
  [ "$length" = 0 ] || { IFS= read -r -t 20 -N "$length" -u "${TLS[0]}" line && say "$line"; }
}

init_xml() { say '<?xml version="1.0" encoding="UTF-8"?><config-auth client="vpn" type="init"><version who="vpn">v9.01</version></config-auth>'; }
reply_xml() { # NAME VALUE
  say "<?xml version=\"1.0\" encoding=\"UTF-8\"?><config-auth client=\"vpn\" type=\"auth-reply\"><version who=\"vpn\">v9.01</version><auth><$1>$2</$1></auth></config-auth>"
}
