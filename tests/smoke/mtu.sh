#!/usr/bin/env bash
# The tunnel's MTU: what fits goes through whole, what does not is told to its sender or sent in fragments; a narrow path narrows it,
# and what TCP offers.
#
#   client tun0 ═══ 192.0.2.1 gateway vpns0 10.99.0.1, mtu = 1300
#   eth0: mtu 1500, then 1200, then 1360 with IPv6 inside, over TLS only
. "$(dirname "$0")/lib.sh"

network
gateway << CONF
mtu = 1300
mss-clamp = true
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
CONF
login client anna
soon "DTLS is up" client_on_dtls client
mtu=$(given client INTERNAL_IP4_MTU)
expect "the client was given $mtu, not more than the configuration says" more 1301 "$mtu"
expect "nor much less" more "$mtu" 1200
expect "a packet of just that size crosses whole" pings -M "do" -s $((mtu - 28)) $INSIDE
address=$(given client INTERNAL_IP4_ADDRESS)
NETNS=$SERVER expect "and back" pings -M "do" -s $((mtu - 28)) "$address"
expect "a larger one crosses in fragments" pings -M dont -s 3000 $INSIDE
NETNS=$SERVER expect "and back" pings -M dont -s 3000 "$address"

# Anybody can say that a path is narrow.
forge() { # PORT: of the client; ICMP "fragmentation needed", MTU 68, about a datagram to it
  in_ns "$CLIENT" /usr/bin/python3 - "$1" << 'PYTHON'
import socket, struct, sys
total = lambda b: sum(struct.unpack('!%dH' % (len(b) // 2), b))
def checksum(b):
    n = total(b)
    n = (n >> 16) + (n & 0xffff)
    return 0xffff & ~(n + (n >> 16))
about = struct.pack('!BBHHHBBH4s4sHHHH', 0x45, 0, 1300, 1, 0, 64, 17, 0, socket.inet_aton('192.0.2.1'), socket.inet_aton('192.0.2.2'), 443, int(sys.argv[1]), 1280, 0)
icmp = struct.pack('!BBHHH', 3, 4, 0, 0, 68) + about
icmp = icmp[:2] + struct.pack('!H', checksum(icmp)) + icmp[4:]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
for _ in range(20):
    s.sendto(icmp, ('192.0.2.1', 0))
PYTHON
}
heard() { in_ns "$SERVER" nstat -asz IcmpInDestUnreachs | awk '/IcmpIn/ { print $2 }'; }
fragments_came() { in_ns "$CLIENT" nstat -asz IpReasmReqds | awk '/IpReasm/ { print $2 }'; }
was=$(fragments_came)
forge "$(user_field anna "DTLS peer" | sed 's/.*://')"
expect "somebody says so" more "$(heard)" 19
NETNS=$SERVER expect "the largest packet crosses whole" pings -M "do" -s $((mtu - 28)) "$address"
expect "in no fragments" same "$(fragments_came)" "$was"
leave client
soon "the client has gone" nobody

ip -n "$CLIENT" link set eth0 mtu 1200
ip -n "$SERVER" link set outer mtu 1200
login narrow anna --disable-ipv6
soon "DTLS is up over the narrow path" client_on_dtls narrow
mtu=$(given narrow INTERNAL_IP4_MTU) address=$(given narrow INTERNAL_IP4_ADDRESS)
expect "the client was given $mtu, which fits" more 1200 "$mtu"
expect "a packet of just that size crosses whole" pings -M "do" -s $((mtu - 28)) $INSIDE

# The inner interface has room for more than this client has.
NETNS=$SERVER expect "more than that comes to it in fragments" pings -M dont -s 1200 "$address"
expect "that the gateway has made" same "$(counter inner_fragments)" 6
in_ns "$CLIENT" nft "add table ip inside; add chain ip inside input { type filter hook input priority 0; };
  add rule ip inside input iifname tun0 tcp option maxseg size $((mtu - 40)) counter"
iperf_server
expect "TCP runs" more "$(megabits -R)" 1
expect "with segments that fit" has <(in_ns "$CLIENT" nft list ruleset) 'counter packets [1-9]'
expect "because the gateway has clamped them" more "$(counter mss_clamped)" 0
told=$(in_ns "$SERVER" ping -c 1 -W 2 -M "do" -s 1200 "$address" || :)
expect "or who sends it is told of $mtu" matches "$told" "Frag needed and DF set \(mtu = $mtu\)"
leave narrow
soon "the client has gone" nobody

ip -n "$CLIENT" link set eth0 mtu 1360
ip -n "$SERVER" link set outer mtu 1360
ip -n "$SERVER" route flush cache # of what it was told
login tls anna --no-dtls
mtu=$(given tls INTERNAL_IP4_MTU) address=$(given tls INTERNAL_IP4_ADDRESS) ipv6=$(given tls INTERNAL_IP6_NETMASK)
expect "over TLS the client was given $mtu" more 1300 "$mtu"
expect "enough for IPv6" more "$mtu" 1279
fragments=$(counter inner_fragments)
NETNS=$SERVER expect "what is larger comes to it in fragments" pings -M dont -s 1272 "$address"
expect "that the gateway has made" same "$(counter inner_fragments)" $((fragments + 6))
told=$(in_ns "$SERVER" ping -c 1 -W 2 -s 1252 "${ipv6%/*}" || :)
expect "or, over IPv6, who sends it is told" matches "$told" "Packet too big: mtu=$mtu"
NETNS=$SERVER expect "and does better" pings -s 1252 "${ipv6%/*}"
