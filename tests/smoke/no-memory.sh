#!/usr/bin/env bash
# Alone: a gateway is started again and again, and given no more time than one needs that has the machine.
# An allocation of a program fails, as if there were no memory: while it starts, and while it serves. It may refuse what it was about
# to do, and says so; it does not crash, it does not hang, the others go on, and the next client is served.
#
#   clients ════ 192.0.2.1 gateway: penstockd, sec-mod, nursery and workers, dataplane, metrics <- the Nth malloc() fails
#
# Each run takes some (SEED=N: others); FAULTS=all tries each of the first thousand of every program, in hours: `make faults-memory`.
# FAULTS=101-200 tries a part of them, and FAULTS_OF="penstockd ..." names the programs. tests/unit/memoryfault.c fails them.
. "$(dirname "$0")/lib.sh"
MAY_END=1 MAY_LOG='.'

PROGRAMS="penstockd penstock-secmod penstock-worker penstock-dataplane penstock-metrics"
FAULTS=${FAULTS:-some}
# The same ones each time, so that no run needs luck; SEED=$RANDOM tries others.
SEED=${SEED:-39023}
FIRST=1000 # allocations of a start, and of a program that serves
[ -z "${SANITIZED-}" ] || skip "the sanitizers have an allocator of their own"
say "SEED=$SEED"
RANDOM=$SEED

# ------------------------------------------------------------------------------------------------------------- the fault

# Programs of our own: what main starts gets an environment of its own, so each child is a script that has the real one lose its memory.
BUILT=$BIN BIN=$WORK/bin
LIBRARY=$BUILD/unit/memory_fault.so
programs() {
  local p
  mkdir "$BIN"
  cp "$BUILT/penstockd" "$BUILT/penstockctl" "$BUILT/penstock-passwd" "$BIN"
  for p in $PROGRAMS penstockctl; do
    : > "$WORK/$p.fault"
    chmod 666 "$WORK/$p.fault"
    fault "$p" 0
    [ -e "$BIN/$p" ] || printf '#!/bin/sh\nMEMORY_FAULT=%s LD_PRELOAD=%s exec %s "$@"\n' "$WORK/$p.fault" "$LIBRARY" "$BUILT/$p" > "$BIN/$p"
  done
  chmod 755 "$BIN"/*
}
# The Nth allocation from now on fails, and SPAN - 1 after it; 0: none does.
fault() { # PROGRAM N [SPAN]
  perl -e 'print pack("qqQQ", $ARGV[0], $ARGV[0] ? $ARGV[1] : 0, 0, 0), "\0" x 8160' "$2" "${3:-1}" | dd of="$WORK/$1.fault" conv=notrunc status=none
}
happened() { [ "$(od -An -t d8 -j 24 -N 8 "$WORK/$1.fault" | tr -d ' ')" != 0 ]; } # PROGRAM
who_asked() { tail -c +33 "$WORK/$1.fault" | head -c 4064 | tr -d '\0' | tail -n +2; }
who_crashed() { tail -c +4097 "$WORK/$1.fault" | tr -d '\0'; }

# A library that crashes for want of memory is none of ours to mend, as long as it is the same call of ours that ran out of it: glibc's
# name service, libseccomp and evhttp do. OpenSSL does later, when OPENSSL_init_crypto() has said that all is there, and libevent in its loop. What died of it
# is started anew. evhttp may also drop a request without a word.
ours() { grep -m 1 -E '/penstock[a-z-]*\+' || :; }
of_libevent() { sed '/event_base_loop/q' | awk '/libevent/ { seen = 1 } /\/penstock/ { ours = 1 } END { exit !(seen && !ours) }'; } # < FRAMES: none of them ours
is_foreign() { # PROGRAM
  local at
  [[ $(who_crashed "$1" | head -n 1) =~ ^/.*\.so ]] || return 1
  [ "$1" != penstock-metrics ] || ! who_crashed "$1" | of_libevent || return 0
  at=$(who_crashed "$1" | ours)
  [ -n "$at" ] && [ "$at" = "$(who_asked "$1" | ours)" ] && return
  [[ $(who_crashed "$1" | head -n 1) = */libcrypto.so* && $(who_asked "$1") = *OPENSSL_init_crypto* ]]
}

