#include "secmod/claims.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/text.h"

#define DEFAULT_USER_CLAIM "preferred_username"
#define FRESH_SECONDS 60
#define FRESH_SECONDS_MAX 86400

// ------------------------------------------------------------------------------------------------------------- the file

static int take_text(const json_t *file, const char *key, const char *otherwise, char *out, size_t most, char text[LIMIT_TEXT + 1])
{
	const json_t *value = json_object_get(file, key);
	const char *s = value != NULL ? json_string_value(value) : otherwise;

	if (s == NULL)
		return text_refuse(text, value != NULL ? "%s is no text" : "%s is missing", key);
	if (strlen(s) > most)
		return text_refuse(text, "%s is too long", key);
	strcpy(out, s);
	return 0;
}

static int take_seconds(const json_t *file, struct claims_rules *r, char text[LIMIT_TEXT + 1])
{
	const json_t *value = json_object_get(file, "minimum_jwk_refresh_time");

	r->fresh_seconds = FRESH_SECONDS;
	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > FRESH_SECONDS_MAX)
		return text_refuse(text, "minimum_jwk_refresh_time is no number of seconds from 1 to %d", FRESH_SECONDS_MAX);
	r->fresh_seconds = json_integer_value(value);
	return 0;
}

// A token of the same issuer that was made for somebody else must not open this door: something has to tell them apart.
static int take_required(const json_t *file, struct claims_rules *r, char text[LIMIT_TEXT + 1])
{
	json_t *required = json_object_get(file, "required_claims"), *client = json_object_get(file, "client_id");

	if (required != NULL && !json_is_object(required))
		return text_refuse(text, "required_claims is no JSON object");
	if (client != NULL && !json_is_string(client))
		return text_refuse(text, "client_id is no text");
	r->required = required != NULL ? json_copy(required) : json_object();
	if (r->required != NULL && client != NULL && json_object_get(r->required, "aud") == NULL)
		json_object_set(r->required, "aud", client);
	if (json_object_size(r->required) == 0)
		return text_refuse(text, "neither client_id nor required_claims says for whom tokens have to be");
	return 0;
}

static int take_all(const json_t *file, struct claims_rules *r, char text[LIMIT_TEXT + 1])
{
	int ret = take_text(file, "openid_configuration_url", NULL, r->url, CLAIMS_URL, text);

	if (ret == 0 && strncmp(r->url, "https://", 8) != 0)
		ret = text_refuse(text, "openid_configuration_url = %s: keys come over https:// only", r->url);
	if (ret == 0)
		ret = take_text(file, "ca_file", "", r->ca_file, CLAIMS_PATH, text);
	if (ret == 0 && r->ca_file[0] != '\0' && r->ca_file[0] != '/')
		ret = text_refuse(text, "ca_file = %s: the path is not absolute", r->ca_file);
	if (ret == 0)
		ret = take_text(file, "user_name_claim", DEFAULT_USER_CLAIM, r->user_claim, CLAIMS_NAME, text);
	if (ret == 0)
		ret = take_text(file, "group_name_claim", "", r->group_claim, CLAIMS_NAME, text);
	if (ret == 0)
		ret = take_seconds(file, r, text);
	return ret == 0 ? take_required(file, r, text) : ret;
}

int claims_rules_read(const char *json, size_t len, struct claims_rules *out, char text[LIMIT_TEXT + 1])
{
	struct claims_rules r = { 0 };
	json_error_t error;
	json_t *file = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	int ret;

	if (file == NULL)
		return text_refuse(text, "line %d: %s", error.line, error.text);
	ret = json_is_object(file) ? take_all(file, &r, text) : text_refuse(text, "it is no JSON object");
	json_decref(file);
	if (ret < 0)
		claims_rules_fini(&r);
	else
		*out = r;
	return ret;
}

void claims_rules_fini(struct claims_rules *r)
{
	json_decref(r->required);
	r->required = NULL;
}

// ------------------------------------------------------------------------------------------------------------- a token

