#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor_tree.h"
#include "proto/sandbox.h"
#include "render.h"
#include "text.h"

#define CONF_MAX (1u << 20)
#define OUTPUT_MAX (1u << 20)
#define OCSERV_CONF "/etc/ocserv/ocserv.conf"

static void doctor_gateway(struct doctor *d);

// In the order in which they are told: what keeps everybody out comes first.
static const struct check {
	const char *name;
	void (*look)(struct doctor *d);
} checks[] = {
	{ "configuration", doctor_configuration },
	{ "gateway", doctor_gateway },
	{ "certificates", doctor_certificates },
	{ "clock", doctor_clock },
	{ "kernel", doctor_kernel },
	{ "confinement", doctor_confinement },
	{ "forwarding", doctor_forwarding },
	{ "NAT", doctor_nat },
	{ "connection tracking", doctor_conntrack },
	{ "limits", doctor_limits },
	{ "NICs", doctor_nics },
	{ "MTU", doctor_mtu },
	{ "huge pages", doctor_huge_pages },
	{ "cores", doctor_cores },
	{ "encryption", doctor_encryption },
};

// --------------------------------------------------------------------------------------------------------------- finding

static void put(struct doctor *d, const char *key, const char *text)
{
	struct msg_admin_value v = { .record = d->found, .kind = VALUE_TEXT };

	snprintf(v.key, sizeof(v.key), "%s", key);
	snprintf(v.text, sizeof(v.text), "%s", text);
	if (answer_add(d->out, &v) < 0)
		d->out->ok = false;
}

