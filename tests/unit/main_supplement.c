// The files of users and groups: which are read, what they may say, and what comes of them together.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/main/config_read.h"
#include "control/main/supplement.h"

static char dir[64];
static struct config *config, *granted;
static struct terms *everybody;

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
}

static void move(const char *from, const char *to)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, from);
	assert_int_equal(rename(path, path_of(to)), 0);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/penstock-supplement-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mkdir(path_of("users"), 0755), 0);
	assert_int_equal(mkdir(path_of("groups"), 0755), 0);
	put("cert.pem", "c");
	put("key.pem", "k");
	put("passwd", "u");
	put("user.conf", "dpd = 11\n");
	put("group.conf", "keepalive = 22\n");
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#define BASE                                                                                                               \
	"auth = \"plain[passwd=./passwd]\"\ntcp-port = 443\nserver-cert = cert.pem\nserver-key = key.pem\ndevice = vpns\n" \
	"run-as-group = nogroup\nipv4-network = 192.0.2.0/24\ndns = 192.0.2.1\nroute = 10.0.0.0/8\nno-route = 10.9.0.0/16\n"
#define DIRS "config-per-user = users\nconfig-per-group = groups\n"
#define DEFAULTS "default-user-config = user.conf\ndefault-group-config = group.conf\n"

static void configure(const char *text)
{
	put("test.conf", text);
	assert_int_equal(config_load(path_of("test.conf"), CONFIG_START, NULL, NULL, &config), 0);
	assert_int_equal(terms_new(config, NULL, NULL, NULL, &everybody), 0);
}

static int forget(void **state)
{
	terms_put(everybody);
	config_free(config);
	config_free(granted);
	everybody = NULL;
	config = granted = NULL;
	return 0;
}

static struct terms *terms_of(const char *user, const char *group)
{
	struct terms *t = NULL;

	assert_int_equal(supplement_terms(config, everybody,
	                                  &(struct supplement_of){ .user = user, .group = group, .granted = granted }, &t),
	                 0);
	return t;
}

static void refused(const char *user, const char *group)
{
	struct terms *t = NULL;

	assert_int_equal(supplement_terms(config, everybody,
	                                  &(struct supplement_of){ .user = user, .group = group, .granted = granted }, &t),
	                 -EACCES);
	assert_null(t);
}

// All texts of one kind, with spaces between them.
static void texts(const struct terms *t, enum item_kind kind, const char *expect)
{
	char all[512] = "";
	const char *text;

	for (unsigned n = 0; (text = terms_text(t, kind, n)); n++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", n ? " " : "", text);
	assert_string_equal(all, expect);
}

// ----------------------------------------------------------------------------------------------------------------- names

static void names(void **state)
{
	static const char *const fit[] = { "anna",          "anna@example.com", "a.b", "EXAMPLE\\anna",
		                           "j\xc3\xbcrgen", "two words",        "-x",  "~" };
	static const char *const unfit[] = { "",          ".",    "..",     ".anna",    "a/b",      "/etc/passwd", "../anna",
		                             "anna/../x", "a..b", "an\nna", "an\x1bna", "an\x7fna", "\xff" };
	char longest[257];

	for (size_t i = 0; i < sizeof(fit) / sizeof(*fit); i++)
		assert_true(supplement_name_fits(fit[i]));
	for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++)
		assert_false(supplement_name_fits(unfit[i]));
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_false(supplement_name_fits(longest));
	longest[255] = '\0';
	assert_true(supplement_name_fits(longest));
}

static void a_name_that_is_a_path_opens_nothing(void **state)
{
	configure(BASE DIRS DEFAULTS);
	put("users/anna", "dpd = 1\n");
	refused("../users/anna", "");
	refused("x/../anna", "");
	refused(".hidden", "");
	refused("anna", "../groups/staff");
	forget(NULL);
	configure(BASE); // where no file is looked for, any name does
	terms_put(terms_of("../users/anna", "a/b"));
}

