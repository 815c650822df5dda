#!/usr/bin/env bash
# Two clients; one forges the other's address. What it sends is dropped and counted, over DTLS and over TLS alike.
#
#   anna  tun0 10.99.0.a ════╮
#                            ├ gateway vpns0 10.99.0.1
#   bert  tun0 10.99.0.b ════╯
#         + 10.99.0.a, which is not his
. "$(dirname "$0")/lib.sh"
BERT=$NAME-b

network
forwarding
add_netns "$BERT"
add_link "$SERVER" outer2 203.0.113.1/24 "$BERT" eth0 203.0.113.2/24
gateway 192.0.2.1 203.0.113.1 << CONF
ipv6-network = fd99::/64
ipv6-subnet-prefix = 128
route = fd99::/64
CONF

login anna anna
soon "anna has DTLS" client_on_dtls anna
a4=$(given anna INTERNAL_IP4_ADDRESS) a6=$(user_field anna IPv6)
for mode in dtls tls; do
  # shellcheck disable=SC2046
  NETNS=$BERT HOST=203.0.113.1 login $mode bert $([ $mode = dtls ] || echo --no-dtls)
  [ $mode != dtls ] || soon "bert has DTLS" client_on_dtls $mode
  b4=$(given $mode INTERNAL_IP4_ADDRESS)
  expect "they have addresses of their own ($mode)" differ "$a4" "$b4"
  NETNS=$BERT expect "bert reaches the gateway" pings $INSIDE
  NETNS=$BERT expect "bert reaches anna as himself" pings "$a4"

  ip -n "$BERT" addr add "$a4/32" dev tun0
  ip -n "$BERT" addr add "$a6/128" dev tun0 nodad
  before=$(counter drop_spoof)
  NETNS=$BERT expect "bert gets no answer with anna's address" never answers -I "$a4" $INSIDE
  NETNS=$BERT expect "nor with anna's IPv6 address" never answers -I "$a6" fd99::1
  expect "both packets were dropped and counted" more "$(counter drop_spoof)" $((before + 1))
  NETNS=$BERT expect "bert himself still gets through" pings -I "$b4" $INSIDE
  expect "and so does anna" pings $INSIDE
  leave $mode
done
