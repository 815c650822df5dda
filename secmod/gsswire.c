#include "secmod/gsswire.h"

#include <string.h>

#include "proto/states.h"
#include "proto/text.h"

#define ENDED(field) (memchr((field), '\0', sizeof(field)) != NULL)
#define PRINTABLE(field) text_fits((field), sizeof(field))

bool gsswire_from_helper(const struct gsswire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case GSSWIRE_TOKEN:
		return w->token.len > 0 && w->token.len <= LIMIT_TOKEN;
	case GSSWIRE_RESULT:
		if (w->result.outcome > AUTH_ERROR || w->result.token.len > LIMIT_TOKEN || !PRINTABLE(w->result.user) ||
		    !PRINTABLE(w->result.group) || !PRINTABLE(w->result.reason))
			return false;
		return w->result.outcome != AUTH_OK || w->result.user[0] != '\0';
	default:
		return false;
	}
}

bool gsswire_from_secmod(const struct gsswire *w, size_t len)
{
	if (len != sizeof(*w))
		return false;
	switch (w->kind) {
	case GSSWIRE_START:
		return ENDED(w->start.keytab) && ENDED(w->start.group) && w->start.require_local_user <= 1;
	case GSSWIRE_TOKEN:
		return w->token.len > 0 && w->token.len <= LIMIT_TOKEN;
	default:
		return false;
	}
}