static int no(const char **why, const char *text)
{
	*why = text;
	return -EACCES;
}

// RFC 7519 2: a NumericDate may have a fraction.
static bool date_of(const json_t *claims, const char *name, double *out)
{
	const json_t *value = json_object_get(claims, name);

	*out = json_number_value(value);
	return json_is_number(value);
}

static int check_times(const json_t *claims, time_t now, const char **why)
{
	double exp, nbf, iat;

	if (!date_of(claims, "exp", &exp))
		return no(why, "it has no exp");
	if (exp + CLAIMS_SKEW <= (double)now)
		return no(why, "it has expired");
	if (json_object_get(claims, "nbf") != NULL && (!date_of(claims, "nbf", &nbf) || nbf - CLAIMS_SKEW > (double)now))
		return no(why, "it is not good yet (nbf)");
	if (json_object_get(claims, "iat") != NULL && (!date_of(claims, "iat", &iat) || iat - CLAIMS_SKEW > (double)now))
		return no(why, "it was issued in the future (iat)");
	return 0;
}

// A list that holds what is wanted will do: aud is often one.
static bool claim_holds(const json_t *claim, const json_t *wanted)
{
	const json_t *one;
	size_t i;

	if (json_equal(claim, wanted))
		return true;
	json_array_foreach(claim, i, one) if (json_equal(one, wanted)) return true;
	return false;
}

static int check_required(const struct claims_rules *r, const json_t *claims, const char **why)
{
	const char *name;
	json_t *wanted;

	json_object_foreach(r->required, name, wanted)
	{
		if (!claim_holds(json_object_get(claims, name), wanted))
			return no(why,
			          strcmp(name, "aud") == 0 ? "it is for somebody else (aud)" : "it lacks one of required_claims");
	}
	return 0;
}

// It becomes a file's name, a word in logs and tables.
static bool take_name(const json_t *value, char *out, size_t most)
{
	const char *s = json_string_value(value);
	const size_t len = json_string_length(value);

	if (s == NULL || len == 0 || len > most || strlen(s) != len || !text_fits(s, len + 1) || s[0] == '.' ||
	    strpbrk(s, ":/") != NULL)
		return false;
	strcpy(out, s);
	return true;
}

// The group that the client wants, if the token has it; the first one if it wants none.
static int take_group(const struct claims_rules *r, const json_t *claims, const char *group, struct claims_who *out,
                      const char **why)
{
	const json_t *value = r->group_claim[0] != '\0' ? json_object_get(claims, r->group_claim) : NULL, *one;
	char name[LIMIT_GROUP + 1];
	size_t i;

	if (json_is_string(value) && take_name(value, name, LIMIT_GROUP) && (group[0] == '\0' || strcmp(name, group) == 0)) {
		strcpy(out->group, name);
		return 0;
	}
	json_array_foreach(value, i, one)
	{
		if (!take_name(one, name, LIMIT_GROUP) || (group[0] != '\0' && strcmp(name, group) != 0))
			continue;
		strcpy(out->group, name);
		return 0;
	}
	return group[0] == '\0' ? 0 : no(why, "it does not have the group that was asked for");
}

int claims_check(const struct claims_rules *r, const json_t *claims, const char *issuer, const char *group, time_t now,
                 struct claims_who *out, const char **why)
{
	const char *iss = json_string_value(json_object_get(claims, "iss"));
	struct claims_who who = { "", "" };
	int ret = iss != NULL && strcmp(iss, issuer) == 0 ? 0 : no(why, "it is of another issuer (iss)");

	if (ret == 0)
		ret = check_times(claims, now, why);
	if (ret == 0)
		ret = check_required(r, claims, why);
	if (ret == 0 && !take_name(json_object_get(claims, r->user_claim), who.user, LIMIT_USER))
		ret = no(why, "it names no user that could be one (user_name_claim)");
	if (ret == 0)
		ret = take_group(r, claims, group, &who, why);
	if (ret == 0)
		*out = who;
	return ret;
}
