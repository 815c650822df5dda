#!/usr/bin/env bash
# What each process has given up, as the kernel tells it of the running ones: system calls, privileges, user, descriptors, core dumps.
#
#   anna ════ 192.0.2.1 gateway ── main ─┬─ nursery ── worker
#                                        ├─ dataplane
#                                        ├─ metrics
#                                        └─ sec-mod ─┬─ spawner, which starts its helpers
#                                                    └─ helper of PAM ── a program of a module's
. "$(dirname "$0")/lib.sh"

[ -z "${SANITIZED-}" ] || skip "a build for sanitizers has no filters"

status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }                  # PID FIELD
status_is() { same "$(status_of "$1" "$2")" "$3"; }                                # PID FIELD VALUE
hard_limit() { sed -n "s/^Max $2  *[^ ][^ ]*  *\([^ ]*\) .*/\1/p" "/proc/$1/limits"; } # PID NAME
limited() { same "$(hard_limit "$1" "$2")" "$3"; }                                 # PID NAME VALUE

# Who is not dumpable, and not root, does not own his own directory there: nobody of his user reads his memory or traces him.
undumpable() { same "$(stat -c %u "/proc/$1/environ")" 0; } # PID
# Those that proto/confine.def has for it, as bits; what this machine's root has not himself nobody can keep.
capabilities_of() { # ID
  local name bits=0
  for name in $(sed -n "s/^PROCESS($1, .*/&/p" "$TOP/proto/confine.def" | grep -oE 'CAP\([A-Z_]+\)' | tr -d '()' | sed 's/^CAP/CAP_/'); do
    bits=$((bits | 1 << $(sed -n "s/^#define $name[[:space:]]*\([0-9]*\)$/\1/p" /usr/include/linux/capability.h)))
  done
  printf %016x $((bits & 0x$(status_of $$ CapPrm)))
}
capabilities_are() { # PID ID
  local set want
  want=$(capabilities_of "$2")
  for set in CapInh CapAmb; do status_is "$1" $set 0000000000000000 || return; done
  for set in CapPrm CapEff CapBnd; do status_is "$1" $set "$want" || return; done
}
no_root() { never ls "/proc/$1/root/" 2> /dev/null; } # PID
nobody_at_all() { same "$(status_of "$1" Uid | tr '\t' ' ')" '65534 65534 65534 65534' && same "$(status_of "$1" Groups)" ''; }
own_files() { find "/proc/$1/fd" -mindepth 1 -printf '%l\n' | grep -vE '^(socket|pipe|anon_inode):|^/dev/null$|/gateway\.log$' || :; }

# What holds for each of ours.
hardened() { # NAME PID
  expect "$1 can gain no privileges" status_is "$2" NoNewPrivs 1
  expect "leaves no core" limited "$2" 'core file size' 0
  expect "and shows its memory to nobody" undumpable "$2"
}
filtered() { # NAME PID FILTERS
  expect "$1 has its list of system calls" status_is "$2" Seccomp 2
  expect "($3 of them)" status_is "$2" Seccomp_filters "$3"
}
unprivileged() { # NAME PID
  expect "$1 is nobody" nobody_at_all "$2"
}

network
gateway << CONF
metrics-listen = 127.0.0.1:9190
CONF
login anna anna

keeper=$GATEWAY main=$(main_pid) nursery=$(pid_of 'Nursery PID') dataplane=$(pid_of 'Dataplane PID') secmod=$(pid_of 'Sec-mod PID')
worker=$(pgrep -P "$nursery") spawner=$(pgrep -P "$secmod") metrics=$(pgrep -P "$main" -f penstock-metrics)

for part in keeper main nursery worker dataplane metrics secmod spawner; do
  hardened $part "${!part}"
  role=${part^^}
  [ $part != keeper ] || role=MAIN # which it has to be able to start
  expect "of root's capabilities it has what the table says" capabilities_are "${!part}" "$role"
done
for part in nursery dataplane metrics secmod spawner; do filtered $part "${!part}" 1; done
filtered worker "$worker" 2
for part in nursery worker dataplane metrics; do
  unprivileged $part "${!part}"
  expect "and sees no file" no_root "${!part}"
done

expect "a worker may have sixteen descriptors" limited "$worker" 'open files' 16
expect "and has no file" same "$(own_files "$worker")" ''
expect "no child" limited "$worker" processes 0
expect "and only so much memory" differ "$(hard_limit "$worker" 'data size')" unlimited
expect "metrics may have twenty descriptors" limited "$metrics" 'open files' 20
expect "no child" limited "$metrics" processes 0

expect "it has one descriptor of its spawner" same "$(own_files "$spawner")" ''
kill -KILL "$spawner"
soon "without a spawner sec-mod ends" has "$WORK/gateway.log" 'the process that starts helpers has died'
another() { local now; now=$(pid_of 'Sec-mod PID') && [ "$now" != 0 ] && [ "$now" != "$secmod" ] && gateway_online; }
soon "and there is another one" another
expect "with a spawner of its own" pgrep -P "$(pid_of 'Sec-mod PID')"
expect "that lets users in" differ "$(get_cookie bert bert-secret)" ''

# A module of PAM's that waits, and has started a program of its own.
SERVICE=penstock-smoke-$$
printf 'auth required pam_exec.so quiet /bin/sleep 60\naccount required pam_permit.so\n' > "/etc/pam.d/$SERVICE"
at_end 'rm -f "/etc/pam.d/$SERVICE"'
sed -i "s/^auth = .*/auth = pam[service=$SERVICE]/" "$CONFIG"
expect "passwords are PAM's from here on" ctl reload
secmod=$(pid_of 'Sec-mod PID')
get_cookie anna anna-secret > "$WORK/waiting" &
at_end "stop $!"
module_waits() { helper=$(pgrep -P "$secmod" -f pam-helper) && program=$(pgrep -P "$helper"); }
soon "a module waits for a program" module_waits
hardened "PAM's helper" "$helper"
for pid in "$helper" "$program"; do
  expect "what is barred is barred in process $pid" status_is "$pid" Seccomp 2
  expect "and of root's capabilities it has what the table says" capabilities_are "$pid" PAM
done
expect "descriptors are few" limited "$helper" 'open files' 1024
