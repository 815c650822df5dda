#!/usr/bin/env bash
# What the operator is shown of one session: its path, its channel and why, what was lost on the way and what was dropped, and why.
#
#   anna ═══ DTLS ═════════════╗
#                  198.51.100.2 ╪ router, which loses every tenth datagram ╪ 192.0.2.1 gateway vpns0 10.99.0.1
#   bert ═══ TLS (--no-dtls) ══╝
. "$(dirname "$0")/lib.sh"
ROUTER=$NAME-r

add_netns "$SERVER" "$ROUTER" "$CLIENT"
add_link "$SERVER" outer 192.0.2.1/24 "$ROUTER" east 192.0.2.254/24
add_link "$CLIENT" eth0 198.51.100.2/24 "$ROUTER" west 198.51.100.1/24
ip -n "$SERVER" route add default via 192.0.2.254
ip -n "$CLIENT" route add default via 198.51.100.1
in_ns "$ROUTER" sysctl -qw net.ipv4.ip_forward=1

gateway 192.0.2.1 << CONF
CONF
login anna anna
soon "anna's DTLS is up" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
expect "anna's pings cross" pings -I tun0 $INSIDE

shown() { ctl -j show id "$(user_field "$1" ID)" | jq -r ".[0] | $2"; } # USER JQ
session() { ctl -j show session "$1" | jq -r ".[0] | $2"; }             # SESSION JQ
expect "anna's path" matches "$(shown anna '."Path peer" + " " + ."Path local" + " " + ."Path port"')" \
  '^198\.51\.100\.2:[0-9]+ 192\.0\.2\.1:443 udp 192\.0\.2\.1:443$'
expect "is alive" matches "$(shown anna .UDP)" '^alive, heard [0-9.]+s ago$'
expect "her tunnel has a core" same "$(shown anna '.Core, .CPU | type')" $'number\nnumber'
expect "epoch and records" matches "$(shown anna '"\(.Epoch) \(."Next record to send") \(."Next record expected")"')" '^1 [1-9][0-9]* [1-9][0-9]*$'
expect "bert has none of that" same "$(shown bert '."Path peer", .Epoch')" $'null\nnull'
expect "because his client wants none" same "$(shown bert '."Channel reason"')" "the client offers no DTLS that it may have"
expect "his pings cross" pings -I tun1 $INSIDE
expect "over TLS" same "$(shown bert '."RX packets over CSTP", ."TX packets over CSTP", ."RX packets over DTLS"')" $'3\n3\n0'
expect "hers over DTLS" same "$(shown anna '."RX packets over DTLS", ."TX packets over DTLS", ."TX packets over CSTP"')" $'3\n3\n0'

sid=$(ctl -j show sessions | jq -r '.[] | select(.Username == "anna") | .Session')
expect "the session is found by the beginning of its name" same "$(session "$sid" '"\(.Username) \(.State) \(."Path port")"')" 'anna connected udp 192.0.2.1:443'
expect "and by its number" same "$(session "$(user_field bert ID)" '.Username, ."TX packets over CSTP"')" $'bert\n3'
expect "others are not" never ctl show session ffffff
expect "nor 99" never ctl show session 99
get_cookie anna anna-secret > /dev/null
waiting=$(ctl -j show sessions | jq -r '.[] | select(.State == "authenticated") | .Session')
expect "one without a client has no path" same "$(session "$waiting" '.State, ."Path peer"')" $'authenticated\nnull'

in_ns "$ROUTER" nft -f - << NFT
table inet lossy { chain forward { type filter hook forward priority 0; udp dport 443 numgen inc mod 10 0 drop; }; }
NFT
in_ns "$CLIENT" ping -q -I tun0 -f -c 2500 $INSIDE > "$WORK/flood.log" || true
in_ns "$ROUTER" nft delete table inet lossy
expect "what was lost on the way is seen" more "$(shown anna '."Records lost"')" 80
expect "as a share, too" matches "$(ctl show id "$(user_field anna ID)")" 'Records lost: [0-9]+ \(([4-9]|1[0-5])\.[0-9]+%\)'

ip -n "$CLIENT" addr add 10.99.77.77/32 dev tun0
in_ns "$CLIENT" ping -c 2 -i 0.2 -W 1 -I 10.99.77.77 $INSIDE > /dev/null 2>&1 || true
expect "what was dropped has a name" matches "$(shown anna '."Last drops"[]')" '^drop_spoof \([2-9], [0-9.]+s ago\)$'
expect "people read it, too" matches "$(ctl show id "$(user_field anna ID)")" 'Last drops: drop_spoof \([2-9]'
