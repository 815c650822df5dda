#!/usr/bin/env bash
# Passwords checked by PAM; a module that blocks and one that aborts end one attempt only.
#
#   client 192.0.2.2 ════ 192.0.2.1 gateway ── libpam ── this test's own service and modules
. "$(dirname "$0")/lib.sh"
SERVICE=penstock-smoke-$$

# A module of some users: anna has a password, sleepy blocks, crash aborts, leave exits; slow is refused late, as pam_unix does it.
make_module() {
  cat > "$WORK/module.c" << 'C'
#include <security/pam_modules.h>
#include <security/pam_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
	const char *user, *password;
	if (pam_get_user(h, &user, NULL) != PAM_SUCCESS || pam_get_authtok(h, PAM_AUTHTOK, &password, NULL) != PAM_SUCCESS)
		return PAM_AUTH_ERR;
	if (!strcmp(user, "sleepy")) sleep(600);
	if (!strcmp(user, "slow")) { fclose(fopen(SLOW, "w")); sleep(2); }
	if (!strcmp(user, "crash")) abort();
	if (!strcmp(user, "leave")) exit(0);
	return !strcmp(user, "anna") && !strcmp(password, "anna-secret") ? PAM_SUCCESS : PAM_AUTH_ERR;
}
int pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv) { return PAM_SUCCESS; }
int pam_sm_acct_mgmt(pam_handle_t *h, int flags, int argc, const char **argv) { return PAM_SUCCESS; }
C
  gcc -shared -fPIC -DSLOW="\"$WORK/slow\"" -o "$WORK/module.so" "$WORK/module.c" -lpam
  printf 'auth required %s\naccount required %s\nsession required pam_permit.so\n' "$WORK/module.so" "$WORK/module.so" > "/etc/pam.d/$SERVICE"
  at_end 'rm -f "/etc/pam.d/$SERVICE"'
}

network
client_from_afar "$CLIENT" 2
make_module
AUTH="pam[service=$SERVICE]" gateway 192.0.2.1 << CONF
max-ban-score = 40
ban-points-connection = 0
auth-timeout = 30
CONF
secmod=$(pid_of "Sec-mod PID")

expect "PAM knows the password" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "and the wrong one" same "$(get_cookie anna wrong)" ''

# sleepy's attempt hangs in its module; meanwhile everybody else logs in.
printf 'x\n' | in_ns "$CLIENT" timeout 20 openconnect --passwd-on-stdin --user sleepy --servercert "$PIN" --non-inter --authenticate \
  https://192.0.2.1/ > "$WORK/sleepy.log" 2>&1 &
sleepy=$!
at_end "stop $sleepy"
soon "a module blocks" has "$WORK/sleepy.log" 'POST https://192.0.2.1/auth'
expect "others log in meanwhile" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "a module that aborts refuses its own user" same "$(get_cookie crash x)" ''
expect "others log in after that" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "a module that exits refuses its own user" same "$(get_cookie leave x)" ''
expect "others log in after that too" matches "$(get_cookie anna anna-secret)" '.{40,}'
expect "the security module has lived through it all" same "$(pid_of "Sec-mod PID")" "$secmod"
MAY_LOG='[Pp][Aa][Mm]|attempt'

# Whoever hangs up before a late refusal has seen that the password is wrong: that is a guess like any other.
guess_and_hang_up() {
  tls_open
  http_post / "$(init_xml)" > /dev/null
  http_post /auth "$(reply_xml username slow)" > /dev/null
  http_send /auth "$(reply_xml password "$1")"
  wait_for 10 test -e "$WORK/slow"
  tls_close
  rm "$WORK/slow"
}
for guess in one two three; do guess_and_hang_up "$guess"; done
soon "guesses count for those who hang up too" banned 198.51.100.2
