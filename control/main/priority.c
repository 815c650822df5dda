#include "control/main/priority.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "control/main/nearest.h"

enum kind {
	KIND_VERSION,
	KIND_CIPHER,
	KIND_MAC,
	KIND_KX,
	KIND_GROUP,
	KIND_SIGN,
	KIND_OPTION,
	KINDS, // from here on there is nothing to choose
	KIND_DTLS,
	KIND_CERTIFICATE,
	KIND_COMPRESSION,
};

struct word {
	enum kind kind;
	const char *name;
	const char *here;  // the name by which it stands in a list; NULL: there is nothing like it
	const char *tls12; // of a cipher
	const char *tls13;
	const char *plus, *minus;
};

struct level {
	const char *name, *versions, *words;
};

#define LEVEL(...)
#define WORD(kind_, name_, here_, plus_, minus_) \
	{ .kind = KIND_##kind_, .name = (name_), .here = (here_), .plus = (plus_), .minus = (minus_) },
#define CIPHER(name_, tls12_, tls13_, plus_) \
	{ .kind = KIND_CIPHER, .name = (name_), .here = (name_), .tls12 = (tls12_), .tls13 = (tls13_), .plus = (plus_) },
static const struct word words[] = {
#include "control/main/priority.def"
};
#undef WORD
#undef CIPHER
#undef LEVEL

#define WORD(...)
#define CIPHER(...)
#define LEVEL(name_, versions_, words_) { (name_), (versions_), (words_) },
static const struct level levels[] = {
#include "control/main/priority.def"
};
#undef WORD
#undef CIPHER
#undef LEVEL

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define WORD_MAX 48 // no word of GnuTLS's is longer
#define LIST_MAX 32 // more than there are words of a kind that are something here

// The words of a kind that are enabled, in their order. A word and its other name are one.
struct list {
	const struct word *word[LIST_MAX];
	unsigned n;
};

struct parse {
	struct list list[KINDS];
	unsigned errors;
	priority_report *report;
	void *who;
};

static void __attribute__((format(printf, 3, 4))) say(struct parse *p, enum log_level level, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->errors += level <= LOG_LEVEL_ERR;
	if (p->report)
		p->report(p->who, level, text);
}

// ----------------------------------------------------------------------------------------------------------------- lists

static void list_take(struct list *l, const char *here)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->word[i]->here, here) != 0)
			l->word[n++] = l->word[i];
	l->n = n;
}

static void list_add(struct list *l, const struct word *w)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->word[i]->here, w->here) == 0)
			return;
	if (l->n < LIST_MAX)
		l->word[l->n++] = w;
}

static bool list_has(const struct list *l, const char *here)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->word[i]->here, here) == 0)
			return true;
	return false;
}

// ----------------------------------------------------------------------------------------------------------------- words

