#!/usr/bin/env bash
# Can a user name that exists be told from one that does not, or is locked, by the time that a refusal takes or by its bytes? A table.
#
#   tests/bench/enumeration.sh [TRIES]      (10000)
. "$(dirname "$0")/../smoke/lib.sh"
MAY_LOG='.*'
tries=${1:-10000}
network
# Hashes that cost little: what else takes time is not hidden behind them. lisa is locked, as passwd -l does it.
hash_of() { perl -e 'print crypt($ARGV[0], q($5$rounds=1000$abcdefgh$))' "$1"; } # PASSWORD
say "anna:*:$(hash_of anna-secret)" > "$WORK/passwd"
say "lisa:*:!$(hash_of lisa-secret)" >> "$WORK/passwd"
gateway 192.0.2.1 << CONF
max-ban-score = 0
CONF
say "load $(cut -d' ' -f1-3 /proc/loadavg)"
in_ns "$CLIENT" "$TOP/tests/bench/enumeration.py" 192.0.2.1 443 "$tries" exists=anna:lisa-guesss unknown=nobo:lisa-guesss locked=lisa:lisa-secret > "$WORK/rows.json"
say "| user | tries | after the name: p5 / median / p95 ms | distance (by chance) | after the password | distance (by chance) | same bytes |"
say "|---|---|---|---|---|---|---|"
jq -r 'def n: . * 1000 | round / 1000; def d: if .distance then "\(.distance | n) (\(.chance | n))" else "" end; def t: "\(.p5 | n) / \(.median | n) / \(.p95 | n)";
  "| \(.kind) | \(.tries) | \(.name | t) | \(.name | d) | \(.password | t) | \(.password | d) | \(if .same_bytes then "yes" else "no" end) |"' "$WORK/rows.json"
