#include "topview.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "render.h"
#include "text.h"
#include "top.h"

#define SECONDS 2 // counters of tunnels come once a second
#define SECONDS_MAX 3600
#define LINE_BYTES 1024

struct view {
	const struct ctl *ctl;
	const struct command *command;
	unsigned seconds, count; // count 0: until somebody leaves
	enum top_order by;
	bool paused;
	struct top before, now;
	char problem[LINE_BYTES]; // why there is nothing new
};

static volatile sig_atomic_t ended;

// -------------------------------------------------------------------------------------------------------------- arguments

static bool number_of(const char *word, const char *key, unsigned most, unsigned *out)
{
	size_t len = strlen(key);
	unsigned long n;
	char *end;

	if (strncmp(word, key, len) != 0 || word[len] < '0' || word[len] > '9')
		return false;
	n = strtoul(word + len, &end, 10);
	if (*end || n == 0 || n > most)
		return false;
	*out = (unsigned)n;
	return true;
}

static bool take_word(struct view *v, const char *word)
{
	if (strncmp(word, "by=", 3) == 0)
		return top_order_parse(word + 3, &v->by);
	return number_of(word, "seconds=", SECONDS_MAX, &v->seconds) || number_of(word, "count=", 1u << 30, &v->count);
}

// ------------------------------------------------------------------------------------------------------------------ looks

// The later look becomes the earlier one. 0 or -errno; what was there stays then.
static int look(struct view *v)
{
	struct top next;
	const char *why;
	int ret = top_look(v->ctl, &next, &why);

	if (ret < 0) {
		snprintf(v->problem, sizeof(v->problem), "%s", why);
		top_fini(&next);
		return ret;
	}
	v->problem[0] = '\0';
	top_fini(&v->before);
	v->before = v->now;
	v->now = next;
	return 0;
}

// ----------------------------------------------------------------------------------------------------------- no terminal

static int print_once(const struct view *v)
{
	const struct look plain = { .now = time(NULL) };
	struct answer a = { 0 };
	int ret = top_between(&v->before, &v->now, v->by, &a);

	if (ret == 0)
		ret = v->ctl->json ? render_json(stdout, v->command, &a) : render_text(stdout, v->command, &a, &plain);
	answer_fini(&a);
	return ret == 0 && fflush(stdout) == EOF ? -errno : ret;
}

static int run_plain(struct view *v)
{
	unsigned count = v->count ? v->count : 1;
	int ret = look(v);

	for (; ret == 0 && count > 0; count--) {
		sleep(v->seconds);
		ret = look(v);
		if (ret == 0)
			ret = print_once(v);
	}
	if (ret == 0)
		return CTL_OK;
	fputs("penstockctl: top: ", stderr);
	text_put(stderr, v->problem[0] ? v->problem : strerror(-ret));
	fputc('\n', stderr);
	return CTL_REFUSED;
}

// --------------------------------------------------------------------------------------------------------------- drawing

// As much of a line as the terminal is wide.
static void put_cut(const char *line, size_t width)
{
	char cut[LINE_BYTES];
	size_t n;

	snprintf(cut, sizeof(cut), "%s", line);
	for (n = strlen(cut); text_width(cut) > width && n > 0;) {
		while (n > 1 && ((unsigned char)cut[n - 1] & 0xc0) == 0x80) // the rest of a character
			n--;
		cut[--n] = '\0';
	}
	text_put(stdout, cut);
}

static void put_line(const char *line, size_t width, bool marked)
{
	fputs(marked ? "\033[7m" : "", stdout);
	put_cut(line, width);
	fputs(marked ? "\033[0m\033[K\r\n" : "\033[K\r\n", stdout);
}

static const struct cell *cell_of(const struct answer *a, const char *key)
{
	return answer_cell(a, 0, answer_record_end(a, 0), key);
}

static unsigned long long number(const struct answer *a, const char *key)
{
	const struct cell *c = cell_of(a, key);

	return c ? (unsigned long long)c->number : 0;
}

static const char *words(const struct answer *a, const char *key)
{
	const struct cell *c = cell_of(a, key);

	return c ? c->text : "";
}

// "0: 12.3%  1: 4.0%", or "drop_spoof 3  drop_mac 1": a section in a line.
static void put_section_line(const struct answer *a, const char *title, const char *section, const char *key, const char *value,
                             size_t width)
{
	char line[LINE_BYTES];
	size_t from, end, used = (size_t)snprintf(line, sizeof(line), "%s", title);

	for (from = 0; from < a->count && used < sizeof(line) - 100; from = end) {
		const struct cell *k, *v;

		end = answer_record_end(a, from);
		if (strcmp(a->cells[from].section, section) != 0)
			continue;
		k = answer_cell(a, from, end, key);
		v = answer_cell(a, from, end, value);
		if (k && v && k->text[0])
			used += (size_t)snprintf(line + used, sizeof(line) - used, "  %.60s %llu", k->text,
			                         (unsigned long long)v->number);
		else if (k && v)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "  %llu: %.20s", (unsigned long long)k->number,
			                         v->text);
	}
	put_line(line, width, false);
}

