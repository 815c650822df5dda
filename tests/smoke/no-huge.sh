#!/usr/bin/env bash
# Memory without huge pages, and with them where the machine gives any.
#
#   client ════ 192.0.2.1 gateway, huge-pages = no, then auto
# Alone: it changes how many huge pages the machine has.
. "$(dirname "$0")/lib.sh"

memory() { ctl -j show dataplane | jq -r .memory; }

network
gateway << CONF
huge-pages = no
CONF
say "it says: $(memory)"
expect "no huge page is used" matches "$(memory)" 'ordinary|no huge|without'
login client anna
soon "DTLS is up" client_on_dtls client
expect "pings cross" pings $INSIDE
leave client
stop "$GATEWAY"

pages=$(cat /proc/sys/vm/nr_hugepages)
at_end "echo $pages > /proc/sys/vm/nr_hugepages"
free=$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)
[ "$free" -ge 256 ] || echo $((pages + 512)) > /proc/sys/vm/nr_hugepages || :
free=$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)
if [ "$free" -lt 256 ]; then
  say "this machine gives no huge pages (only $free): that half was not tried"
  exit 0
fi
gateway < /dev/null
say "it says: $(memory)"
expect "huge pages are used" never matches "$(memory)" 'ordinary|no huge|without'
login client anna
soon "DTLS is up" client_on_dtls client
expect "pings cross" pings $INSIDE
