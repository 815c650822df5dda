#!/usr/bin/env bash
# Compression on both channels, with each algorithm: the client reports it, packets that can get smaller do, all arrive as they were.
#
#   client tun0 ═══ DTLS or TLS, packets packed ═══ 192.0.2.1 gateway vpns0 10.99.0.1, compression = true
. "$(dirname "$0")/lib.sh"

network
gateway 192.0.2.1 << CONF
compression = true
compression-algo-priority = "lzs:1000"
no-compress-limit = 100
CONF
expect "the operator is warned" has "$WORK/gateway.log" "compression: who can add text"
iperf_server

# Zeros both ways, so that packets get smaller; and packets of random bytes, which do not.
echoes() { in_ns "$CLIENT" ping -q -c 10 -i 0.05 -W 2 -s 1200 -p "$1" $INSIDE | grep -q ' 0% packet loss'; } # PATTERN
runs() { SECONDS_OF_IPERF=1; more "$(megabits)" 1 && more "$(megabits -R)" 1; }
rx_bytes() { in_ns "$CLIENT" cat /sys/class/net/eth0/statistics/rx_bytes; }

declare -A name=([lzs]=LZS [oc-lz4]=LZ4) # as the client says it

for algorithm in lzs oc-lz4; do
  [ $algorithm = lzs ] || {
    sed -i 's/^compression-algo-priority.*/compression-algo-priority = "oc-lz4:1000"/' "$WORK/penstock.conf"
    expect "the order is changed" ctl reload
  }
  login "dtls-$algorithm" anna --compression=stateless
  soon "DTLS is up" client_on_dtls "dtls-$algorithm"
  expect "the client was told $algorithm for DTLS" client_says "dtls-$algorithm" "X-DTLS-Content-Encoding: $algorithm"
  expect "and for TLS" client_says "dtls-$algorithm" "X-CSTP-Content-Encoding: $algorithm"
  soon "the client reports it" client_says "dtls-$algorithm" "with SSL \+ ${name[$algorithm]} connected and DTLS \+ ${name[$algorithm]} "
  soon "show users says so" user_has anna 'DTLS compression' "^$algorithm\$"
  in=$(counter dtls_compressed_in) out=$(counter dtls_compressed_out) bytes=$(rx_bytes)
  expect "large pings cross" echoes 00
  expect "packed by the client" more "$(counter dtls_compressed_in)" $((in + 9))
  expect "and by the gateway" more "$(counter dtls_compressed_out)" $((out + 9))
  expect "with little on the wire" more $((bytes + 6000)) "$(rx_bytes)"
  expect "TCP runs both ways" runs
  expect "nothing is broken" same "$(counter drop_decompress)$(counter drop_compressed)" 00
  leave "dtls-$algorithm"
  soon "the client has gone" nobody

  login "cstp-$algorithm" anna --compression=all --no-dtls
  expect "the client was told $algorithm for TLS" client_says "cstp-$algorithm" "X-CSTP-Content-Encoding: $algorithm"
  soon "the client reports it" client_says "cstp-$algorithm" "with SSL \+ ${name[$algorithm]} connected and DTLS disabled"
  soon "show users says so" user_has anna 'CSTP compression' "^$algorithm\$"
  bytes=$(rx_bytes)
  expect "large pings cross" echoes 00
  expect "with little on the wire" more $((bytes + 6000)) "$(rx_bytes)"
  expect "TCP runs both ways" runs
  expect "nothing is broken" never has "$WORK/gateway.log" 'compressed packet .* is broken'
  leave "cstp-$algorithm"
  soon "the client has gone" nobody
done

login plain anna --compression=none
soon "a client that wants none gets none" client_on_dtls plain
expect "it was told of none" never client_says plain "Content-Encoding"
expect "show users names none" same "$(user_field anna 'DTLS compression')$(user_field anna 'CSTP compression')" ""
expect "pings cross" pings $INSIDE
