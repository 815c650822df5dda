#!/usr/bin/env bash
# Sockets of the kernel as outer port, on several addresses and for two poll cores: IPv4 and IPv6, TLS and DTLS, and nobody else's.
#
#   anna 192.0.2.2    ════ outer  192.0.2.1, 198.51.100.1 ╮         ╭ core ╮
#                                                         ├ sockets ┤      ├ vpns0 10.99.0.1
#   bert 2001:db8:b::2 ════ outer2 2001:db8:b::1          ╯         ╰ core ╯
. "$(dirname "$0")/lib.sh"
OTHER=$NAME-b

cores=0 && [ "$(nproc)" = 1 ] || cores=0-1
holders() { in_ns "$SERVER" ss -Huanp 'sport = :443' | grep -c '"penstock-datapl"'; }

network
add_netns "$OTHER"
second_cable() { add_link "$SERVER" outer2 203.0.113.1/24,2001:db8:b::1/64 "$OTHER" eth0 203.0.113.2/24,2001:db8:b::2/64; }
second_cable
set_address "$SERVER" outer 198.51.100.1/32
ip -n "$CLIENT" route add 198.51.100.1 dev eth0
gateway 192.0.2.1 198.51.100.1 2001:db8:b::1 << CONF
outer = udp
poll-core = $cores
CONF
expect "each address has a socket for each core" same "$(holders)" $((3 * ${cores#*-} + 3))
expect "no other process holds them" same "$(in_ns "$SERVER" ss -Huan 'sport = :443' | wc -l)" "$(holders)"

login anna anna
NETNS=$OTHER HOST='[2001:db8:b::1]' INTERFACE=tun1 login bert bert
soon "anna's DTLS is up" client_on_dtls anna
soon "bert's is, over IPv6" client_on_dtls bert
expect "anna's pings cross" pings $INSIDE
NETNS=$OTHER expect "bert's too" pings -s 1300 $INSIDE
expect "a file arrives at the gateway as it was" carries_file "$CLIENT" "$SERVER" $INSIDE
expect "and at anna's" carries_file "$SERVER" "$CLIENT" "$(given anna INTERNAL_IP4_ADDRESS)"
expect "a file of bert's arrives" carries_file "$OTHER" "$SERVER" $INSIDE
expect "and one for him" carries_file "$SERVER" "$OTHER" "$(given bert INTERNAL_IP4_ADDRESS)"
expect "all through DTLS" more "$(counter dtls_data_in)" 30000
leave anna
HOST=198.51.100.1 login anna anna
soon "anna's DTLS over the other address is up" client_on_dtls anna
iperf_server
SECONDS_OF_IPERF=1
expect "datagrams cross" more 20 "$(lost_percent -b 20M)"
expect "and come back" more 20 "$(lost_percent -b 20M -R)"
leave anna
leave bert
soon "the clients have gone" nobody
stop "$GATEWAY"

say "--- on every address, which is what happens without a word of it"
gateway 0.0.0.0 :: < /dev/null
HOST=198.51.100.1 login anna anna
soon "anna's DTLS is up" client_on_dtls anna
expect "answers come from the address that was asked" pings $INSIDE
ip -n "$SERVER" link del outer2
second_cable
NETNS=$OTHER HOST='[2001:db8:b::1]' INTERFACE=tun1 login bert bert
soon "bert's is, over IPv6 and an interface that came after the gateway" client_on_dtls bert
NETNS=$OTHER expect "bert's pings cross" pings $INSIDE
stop "$GATEWAY"

say "--- where somebody else has the port"
MAY_END=1
start other ip netns exec "$SERVER" socat -u UDP4-RECVFROM:443,bind=192.0.2.1,reuseport,fork STDOUT
held() { [ -n "$(in_ns "$SERVER" ss -Huan 'sport = :443')" ]; }
soon "somebody has it" held
configure 192.0.2.1 < /dev/null
expect "the gateway does not start" never start_gateway "$SERVER"
expect "and says why" has "$WORK/gateway.log" 'listen-host 192.0.2.1, udp-port 443: cannot listen on 192.0.2.1: Address already in use'
