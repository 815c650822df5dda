// One picture of the configuration for all processes: main writes it into a sealed memfd, children map it read-only.
// Every option of the table is in it with its value or default (normalised by main: numbers in decimal, booleans 0/1, lists
// repeated), so nobody else parses configuration or knows a default. Keys that start with '@' are main's own words to its children.
// PINs are in sec-mod's picture only, the secret of camouflage in the nursery's.
// Virtual hosts are numbered; 0 is the default one, and what another does not say itself it has from there. The order is the
// snapshot's own: a number means nothing beside another snapshot.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Descriptors that every child finds open.
#define CHILD_FD_MAIN 3    // its channel to main
#define CHILD_FD_CONF 4    // its snapshot
#define CHILD_FD_SOCKETS 5 // the dataplane's: UDP sockets that systemd has opened, as many as there are
#define CHILD_SOCKETS_MAX 16

struct snapshot;
struct snapshot_writer;

struct snapshot_writer *snapshot_writer_new(void);                               // NULL, errno
int snapshot_put(struct snapshot_writer *w, const char *key, const char *value); // repeat for lists; order is kept
int snapshot_put_vhost(struct snapshot_writer *w, const char *name); // what is put from here on is this virtual host's own
int snapshot_finish(struct snapshot_writer *w, int *fd);             // seals it; frees w, also on failure

int snapshot_open(int fd, struct snapshot **out); // checks the seals; fd stays the caller's
void snapshot_free(struct snapshot *s);
const char *snapshot_get(const struct snapshot *s, const char *key);             // the first (only) value, or NULL
const char *snapshot_nth(const struct snapshot *s, const char *key, unsigned n); // NULL past the end
uint64_t snapshot_number(const struct snapshot *s, const char *key);             // 0 where absent
bool snapshot_bool(const struct snapshot *s, const char *key);

unsigned snapshot_vhosts(const struct snapshot *s);                        // LIMIT_VHOSTS at most
const char *snapshot_vhost_name(const struct snapshot *s, unsigned vhost); // "" is the default one's
// As those above, of one virtual host. Where it has a list of its own, that stands in the place of the default one's; an empty
// value is a list of none.
const char *snapshot_vhost_nth(const struct snapshot *s, unsigned vhost, const char *key, unsigned n);
const char *snapshot_vhost_get(const struct snapshot *s, unsigned vhost, const char *key);
uint64_t snapshot_vhost_number(const struct snapshot *s, unsigned vhost, const char *key);
bool snapshot_vhost_bool(const struct snapshot *s, unsigned vhost, const char *key);

// Words of main's own: "@log-level" (syslog number), "@log-form" (plain | priority), "@libexec" (directory of our binaries),
// "@version", "@trial" (1: only to say whether we could start). Of each virtual host: tls-priorities in OpenSSL's words
// (control/main/priority.h).