static const struct word *word_find(const char *name)
{
	char group[WORD_MAX + 1];

	if (strncasecmp(name, "CURVE-", 6) == 0) {
		snprintf(group, sizeof(group), "GROUP-%s", name + 6);
		name = group;
	}
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcasecmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static const struct level *level_find(const char *name)
{
	for (size_t i = 0; i < COUNT(levels); i++)
		if (strcasecmp(levels[i].name, name) == 0)
			return &levels[i];
	return NULL;
}

// "CIPHER-ALL" and the like: everything of a kind.
static const struct {
	const char *name;
	enum kind kind;
} everything[] = {
	{ "VERS-ALL", KIND_VERSION }, { "VERS-TLS-ALL", KIND_VERSION }, { "CIPHER-ALL", KIND_CIPHER }, { "MAC-ALL", KIND_MAC },
	{ "KX-ALL", KIND_KX },        { "GROUP-ALL", KIND_GROUP },      { "CURVE-ALL", KIND_GROUP },   { "SIGN-ALL", KIND_SIGN },
};

static enum kind everything_of(const char *name)
{
	for (size_t i = 0; i < COUNT(everything); i++)
		if (strcasecmp(everything[i].name, name) == 0)
			return everything[i].kind;
	return KINDS;
}

// Those words of a list of the table, separated by spaces, that are of this kind; KINDS: all.
static void add_all(struct parse *p, const char *names, enum kind kind)
{
	char name[WORD_MAX + 1];
	const struct word *w;
	size_t len;

	for (names += strspn(names, " "); *names; names += strspn(names, " ")) {
		len = strcspn(names, " ");
		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		names += len;
		w = word_find(name);
		if (w && (kind == KINDS || w->kind == kind))
			list_add(&p->list[w->kind], w);
	}
}

static void unknown(struct parse *p, const char *given, const char *name)
{
	const char *sign = name == given ? "" : *given == '+' ? "+" : *given == '-' ? "-" : "!";
	struct nearest n;

	nearest_begin(&n, name);
	for (size_t i = 0; i < COUNT(words); i++)
		nearest_offer(&n, words[i].name);
	for (size_t i = 0; i < COUNT(everything); i++)
		nearest_offer(&n, everything[i].name);
	for (size_t i = 0; i < COUNT(levels); i++)
		nearest_offer(&n, levels[i].name);
	if (n.found[0])
		say(p, LOG_LEVEL_ERR, "'%s' is no word of GnuTLS's priority strings; did you mean %s%s?", given, sign, n.found);
	else
		say(p, LOG_LEVEL_ERR, "'%s' is no word of GnuTLS's priority strings", given);
}

static void no_effect(struct parse *p, const char *given, const char *why)
{
	say(p, LOG_LEVEL_WARN, "%s has no effect: %s", given, why);
}

// ---------------------------------------------------------------------------------------------------------------- string

// Versions come with the first word only, as GnuTLS has it.
static void on_level(struct parse *p, const struct level *l, bool first)
{
	if (first)
		add_all(p, l->versions, KINDS);
	add_all(p, l->words, KINDS);
}

static void on_word(struct parse *p, const char *given, const struct word *w, bool plus)
{
	const char *why = plus ? w->plus : w->minus;

	if (why)
		no_effect(p, given, why);
	if (!w->here)
		return;
	if (plus)
		list_add(&p->list[w->kind], w);
	else
		list_take(&p->list[w->kind], w->here);
}

static void on_everything(struct parse *p, enum kind kind, bool plus)
{
	if (!plus)
		p->list[kind].n = 0;
	else
		add_all(p, kind == KIND_VERSION ? levels[0].versions : levels[0].words, kind);
}

static void on_signed(struct parse *p, const char *given, bool first)
{
	const char *name = given + 1;
	const struct level *l = level_find(name);
	const struct word *w = word_find(name);
	bool plus = *given == '+';

	if (l && plus && l->words[0])
		on_level(p, l, first);
	else if (l)
		say(p, LOG_LEVEL_ERR, "'%s': %s can only be what the string begins with", given, l->name);
	else if (everything_of(name) != KINDS)
		on_everything(p, everything_of(name), plus);
	else if (w && w->kind != KIND_OPTION)
		on_word(p, given, w, plus);
	else
		unknown(p, given, name);
}

static void on_bare(struct parse *p, const char *given, bool first)
{
	const struct level *l = level_find(given);
	const struct word *w = word_find(given);

	if (*given == '@') {
		no_effect(p, given, "policies of the system's GnuTLS are not read; NORMAL is taken in its place");
		on_level(p, &levels[0], first);
	} else if (l && (first || l->words[0])) {
		on_level(p, l, first);
	} else if (l) {
		say(p, LOG_LEVEL_ERR, "'%s' can only be what the string begins with", given);
	} else if (w && w->kind == KIND_OPTION) {
		on_word(p, given, w, true);
	} else if (w || everything_of(given) != KINDS) {
		say(p, LOG_LEVEL_ERR, "'%s' needs a sign: +%s or -%s", given, given, given);
	} else {
		unknown(p, given, given);
	}
}

static void on_item(struct parse *p, const char *at, size_t len, bool first)
{
	char given[WORD_MAX + 1];

	while (len > 0 && *at == ' ')
		at++, len--;
	while (len > 0 && at[len - 1] == ' ')
		len--;
	snprintf(given, sizeof(given), "%.*s", (int)len, at);
	if (len == 0)
		say(p, LOG_LEVEL_ERR, "there is an empty word in it");
	else if (len > WORD_MAX)
		say(p, LOG_LEVEL_ERR, "'%s...' is no word of GnuTLS's priority strings", given);
	else if (strchr("+-!", *given))
		on_signed(p, given, first);
	else
		on_bare(p, given, first);
}

// ---------------------------------------------------------------------------------------------------------------- result

static void join(char out[PRIORITY_LIST], const char *a, const char *dash, const char *b)
{
	size_t used = strlen(out);

	snprintf(out + used, PRIORITY_LIST - used, "%s%s%s%s", used ? ":" : "", a, dash, b);
}

static void join_all(char out[PRIORITY_LIST], const struct list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		join(out, l->word[i]->here, "", "");
}

static void write_ciphers(const struct parse *p, struct priority *out)
{
	const struct list *ciphers = &p->list[KIND_CIPHER], *kx = &p->list[KIND_KX];
	bool aead = list_has(&p->list[KIND_MAC], "AEAD"), sha1 = list_has(&p->list[KIND_MAC], "SHA1");
	const struct word *c;

	for (unsigned i = 0; i < ciphers->n; i++) {
		c = ciphers->word[i];
		if (c->tls12 ? aead : sha1)
			join(out->dtls, c->here, "", "");
		if (c->tls13 && aead)
			join(out->suites, c->tls13, "", "");
	}
	for (unsigned k = 0; k < kx->n; k++)
		for (unsigned i = 0; i < ciphers->n; i++)
			if (ciphers->word[i]->tls12 && aead)
				join(out->ciphers, kx->word[k]->here, "-", ciphers->word[i]->tls12);
}

// A version without a suite is none.
static void write_versions(const struct parse *p, struct priority *out)
{
	if (list_has(&p->list[KIND_VERSION], "TLSv1.2") && out->ciphers[0])
		join(out->versions, "TLSv1.2", "", "");
	if (list_has(&p->list[KIND_VERSION], "TLSv1.3") && out->suites[0])
		join(out->versions, "TLSv1.3", "", "");
}

static void check_rest(struct parse *p, const struct priority *out)
{
	if (p->list[KIND_VERSION].n == 0)
		say(p, LOG_LEVEL_ERR, "it leaves no version of TLS: %s", OLD_VERSION);
	else if (!out->versions[0])
		say(p, LOG_LEVEL_ERR, "it leaves no suite: %s, and need AEAD and, for TLS 1.2, ECDHE-ECDSA or ECDHE-RSA",
		    NO_CIPHER);
	if (!out->groups[0])
		say(p, LOG_LEVEL_ERR, "it leaves no group: %s", NO_GROUP);
	if (!out->signatures[0])
		say(p, LOG_LEVEL_ERR, "it leaves no signature algorithm");
}

int priority_parse(const char *string, struct priority *out, priority_report *report, void *who)
{
	struct parse p = { .report = report, .who = who };
	struct priority fresh = { 0 };
	const char *at = string, *end;

	do {
		end = strchr(at, ':');
		on_item(&p, at, end ? (size_t)(end - at) : strlen(at), at == string);
		at = end ? end + 1 : NULL;
	} while (at);
	write_ciphers(&p, &fresh);
	write_versions(&p, &fresh);
	join_all(fresh.groups, &p.list[KIND_GROUP]);
	join_all(fresh.signatures, &p.list[KIND_SIGN]);
	join_all(fresh.options, &p.list[KIND_OPTION]);
	if (p.errors == 0)
		check_rest(&p, &fresh);
	if (p.errors > 0)
		return -EINVAL;
	*out = fresh;
	return 0;
}

const char *priority_key(unsigned n)
{
	static const char *const keys[PRIORITY_WORDS] = { "@tls-versions",   "@tls-ciphers", "@tls-suites",  "@tls-groups",
		                                          "@tls-signatures", "@tls-options", "@dtls-ciphers" };

	return keys[n];
}

const char *priority_value(const struct priority *p, unsigned n)
{
	const char *const values[PRIORITY_WORDS] = { p->versions,   p->ciphers, p->suites, p->groups,
		                                     p->signatures, p->options, p->dtls };

	return values[n];
}
