#include "secmod/token.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/spawn.h"
#include "secmod/token_helper.h"
#include "secmod/tokenwire.h"

#define START_MS 10000
// Shorter than a worker waits (ASK_SIGN_MS), so that the next in line has some of its time left.
#define SIGN_MS 5000

struct token {
	struct tokenwire start; // with the PINs
	struct tokenwire word;  // the last one
	pid_t pid;
	int fd;           // -1: no helper
	bool pin_refused; // tried again for each handshake it would lock the token
};

bool token_is_url(const char *text)
{
	return strncmp(text, "pkcs11:", 7) == 0 || strncmp(text, "tpmkey:", 7) == 0;
}

// ---------------------------------------------------------------------------------------------------------------- helper

static void stop(struct token *t)
{
	if (t->fd < 0)
		return;
	close(t->fd);
	t->fd = -1;
	kill(t->pid, SIGKILL);
	while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static const char *trouble(int ret)
{
	return ret == 0 ? "its helper process has died" : ret == -ETIMEDOUT ? "it does not answer" : strerror(-ret);
}

static int launch(struct token *t)
{
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret = tokenwire_send(fds[0], &t->start);
	if (ret == 0)
		ret = spawn_helper(SPAWN_TOKEN, fds[1], &t->pid);
	close(fds[1]);
	if (ret < 0)
		close(fds[0]);
	else
		t->fd = fds[0];
	return ret;
}

// 0, or -EIO and `why`.
static int begin(struct token *t, char why[LIMIT_TEXT + 1])
{
	int ret;

	if (t->pin_refused) {
		text_format(why, "the token has refused its PIN, which is not tried again before a reload");
		return -EIO;
	}
	ret = launch(t);
	if (ret < 0) {
		text_format(why, "%s", strerror(-ret));
		return -EIO;
	}
	ret = tokenwire_receive(t->fd, &t->word, tokenwire_from_helper, START_MS);
	if (ret == 1 && t->word.kind == TOKENWIRE_READY && t->word.ready.ok)
		return 0;
	t->pin_refused = ret == 1 && t->word.kind == TOKENWIRE_READY && t->word.ready.pin_refused;
	text_format(why, "%s",
	            ret == 1 && t->word.kind == TOKENWIRE_READY ? t->word.ready.reason : trouble(ret == 1 ? -EPROTO : ret));
	stop(t);
	return -EIO;
}

// ------------------------------------------------------------------------------------------------------------------- key

struct token *token_open(const char *url, const char *pin, const char *srk_pin, enum key_kind kind, char why[LIMIT_TEXT + 1])
{
	struct token *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		text_format(why, "no memory");
		return NULL;
	}
	t->fd = -1;
	t->start.kind = TOKENWIRE_START;
	t->start.start.key = (uint8_t)kind;
	text_copy(t->start.start.url, TOKENWIRE_URL, url);
	text_copy(t->start.start.pin, TOKENWIRE_PIN, pin != NULL ? pin : "");
	text_copy(t->start.start.srk_pin, TOKENWIRE_PIN, srk_pin != NULL ? srk_pin : "");
	if (begin(t, why) == 0)
		return t;
	token_close(t);
	return NULL;
}

void token_close(struct token *t)
{
	if (t == NULL)
		return;
	stop(t);
	secret_wipe(t, sizeof(*t));
	free(t);
}

static int refuse(const struct token *t, const char *why)
{
	return errno_log(EIO, "server-key %s: no signature: %s", t->start.start.url, why);
}

int token_sign(struct token *t, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
               uint16_t *len)
{
	char why[LIMIT_TEXT + 1];
	int ret;

	if (t->fd < 0 && begin(t, why) < 0)
		return refuse(t, why);
	t->word = (struct tokenwire){ .kind = TOKENWIRE_SIGN, .sign = { .scheme = scheme, .len = (uint16_t)tbs_len } };
	memcpy(t->word.sign.tbs, tbs, tbs_len);
	ret = tokenwire_send(t->fd, &t->word);
	if (ret == 0)
		ret = tokenwire_receive(t->fd, &t->word, tokenwire_from_helper, SIGN_MS);
	if (ret == 1 && t->word.kind == TOKENWIRE_SIGNED && t->word.signature.ok) {
		memcpy(signature, t->word.signature.signature, t->word.signature.len);
		*len = t->word.signature.len;
		return 0;
	}
	t->pin_refused = ret == 1 && t->word.kind == TOKENWIRE_SIGNED && t->word.signature.pin_refused;
	// whatever it was, a new process finds the token as it is now
	stop(t);
	return refuse(t,
	              ret == 1 && t->word.kind == TOKENWIRE_SIGNED ? t->word.signature.reason : trouble(ret == 1 ? -EPROTO : ret));
}