// ----------------------------------------------------------------------------------------------------------------- files

static void without_files_everybody_has_the_same(void **state)
{
	struct terms *t;

	configure(BASE);
	t = terms_of("anna", "staff");
	assert_ptr_equal(t, everybody);
	terms_put(t);
	forget(NULL);
	configure(BASE DIRS); // directories without such files
	unlink(path_of("users/anna"));
	t = terms_of("anna", "staff");
	assert_ptr_equal(t, everybody);
	terms_put(t);
}

static void user_before_group_before_everybody(void **state)
{
	struct terms *t;

	configure(BASE DIRS "dpd = 1\nkeepalive = 1\nidle-timeout = 1\nno-udp = true\n");
	put("groups/staff", "dpd = 2\nkeepalive = 2\nno-udp = false\nclient-bypass-protocol = true\n");
	put("users/anna", "dpd = 3\nexplicit-ipv4 = 192.0.2.7\nhostname = anna-pc\nmax-same-clients = 2\n");
	t = terms_of("anna", "staff");
	assert_int_equal(t->dpd, 3);
	assert_int_equal(t->keepalive, 2);
	assert_int_equal(t->idle_timeout, 1);
	assert_false(t->no_udp);
	assert_true(t->client_bypass);
	assert_int_equal(t->max_same_clients, 2);
	assert_int_equal(t->explicit_ipv4.ip[3], 7);
	texts(t, ITEM_HOSTNAME, "anna-pc");
	terms_put(t);
	t = terms_of("anna", ""); // no group, no group's file
	assert_int_equal(t->keepalive, 1);
	assert_true(t->no_udp);
	terms_put(t);
	t = terms_of("bert", "staff");
	assert_int_equal(t->dpd, 2);
	assert_int_equal(t->explicit_ipv4.family, 0);
	terms_put(t);
	assert_int_equal(everybody->dpd, 1);
	assert_false(everybody->client_bypass);
}

static void priority(const char *global, const char *user, uint8_t tos, uint8_t number)
{
	struct terms *t;

	configure(global);
	put("users/anna", user);
	t = terms_of("anna", "");
	assert_int_equal(t->tos, tos);
	assert_int_equal(t->priority, number);
	assert_int_equal(t->output_buffer, 12);
	terms_put(t);
	forget(NULL);
}

// A TOS byte or a priority: what a user has of one leaves nothing of the other.
static void a_priority_is_one_of_two(void **state)
{
	priority(BASE DIRS "output-buffer = 12\n", "", 0, 0);
	priority(BASE DIRS "output-buffer = 12\nnet-priority = 0x48\n", "", 0x48, 0);
	priority(BASE DIRS "output-buffer = 12\nnet-priority = 0x48\n", "net-priority = 6\n", 0, 6);
	priority(BASE DIRS "output-buffer = 12\nnet-priority = 3\n", "net-priority = 0x1\n", 1, 0);
	priority(BASE DIRS "output-buffer = 12\nnet-priority = 3\n", "net-priority = 0\n", 0, 0);
}

static void idle(const char *global, const char *group, const char *user, uint32_t all, uint32_t mobile)
{
	char text[2048];
	struct terms *t;

	snprintf(text, sizeof(text), BASE DIRS "%s", global);
	configure(text);
	put("groups/staff", group);
	put("users/anna", user);
	t = terms_of("anna", "staff");
	assert_int_equal(t->idle_timeout, all);
	assert_int_equal(t->mobile_idle_timeout, mobile);
	terms_put(t);
	forget(NULL);
}

static void idle_mobile_clients(void **state)
{
	idle("", "", "", 0, 0);
	idle("idle-timeout = 1\n", "", "", 1, 1);
	idle("idle-timeout = 1\nmobile-idle-timeout = 2\n", "", "", 1, 2);
	idle("mobile-idle-timeout = 2\n", "", "idle-timeout = 3\n", 3, 3);
	idle("mobile-idle-timeout = 2\n", "idle-timeout = 3\n", "", 3, 3);
	idle("idle-timeout = 1\n", "mobile-idle-timeout = 4\n", "", 1, 4);
	idle("idle-timeout = 1\n", "mobile-idle-timeout = 4\n", "idle-timeout = 5\n", 5, 5);
}

