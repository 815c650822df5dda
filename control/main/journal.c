#include "control/main/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "proto/eventname.h"
#include "proto/messages.h"

struct entry {
	char *out;
	size_t used;
};

// KEY=value\n. A newline in a value would begin another field.
static void put_bytes(struct entry *e, const char *key, const char *value, size_t len)
{
	size_t key_len = strlen(key);

	if (e->used + key_len + len + 2 > JOURNAL_ENTRY_MAX)
		len = e->used + key_len + 2 < JOURNAL_ENTRY_MAX ? JOURNAL_ENTRY_MAX - e->used - key_len - 2 : 0;
	if (!len)
		return;
	memcpy(e->out + e->used, key, key_len);
	e->used += key_len;
	e->out[e->used++] = '=';
	for (size_t i = 0; i < len; i++)
		e->out[e->used++] = (unsigned char)value[i] < 0x20 || value[i] == 0x7f ? '?' : value[i];
	e->out[e->used++] = '\n';
}

static void put(struct entry *e, const char *key, const char *value)
{
	put_bytes(e, key, value, strlen(value));
}

static void put_number(struct entry *e, const char *key, uint64_t n)
{
	char text[24];

	if (!n)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	put(e, key, text);
}

static void put_addr(struct entry *e, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT];
	bool whole = a->prefix == 0 || a->prefix == (a->family == 4 ? 32 : 128);

	if (a->family)
		put(e, key, whole ? addr_text(a, text) : addr_text_prefix(a, text));
}

static void put_event(struct entry *e, const struct msg_admin_event *m)
{
	char sid[2 * SID_SIZE + 1] = "";

	for (unsigned i = 0; i < m->sid_len; i++)
		snprintf(sid + 2 * i, 3, "%02x", m->sid[i]);
	put(e, "PENSTOCK_EVENT", event_name(m->kind));
	put(e, "PENSTOCK_USER", m->user);
	put(e, "PENSTOCK_GROUP", m->group);
	put(e, "PENSTOCK_VHOST", m->vhost);
	put(e, "PENSTOCK_SESSION", sid);
	put_number(e, "PENSTOCK_ID", m->id);
	put_addr(e, "PENSTOCK_CLIENT", &m->client);
	put_addr(e, "PENSTOCK_IPV4", &m->ipv4);
	put_addr(e, "PENSTOCK_IPV6", &m->ipv6);
	put(e, "PENSTOCK_METHOD", m->method);
	put(e, "PENSTOCK_PROCESS", m->process);
	put(e, "PENSTOCK_REASON", m->reason);
	put_number(e, "PENSTOCK_SECONDS", m->seconds);
	put_number(e, "PENSTOCK_MILLISECONDS", m->milliseconds);
	put_number(e, "PENSTOCK_BYTES_IN", m->bytes_in);
	put_number(e, "PENSTOCK_BYTES_OUT", m->bytes_out);
}

// "ident[pid]" are two fields.
static void put_who(struct entry *e, const char *who)
{
	const char *pid = strchr(who, '['), *end = pid ? strchr(pid, ']') : NULL;

	put_bytes(e, "SYSLOG_IDENTIFIER", who, pid ? (size_t)(pid - who) : strlen(who));
	if (end)
		put_bytes(e, "SYSLOG_PID", pid + 1, (size_t)(end - pid - 1));
}

size_t journal_entry(const struct journal_line *l, char out[JOURNAL_ENTRY_MAX])
{
	struct entry e = { out, 0 };
	char number[16];

	snprintf(number, sizeof(number), "%d", l->priority);
	put(&e, "PRIORITY", number);
	snprintf(number, sizeof(number), "%d", LOG_FAC(l->facility));
	put(&e, "SYSLOG_FACILITY", number);
	put_who(&e, l->who);
	put(&e, "MESSAGE", l->text);
	if (l->event)
		put_event(&e, l->event);
	return e.used;
}

bool journal_has(int fd, const char *stream)
{
	unsigned long long device, inode;
	struct stat st;
	char more;

	if (!stream || sscanf(stream, "%llu:%llu%c", &device, &inode, &more) != 2 || fstat(fd, &st) < 0)
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

int journal_connect(void)
{
	const struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}
