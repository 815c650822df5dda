// The picture of the configuration that children read: one that is taken holds texts that end, for each of its virtual hosts.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct snapshot *s, const char *key)
{
	const char *text;

	for (unsigned v = 0; v < snapshot_vhosts(s); v++) {
		if (!snapshot_vhost_name(s, v))
			abort();
		for (unsigned n = 0; (text = snapshot_vhost_nth(s, v, key, n)); n++)
			if (strlen(text) > 1 << 20)
				abort();
		snapshot_vhost_number(s, v, key);
		snapshot_vhost_bool(s, v, key);
	}
	snapshot_number(s, key);
	snapshot_bool(s, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct snapshot *s;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		abort();
	if (snapshot_open(fd, &s) == 0) {
		read_all(s, "auth");
		read_all(s, "@log-level");
		snapshot_free(s);
	}
	close(fd);
	return 0;
}
