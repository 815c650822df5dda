// A resolver that the test plays in the place of libc's: every name has the address that it says, or none, and whoever asks waits
// while it is held. Addresses are left to libc. Included by one file of a program.
#pragma once
#include <assert.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool held;
	const char *address; // NULL: nobody knows
	unsigned asked;
} resolver = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

static void resolver_set(const char *address, bool held)
{
	pthread_mutex_lock(&resolver.lock);
	resolver.address = address;
	resolver.held = held;
	pthread_cond_broadcast(&resolver.change);
	pthread_mutex_unlock(&resolver.lock);
}

static unsigned resolver_asked(void)
{
	unsigned n;

	pthread_mutex_lock(&resolver.lock);
	n = resolver.asked;
	pthread_mutex_unlock(&resolver.lock);
	return n;
}

int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo numeric = *hints;

	assert(real != NULL);
	if (hints->ai_flags & AI_NUMERICHOST)
		return real(name, port, hints, out);
	pthread_mutex_lock(&resolver.lock);
	resolver.asked++;
	while (resolver.held)
		pthread_cond_wait(&resolver.change, &resolver.lock);
	name = resolver.address;
	pthread_mutex_unlock(&resolver.lock);
	numeric.ai_flags |= AI_NUMERICHOST;
	return name != NULL ? real(name, port, &numeric, out) : EAI_NONAME;
}
