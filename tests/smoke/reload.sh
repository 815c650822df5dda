#!/usr/bin/env bash
# The configuration is read again while a tunnel carries packets; a broken one changes nothing and says where it is broken.
#
#   client ════ 192.0.2.1 gateway ── HUP, penstockctl reload
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
banner = "before"
CONF
login client anna
soon "DTLS is up" client_on_dtls client
start ping ip netns exec "$CLIENT" ping -I tun0 -i 0.05 -D $INSIDE
pinger=$pid

sed -i 's/^banner = .*/banner = "after"/' "$CONFIG"
expect "penstockctl reload" ctl reload
INTERFACE=tun1 login second bert
expect "new clients get the new banner" client_says second 'after'
leave second

sed -i 's/^banner = .*/banner = "third"/' "$CONFIG"
kill -HUP "$GATEWAY"
reloaded_twice() { [ "$(grep -c 'penstockd.*configuration reloaded' "$WORK/gateway.log")" = 2 ]; }
soon "HUP reloads too" reloaded_twice

line=$(($(wc -l < "$CONFIG") + 1))
echo 'tcp-port = nonsense' >> "$CONFIG"
expect "a broken file is refused" never ctl reload
soon "with its name and line" has "$WORK/gateway.log" "$CONFIG:$line:"
sed -i '$d' "$CONFIG"

cp "$WORK/cert.pem" "$WORK/good.pem"
echo rubbish > "$WORK/cert.pem"
expect "a broken certificate is refused" never ctl reload
cp "$WORK/good.pem" "$WORK/cert.pem"
expect "the gateway still takes logins" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "and reloads again" ctl reload

expect "anna was never disconnected" user_has anna State connected
kill -INT "$pinger"
soon "the pings have ended" gone "$pinger"
expect "and no packet of hers was lost" has "$WORK/ping.log" ' 0% packet loss'