# ------------------------------------------------------------------------------------------------------------- what holds

tried=0 refused=0 foreign=0 bad=0
broken() { # PROGRAM N WHAT
  say "allocation $2 of $1 ($when, SEED=$SEED): $3"
  say "it was asked for by:"
  who_asked "$1"
  say "crash:"
  who_crashed "$1"
  tail -n 5 "$WORK/gateway.log"
  [ "$FAULTS" != some ] || fail "$1 does without it"
  bad=$((bad + 1))
}
survived() { # PROGRAM N
  local deaths
  deaths=$(tail -n "+$((seen + 1))" "$WORK/gateway.log" | grep -E 'died of signal ([^9]|9[0-9])|Sanitizer' || :) # 9 is main's own, where it cannot go on with a part
  if is_foreign "$1"; then
    foreign=$((foreign + 1))
  elif [ -n "$deaths" ] || [ -n "$(who_crashed "$1")" ]; then
    broken "$1" "$2" "$deaths"
  fi
}
# Lines that tell of nothing but a gateway at work.
USUAL='memory is not locked|is ready|is up:|logged in \(|user .anna. (connected|is on DTLS)|disconnected by the user|the client has|admin \(|reloaded|has room|TERM'
named() { tail -n "+$((seen + 1))" "$WORK/gateway.log" | grep -qvE "$USUAL"; }