static void the_default_files(void **state)
{
	struct terms *t;

	configure(BASE DIRS DEFAULTS "dpd = 1\nkeepalive = 1\n");
	put("groups/staff", "");
	put("users/anna", "");
	t = terms_of("bert", "guests");
	assert_int_equal(t->dpd, 11);
	assert_int_equal(t->keepalive, 22);
	terms_put(t);
	t = terms_of("anna", "staff"); // a file of one's own, though it says nothing
	assert_int_equal(t->dpd, 1);
	assert_int_equal(t->keepalive, 1);
	terms_put(t);
	t = terms_of("bert", ""); // who is in no group has no group's file
	assert_int_equal(t->keepalive, 1);
	terms_put(t);
	move("user.conf", "user.gone");
	refused("bert", "");
	move("user.gone", "user.conf");
}

static void lists_add_up(void **state)
{
	struct terms *t;

	configure(BASE DIRS);
	put("groups/staff", "route = 10.1.0.0/16\ndns = 10.1.0.1\n");
	put("users/anna", "route = 10.2.0.0/16\nroute = fd00::/8\n");
	t = terms_of("anna", "staff");
	texts(t, ITEM_ROUTE, "10.1.0.0/16 10.2.0.0/16 fd00::/8");
	texts(t, ITEM_NO_ROUTE, "10.9.0.0/16"); // everybody's: nobody has said anything else
	texts(t, ITEM_DNS, "10.1.0.1");
	terms_put(t);
	forget(NULL);
	configure(BASE DIRS "append-routes = true\n");
	put("users/anna", "route = 10.2.0.0/16\nno-route = 10.2.9.0/24\n");
	t = terms_of("anna", "staff");
	texts(t, ITEM_ROUTE, "10.1.0.0/16 10.2.0.0/16 10.0.0.0/8");
	texts(t, ITEM_NO_ROUTE, "10.2.9.0/24 10.9.0.0/16");
	terms_put(t);
	t = terms_of("bert", ""); // once is enough
	texts(t, ITEM_ROUTE, "10.0.0.0/8");
	terms_put(t);
}

static void networks_of_their_own(void **state)
{
	char text[ADDR_TEXT];
	struct terms *t;

	configure(BASE DIRS);
	put("users/anna", "ipv4-network = 198.51.100.0\nipv4-netmask = 255.255.255.0\nipv6-network = fd00::/64\n");
	t = terms_of("anna", "");
	assert_string_equal(addr_text_prefix(&t->ipv4_network, text), "198.51.100.0/24");
	assert_string_equal(addr_text_prefix(&t->ipv6_network, text), "fd00::/64");
	assert_int_equal(t->ipv6_subnet_prefix, 128);
	terms_put(t);
	put("users/anna", "explicit-ipv4 = fd00::1\n");
	refused("anna", "");
	put("users/anna", "explicit-ipv6 = 192.0.2.1\n");
	refused("anna", "");
}

struct heard {
	unsigned errors, warnings;
	char text[4096];
};

static void hear(void *who, const struct config_remark *r)
{
	struct heard *h = who;

	*(r->level <= LOG_LEVEL_ERR ? &h->errors : &h->warnings) += 1;
	snprintf(h->text + strlen(h->text), sizeof(h->text) - strlen(h->text), "%s\n", r->whole);
}

