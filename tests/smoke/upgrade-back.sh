#!/usr/bin/env bash
# A penstockd that is to take over and cannot: wherever it fails, the old one goes on with all that it had.
#
#   anna ══ DTLS ══╮                                            ╭ no program, another's, one that fails when it is tried
#   bert ══ CSTP ══╪ 192.0.2.1 gateway ── penstockctl upgrade ──┤
#                  ╯                                            ╰ one that fails when it has taken the place
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZED-}" ] || skip "the sanitizers want to be the first library"

# A library that makes penstockd fail where it begins to restore the state: "trial segv", "go exit" ... as a file says.
cat > "$WORK/failing.c" << 'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char stage[64];
__attribute__((constructor)) static void begin(void)
{
	const char *word = getenv("PENSTOCK_TAKEOVER");
	snprintf(stage, sizeof(stage), "%.*s", word ? (int)strcspn(word, ":") : 0, word ? word : "");
}
static int deeper(volatile char *above)
{
	volatile char here[4096];
	here[0] = above[0];
	return deeper(here) + here[0];
}
void *event_base_new(void)
{
	void *(*real)(void) = (void *(*)(void))dlsym(RTLD_NEXT, "event_base_new");
	char when[64] = "", how[64] = "";
	FILE *f = fopen(HOW, "r");
	if (f && fscanf(f, "%63s %63s", when, how) == 2 && strcmp(when, stage) == 0) {
		if (strcmp(how, "segv") == 0)
			*(volatile int *)8 = 1;
		if (strcmp(how, "overflow") == 0)
			exit(deeper(when));
		if (strcmp(how, "abort") == 0)
			abort();
		if (strcmp(how, "exit") == 0)
			exit(0);
		if (strcmp(how, "memory") == 0)
			return NULL;
		if (strcmp(how, "hang") == 0)
			for (alarm(ALARM);;)
				pause();
		if (strcmp(how, "leave") == 0 && fork() == 0) {
			sleep(12);
			_exit(0);
		}
		if (strcmp(how, "leave") == 0)
			exit(1);
	}
	if (f)
		fclose(f);
	return real();
}
C
# One that hangs is given less time than ten seconds, and more than the keeper gives a main that is up.
gcc -O0 -shared -fPIC -DHOW="\"$WORK/how\"" -DALARM=5 -o "$WORK/failing.so" "$WORK/failing.c" -ldl
BUILT=$BIN BIN=$WORK/bin
mkdir "$BIN"
cp "$BUILT"/penstock* "$BIN/"
install_program() { cp "$1" "$WORK/next" && chmod 755 "$WORK/next" && mv "$WORK/next" "$BIN/penstockd"; }

network
export LD_PRELOAD=$WORK/failing.so
gateway < /dev/null
unset LD_PRELOAD
login anna anna
soon "anna is on DTLS" client_on_dtls anna
INTERFACE=tun1 login bert bert --no-dtls
start ping-anna ip netns exec "$CLIENT" ping -I tun0 -i 0.02 $INSIDE
pinging=$pid
start ping-bert ip netns exec "$CLIENT" ping -I tun1 -i 0.02 $INSIDE
pinging="$pinging $pid"

facts() { ctl -j show users | jq -c '.[] | [.ID, .Username, ."Full session", .IPv4, .State, .raw_connected_at]' | sort; }
parts() { ctl -j show status | jq -c '[."Server PID", ."Main PID", ."Sec-mod PID", ."Dataplane PID", ."Nursery PID"]'; }
before=$(facts) parts=$(parts)
refused() { # REASON: and everything is as it was
  local said
  ! said=$(ctl upgrade 2>&1) || { say "it was not refused: $said"; return 1; }
  matches "$said" "$1" && same "$(facts)" "$before" && same "$(parts)" "$parts"
}

rm "$BIN/penstockd"
expect "nothing there: refused" refused 'No such file'
echo rubbish > "$WORK/rubbish"
install_program "$WORK/rubbish"
expect "no program: refused" refused 'Exec format error'
for other in false true; do
  install_program "$(type -P $other)"
  expect "a program that knows nothing of it ($other): refused" refused 'cannot take over'
done
install_program "$BUILT/penstockd"
echo "trial leave" > "$WORK/how"
began=$SECONDS
expect "one that leaves a process behind, with what it could still say: refused" refused 'cannot take over'
expect "and main waits for no word of that" more 8 $((SECONDS - began))
for how in segv exit abort memory; do
  echo "trial $how" > "$WORK/how"
  expect "one that fails when it is tried ($how): refused" refused 'when it is to take over|cannot take over'
done
for how in segv overflow abort exit memory hang; do
  echo "go $how" > "$WORK/how"
  expect "one that fails in its place ($how): gone back" refused 'the new penstockd has failed: it .*goes on'
done
rm "$WORK/how"

INTERFACE=tun2 login third anna
expect "logins go on" user_has anna State connected
leave third
expect "and one that works takes over" ctl upgrade
soon "with all that there was" eval 'same "$(facts)" "$before"'

# A penstockd that works, of another version, beside a worker and a sec-mod that do not.
install_part() { cp "$1" "$BIN/next" && chmod 755 "$BIN/next" && mv "$BIN/next" "$BIN/$2"; } # FILE PART
VERSION=$("$BUILT/penstockd" --version | cut -d' ' -f2)
sed "s/${VERSION//./\\.}/9${VERSION#?}/g" "$BUILT/penstockd" > "$WORK/newer"
install_program "$WORK/newer"
install_part "$(type -P false)" penstock-worker
expect "workers that do not start" matches "$(ctl upgrade 2>&1 || :)" 'new workers stay those of before'
expect "are not needed yet" same "$(facts)" "$before"
install_part "$BUILT/penstock-worker" penstock-worker
install_program "$BUILT/penstockd"
install_part "$(type -P false)" penstock-secmod
install_program "$WORK/newer"
secmod=$(pid_of 'Sec-mod PID')
expect "beside a sec-mod that does not start" ctl upgrade
soon "the one of before goes on" has "$WORK/gateway.log" 'sec-mod 9.* cannot start: .*the one of before goes on'
expect "indeed" same "$(pid_of 'Sec-mod PID')" "$secmod"
INTERFACE=tun2 login fourth anna
leave fourth
for p in $pinging; do kill -INT "$p"; soon "pings end" gone "$p"; done
# The last one may still have been under way.
no_gap() { awk '/icmp_seq=/ { sub(/.*icmp_seq=/, ""); if ($1 + 0 != last + 1) exit 1; last++ } END { exit last < 10 }' "$WORK/$1.log"; }
expect "no packet of anna's was lost" no_gap ping-anna
expect "nor of bert's" no_gap ping-bert
expect "nothing has died" lacks "$WORK/gateway.log" 'died of'
