#!/usr/bin/env bash
# Scripts: each client's connect-script decides before it has its tunnel, disconnect-script follows it with what was carried, and
# host-update-script hears its name. Nobody waits for a script but its client; one that hangs is killed; none gets lost when the
# gateway stops.
#
#   anna, in group staff ═══╮
#   bert ═══════════════════┴ gateway ── connect-script    firewall-set (an example of ours), behind one that writes all down
#                                        disconnect-script likewise, with session-log and hosts-file
. "$(dirname "$0")/lib.sh"
MAY_LOG='killed after'
EXAMPLES=$TOP/doc/examples/scripts

for example in "$EXAMPLES"/*; do
  expect "${example##*/} is a script of sh's" sh -n "$example"
done

cat > "$WORK/note" << SH
#!/bin/sh
# ID.REASON.N has the environment, as it is
n=1
while [ -e $WORK/\$ID.\$REASON.\$n ]; do n=\$((n + 1)); done
env | LC_ALL=C sort > $WORK/\$ID.\$REASON.\$n
echo "\$REASON \$USERNAME" >> $WORK/order
ip link show "\$DEVICE" > /dev/null || echo no interface >> $WORK/order
echo "this is \$REASON"
[ ! -e $WORK/hang.\$USERNAME.\$REASON ] || { echo \$\$ > $WORK/hangs; sleep 1000; }
[ ! -e $WORK/slow.\$REASON ] || sleep 1
[ ! -e $WORK/refuse.\$USERNAME ] || exit 3
export SESSION_LOG=$WORK/session-log HOSTS_FILE=$WORK/hosts HOSTS_DOMAIN=vpn.test
case \$REASON in
host-update) $EXAMPLES/hosts-file ;;
*) $EXAMPLES/session-log && $EXAMPLES/firewall-set && { [ \$REASON = connect ] || $EXAMPLES/hosts-file; } ;;
esac
SH
chmod +x "$WORK/note"
mkdir "$WORK/users"
cat > "$WORK/users/anna" << 'CONF'
route = 10.99.0.0/24
route = 10.77.0.0/255.255.0.0
route = fd77::/64
no-route = 10.77.9.0/24
dns = 10.99.0.1
dns = fd99::53
restrict-user-to-routes = true
restrict-user-to-ports = "tcp(443), udp(), icmp()"
CONF

network
add_user bert bert-secret > /dev/null
printf 'anna-secret\nanna-secret\n' | "$BIN/penstock-passwd" -c "$WORK/passwd" -g staff anna > /dev/null
in_ns "$SERVER" nft -f - << 'NFT'
table inet vpn {
  set staff { type ipv4_addr; }
  set staff6 { type ipv6_addr; flags interval; auto-merge; }
}
NFT
gateway << CONF
ipv6-network = fd99::/64
config-per-user = $WORK/users
connect-script = $WORK/note
disconnect-script = $WORK/note
host-update-script = $WORK/note
script-timeout = 2
predictable-ips = false
CONF

in_set() { in_ns "$SERVER" nft get element inet vpn "$1" "{ $2 }" > /dev/null; } # SET ADDRESS
noted() { sed -n "s/^$2=//p" "$WORK/$1"; }                                        # FILE VARIABLE

