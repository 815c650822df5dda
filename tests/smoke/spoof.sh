#!/usr/bin/env bash
# A client whose kernel is hers: packets with every class of forged source go into her tun device as they are. None comes out at the
# gateway, and each is counted, over DTLS and over TLS alike. What she says to everybody, or to the neighbours that she has not, reaches nobody.
#
#   anna  raw socket ── tun0 10.99.0.a ══╮
#   bert                tun1 10.99.0.b ══╯ gateway ── vpns0: an ingress hook counts what comes out
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
mtu = 1300
CONF
in_ns "$SERVER" nft -f - << NFT
table netdev leaks { chain out { type filter hook ingress device vpns0 priority 0; udp dport 9 counter; }; }
NFT
# what her kernel says by itself, with addresses that are not the tunnel's, must not be counted as well
in_ns "$CLIENT" nft -f - << NFT
table inet quiet { chain output { type filter hook output priority 0; oifname "tun*" meta l4proto icmpv6 drop; }; }
NFT
in_ns "$SERVER" sysctl -qw net.ipv6.conf.vpns0.accept_ra=2 net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1 net.ipv4.conf.vpns0.accept_redirects=1 net.ipv6.conf.vpns0.accept_redirects=1
came_out() { in_ns "$SERVER" nft list ruleset | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }

hex4() { printf '%02x' ${1//./ }; }
hex6() { # ADDRESS with a ::
  local group left=${1%%::*} right=${1##*::} hex='' tail=''
  for group in ${left//:/ }; do hex+=$(printf '%04x' "0x$group"); done
  for group in ${right//:/ }; do tail+=$(printf '%04x' "0x$group"); done
  printf '%s%0*d%s' "$hex" $((32 - ${#hex} - ${#tail})) 0 "$tail"
}
UDP=0009000900080000 # port 9, nothing in it
packet() {           # SOURCE DESTINATION
  case $1 in
    *:*) say "600000000008$(printf '%02x%02x' 17 64)$(hex6 "$1")$(hex6 "$2")$UDP" ;;
    *) say "4500001c0000000040110000$(hex4 "$1")$(hex4 "$2")$UDP" ;;
  esac
}
# What neighbours say to each other, with the checksum that it has to have.
icmp6() { # TYPE SOURCE DESTINATION
  local body sum=0 i hex
  body="$(printf '%02x' "$1")00000000000708$(hex6 fe80::1)$(hex6 fe80::2)0101020000000007"
  hex="$(hex6 "$2")$(hex6 "$3")$(printf '%08x' $((${#body} / 2)))0000003a$body"
  for ((i = 0; i < ${#hex}; i += 4)); do sum=$((sum + 0x${hex:i:4})); done
  while ((sum >> 16)); do sum=$(((sum & 0xffff) + (sum >> 16))); done
  say "60000000$(printf '%04x' $((${#body} / 2)))3aff$(hex6 "$2")$(hex6 "$3")${body:0:4}$(printf '%04x' $((0xffff - sum)))${body:8}"
}
sends_icmp6() { icmp6 "$@" | tr a-f A-F | basenc --base16 -d | in_ns "$CLIENT" socat -u - INTERFACE:tun0; } # TYPE SOURCE DESTINATION
# Into her tun device, past her kernel's own rules.
sends() { packet "$@" | tr a-f A-F | basenc --base16 -d | in_ns "$CLIENT" socat -u - INTERFACE:tun0; } # SOURCE DESTINATION
gateway_of() { case $1 in *:*) say fd99::1 ;; *) say $INSIDE ;; esac; }
counts_to() { [ "$($1)" = "$2" ]; }
spoofs() { counter drop_spoof; }
is_dropped() { # SOURCE [DESTINATION]
  local before
  before=$(spoofs)
  sends "$1" "${2:-$(gateway_of "$1")}"
  wait_for 5 counts_to spoofs $((before + 1))
}

INTERFACE=tun1 login bert bert
b4=$(given bert INTERNAL_IP4_ADDRESS) b6=$(user_field bert IPv6)
for mode in dtls tls; do
  # shellcheck disable=SC2046
  login $mode anna $([ $mode = dtls ] || echo --no-dtls)
  [ $mode != dtls ] || soon "anna has DTLS" client_on_dtls $mode
  a4=$(given $mode INTERNAL_IP4_ADDRESS) a6=$(user_field anna IPv6) before=$(came_out)
  expect "as herself she sends ($mode)" sends "$a4" $INSIDE
  expect "by IPv6 too" sends "$a6" fd99::1
  soon "and both come out" counts_to came_out $((before + 2))
  while read -r source what; do
    expect "$what is dropped and counted: $source" is_dropped "$source"
  done << TABLE
8.8.8.8         a foreign address
2001:db8::7     a foreign IPv6 address
$b4             bert's address
$b6             bert's IPv6 address
$INSIDE         the gateway's own
fd99::1         the gateway's own by IPv6
10.99.0.255     the broadcast address of her network
192.0.2.2       her address outside
224.0.0.251     multicast
ff02::1         IPv6 multicast
255.255.255.255 broadcast
127.0.0.1       loopback
::1             IPv6 loopback
0.0.0.0         no address
::              no IPv6 address
169.254.1.1     link-local
fe80::1         IPv6 link-local
::ffff:808:808  an IPv4 address in IPv6
TABLE
  expect "her own, to the gateway's loopback, is dropped too" is_dropped "$a4" 127.0.0.1
  expect "by IPv6 too" is_dropped "$a6" ::1
  expect "she still sends as herself" sends "$a4" $INSIDE
  soon "and nothing else has come out" counts_to came_out $((before + 3))

  # Where the kernel forwards from client to client, too.
  in_ns "$CLIENT" nft -f - << NFT
table netdev bert { chain in { type filter hook ingress device tun1 priority 0; counter; }; }
NFT
  for everybody in 10.99.0.255 255.255.255.255 224.0.0.251; do
    expect "to $everybody she may speak" sends "$a4" $everybody
  done
  for type in 133 134 135 136 137; do # router solicitation, advertisement, neighbour solicitation, advertisement, redirect
    expect "and send ICMPv6 of type $type to all" sends_icmp6 $type "$a6" ff02::1
  done
  expect "she sends as herself" sends "$a4" $INSIDE
  soon "which comes out behind it" counts_to came_out $((before + 3 + 3 + 1))
  expect "nothing has reached bert" in_ns "$CLIENT" sh -c 'nft list table netdev bert | grep -q "packets 0 "'
  expect "the gateway has taken no route from her" same "$(ip -n "$SERVER" -6 route show proto ra)" ''
  expect "and knows no neighbour there" same "$(ip -n "$SERVER" neigh show dev vpns0)" ''
  in_ns "$CLIENT" nft delete table netdev bert
  leave $mode
done
