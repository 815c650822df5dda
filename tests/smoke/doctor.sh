#!/usr/bin/env bash
# The doctor says what stands in the gateway's way, before it runs and while it does.
#
#   penstockctl doctor ── penstockd -t, /proc, /sys, nft ── and 192.0.2.1 gateway, if it is there
. "$(dirname "$0")/lib.sh"

network
doctor() { in_ns "$SERVER" "$BIN/penstockctl" -s "$WORK/admin.socket" -j doctor "$WORK/penstock.conf" > "$WORK/json"; }
says() { jq -e --arg s "$1" --arg c "$2" --arg f "$3" 'any(.state == $s and .check == $c and (.finding | test($f)))' "$WORK/json"; } # STATE CHECK FINDING

gateway 192.0.2.1 < /dev/null
expect "nothing fails" doctor
expect "the configuration was tested" says ok configuration 'no mistakes'
expect "the gateway was asked" says ok gateway 'takes clients'
expect "processes were looked at" says ok confinement 'given up what they should'
expect "the certificate was read" says warn certificates 'expires in [0-9]+ day'
expect "nobody translates clients' addresses" says warn NAT '10.99.0.0/24 is private'
in_ns "$SERVER" nft -f - << 'NFT'
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "outer" masquerade
  }
}
NFT
forwarding
doctor
expect "until somebody does" says ok NAT 'source NAT'
expect "and it forwards" says ok forwarding 'IPv4'
expect "what is not well has a remedy" jq -e 'all((.state == "ok") == (.remedy == ""))' "$WORK/json"
expect "people read lines" matches "$(ctl doctor "$WORK/penstock.conf")" $'ok    gateway +it runs and takes clients\n'

MAY_END=yes
stop "$GATEWAY"
doctor
expect "without a gateway it says so" says warn gateway 'does not run'
rm "$WORK/cert.pem"
echo 'no-such-option = 1' >> "$WORK/penstock.conf"
expect "what is broken fails" never doctor
expect "by penstockd -t" says fail configuration 'has mistakes'
expect "and by itself" says fail certificates 'cert.pem: there is no certificate'