client() { timeout 10 ip netns exec "$CLIENT" "$STORM" -n 1 -d -t 5 192.0.2.1 443 anna anna-secret > "$WORK/storm.log" 2>&1; }
reload() { timeout 10 "$BIN/penstockctl" -s "$WORK/admin.socket" -n reload > "$WORK/reload.log" 2>&1; }
scrape() { timeout 5 ip netns exec "$SERVER" curl -sf http://127.0.0.1:9100/metrics > /dev/null; }
works() { gateway_online && client && ctl show users > /dev/null; }

# --------------------------------------------------------------------------------------------------------------- starting

start_with_fault() { # PROGRAM N
  local p status=0 when="while it starts" seen=0
  rm -f "$WORK/gateway.log"
  for p in $PROGRAMS; do fault "$p" 0; done
  fault "$1" "$2"
  start gateway ip netns exec "$SERVER" env MEMORY_FAULT="$WORK/penstockd.fault" LD_PRELOAD="$LIBRARY" "$BIN/penstockd" -f -c "$CONFIG"
  GATEWAY=$pid
  wait_for 20 gateway_settled || broken "$1" "$2" "it neither starts nor ends"
  if alive "$GATEWAY"; then
    # the first may meet it
    wait_for 15 works || broken "$1" "$2" "nobody can log in"
    kill -TERM "$GATEWAY"
    wait_for 20 gone "$GATEWAY" || broken "$1" "$2" "it does not end"
    stop "$GATEWAY"
  else
    named || is_foreign "$1" || broken "$1" "$2" "it ends without a word"
    refused=$((refused + 1))
  fi
  wait "$GATEWAY" || status=$?
  GATEWAY=
  [ $status -lt 126 ] || is_foreign "$1" || broken "$1" "$2" "penstockd ended with $status"
  survived "$1" "$2"
  tried=$((tried + 1))
}

# ---------------------------------------------------------------------------------------------------------------- serving

serve() {
  rm -f "$WORK/gateway.log"
  for p in $PROGRAMS; do fault "$p" 0; done
  start gateway ip netns exec "$SERVER" env MEMORY_FAULT="$WORK/penstockd.fault" LD_PRELOAD="$LIBRARY" "$BIN/penstockd" -f -c "$CONFIG"
  GATEWAY=$pid
  wait_for 30 gateway_settled
  gateway_online || fail "the gateway starts"
}

serve_with_fault() { # PROGRAM N [SPAN]
  local when="while it serves" seen refusal=
  seen=$(wc -l < "$WORK/gateway.log")
  fault "$@"
  client || refusal="a login"
  happened "$1" || scrape || refusal="a look at the metrics"
  happened "$1" || ctl show users > /dev/null 2>&1 || refusal=
  happened "$1" || reload || { has "$WORK/reload.log" memory || refusal="a reload"; }
  alive "$GATEWAY" || { broken "$1" "$2" "main has ended"; serve; }
  wait_for 15 works || broken "$1" "$2" "nobody can log in any more"
  survived "$1" "$2"
  [ -z "$refusal" ] || named || who_asked "$1" | of_libevent || broken "$1" "$2" "$refusal is refused, and the log has no word of it"
  [ -z "$refusal" ] || refused=$((refused + 1))
  tried=$((tried + 1))
}

# Another penstockctl each time: all that it ever asks for.
ctl_with_fault() { # N
  local status=0 when="while it runs"
  fault penstockctl "$1"
  MEMORY_FAULT=$WORK/penstockctl.fault LD_PRELOAD=$LIBRARY timeout 10 "$BIN/penstockctl" -s "$WORK/admin.socket" -n -j show users > "$WORK/ctl.log" 2>&1 || status=$?
  happened penstockctl || return 1
  [ $status -lt 124 ] || is_foreign penstockctl || broken penstockctl "$1" "it ended with $status"
  [ $status = 0 ] || [ -s "$WORK/ctl.log" ] || broken penstockctl "$1" "it fails without a word"
  [ $status = 0 ] || refused=$((refused + 1))
  tried=$((tried + 1))
}

# ------------------------------------------------------------------------------------------------------------------- tests

network
say "anna:*:$(perl -e 'print crypt("anna-secret", "ab")')" > "$WORK/passwd" # a hash that costs nothing
programs
make_certificate
configure 192.0.2.1 << CONF
max-ban-score = 0
max-clients = 64
metrics-listen = 127.0.0.1:9100
CONF

sum() { say "$1: $tried tried, $refused refused and named, $foreign crashes inside a library"; tried=0 refused=0 foreign=0; }
# Into `picked`, without a subshell: that would have random numbers of its own.
pick() { # HOW_MANY MOST
  local i
  picked=()
  case $FAULTS in
  all) mapfile -t picked < <(seq 1 "$2"); return ;;
  *-*) mapfile -t picked < <(seq "${FAULTS%-*}" $((${FAULTS#*-} < $2 ? ${FAULTS#*-} : $2))); return ;;
  esac
  for ((i = 0; i < $1; i++)); do picked+=($((RANDOM % $2 + 1))); done
}
for p in ${FAULTS_OF:-$PROGRAMS}; do
  # main reads its configuration by some two hundred of them, and its children are no part of it
  [ "$p" = penstockd ] && most=330 || most=$FIRST
  pick 1 $most
  for n in "${picked[@]}"; do start_with_fault "$p" "$n"; done
  sum "$p starts"
done
serve
login anna anna
for p in ${FAULTS_OF:-$PROGRAMS}; do
  pick 3 $((FIRST / 4))
  for n in "${picked[@]}"; do serve_with_fault "$p" "$n"; done
  pick 1 $((FIRST / 4))
  for n in "${picked[@]}"; do serve_with_fault "$p" "$n" 20; done
  sum "$p serves"
done
pick 10 120
for n in "${picked[@]}"; do ctl_with_fault "$n" || :; done
sum penstockctl
expect "every one is survived" same $bad 0
expect "anna is still there" alive "${client[anna]}"
soon "her packets cross" answers -I tun0 $INSIDE
stop "$GATEWAY"
GATEWAY=
