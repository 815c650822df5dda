// penstock-oidc: fetches an issuer's discovery document and keys, once, for sec-mod (issuer.c). Holds no secret, runs as nobody.
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <signal.h>

#include "proto/sandbox.h"
#include "proto/text.h"
#include "secmod/helper.h"
#include "secmod/issuerwire.h"

#define CA_MOST (4u << 20) // bytes of ca_file

struct page {
	char text[JWK_TEXT];
	size_t len;
	uint32_t max_age;
};

struct fetch {
	CURL *curl;
	char error[CURL_ERROR_SIZE];
	struct issuerwire_start start;
	struct curl_blob ca;
	struct issuerwire_result *result;
	struct page page;
};

static int send_packet(const struct issuerwire *w)
{
	ssize_t n;

	do
		n = send(HELPER_FD, w, sizeof(*w), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int fail(struct fetch *f, const char *what, const char *why)
{
	char text[LIMIT_TEXT + 1];

	text_format(text, "%s: %s", what, why);
	text_copy(f->result->reason, ISSUER_REASON, text);
	return -EIO;
}

// ------------------------------------------------------------------------------------------------------------- fetching

static size_t on_body(char *data, size_t one, size_t n, void *who)
{
	struct page *p = who;

	if (n > sizeof(p->text) - p->len)
		return 0;
	memcpy(p->text + p->len, data, n);
	p->len += n;
	return n;
}

// RFC 9111 5.2.2.1
static size_t on_header(char *data, size_t one, size_t n, void *who)
{
	static const char name[] = "cache-control:";
	struct page *p = who;
	char line[256];
	const char *age;

	if (n < sizeof(line) && n > sizeof(name) && strncasecmp(data, name, sizeof(name) - 1) == 0) {
		memcpy(line, data, n);
		line[n] = '\0';
		age = strcasestr(line, "max-age=");
		p->max_age = age != NULL ? (uint32_t)strtoul(age + strlen("max-age="), NULL, 10) : 0;
	}
	return n;
}

static int get(struct fetch *f, const char *url)
{
	long status = 0;
	CURLcode ret;

	f->page.len = 0;
	f->page.max_age = 0;
	f->error[0] = '\0';
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	ret = curl_easy_perform(f->curl);
	if (ret != CURLE_OK)
		return fail(f, url, f->error[0] != '\0' ? f->error : curl_easy_strerror(ret));
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		snprintf(f->error, sizeof(f->error), "HTTP status %ld", status);
		return fail(f, url, f->error);
	}
	return 0;
}

// What may not change along the way: HTTPS, and the host that was named.
static int set_up(struct fetch *f)
{
	CURL *c = curl_easy_init();

	f->curl = c;
	if (c == NULL)
		return fail(f, "curl", "it cannot be set up");
	if (curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") != CURLE_OK)
		return fail(f, "curl", "it knows no HTTPS");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)f->start.seconds);
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)sizeof(f->page.text));
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "penstock/" PENSTOCK_VERSION);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &f->page);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &f->page);
	if (f->ca.data != NULL && curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &f->ca) != CURLE_OK)
		return fail(f, f->start.ca_file, "curl does not take it");
	return 0;
}

// Read before the user is dropped: it may be root's alone.
static int read_ca(struct fetch *f)
{
	FILE *in;

	if (f->start.ca_file[0] == '\0')
		return 0;
	in = fopen(f->start.ca_file, "re");
	if (in == NULL)
		return fail(f, f->start.ca_file, strerror(errno));
	f->ca.data = malloc(CA_MOST);
	f->ca.len = f->ca.data != NULL ? fread(f->ca.data, 1, CA_MOST, in) : 0;
	f->ca.flags = CURL_BLOB_NOCOPY;
	fclose(in);
	return f->ca.len > 0 ? 0 : fail(f, f->start.ca_file, "it cannot be read");
}

// ------------------------------------------------------------------------------------------------------------ documents

// OpenID Connect Discovery 4.2
static int read_discovery(struct fetch *f, char jwks_uri[CLAIMS_URL + 1])
{
	json_t *doc = json_loadb(f->page.text, f->page.len, JSON_REJECT_DUPLICATES, NULL);
	const char *issuer = json_string_value(json_object_get(doc, "issuer"));
	const char *uri = json_string_value(json_object_get(doc, "jwks_uri"));
	int ret = 0;

	if (issuer == NULL || issuer[0] == '\0' || strlen(issuer) > CLAIMS_URL)
		ret = fail(f, f->start.url, "it does not say who the issuer is");
	else if (uri == NULL || strncmp(uri, "https://", 8) != 0 || strlen(uri) > CLAIMS_URL)
		ret = fail(f, f->start.url, "it has no jwks_uri that begins with https://");
	if (ret == 0) {
		strcpy(f->result->issuer, issuer);
		strcpy(jwks_uri, uri);
	}
	json_decref(doc);
	return ret;
}

static int send_keys(struct fetch *f, const char *jwks_uri)
{
	static struct jwk keys[JWK_MOST];
	struct issuerwire w = { .kind = ISSUERWIRE_KEY };
	const int n = jwk_read(f->page.text, f->page.len, keys);

	if (n <= 0)
		return fail(f, jwks_uri, n < 0 ? "it is no set of keys" : "none of its keys can be used");
	for (int i = 0; i < n; i++) {
		w.key = keys[i];
		if (send_packet(&w) < 0)
			return -EPIPE;
	}
	return 0;
}

static int fetch_all(struct fetch *f)
{
	char jwks_uri[CLAIMS_URL + 1];
	int ret = set_up(f);

	// from here on the network speaks; what is in doubt ends one fetch
	if (ret == 0 && sandbox_seccomp(SANDBOX_OIDC) < 0)
		ret = fail(f, "seccomp", "the system refuses a filter");
	if (ret == 0)
		ret = get(f, f->start.url);
	if (ret == 0)
		ret = read_discovery(f, jwks_uri);
	if (ret == 0)
		ret = get(f, jwks_uri);
	f->result->max_age = f->page.max_age;
	return ret == 0 ? send_keys(f, jwks_uri) : ret;
}

static int limit_resources(unsigned seconds)
{
	const struct rlimit cpu = { seconds, seconds };

	setrlimit(RLIMIT_CPU, &cpu);
	return sandbox_limit(SANDBOX_OIDC, false);
}

int main(void)
{
	static struct issuerwire in, out = { .kind = ISSUERWIRE_RESULT };
	static struct fetch f;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sandbox_harden() < 0 || fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) < 0)
		return 1;
	// also the case that sec-mod died before the prctl
	if (recv(HELPER_FD, &in, sizeof(in), 0) != sizeof(in) || !issuerwire_from_secmod(&in, sizeof(in)))
		return 1;
	f.start = in.start;
	if (limit_resources(f.start.seconds) < 0)
		return 1;
	f.result = &out.result;
	ret = read_ca(&f);
	if (ret == 0)
		ret = sandbox_drop_user(SANDBOX_OIDC, geteuid() == 0 ? "nobody" : NULL, NULL, true) < 0
		              ? fail(&f, "nobody", "there is no such user, or it cannot be confined")
		              : 0;
	if (ret == 0)
		ret = fetch_all(&f);
	out.result.ok = ret == 0;
	return send_packet(&out) < 0;
}
