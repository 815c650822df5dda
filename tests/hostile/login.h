// A worker's side of a login with the running sec-mod, and the throw-away key, certificate and users that it needs.
#pragma once
#include "probe.h"
#include "proto/chan.h"

#define LOGIN_PASSWORD "correct horse"

// alice's hash takes a millisecond; slow's takes many, so that a login can be caught while it is computed.
static const char login_users[] = "alice:*:$5$rounds=1000$saltsalt$R6e4P8ccT9iMqkYg7Z8YtpId/lfsIfnuPkp8WXposU8\n"
                                  "slow:*:$5$rounds=40000$saltsalt$qOHA2GxFjSNSrw9U8YOInv8JHnfp6LP8bAjaBJFfe7.\n";

static const char login_key[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzp3LjY5olAinLNrt\n"
                                "2C/4qk+mYJrrovcYKC9NXAzIRd6hRANCAAQCdOQ8slvW5ClbrdW5CJH3h+Trk7Kq\n"
                                "MwYR75bNQ0ZifTEZfXtVxHttE1aaHI+vyDG+7nCaRFube6YsilOAjPDn\n"
                                "-----END PRIVATE KEY-----\n";

static const char login_cert[] = "-----BEGIN CERTIFICATE-----\n"
                                 "MIIBhjCCASugAwIBAgIUQ3HV9TFP5vrxVv6vo/e5p8Db7gkwCgYIKoZIzj0EAwIw\n"
                                 "FzEVMBMGA1UEAwwMaG9zdGlsZS50ZXN0MCAXDTI2MTEyNDA0MTY1MFoYDzIxMjYx\n"
                                 "MDMxMDQxNjUwWjAXMRUwEwYDVQQDDAxob3N0aWxlLnRlc3QwWTATBgcqhkjOPQIB\n"
                                 "BggqhkjOPQMBBwNCAAQCdOQ8slvW5ClbrdW5CJH3h+Trk7KqMwYR75bNQ0ZifTEZ\n"
                                 "fXtVxHttE1aaHI+vyDG+7nCaRFube6YsilOAjPDno1MwUTAdBgNVHQ4EFgQU4A+T\n"
                                 "QrvSqjpJJpXgwZ7ZriqFlyswHwYDVR0jBBgwFoAU4A+TQrvSqjpJJpXgwZ7ZriqF\n"
                                 "lyswDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAp1I08Uyu3uXp\n"
                                 "zf5f7BT7SESoZS85Uj6SGtbAtozNpNkCIQCe/PRbYsHJghOGSs1ZY5iNaEKKP4zQ\n"
                                 "nqAoXSETE5KD/A==\n"
                                 "-----END CERTIFICATE-----\n";

static PROBE_UNUSED int login_write_file(const char *dir, const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return -1;
	fputs(text, f);
	return fclose(f);
}

static PROBE_UNUSED int login_write_files(const char *dir)
{
	return login_write_file(dir, "key.pem", login_key) | login_write_file(dir, "cert.pem", login_cert) |
	       login_write_file(dir, "passwd", login_users);
}

struct login {
	struct chan chan; // to sec-mod
	bool signature, asked, done, failed, certified, resumed, seen;
	struct msg_sign_rep signed_by;
	struct msg_auth_done cookie;
};

static int login_on_sign_rep(void *who, const void *m, const int *fds)
{
	struct login *l = who;

	l->signed_by = *(const struct msg_sign_rep *)m;
	l->signature = l->signed_by.ok;
	return 0;
}

static int login_on_ask(void *who, const void *m, const int *fds)
{
	((struct login *)who)->asked = true;
	return 0;
}

static int login_on_done(void *who, const void *m, const int *fds)
{
	struct login *l = who;

	l->done = true;
	l->cookie = *(const struct msg_auth_done *)m;
	return 0;
}

static int login_on_failed(void *who, const void *m, const int *fds)
{
	((struct login *)who)->failed = true;
	return 0;
}

static int login_on_cert(void *who, const void *m, const int *fds)
{
	((struct login *)who)->certified = ((const struct msg_cert_result *)m)->ok;
	return 0;
}

static int login_on_resume(void *who, const void *m, const int *fds)
{
	((struct login *)who)->resumed = ((const struct msg_resume_rep *)m)->ok;
	return 0;
}

static int login_on_seen(void *who, const void *m, const int *fds)
{
	((struct login *)who)->seen = ((const struct msg_cookie_seen *)m)->ok;
	return 0;
}

static const chan_handler login_handlers[MSG_NUMBERS] = {
	[MSG_SIGN_REP] = login_on_sign_rep,  [MSG_AUTH_ASK] = login_on_ask,     [MSG_AUTH_DONE] = login_on_done,
	[MSG_AUTH_FAILED] = login_on_failed, [MSG_CERT_RESULT] = login_on_cert, [MSG_RESUME_REP] = login_on_resume,
	[MSG_COOKIE_SEEN] = login_on_seen,
};

static PROBE_UNUSED void login_init(struct login *l, int fd)
{
	*l = (struct login){ 0 };
	chan_init(&l->chan, fd, ROLE_WORKER, ROLE_SECMOD, WS_QUIET, "sec-mod");
}

static PROBE_UNUSED int login_await(struct login *l, enum msg_number number)
{
	return chan_await(&l->chan, login_handlers, l, number, 20000);
}

static PROBE_UNUSED int login_ask_signature(struct login *l)
{
	static const char label[] = "TLS 1.3, server CertificateVerify";
	struct msg_sign_req m = { .key = 0, .scheme = 0x0403 };

	memset(m.tbs, ' ', 64);
	memcpy(m.tbs + 64, label, sizeof(label));
	m.tbs_len = 64 + sizeof(label) + 32;
	chan_enter(&l->chan, WS_SIGNING);
	return CHAN_SEND(&l->chan, SIGN_REQ, &m);
}

static PROBE_UNUSED bool login_sign(struct login *l)
{
	return login_ask_signature(l) == 0 && login_await(l, MSG_SIGN_REP) == 0 && l->signature;
}

static PROBE_UNUSED bool login_begin(struct login *l, const char *user)
{
	struct msg_auth_init m = { 0 };

	snprintf(m.user, sizeof(m.user), "%s", user);
	chan_enter(&l->chan, WS_LOGIN);
	return CHAN_SEND(&l->chan, AUTH_INIT, &m) == 0 && login_await(l, MSG_AUTH_ASK) == 0;
}

static PROBE_UNUSED bool login_answer(struct login *l, const char *password)
{
	struct msg_auth_cont m = { 0 };

	snprintf(m.password, sizeof(m.password), "%s", password);
	return CHAN_SEND(&l->chan, AUTH_CONT, &m) == 0;
}

static PROBE_UNUSED bool login_finish(struct login *l)
{
	return login_await(l, MSG_AUTH_DONE) == 0 && l->done;
}

static PROBE_UNUSED bool login_all(struct login *l, const char *user)
{
	return login_sign(l) && login_begin(l, user) && login_answer(l, LOGIN_PASSWORD) && login_finish(l);
}
