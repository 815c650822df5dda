// Whatever main and workers say to sec-mod, in any order: each byte of an input picks who speaks and what. There are a user with a
// password, a key, and a file for session records; nobody has a cookie that sec-mod has not given.
#include <stdio.h>
#include <sys/stat.h>

#include "pki.h"
#include "proto/log.h"
#include "proto/snapshot.h"
#include "secmod/account.h"
#include "secmod/coa.h"
#include "secmod/kdchost.h"
#include "secmod/lookup.h"
#include "secmod/method.h"
#include "secmod/secmod.h"
#include "secmod/signing.h"
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORKERS 4

enum speaker { MAIN, WORKER, PAUSE = WORKER + WORKERS, SPEAKERS };

static const char *const words[] = { "anna", "secret", "staff", "wrong", "TLS", "AnyConnect", "default", NULL };

static struct {
	struct secmod sm;
	struct chan main, workers[WORKERS];
	struct talk talk;
	struct event *turn;
	char directory[32], records[64];
	chan_handler forget[MSG_NUMBERS], to_worker[MSG_NUMBERS];
	uint8_t cookie[COOKIE_SIZE]; // the last that was given
	int conf;
} f;

static void write_text(const char *name, const char *text, char path[64])
{
	FILE *file;

	snprintf(path, 64, "%s/%s", f.directory, name);
	file = fopen(path, "w");
	PKI_NEED(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

// The configuration, as main hands it over.
static void configure(void)
{
	char key_file[64], cert_file[64], passwd[64], auth[128];
	struct snapshot_writer *w = snapshot_writer_new();
	EVP_PKEY *key = pki_key("p256");
	X509 *cert = pki_cert(key);

	write_text("passwd", "anna:staff:$1$ab$dslkcXxVH.x8LwW1W/oAB/\n", passwd);
	chmod(passwd, 0600);
	write_text("key.pem", "", key_file);
	write_text("cert.pem", "", cert_file);
	pki_write_key(key_file, key, NULL);
	pki_write_cert(cert_file, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	snprintf(auth, sizeof(auth), "plain[passwd=%s]", passwd);
	const char *const pairs[][2] = { { "@log-level", "3" },    { "cookie-timeout", "300" }, { "auth-timeout", "30" },
		                         { "max-clients", "100" }, { "server-key", key_file },  { "server-cert", cert_file },
		                         { "auth", auth },         { "select-group", "staff" } };
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		PKI_NEED(snapshot_put(w, pairs[i][0], pairs[i][1]) == 0);
	PKI_NEED(snapshot_finish(w, &f.conf) == 0);
}

static int on_auth_done(void *who, const void *msg, const int *fds)
{
	const struct msg_auth_done *m = msg;

	memcpy(f.cookie, m->cookie, COOKIE_SIZE);
	return 0;
}

static void end(void)
{
	static const char *const names[] = { "passwd", "key.pem", "cert.pem", "records" };
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f.directory, names[i]);
		unlink(path);
	}
	rmdir(f.directory);
}

static void begin(void)
{
	char text[LIMIT_TEXT + 1];
	struct snapshot *snap;

	log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	strcpy(f.directory, "/tmp/penstock-fuzz-XXXXXX");
	PKI_NEED(mkdtemp(f.directory));
	atexit(end);
	configure();
	snprintf(f.records, sizeof(f.records), "%s/records", f.directory);
	f.sm.base = event_base_new();
	signing_init(f.sm.base);
	PKI_NEED(snapshot_open(f.conf, &snap) == 0);
	f.sm.settings = settings_load(snap, text);
	PKI_NEED(f.sm.settings);
	snapshot_free(snap);
	PKI_NEED(signing_start(1) == 0);
	lookup_start(f.sm.base);
	for (size_t i = 0; methods[i]; i++)
		PKI_NEED(methods[i]->start(f.sm.base) == 0);
	for (size_t i = 0; accountings[i]; i++)
		PKI_NEED(accountings[i]->start(f.sm.base) == 0);
	talk_forget_all(f.forget);
	talk_forget_all(f.to_worker);
	f.to_worker[MSG_AUTH_DONE] = on_auth_done;
	log_set_level((enum log_level)(LOG_LEVEL_ERR - 1)); // of what is refused
}

static void hear(void)
{
	while (chan_serve(&f.main, f.forget, NULL, 64) > 0)
		;
	for (int i = 0; i < WORKERS; i++) {
		chan_enter(&f.workers[i], ANY);
		while (chan_serve(&f.workers[i], f.to_worker, NULL, 64) > 0)
			;
	}
}

static void open_worker(const union msg_any *m)
{
	struct chan *c = &f.workers[m->worker_open.conn % WORKERS];
	int fds[2];

	PKI_NEED(chan_pair(fds) == 0);
	chan_fini(c);
	chan_init(c, fds[0], ROLE_WORKER, ROLE_SECMOD, ANY, "sec-mod");
	chan_send(&f.main, MSG_WORKER_OPEN, m, &fds[1]);
	close(fds[1]);
}

// What only a peer can know who has got it before.
static void main_speaks(enum msg_number number, union msg_any *m)
{
	switch (number) {
	case MSG_WORKER_OPEN:
		open_worker(m);
		return;
	case MSG_SESSIONS_RESTORE:
		snprintf(m->sessions_restore.path, sizeof(m->sessions_restore.path), "%s", f.records);
		break;
	case MSG_SESSION_OPEN:
		if (m->session_open.cookie[0] & 1)
			memcpy(m->session_open.cookie, f.cookie, COOKIE_SIZE);
		break;
	case MSG_SECMOD_RELOAD:
		chan_send(&f.main, number, m, &f.conf);
		return;
	default:
		break;
	}
	talk_say(&f.main, number, m);
}

static void worker_speaks(struct chan *c, enum msg_number number, union msg_any *m)
{
	if (number == MSG_SIGN_REQ && (m->sign_req.tbs[0] & 1)) {
		m->sign_req.tbs_len = (uint16_t)pki_tls13(m->sign_req.tbs, 32);
		m->sign_req.scheme = 0x0403;
		m->sign_req.key = m->sign_req.vhost = 0;
	}
	talk_say(c, number, m);
}

static void on_turn(evutil_socket_t fd, short what, void *who)
{
	struct timeval next = { 0 };
	const unsigned speaker = talk_byte(&f.talk) % SPEAKERS;
	union msg_any m;
	enum msg_number number;

	hear();
	if (f.talk.at >= f.talk.end) {
		chan_fini(&f.main);
		return;
	}
	if (speaker == PAUSE) {
		next.tv_usec = 3000; // what is computed in a thread may be ready then
	} else if (speaker == MAIN) {
		number = talk_message(&f.talk, ROLE_MAIN, ROLE_SECMOD, &m);
		main_speaks(number, &m);
	} else {
		number = talk_message(&f.talk, ROLE_WORKER, ROLE_SECMOD, &m);
		worker_speaks(&f.workers[speaker - WORKER], number, &m);
	}
	evtimer_add(f.turn, &next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timeval now = { 0 };
	struct secmod fresh;
	int fds[2];

	if (!f.sm.base)
		begin();
	f.talk = (struct talk){ data, data + size, words };
	fresh = (struct secmod){ .base = f.sm.base, .settings = settings_get(f.sm.settings) };
	PKI_NEED(chan_pair(fds) == 0);
	chan_init(&fresh.main, fds[0], ROLE_SECMOD, ROLE_MAIN, CHAN_PLAIN, "main");
	chan_init(&f.main, fds[1], ROLE_MAIN, ROLE_SECMOD, CHAN_PLAIN, "sec-mod");
	for (int i = 0; i < WORKERS; i++)
		chan_init(&f.workers[i], -1, ROLE_WORKER, ROLE_SECMOD, ANY, "sec-mod");
	fresh.coa = coa_new(&fresh);
	f.turn = evtimer_new(f.sm.base, on_turn, NULL);
	PKI_NEED(fresh.coa && f.turn && evtimer_add(f.turn, &now) == 0);
	PKI_NEED(dispatch_run(&fresh) == 0);
	event_free(f.turn);
	chan_fini(&fresh.main);
	chan_fini(&f.main);
	for (int i = 0; i < WORKERS; i++)
		chan_fini(&f.workers[i]);
	settings_put(fresh.pending);
	settings_put(fresh.settings);
	unlink(f.records);
	return 0;
}
