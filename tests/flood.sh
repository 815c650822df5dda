# What tests with floods share (tests/bench/flood: strangers by the thousand), to be sourced behind tests/smoke/lib.sh.
#
#   honest clients 192.0.2.2 ─────────────────────────────────╮
#   strangers 198.18.0.0/15, 2001:db8:4000:N::/64: TCP ───────┼─ 192.0.2.1 gateway
#   100.64.0.0/10, which are nobody's: UDP ───────────────────╯

flood_network() {
  network
  ip -n "$CLIENT" route add local 198.18.0.0/15 dev lo
  ip -n "$CLIENT" route add local 2001:db8:4000::/34 dev lo
  ip -n "$SERVER" route add 198.18.0.0/15 via 192.0.2.2
  ip -n "$SERVER" route add 100.64.0.0/10 via 192.0.2.2
  ip -n "$SERVER" route add 2001:db8:4000::/34 via 2001:db8::2
}
flood() { # ATTACK [OPTION...]; HOST may be set before
  local attack=$1
  shift
  in_ns "$CLIENT" "$BUILD/bench/flood" "$@" "$attack" "${HOST:-192.0.2.1}" 443 > "$WORK/flood-$attack.json"
}
flooded() { jq -r "$2" "$WORK/flood-$1.json"; } # ATTACK FILTER: what it has done

# The session id of a client's ClientHellos: whoever is on its path sees it.
app_id() { sed -n 's/.*X-DTLS-App-ID: \([0-9A-Fa-f]*\).*/\1/p' "$WORK/$1.log" | tail -n 1; } # LABEL