void doctor_say(struct doctor *d, enum doctor_state state, const char *fix, const char *fmt, ...)
{
	static const char *const words[] = { [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail" };
	char text[LIMIT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(d, "state", words[state]);
	put(d, "check", d->check);
	put(d, "finding", text);
	put(d, "remedy", fix);
	d->found++;
	if (state > d->worst)
		d->worst = state;
}

static const struct cell *cell_of(const struct answer *a, const char *key)
{
	return answer_cell(a, 0, answer_record_end(a, 0), key);
}

static void doctor_gateway(struct doctor *d)
{
	struct answer a = { 0 };
	const struct cell *c;
	const char *why;

	if (!d->ctl)
		return;
	if (ctl_ask(d->ctl, "show status", NULL, &a, &why) < 0 || !a.ok)
		doctor_say(d, DOCTOR_WARN, "systemctl start penstock; journalctl -u penstock says why it ended",
		           "it does not run, or not for you: %s", a.message[0] ? a.message : why);
	else if ((c = cell_of(&a, "Status")) && strcmp(c->text, "online") != 0)
		doctor_say(d, DOCTOR_FAIL, "penstockctl show status; the log says what happened", "it runs, but: %s", c->text);
	else if (cell_of(&a, "Keeper"))
		doctor_say(d, DOCTOR_WARN, "a restart; the log says what happened",
		           "it takes clients, but its keeper is gone: where main dies, everything ends");
	else if ((c = cell_of(&a, "Main restarts")) && c->number)
		doctor_say(d, DOCTOR_WARN, "the log says what it died of; report it",
		           "it takes clients, but main has died and was started anew: %llu times", (unsigned long long)c->number);
	else
		doctor_say(d, DOCTOR_OK, "", "it runs and takes clients");
	answer_fini(&a);
}

// What poll-core says; without it what the dataplane takes then, the last half of all CPUs and four at most.
static void find_cores(struct doctor *d)
{
	bool online[DOCTOR_CPUS] = { false };
	char text[DOCTOR_TEXT];
	unsigned all = 0, wanted;

	for (unsigned n = 0; conf_nth(d->conf, "poll-core", n, text, sizeof(text)); n++)
		if (strcmp(text, "auto") != 0 && cpulist_parse(text, d->poll))
			all++;
	if (all || !tree_read(d, text, sizeof(text), "/sys/devices/system/cpu/online") || !cpulist_parse(text, online))
		return;
	for (unsigned i = 0; i < DOCTOR_CPUS; i++)
		all += online[i];
	wanted = all < 2 ? all : all / 2 < 4 ? all / 2 : 4;
	for (unsigned i = DOCTOR_CPUS; i-- > 0 && wanted;)
		if (online[i]) {
			d->poll[i] = true;
			wanted--;
		}
}

int doctor_look(struct doctor *d)
{
	d->out->ok = true;
	find_cores(d);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		d->check = checks[i].name;
		checks[i].look(d);
	}
	return d->out->ok ? 0 : -ENOMEM;
}

// ------------------------------------------------------------------------------------------------------------ this machine

static int clock_of_kernel(void)
{
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);

	return state < 0 ? -1 : state != TIME_ERROR && !(t.status & STA_UNSYNC);
}

static void become(char *const argv[], int out)
{
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

static char *read_all(int fd)
{
	char *text = calloc(1, OUTPUT_MAX);
	size_t len = 0;
	ssize_t n;

	while (text && len < OUTPUT_MAX - 1 && ((n = read(fd, text + len, OUTPUT_MAX - 1 - len)) > 0 || (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	return text;
}

static char *run_program(char *const argv[], int *status)
{
	char *text = NULL;
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		return NULL;
	pid = fork();
	if (pid == 0)
		become(argv, fds[1]);
	close(fds[1]);
	if (pid > 0) {
		text = read_all(fds[0]);
		while (waitpid(pid, status, 0) < 0 && errno == EINTR)
			;
	}
	close(fds[0]);
	if (text && pid > 0 && WIFEXITED(*status) && WEXITSTATUS(*status) != 127)
		return text;
	free(text);
	return NULL;
}

static const char *usual_file(void)
{
	return access(PENSTOCK_CONFDIR "/penstock.conf", F_OK) == 0 || access(OCSERV_CONF, F_OK) < 0 ? PENSTOCK_CONFDIR
	               "/penstock.conf"
	                                                                                             : OCSERV_CONF;
}

static const struct command form = { .words = "doctor",
	                             .answer = ANSWER_TABLE,
	                             .columns = (const struct column[]){ { NULL, NULL, COLUMN_CELL } } };

static const char *text_of(const struct answer *a, size_t from, const char *key)
{
	const struct cell *c = answer_cell(a, from, answer_record_end(a, from), key);

	return c ? c->text : "";
}

// A line for what is found, and one below it for what to do.
static int print(const struct answer *a)
{
	for (size_t i = 0; i < a->count; i = answer_record_end(a, i)) {
		const char *remedy = text_of(a, i, "remedy");

		printf("%-5s %-20s ", text_of(a, i, "state"), text_of(a, i, "check"));
		text_put(stdout, text_of(a, i, "finding"));
		fputc('\n', stdout);
		if (!remedy[0])
			continue;
		printf("%-5s %-20s -> ", "", "");
		text_put(stdout, remedy);
		fputc('\n', stdout);
	}
	return fflush(stdout) == EOF ? -errno : 0;
}

int doctor_run(const struct ctl *ctl, const char *file)
{
	struct answer a = { .ok = true };
	struct doctor d = { .root = "",
		            .ctl = ctl,
		            .conf_file = file ? file : usual_file(),
		            .run = run_program,
		            .clock = clock_of_kernel,
		            .landlock = sandbox_landlock,
		            .out = &a };
	int ret = -ENOMEM;

	d.conf = calloc(1, CONF_MAX);
	if (d.conf) {
		tree_read(&d, d.conf, CONF_MAX, "%s", d.conf_file);
		ret = doctor_look(&d);
	}
	if (ret == 0)
		ret = ctl->json ? render_json(stdout, &form, &a) : print(&a);
	if (ret < 0)
		fprintf(stderr, "penstockctl: doctor: %s\n", strerror(-ret));
	answer_fini(&a);
	free(d.conf);
	return ret < 0 || d.worst == DOCTOR_FAIL ? CTL_REFUSED : CTL_OK;
}
