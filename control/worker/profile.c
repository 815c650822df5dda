#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

#define SHA1_SIZE 20
#define FALLBACK "profile.xml"

static int read_all(int fd, char **out, size_t *len)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > LIMIT_PROFILE)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, (size_t)st.st_size);
	if (n != st.st_size || memchr(text, 0, (size_t)n)) {
		free(text);
		return n < 0 ? -errno : -EINVAL;
	}
	*out = text;
	*len = (size_t)n;
	return 0;
}

static void name_it(struct profile *p, const char *file)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	size_t len = strspn(name, plain);

	snprintf(p->name, sizeof(p->name), "%s", len > 0 && len <= PROFILE_NAME && !name[len] ? name : FALLBACK);
}

int profile_load(struct profile *p, const char *file, char text[LIMIT_TEXT + 1])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;
	uint8_t digest[EVP_MAX_MD_SIZE];

	memset(p, 0, sizeof(*p));
	ret = fd < 0 ? -errno : read_all(fd, &p->text, &p->len);
	if (fd >= 0)
		close(fd);
	if (ret < 0) {
		snprintf(text, LIMIT_TEXT + 1, "user-profile %s: %s", file, ret == -EINVAL ? "no text" : strerror(-ret));
		return ret;
	}
	EVP_Digest(p->text, p->len, digest, NULL, EVP_sha1(), NULL);
	hex_encode(digest, SHA1_SIZE, p->sha1);
	name_it(p, file);
	return 0;
}

void profile_free(struct profile *p)
{
	free(p->text);
	memset(p, 0, sizeof(*p));
}

bool profile_is_path(const char *path)
{
	return strncmp(path, PROFILE_PATH, strlen(PROFILE_PATH)) == 0;
}
