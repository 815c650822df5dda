#!/usr/bin/env bash
# The configuration is read again while a tunnel carries packets; a broken one changes nothing and says where it is broken.
#
#   client ════ 192.0.2.1 gateway ── HUP, penstockctl reload
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
banner = "before"
dns = 10.99.0.53
CONF
login client anna
soon "DTLS is up" client_on_dtls client
start ping ip netns exec "$CLIENT" ping -I tun0 -i 0.05 -D $INSIDE
pinger=$pid

dns_of() { ctl -j show user "$1" | jq -r '.[0].DNS | join(" ")'; } # USER
sed -i 's/^banner = .*/banner = "after"/; s/^dns = .*/dns = 10.99.0.54/' "$CONFIG"
expect "penstockctl reload" ctl reload
INTERFACE=tun1 login second bert
expect "new clients get the new banner" client_says second 'after'
expect "and the new DNS server" matches "$(dns_of bert)" '10\.99\.0\.54$'
expect "the operator sees that the old one has the old server" matches "$(dns_of anna)" '10\.99\.0\.53$'
leave second

sed -i 's/^banner = .*/banner = "third"/' "$CONFIG"
kill -HUP "$GATEWAY"
reloads() { grep -c 'penstockd.*configuration reloaded' "$WORK/gateway.log" || :; }
reloaded_twice() { [ "$(reloads)" = 2 ]; }
soon "HUP reloads too" reloaded_twice

# sec-mod takes its time, and meanwhile HUP comes again: the file is read once more, and the last banner counts.
secmod=$(pid_of 'Sec-mod PID')
before=$(reloads)
kill -STOP "$secmod"
kill -HUP "$GATEWAY"
sed -i 's/^banner = .*/banner = "last"/' "$CONFIG"
hups() { [ "$(grep -c 'SIGHUP: reload' "$WORK/gateway.log")" = "$1" ]; }
soon "a reload is going on" hups 2
kill -HUP "$GATEWAY"
soon "HUP comes again" hups 3
expect "the operator is told to wait" matches "$(ctl reload 2>&1 || :)" 'another reload is going on'
kill -CONT "$secmod"
twice() { [ "$(reloads)" = $((before + 2)) ]; }
soon "both are done" twice
INTERFACE=tun1 login third bert
expect "with what the file says last" client_says third 'last'
leave third

sed -i 's/^udp-port = .*/udp-port = 4433/; s/^device = .*/device = other/; s/^banner = .*/banner = "fourth"/' "$CONFIG"
expect "what takes a restart is named" matches "$(ctl reload)" '^the configuration is reloaded; a restart is needed for udp-port, device$'
expect "with its old value in the log" has "$WORK/gateway.log" 'udp-port: this change needs a restart; until then it stays 443'
INTERFACE=tun1 login fourth bert
expect "the rest is in force" client_says fourth 'fourth'
leave fourth
sed -i 's/^udp-port = .*/udp-port = 443/; s/^device = .*/device = vpns/' "$CONFIG"
expect "nothing is left to restart for" matches "$(ctl reload)" '^the configuration is reloaded$'

line=$(($(wc -l < "$CONFIG") + 1))
echo 'tcp-port = nonsense' >> "$CONFIG"
expect "a broken file is refused" never ctl reload
said_once() { [ "$(grep -cE "$1" "$WORK/gateway.log")" = 1 ] || { grep -E "$1" "$WORK/gateway.log"; return 1; }; } # REGEX
soon "with its name and line" has "$WORK/gateway.log" "$CONFIG:$line:"
expect "which are logged once" said_once "'nonsense'"
sed -i '$d' "$CONFIG"

cp "$WORK/cert.pem" "$WORK/good.pem"
echo rubbish > "$WORK/cert.pem"
expect "a broken certificate is refused" never ctl reload
expect "which is logged once" said_once "$WORK/cert.pem"
{ cat "$WORK/good.pem"; sed 's/^M..../MIIBB/' "$WORK/good.pem"; } > "$WORK/cert.pem"
expect "a broken chain is refused" matches "$(ctl reload 2>&1 || :)" 'server-cert'
expect "by the nursery, and logged once" said_once "$WORK/cert.pem: [^n]"
expect "nobody is said to have died" lacks "$WORK/gateway.log" 'exited with|died of'
cp "$WORK/good.pem" "$WORK/cert.pem"
expect "the gateway still takes logins" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "and reloads again" ctl reload

expect "good reloads are logged once each" same "$(grep -c 'configuration reloaded' "$WORK/gateway.log")" "$(reloads)"
expect "anna was never disconnected" user_has anna State connected
kill -INT "$pinger"
soon "the pings have ended" gone "$pinger"
# The last one may still have been under way.
no_gap() { awk '/icmp_seq=/ { sub(/.*icmp_seq=/, ""); if ($1 + 0 != last + 1) exit 1; last++ } END { exit last < 10 }' "$WORK/ping.log"; }
expect "and no packet of hers was lost" no_gap