// Every key that ocserv takes in such a file, and what ours adds, has its effect: no warning.
static void every_key(void **state)
{
	static const char *const lines[] = {
		"no-udp = true",
		"tunnel-all-dns = true",
		"route = 10.0.0.0/8",
		"no-route = 10.1.0.0/16",
		"iroute = 10.2.0.0/16",
		"split-dns = example.com",
		"dns = 10.0.0.1",
		"nbns = 10.0.0.1",
		"ipv4-network = 10.3.0.0",
		"ipv4-netmask = 255.255.0.0",
		"ipv6-network = fd00:3::/64",
		"ipv6-subnet-prefix = 128",
		"explicit-ipv4 = 10.3.0.7",
		"explicit-ipv6 = fd00:3::7",
		"mtu = 1300",
		"net-priority = 0x10",
		"rx-data-per-sec = 1",
		"tx-data-per-sec = 1",
		"deny-roaming = true",
		"session-timeout = 1",
		"idle-timeout = 1",
		"mobile-idle-timeout = 1",
		"keepalive = 1",
		"dpd = 1",
		"mobile-dpd = 1",
		"max-same-clients = 1",
		"hostname = x",
		"client-bypass-protocol = true",
		"restrict-user-to-routes = true",
		"restrict-user-to-ports = \"tcp(443)\"",
		"mss-clamp = true",
		"copy-dscp = true",
		"stats-report-time = 60",
		"user-profile = /dev/null",
	};
	struct config *c = NULL;
	struct heard h = { 0 };
	char text[2048] = "";

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n", lines[i]);
	put("users/anna", text);
	assert_int_equal(config_load_supplement(path_of("users/anna"), hear, &h, &c), 0);
	assert_string_equal(h.text, "");
	config_free(c);
}

static void profile_is(const char *user, const char *group, const char *expect)
{
	char *file = NULL;

	assert_int_equal(supplement_profile(config, &(struct supplement_of){ .user = user, .group = group }, &file), 0);
	assert_true((file != NULL) == (expect != NULL));
	if (file)
		assert_string_equal(file, expect);
	free(file);
}

// That of everybody is the worker's.
static void whose_profile(void **state)
{
	char *file = NULL, beside[300];

	configure(BASE DIRS "user-profile = passwd\n");
	put("users/anna", "user-profile = /anna.xml\n");
	put("users/bert", "dpd = 1\n");
	put("users/carla", "user-profile = carla.xml\n");
	put("users/dirk", "user-profile = /x\nnonsense\n");
	put("groups/staff", "user-profile = /staff.xml\n");
	profile_is("anna", "", "/anna.xml");
	profile_is("anna", "staff", "/anna.xml");
	profile_is("bert", "staff", "/staff.xml");
	profile_is("nobody", "staff", "/staff.xml");
	profile_is("bert", "", NULL);
	profile_is("nobody", "nogroup", NULL);
	snprintf(beside, sizeof(beside), "%s", path_of("users/carla.xml"));
	profile_is("carla", "", beside);
	assert_int_equal(supplement_profile(config, &(struct supplement_of){ .user = "dirk", .group = "staff" }, &file), -EACCES);
	assert_null(file);
	assert_int_equal(supplement_profile(config, &(struct supplement_of){ .user = "../x", .group = "" }, &file), -EACCES);
	assert_null(file);
}

// ---------------------------------------------------------------------------------------------------------------- faults

// A file that is wrong lets nobody in who may have had less with a right one.
static void what_is_wrong_refuses(void **state)
{
	static const char *const wrong[] = {
		"dpd = soon\n",
		"restrict-user-to-ruotes = true\n", // misspelt
		"route = 10.0.0.0/33\n",
		"nonsense\n",
		"[vhost:x]\ndpd = 1\n",
		"ipv4-network = 198.51.100.0\n", // without a mask
		"listen-clear-file = /x\n",
	};

	configure(BASE DIRS);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		put("users/anna", wrong[i]);
		refused("anna", "");
		put("groups/odd", wrong[i]);
		refused("bert", "odd");
	}
}

