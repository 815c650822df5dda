#!/usr/bin/env bash
# The gateway's numbers over HTTP: as OpenMetrics has it, right, and never smaller; by a process that holds nothing else, for this
# machine only, and whatever its clients do.
#
#   anna ═══ DTLS ═════════════╗
#   bert ═══ TLS (--no-dtls) ══╩═ 192.0.2.1 gateway ── 127.0.0.1:9190 ── curl, python3-prometheus-client
. "$(dirname "$0")/lib.sh"

at=127.0.0.1:9190
scrape() { in_ns "$SERVER" curl -sS --max-time 10 -H 'Accept: application/openmetrics-text; version=1.0.0' "$@" "http://$at/metrics"; }
status() { in_ns "$SERVER" curl -s -o "$WORK/body" --max-time 10 -w '%{http_code}' "$@"; }
# The parser of Prometheus' own library; prints FAMILY TYPE for each family.
parsed() {
  /usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()): print(family.name, family.type)'
}
value() { scrape | awk -v n="$1" '{ at = $0; sub(/ [^ ]*$/, "", at); if (at == n) print $NF }'; } # SAMPLE
told() { same "$(value "$1")" "$2"; }                                                          # SAMPLE VALUE
at_least() { local v; v=$(value "$1") && [ -n "$v" ] && more "${v%.*}" "$2"; }

network
gateway 192.0.2.1 << CONF
metrics-listen = $at
metrics-per-user = true
CONF

scrape > "$WORK/first"
expect "it parses" parsed < "$WORK/first"
expect "it says what it is" matches "$(in_ns "$SERVER" curl -sI -X GET -H 'Accept: application/openmetrics-text' "http://$at/metrics")" \
  'application/openmetrics-text; version=1.0.0'
expect "Prometheus' older form is there, too" matches "$(in_ns "$SERVER" curl -s -D - "http://$at/metrics")" 'text/plain; version=0.0.4'
families() { # of our table, by type; of those that are there at once
  sed -n 's/^METRIC([A-Z_]*, \([A-Z]*\), "\([a-z_]*\)".*, \(MAIN\|SECMOD\|DATAPLANE\), ".*/\2 \1/p' "$TOP/proto/metrics.def" |
    tr '[:upper:]' '[:lower:]' | grep -v '^penstock_login' | sort
}
expect "every metric of the table is there" same "$(families | comm -23 - <(parsed < "$WORK/first" | sort))" ''
expect "with every counter of the packet path" same \
  "$(sed -n 's/^COUNTER(\([a-z_0-9]*\),.*/\1/p' "$TOP/dataplane/counters.def" | wc -l)" "$(grep -cE '^penstock_dataplane_(drops|events)_total' "$WORK/first")"

# A byte now and then, of a request that never ends.
start drip ip netns exec "$SERVER" /usr/bin/python3 -c '
import socket, time
s = socket.create_connection(("127.0.0.1", 9190))
began = time.monotonic()
try:
    while s.send(b"x"): time.sleep(0.3)
except OSError: print("let go after", int(time.monotonic() - began), "seconds")'
drip=$pid

login anna anna
soon "anna's DTLS is up" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
expect "anna's pings cross" pings -I tun0 $INSIDE
expect "and bert's" pings -I tun1 $INSIDE
get_cookie anna wrong > /dev/null || :
soon "two are up" told 'penstock_sessions_active{vhost="default"}' 2
soon "one by each way" told 'penstock_tunnels{channel="cstp"}' 1
soon "anna's bytes are seen" at_least 'penstock_received_bytes_total{channel="dtls"}' 250
expect "so are hers alone" matches "$(scrape)" 'penstock_session_received_bytes_total\{user="anna",vhost="default",session="[0-9]+"\} [1-9][0-9]{2,}'
soon "and bert's, which go the other way" at_least 'penstock_sent_bytes_total{channel="cstp"}' 250
expect "good and wrong logins are told apart" told 'penstock_logins_total{method="plain",result="ok"}' 2
expect "by their time, too" told 'penstock_login_duration_seconds_bucket{method="plain",le="+Inf"}' 3
expect "of which there are as many" told 'penstock_login_duration_seconds_count{method="plain"}' 3
wrong() { told 'penstock_logins_total{method="plain",result="wrong"}' 1; }
expect "one was wrong" wrong

