// TLS sessions that clients may resume: their state lies here, not with any worker, and is for a client of the same address and
// virtual host only. sec-mod only, its loop's thread only. Pure but for randomness: the caller brings the time (monotonic ms).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"
#include "proto/limits.h"

struct certified;
struct resumes;

struct resume {
	const uint8_t *id; // the session's (TLS 1.2), the ticket (1.3)
	size_t id_len;
	bool once; // TLS 1.3: gone as soon as it is asked for
	struct addr client;
	const char *vhost;
	const uint8_t *state; // as the worker has packed it
	size_t state_len;
	struct certified *cert; // proven when the session began, NULL: none
};

struct resumes *resumes_new(unsigned most); // NULL, errno
void resumes_free(struct resumes *r);
void resumes_configure(struct resumes *r, unsigned most);
unsigned resumes_count(const struct resumes *r);

// Until `deadline`; with a reference of its own to the certificate. When all places are taken the one that would expire first goes.
// 0; -EEXIST: there is one of that name, which stays as it is; -ENOMEM.
int resumes_store(struct resumes *r, const struct resume *what, int64_t deadline, int64_t now);

// What is there under that id for this client and virtual host: 0 and *out, whose state is a copy in `room`, and whose certificate
// has a reference that is the caller's now. -ENOENT.
int resumes_fetch(struct resumes *r, const uint8_t *id, size_t id_len, const struct addr *client, const char *vhost, int64_t now,
                  uint8_t room[LIMIT_RESUME_STATE], struct resume *out);

// Gone; by a client of its address and virtual host. -ENOENT.
int resumes_delete(struct resumes *r, const uint8_t *id, size_t id_len, const struct addr *client, const char *vhost);

// Let go what is due; milliseconds until the next is, -1 = none.
int64_t resumes_expire(struct resumes *r, int64_t now);