static void put_head(const struct view *v, const struct answer *a, size_t width)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line), "penstock %s, up %s   connected %llu   sessions %llu   banned %llu   logins failed %llu",
	         words(a, "Status"), words(a, "Up"), number(a, "Connected"), number(a, "Active sessions"),
	         number(a, "IPs in ban list"), number(a, "Authentication failures"));
	put_line(line, width, false);
	snprintf(line, sizeof(line), "from clients %s   to clients %s   packets %llu/s   dropped %llu/s", words(a, "From clients"),
	         words(a, "To clients"), number(a, "Packets in a second"), number(a, "Dropped a second"));
	put_line(line, width, false);
	put_section_line(a, "cores busy", "cores", "lcore", "busy", width);
	put_section_line(a, "drops/s", "drops", "counter", "packets/s", width);
	snprintf(line, sizeof(line), "every %u s, by %s%s   q leaves, s orders, + and - change the pace, p pauses", v->seconds,
	         top_order_name(v->by), v->paused ? ", paused" : "");
	put_line(v->problem[0] ? v->problem : line, width, false);
}

// The table of users, cut to what is left of the terminal.
static void put_users(const struct view *v, const struct answer *a, size_t width, size_t rows)
{
	const struct look plain = { .now = time(NULL) };
	char *table = NULL, *line, *rest;
	size_t room, n = 0;
	FILE *out = open_memstream(&table, &room);

	if (!out)
		return;
	render_section(out, v->command, a, "users", &plain);
	fclose(out);
	for (rest = table; (line = strsep(&rest, "\n")) && rest && n < rows; n++)
		put_line(line, width, n == 0);
	free(table);
}

static void draw(const struct view *v)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct answer a = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	fputs("\033[H", stdout);
	if (top_between(v->before.at_ms ? &v->before : &v->now, &v->now, v->by, &a) == 0) {
		put_head(v, &a, size.ws_col);
		put_users(v, &a, size.ws_col, size.ws_row > 7 ? size.ws_row - 6u : 1);
	}
	fputs("\033[J", stdout);
	fflush(stdout);
	answer_fini(&a);
}

// ---------------------------------------------------------------------------------------------------------------- terminal

static void on_signal(int number_of_signal)
{
	if (number_of_signal != SIGWINCH)
		ended = 1;
}

static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };

	ended = 0;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void leave_signals(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
}

// false: it is to end.
static bool take_key(struct view *v, char key)
{
	switch (key) {
	case 'q':
	case 'Q':
	case 3: // Ctrl-C
	case 4: // Ctrl-D
		return false;
	case 's':
		v->by = (v->by + 1) % TOP_ORDERS;
		break;
	case '+':
		v->seconds += v->seconds < SECONDS_MAX;
		break;
	case '-':
		v->seconds -= v->seconds > 1;
		break;
	case 'p':
		v->paused = !v->paused;
		break;
	}
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// Until the next look is due. false: it is to end.
static bool wait_for_keys(struct view *v, uint64_t due)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now;
	char key;

	for (now = now_ms(); now < due && !ended; now = now_ms()) {
		int n = poll(&in, 1, (int)(due - now));

		if (n < 0 && errno == EINTR)
			draw(v); // its size may be another
		if (n <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || !take_key(v, key))
			return false;
		draw(v);
	}
	return !ended;
}

static bool step(struct view *v)
{
	if (!v->paused)
		look(v); // it says why not
	draw(v);
	if (v->count && --v->count == 0)
		return false;
	// the first rates come soon
	return wait_for_keys(v, now_ms() + (v->before.at_ms ? v->seconds * 1000 : 1000));
}

static int run_terminal(struct view *v)
{
	struct termios old, raw;

	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return run_plain(v);
	raw = old;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	catch_signals();
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	fputs("\033[?1049h\033[?25l", stdout); // a screen of its own, without a cursor
	while (step(v))
		;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	leave_signals();
	return CTL_OK;
}

int topview_run(const struct ctl *ctl, const struct command *c, char *const *typed, int count)
{
	struct view v = { .ctl = ctl, .command = c, .seconds = SECONDS };
	int ret;

	for (int i = 0; i < count; i++)
		if (!take_word(&v, typed[i])) {
			fprintf(stderr,
			        "penstockctl: top: what is '%s'? There are seconds=N, count=N and by=traffic, rx, tx, total or "
			        "name\n",
			        typed[i]);
			return CTL_USAGE;
		}
	ret = !ctl->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? run_terminal(&v) : run_plain(&v);
	top_fini(&v.before);
	top_fini(&v.now);
	return ret;
}
