#!/usr/bin/env bash
# Sessions accounted by PAM: modules are told of the beginning and the end, and may refuse.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── libpam ── pam_exec: a script that writes down what it is told
. "$(dirname "$0")/lib.sh"
SERVICE=penstock-smoke-$$

cat > "$WORK/tell" << C
#!/bin/sh
echo "\$PAM_TYPE \$PAM_USER \$PAM_RHOST \$PAM_TTY" >> $WORK/told
[ "\$PAM_USER" != bert ] || [ "\$PAM_TYPE" != open_session ]
C
chmod 755 "$WORK/tell"
touch "$WORK/told"
printf 'auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_exec.so quiet %s\n' "$WORK/tell" > "/etc/pam.d/$SERVICE"
at_end 'rm -f "/etc/pam.d/$SERVICE"'
told() { has "$WORK/told" "^$1\$"; }
MAY_LOG='PAM session'

network
gateway << CONF
acct = "pam[service=$SERVICE]"
CONF
login first anna
soon "a session is opened" told 'open_session anna 192.0.2.2 penstock1'
expect "packets pass" pings "$INSIDE"
kill -USR2 "${client[first]}"
soon "a new connection of the same session" has "$WORK/gateway.log" 'connected by worker 2'
leave first
soon "it is closed when it is over" told 'close_session anna 192.0.2.2 penstock1'
expect "once" same "$(grep -c anna "$WORK/told")" 2

INTERFACE=tun1 start_client second "$CLIENT" bert bert-secret 192.0.2.1
soon "a module that will not have a session ends it" gone "$pid"
expect "and the log says so" has "$WORK/gateway.log" "PAM session of 'bert' cannot be opened"

login third anna
soon "another is open" told 'open_session anna 192.0.2.2 penstock3'
MAY_END=1
stop "$GATEWAY"
expect "it is closed when the gateway stops" told 'close_session anna 192.0.2.2 penstock3'