expect "all of that parses" parsed < <(scrape)
rules() {
  /usr/bin/python3 -c '
import sys, yaml
for group in yaml.safe_load(sys.stdin)["groups"]:
    for rule in group["rules"]:
        assert rule["alert"] and rule["labels"]["severity"] and rule["annotations"]["summary"]
        print(rule["expr"])' < "$TOP/doc/grafana/alerts.yaml"
}
panels() { jq -er '.panels[].targets // [] | .[].expr' "$TOP/doc/grafana/penstock.json"; }
expect "the rules are YAML" rules
expect "the dashboard is JSON" panels
expect "and they name nothing that is not told" same \
  "$(cat <(rules) <(panels) | grep -oE '\bpenstock_[a-z_]+' | sort -u | comm -23 - <(scrape | sed -n 's/^\(penstock_[a-z_]*\).*/\1/p' | sort -u))" ''
counters() { scrape | grep -E '^[a-z_]+_(total|count|sum|bucket)' | sort; }
smaller() { # of two scrapes: what has become smaller, or is not there any more
  join -a 1 -e MISSING -o 0,1.2,2.2 <(sed 's/ /_/g; s/_\([^_]*\)$/ \1/' "$1") <(sed 's/ /_/g; s/_\([^_]*\)$/ \1/' "$2") |
    awk '$3 == "MISSING" || $3 + 0 < $2 + 0'
}
counters > "$WORK/before"
configure 192.0.2.1 <<< 'metrics-listen = 127.0.0.1:9191'
expect "a reload moves it" ctl reload
at=127.0.0.1:9191
soon "there it is" told 'penstock_reloads_total{result="ok"}' 1
counters > "$WORK/after"
expect "and no counter is smaller" same "$(smaller <(grep -v ^penstock_session_ "$WORK/before") "$WORK/after")" ''
expect "not where it was" never in_ns "$SERVER" curl -s http://127.0.0.1:9190/metrics
expect "nor are users named any more" never matches "$(scrape)" 'anna|bert'
expect "which is how a client's name cannot break it" parsed < <(scrape)

reporter() { pgrep -P "$(main_pid)" penstock-metric; }
expect "who speaks HTTP is nobody" same "$(stat -c %U "/proc/$(reporter)")" nobody
[ -n "${SANITIZED-}" ] || expect "without capabilities, and under seccomp" same \
  "$(awk '/^(CapEff|Seccomp):/ { print $2 }' "/proc/$(reporter)/status" | xargs)" "0000000000000000 2"
expect "other pages are not there" same "$(status "http://$at/"),$(status "http://$at/metrics/../etc/passwd")" 404,404
expect "nothing can be sent" same "$(status -d x "http://$at/metrics"),$(status -X DELETE "http://$at/metrics")" 405,405
expect "large headers are refused" same "$(status -H "X: $(printf '%09000d' 0)" "http://$at/metrics")" 400
many() { # open and silent, or a byte now and then
  /usr/bin/python3 - "${at##*:}" << 'PYTHON'
import socket, sys, time
some = []
for n in range(60):
    s = socket.socket()
    s.settimeout(0.3)
    try: s.connect(("127.0.0.1", int(sys.argv[1])))
    except OSError: break
    s.send(b"GET /metrics HTTP/1.1\r\nX")
    some.append(s)
time.sleep(0.5)
PYTHON
}
before=$(reporter)
expect "who opens many connections does no harm" in_ns "$SERVER" bash -c "$(declare -f many); at=$at many"
soon "others are served" status "http://$at/metrics"
cpu() { awk '{ print $14 + $15 }' "/proc/$(main_pid)/stat"; }
ticks=$(cpu)
for n in {1..100}; do echo "url = http://$at/metrics"; echo "output = /dev/null"; done > "$WORK/hundred"
expect "a hundred requests are answered" in_ns "$SERVER" curl -sS -K "$WORK/hundred"
expect "and cost main next to nothing" more 20 $(($(cpu) - ticks))
soon "who sends a byte now and then is let go" gone "$drip"
expect "it is the same process still" same "$(reporter)" "$before"

kill -9 "$before"
soon "one that has died is replaced" told 'penstock_part_starts_total{part="metrics"}' 2
expect "pings cross all the time" pings $INSIDE
MAY_LOG='metrics .* died of signal 9'

configure 192.0.2.1 <<< "metrics-listen = $WORK/metrics.socket"
expect "it may be a Unix socket" ctl reload
expect "which answers" matches "$(curl -s --unix-socket "$WORK/metrics.socket" http://localhost/metrics)" 'penstock_build_info'
configure 192.0.2.1 <<< "metrics-listen = 192.0.2.1:9190"
expect "others' networks are not served" never ctl reload
expect "and the log says why" has "$WORK/gateway.log" 'metrics-listen: .*loopback'
configure 192.0.2.1 < /dev/null
expect "without the option there is nothing" ctl reload
expect "no socket" never test -e "$WORK/metrics.socket"
soon "and no process" never reporter
