#!/usr/bin/env bash
# A hundred reloads under traffic: virtual hosts, networks, routes, servers, limits and certificates come and go, every fifth file is
# wrong in another way and refused whole, and no packet is lost.
#
#   anna ════ DTLS ════╮                                vpns0
#                      ├ 192.0.2.1 gateway ── reload ── 10.99.0.1  iperf3
#   bert ════ CSTP ════╯
. "$(dirname "$0")/lib.sh"

pair() { # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$WORK/$1.key" \
    -out "$WORK/$1.pem" 2>> "$WORK/openssl.log"
}
for name in first.example second.example one.example two.example; do pair "$name"; done
echo rubbish > "$WORK/rubbish.pem"
mkdir "$WORK/users"

# The N-th configuration is good; what it says depends on N alone.
body() { # N
  local default=first.example
  [ $(($1 % 2)) = 0 ] || default=second.example
  cat << CONF
auth = "plain[passwd=$WORK/passwd]"
tcp-port = 443
udp-port = 443
listen-host = 192.0.2.1
occtl-socket-file = $WORK/admin.socket
session-file = $WORK/sessions
pid-file = $WORK/penstockd.pid
device = vpns
run-as-user = nobody
run-as-group = nogroup
server-cert = $WORK/$default.pem
server-key = $WORK/$default.key
ipv4-network = 10.99.0.0/$((24 - $1 % 3))
dns = 10.99.0.$((2 + $1))
route = 10.$((100 + $1)).0.0/16
route = 10.99.0.0/16
max-same-clients = $((3 + $1 % 4))
idle-timeout = $((1000 + $1))
rx-data-per-sec = $((10000000 + $1))
banner = "number $1"
max-ban-score = 0
mtu = $((1300 + $1 % 50))
config-per-user = $WORK/users
CONF
  [ $(($1 % 3)) = 0 ] || printf '[vhost:one.example]\nserver-cert = %s\nserver-key = %s\nipv4-network = 10.88.%d.0/24\n' \
    "$WORK/one.example.pem" "$WORK/one.example.key" "$1"
  [ $(($1 % 4)) -gt 1 ] || printf '[vhost:two.example]\nserver-cert = %s\nserver-key = %s\nbanner = "two of %d"\n' \
    "$WORK/two.example.pem" "$WORK/two.example.key" "$1"
}
# What spoils it, in the section that is last or one of its own: found by main, by sec-mod, by the nursery.
spoil() { # N
  case $(($1 / 5 % 6)) in
  0) echo 'dpd = soon' ;;
  1) printf '[vhost:bad.example]\nserver-cert = %s\nserver-key = %s\n' "$WORK/rubbish.pem" "$WORK/one.example.key" ;;
  2) printf '[vhost:bad.example]\nserver-cert = %s\nserver-key = %s\n' "$WORK/one.example.pem" "$WORK/two.example.key" ;;
  3) printf '[vhost:bad.example]\nauth = pam[gid-min=x]\n' ;;
  4) printf '[vhost:bad.example]\nca-cert = %s/nowhere.pem\n' "$WORK" ;;
  5) echo '[vhost:bad.example' ;;
  esac
}

network
add_user anna anna-secret > /dev/null
add_user bert bert-secret > /dev/null
CONFIG=$WORK/penstock.conf
body 0 > "$CONFIG"
cp "$WORK/first.example.pem" "$WORK/cert.pem"
PIN=$(pin_of "$WORK/cert.pem")
start_gateway "$SERVER" || fail "the gateway does not start"
login anna anna
INTERFACE=tun1 login bert bert --no-dtls
soon "anna is on DTLS" client_on_dtls anna

iperf_server
# Datagrams up and down in turns, until there is enough.
# shellcheck disable=SC2016
start streams bash -c 'while [ ! -e "$1/enough" ]; do ip netns exec "$2" iperf3 -c "$3" --bind-dev tun0 -u -b 2M -l 1000 -t 1 -J $way
  [ -z "${way-}" ] && way=-R || way=; done' streams "$WORK" "$CLIENT" $INSIDE