login anna anna --local-hostname 'annas-desk' --useragent 'Agent; $(touch ../injected)'
ip4=$(given anna INTERNAL_IP4_ADDRESS)
expect "anna's addresses are in her group's set before she has her tunnel" in_set staff "$ip4"
expect "there is a line of her in the log of sessions" has "$WORK/session-log" " \+ 1 anna staff 192.0.2.2 $ip4 fd99:"
expect "what her script says is in the gateway's log" has "$WORK/gateway.log" "connect-script of session 1 \(user 'anna'\): this is connect"
sed '/^_=/d; /^PWD=/d; /^SHLVL=/d; /^OLDPWD=/d; s/^\(IPV6_REMOTE\)=fd99::.*/\1=HERS/' "$WORK/1.connect.1" > "$WORK/environment"
cat > "$WORK/wanted" << ENV
DEVICE=vpns0
DEVICE_PLATFORM=
DEVICE_TYPE=
GROUPNAME=staff
HOSTNAME=annas-desk
ID=1
IPV6_LOCAL=fd99::1
IPV6_PREFIX=128
IPV6_REMOTE=HERS
IP_LOCAL=10.99.0.1
IP_REAL=192.0.2.2
IP_REAL_LOCAL=192.0.2.1
IP_REMOTE=$ip4
OCSERV_ALLOW_PORTS=tcp 443 udp 0 icmp all$(printf ' ')
OCSERV_DNS4=10.99.0.1$(printf ' ')
OCSERV_DNS6=fd99::53$(printf ' ')
OCSERV_DNS=10.99.0.1 fd99::53$(printf ' ')
OCSERV_NO_ROUTES4=10.77.9.0/255.255.255.0$(printf ' ')
OCSERV_NO_ROUTES=10.77.9.0/255.255.255.0$(printf ' ')
OCSERV_RESTRICT_TO_ROUTES=1
OCSERV_ROUTES4=10.99.0.0/255.255.255.0 10.77.0.0/255.255.0.0$(printf ' ')
OCSERV_ROUTES6=fd77::/64$(printf ' ')
OCSERV_ROUTES=10.99.0.0/255.255.255.0 10.77.0.0/255.255.0.0 fd77::/64$(printf ' ')
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
REASON=connect
REMOTE_HOSTNAME=annas-desk
USERNAME=anna
USER_AGENT=Agent; \$(touch ../injected)
VHOST=default
ENV
expect "its environment is ocserv's, and nothing else" diff -u "$WORK/wanted" "$WORK/environment"
soon "her host's name is told" has "$WORK/hosts" "^$ip4 annas-desk.anna.vpn.test # session 1$"
expect "she reaches the gateway" pings $INSIDE

: > "$WORK/hang.bert.connect"
start_client bert "$CLIENT" bert bert-secret 192.0.2.1 --interface tun1
hanging=$pid
soon "bert's script hangs" test -s "$WORK/hangs"
expect "and nobody else waits for it: anna is served" pings $INSIDE
INTERFACE=tun2 login second anna
expect "and so is who logs in meanwhile" never client_gone second
soon "bert is turned away" gone "$hanging"
expect "as the log says" has "$WORK/gateway.log" "connect-script takes longer than script-timeout"
soon "the script is killed with what it has started" never pgrep -g "$(cat "$WORK/hangs")"
soon "it may have done half of its work: disconnect-script follows" has "$WORK/order" 'disconnect bert'
rm "$WORK/hang.bert.connect"

: > "$WORK/refuse.bert"
: > "$WORK/order"
start_client refused "$CLIENT" bert bert-secret 192.0.2.1 --interface tun1
soon "a script that says no keeps bert out" gone "$pid"
expect "and is not followed by another" lacks "$WORK/order" 'disconnect bert'
expect "nor is he connected" same "$(user_field bert ID)" ''

: > "$WORK/slow.disconnect"
: > "$WORK/order"
leave second
cookie=$(get_cookie anna anna-secret)
INTERFACE=tun3 login_with_cookie third "$cookie"
before=$(user_field anna ID | sort -n | tail -n 1)
INTERFACE=tun4 login_with_cookie fourth "$cookie"
expect "a new connection of the same session has its script" test -s "$WORK/$before.connect.2"
expect "after the old one's, however slow that was" same "$(tail -n 3 "$WORK/order" | grep -v host-update | tr '\n' ' ')" 'disconnect anna connect anna '
rm "$WORK/slow.disconnect"

leave anna
soon "when anna goes her address leaves the set" never in_set staff "$ip4"
soon "her name goes, too" lacks "$WORK/hosts" '# session 1$'
in=$(noted 1.disconnect.1 STATS_BYTES_IN)
expect "disconnect-script is told what she sent" more "$in" 100
expect "and got" more "$(noted 1.disconnect.1 STATS_BYTES_OUT)" 100
expect "for how long" matches "$(noted 1.disconnect.1 STATS_DURATION)" '^[0-9]+$'
expect "and all of before" same "$(grep -vE '^(STATS|REASON|SHLVL|_|PWD|OLDPWD)' "$WORK/1.disconnect.1")" "$(grep -vE '^(REASON|SHLVL|_|PWD|OLDPWD)' "$WORK/1.connect.1")"

MAY_END=1
: > "$WORK/order"
: > "$WORK/slow.disconnect"
kill "$GATEWAY"
soon "the gateway stops" gone "$GATEWAY"
expect "after the scripts of those that were still there" same "$(grep -c 'disconnect anna' "$WORK/order")" 1
expect "which still had the interface" lacks "$WORK/order" 'no interface'
expect "nothing is left in the set" never in_ns "$SERVER" sh -c 'nft list set inet vpn staff | grep -q elements'
