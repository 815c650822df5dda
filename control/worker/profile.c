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

// Without fstat(): glibc makes it a newfstatat(), which a worker may not call.
static int read_all(int fd, char **out, size_t *len)
{
	char *text = malloc(LIMIT_PROFILE + 1), *fitting;
	size_t n = 0;
	ssize_t got;
	int ret;

	if (!text)
		return -ENOMEM;
	do {
		got = read(fd, text + n, LIMIT_PROFILE + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n <= LIMIT_PROFILE);
	ret = got < 0 ? -errno : n > LIMIT_PROFILE ? -EFBIG : memchr(text, 0, n) ? -EINVAL : 0;
	if (ret < 0) {
		free(text);
		return ret;
	}
	fitting = realloc(text, n + 1);
	*out = fitting ? fitting : text;
	*len = n;
	return 0;
}

static void name_it(struct profile *p, const char *file)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	size_t len = strspn(name, plain);

	snprintf(p->name, sizeof(p->name), "%s", len > 0 && len <= PROFILE_NAME && !name[len] ? name : FALLBACK);
}

static int say_wrong(int ret, const char *file, char text[LIMIT_TEXT + 1])
{
	snprintf(text, LIMIT_TEXT + 1, "user-profile %s: %s", file, ret == -EINVAL ? "no text" : strerror(-ret));
	return ret;
}

int profile_read(struct profile *p, int fd, const char *file, char text[LIMIT_TEXT + 1])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	int ret;

	memset(p, 0, sizeof(*p));
	ret = read_all(fd, &p->text, &p->len);
	if (ret < 0)
		return say_wrong(ret, file, text);
	EVP_Digest(p->text, p->len, digest, NULL, EVP_sha1(), NULL);
	hex_encode(digest, SHA1_SIZE, p->sha1);
	name_it(p, file);
	return 0;
}

int profile_load(struct profile *p, const char *file, char text[LIMIT_TEXT + 1])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;
	struct stat st;

	memset(p, 0, sizeof(*p));
	if (fd < 0)
		return say_wrong(-errno, file, text);
	ret = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	ret = ret < 0 ? say_wrong(ret, file, text) : profile_read(p, fd, file, text);
	close(fd);
	return ret;
}

void profile_free(struct profile *p)
{
	free(p->text);
	memset(p, 0, sizeof(*p));
}
