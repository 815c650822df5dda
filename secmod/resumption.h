// What a worker asks about TLS sessions that its client may resume (resume.h): for its own client's address only, and with the
// certificate that was proven when the session began. sec-mod only, its loop's thread only.
#pragma once
#include "proto/messages.h"

struct conn;

int resumption_fetch(struct conn *conn, const struct msg_resume_fetch *m);
int resumption_store(struct conn *conn, const struct msg_resume_store *m);
int resumption_delete(struct conn *conn, const struct msg_resume_delete *m);