static void what_is_no_file_refuses(void **state)
{
	char *big = malloc(CONFIG_USER_FILE_MAX + 2);

	configure(BASE DIRS);
	assert_int_equal(mkdir(path_of("users/carl"), 0755), 0);
	refused("carl", "");
	assert_int_equal(mkfifo(path_of("users/dora"), 0644), 0);
	refused("dora", ""); // and nobody waits for its other end
	memset(big, '#', CONFIG_USER_FILE_MAX + 1);
	big[CONFIG_USER_FILE_MAX + 1] = '\0';
	for (size_t i = 100; i < CONFIG_USER_FILE_MAX; i += 100)
		big[i] = '\n';
	put("users/emil", big);
	refused("emil", "");
	big[CONFIG_USER_FILE_MAX] = '\0';
	put("users/emil", big);
	terms_put(terms_of("emil", ""));
	free(big);
	move("users", "elsewhere"); // a file system that is not mounted
	refused("bert", "");
	move("elsewhere", "users");
}

// Of a user with a file and of one without, while `expose-iroutes` says so.
static void routes_of(const char *user, const char *expect)
{
	struct exposed exposed = { 0 };
	struct terms *t = NULL, *all = NULL;

	assert_int_equal(exposed_load(config, &exposed), 0);
	assert_int_equal(terms_new(config, NULL, NULL, NULL, &all), 0);
	assert_int_equal(exposed_add(&exposed, all), 0);
	assert_int_equal(
	        supplement_terms(config, all, &(struct supplement_of){ .user = user, .group = "", .exposed = &exposed }, &t), 0);
	texts(t, ITEM_ROUTE, expect);
	terms_put(t);
	terms_put(all);
	exposed_free(&exposed);
}

static void networks_behind_others(void **state)
{
	put("users/anna", "iroute = 10.50.0.0/16\niroute = fd50::/64\niroute = 10.8.0.0/16\n");
	put("users/bert", "iroute = 10.51.0.0/255.255.0.0\niroute = 10.50.0.0/16\nroute = 10.51.0.0/16\n");
	put("users/paul", "iroute = 10.52.0.0/16\nnonsense\n"); // wrong: he is kept out, and what is behind him
	put("users/rita", "route = default\n");
	put("users/.hidden", "iroute = 10.53.0.0/16\n");
	configure(BASE DIRS);
	routes_of("nobody", "10.0.0.0/8");
	forget(state);
	configure(BASE DIRS "expose-iroutes = true\n");
	routes_of("nobody", "10.0.0.0/8 10.50.0.0/16 fd50::/64 10.8.0.0/16 10.51.0.0/16");
	routes_of("anna", "10.0.0.0/8 10.51.0.0/16");
	routes_of("bert", "10.51.0.0/16 fd50::/64 10.8.0.0/16");
	routes_of("rita", "default"); // everything goes that way already
	for (size_t i = 0; i < 4; i++)
		unlink(path_of((const char *[]){ "users/anna", "users/bert", "users/rita", "users/paul" }[i]));
}

static void too_much_for_one_session(void **state)
{
	FILE *f = fopen(path_of("users/anna"), "w");

	configure(BASE DIRS);
	for (unsigned i = 0; i < 2046; i++)
		fprintf(f, "route = 10.%u.%u.0/24\n", i / 256, i % 256);
	fflush(f);
	terms_put(terms_of("anna", "")); // with a DNS server and a no-route
	fprintf(f, "route = 10.99.0.0/24\n");
	fclose(f);
	refused("anna", "");
}

static void headers_are_kept_as_they_stand(void **state)
{
	configure(BASE
	          "custom-header = X-A: %{U}\ncustom-header = X-B: b\nproxy-url = http://p/%{G}\nlisten-host-is-dyndns = true\n");
	texts(everybody, ITEM_HEADER, "X-A: %{U} X-B: b X-CSTP-DynDNS: true");
	texts(everybody, ITEM_PROXY_URL, "http://p/%{G}");
}

