// Preloaded into sec-mod: appends a byte to the file CRYPT_COUNT for each password hash that is computed.
#include <crypt.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

char *crypt_r(const char *key, const char *setting, struct crypt_data *data)
{
	char *(*real)(const char *, const char *, struct crypt_data *) = dlsym(RTLD_NEXT, "crypt_r");
	int fd = open(getenv("CRYPT_COUNT"), O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	close(fd);
	return real(key, setting, data);
}
