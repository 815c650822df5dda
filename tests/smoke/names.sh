#!/usr/bin/env bash
# Clients' names by dnsmasq, as our example of a host-update-script keeps them: a client finds another one by its name, over its tunnel,
# while that is there.
#
#   anna, on annas-desk ══╮
#   bert ═════════════════┴ gateway ── hosts-file ── dnsmasq 10.99.0.1
. "$(dirname "$0")/lib.sh"

cat > "$WORK/names" << SH
#!/bin/sh
export HOSTS_FILE=$WORK/hosts HOSTS_DOMAIN=vpn.test DNSMASQ_PID=$WORK/dnsmasq.pid
exec $TOP/doc/examples/scripts/hosts-file
SH
chmod +x "$WORK/names"
network
gateway << CONF
ipv6-network = fd99::/64
host-update-script = $WORK/names
disconnect-script = $WORK/names
CONF
touch "$WORK/hosts"
start dnsmasq ip netns exec "$SERVER" dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --no-resolv --no-hosts \
  --addn-hosts="$WORK/hosts" --pid-file="$WORK/dnsmasq.pid" --listen-address="$INSIDE" --bind-interfaces
soon "dnsmasq answers inside" listens "$SERVER" 53

found() { in_ns "$CLIENT" host -W 2 -t "$2" "$1" "$(given bert INTERNAL_IP4_DNS)" | sed -n 's/.* has .*address //p'; } # NAME TYPE
finds() { same "$(found "$1" "$2")" "$3"; }
INTERFACE=tun1 login bert bert --local-hostname berts-phone
soon "bert finds himself" finds berts-phone.bert.vpn.test A "$(given bert INTERNAL_IP4_ADDRESS)"
expect "and nobody who is not there" finds annas-desk.anna.vpn.test A ''
login anna anna --local-hostname annas-desk
soon "anna has come" finds annas-desk.anna.vpn.test A "$(given anna INTERNAL_IP4_ADDRESS)"
expect "with IPv6, too" finds annas-desk.anna.vpn.test AAAA "$(given anna INTERNAL_IP6_ADDRESS)"
login other anna --interface tun2 --local-hostname 'berts-phone.bert'
soon "a name is its user's own, whatever a client says" finds berts-phone.anna.vpn.test A "$(given other INTERNAL_IP4_ADDRESS)"
expect "bert's stays his" finds berts-phone.bert.vpn.test A "$(given bert INTERNAL_IP4_ADDRESS)"
leave anna
soon "who has left is not found" finds annas-desk.anna.vpn.test A ''
expect "the others are" finds berts-phone.anna.vpn.test A "$(given other INTERNAL_IP4_ADDRESS)"