static void options_of_the_whole_server_are_ignored(void **state)
{
	struct terms *t;

	configure(BASE DIRS);
	put("users/anna", "banner = hello\ntcp-port = 1\ndpd = 5\n");
	t = terms_of("anna", "");
	assert_int_equal(t->dpd, 5);
	texts(t, ITEM_BANNER, "");
	terms_put(t);
}

// ------------------------------------------------------------------------------------------------------------------ tests

static void the_default_files_are_checked_at_once(void **state)
{
	struct config *c = NULL;
	struct heard h = { 0 };

	put("test.conf", BASE DIRS DEFAULTS);
	put("user.conf", "dpd = 1\ndpd = x\n");
	assert_int_equal(config_load(path_of("test.conf"), CONFIG_START, hear, &h, &c), -EINVAL);
	assert_non_null(strstr(h.text, "user.conf:2: dpd: 'x'"));
	put("user.conf", "dpd = 11\n");
	put("test.conf", BASE "config-per-user = missing\n");
	assert_int_equal(config_load(path_of("test.conf"), CONFIG_START, hear, &h, &c), -EINVAL);
	assert_non_null(strstr(h.text, "/missing: No such file or directory"));
}

// ------------------------------------------------------------------------------------------------------- what a login brought

static void what_a_login_brought_counts_first(void **state)
{
	struct terms *t;

	configure(BASE DIRS DEFAULTS);
	put("users/anna", "dpd = 7\nmtu = 1300\nroute = 10.1.0.0/16\nexplicit-ipv4 = 192.0.2.7\n");
	assert_int_equal(config_grant(&granted, "dpd", "8", NULL, NULL), 0);
	assert_int_equal(config_grant(&granted, "dpd", "9", NULL, NULL), 0); // the later counts
	assert_int_equal(config_grant(&granted, "route", "10.2.0.0/16", NULL, NULL), 0);
	assert_int_equal(config_grant(&granted, "route", "10.3.0.0/255.255.0.0", NULL, NULL), 0);
	assert_int_equal(config_grant(&granted, "explicit-ipv4", "192.0.2.9", NULL, NULL), 0);
	assert_int_equal(config_granted(granted, NULL, NULL), 0);
	t = terms_of("anna", "");
	assert_int_equal(t->dpd, 9);
	assert_int_equal(t->mtu, 1300);
	assert_int_equal(t->explicit_ipv4.ip[3], 9);
	texts(t, ITEM_ROUTE, "10.1.0.0/16 10.2.0.0/16 10.3.0.0/16");
	texts(t, ITEM_DNS, "192.0.2.1");
	terms_put(t);
	assert_int_equal(remove(path_of("users/anna")), 0);
}

static void what_a_login_brought_has_to_be_right(void **state)
{
	static const char *const wrong[][2] = {
		{ "route", "10.0.0.0/33" }, { "explicit-ipv4", "10.0.0.0.1" },          { "dpd", "-1" },
		{ "no-such-option", "1" },  { "restrict-user-to-ports", "tcp(99999)" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(config_grant(&granted, wrong[i][0], wrong[i][1], NULL, NULL), -EINVAL);
}

#define TEST(f) cmocka_unit_test_teardown(f, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names),
		TEST(a_name_that_is_a_path_opens_nothing),
		TEST(what_a_login_brought_counts_first),
		TEST(what_a_login_brought_has_to_be_right),
		TEST(without_files_everybody_has_the_same),
		TEST(user_before_group_before_everybody),
		TEST(a_priority_is_one_of_two),
		TEST(idle_mobile_clients),
		TEST(the_default_files),
		TEST(lists_add_up),
		TEST(networks_of_their_own),
		TEST(every_key),
		TEST(whose_profile),
		TEST(what_is_wrong_refuses),
		TEST(what_is_no_file_refuses),
		TEST(networks_behind_others),
		TEST(too_much_for_one_session),
		TEST(headers_are_kept_as_they_stand),
		TEST(options_of_the_whole_server_are_ignored),
		TEST(the_default_files_are_checked_at_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