streams=$pid
start anna-ping ip netns exec "$CLIENT" ping -q -I tun0 -i 0.01 $INSIDE
anna_ping=$pid
start bert-ping ip netns exec "$CLIENT" ping -q -I tun1 -i 0.01 $INSIDE
bert_ping=$pid

subject_of() { # NAME
  in_ns "$CLIENT" openssl s_client -connect 192.0.2.1:443 -servername "$1" < /dev/null 2>> "$WORK/s_client.log" |
    openssl x509 -noout -subject | sed 's/.*CN = //'
}
# Who answers for each name, and what stands in force, is the N-th's.
in_force() { # N
  local default=first.example one=one.example two=two.example
  [ $(($1 % 2)) = 0 ] || default=second.example
  [ $(($1 % 3)) != 0 ] || one=$default
  [ $(($1 % 4)) -le 1 ] || two=$default
  same "$(subject_of other.example)" "$default" && same "$(subject_of one.example)" "$one" && same "$(subject_of two.example)" "$two"
}

descriptors() { find "/proc/$1/fd" -mindepth 1 | wc -l; } # PID
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }     # PID, in KiB
secmod=$(pid_of 'Sec-mod PID')
good=0 refused=0 last=0
for n in $(seq 1 100); do
  body "$n" > "$CONFIG"
  if [ $((n % 5)) = 0 ]; then
    spoil "$n" >> "$CONFIG"
    said=$(ctl reload 2>&1) && fail "number $n is taken: $(spoil "$n")"
    matches "$said" "$CONFIG:|rubbish|gid-min|second|belong|two.example" > /dev/null || fail "number $n: $said"
    refused=$((refused + 1))
  else
    said=$(ctl reload 2>&1) || fail "number $n is refused: $said"
    good=$((good + 1)) last=$n
  fi
  [ $((n % 10)) -lt 9 ] || in_force "$last" || fail "after number $n"
  if [ "$n" = 20 ]; then
    main_fds=$(descriptors "$(main_pid)") secmod_fds=$(descriptors "$secmod")
    main_kib=$(memory "$(main_pid)") secmod_kib=$(memory "$secmod")
  fi
done
expect "80 are taken" same $good 80
expect "20 are refused" same $refused 20
expect "what stands in force is the last good one" in_force 99

mtu_is() { [ "$(ip -n "$SERVER" -j link show vpns0 | jq '.[0].mtu')" = "$1" ]; }
expect "with its mtu on the inner interface" mtu_is 1349
expect "main has no more descriptors than before" same "$(descriptors "$(main_pid)")" "$main_fds"
expect "nor sec-mod" same "$(descriptors "$secmod")" "$secmod_fds"
# A leak of the configuration alone would be 80 times 10 KiB.
[ -n "${SANITIZED-}" ] || expect "main has no more memory" more $((main_kib + 400)) "$(memory "$(main_pid)")"
[ -n "${SANITIZED-}" ] || expect "nor sec-mod" more $((secmod_kib + 600)) "$(memory "$secmod")"

touch "$WORK/enough"
for p in $anna_ping $bert_ping; do kill -INT "$p"; done
soon "the traffic ends" gone "$streams"
soon "anna's pings too" gone "$anna_ping"
soon "bert's too" gone "$bert_ping"
# The last one may still have been under way.
all_came() { awk '/packets transmitted/ { exit $1 - $4 > 1 || $1 < 200 }' "$1"; } # LOG
expect "no ping over DTLS was lost" all_came "$WORK/anna-ping.log"
expect "nor over CSTP" all_came "$WORK/bert-ping.log"
expect "datagrams were sent" more "$(jq -s 'map(.end.sum.packets) | add' "$WORK/streams.log")" 500
expect "and none was lost" same "$(jq -s 'map(.end.sum.lost_packets) | add' "$WORK/streams.log")" 0
expect "anna was never disconnected" user_has anna State connected
expect "nor bert" user_has bert State connected
expect "80 reloads are in the log" same "$(grep -c 'configuration reloaded' "$WORK/gateway.log")" 80
expect "and 20 refusals" same "$(grep -c 'the old configuration stays' "$WORK/gateway.log")" 20
