// Deeds at random: what clients in the field do, all at once, and again the same for the same seed (but for the time that it
// takes).
#include "swarm.h"

#define LARGEST 1300

static double until, paid;
static uint64_t state;

// splitmix64
uint32_t churn_random(uint32_t below)
{
	uint64_t z;

	if (state == 0)
		state = wish.seed;
	z = state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return below ? (uint32_t)((z ^ (z >> 31)) % below) : 0;
}

static void packets(struct client *c)
{
	unsigned n = 1 + churn_random(20);

	while (n-- > 0)
		tunnel_echo(c, churn_random(LARGEST));
}

static void probe(struct client *c)
{
	dtls_send(c, DPD_REQUEST, NULL, 0);
	tunnel_send_cstp(c, DPD_REQUEST, NULL, 0);
}

// A NAT has forgotten it: the next packet comes from another port. In the middle of a handshake nobody could say whose it is.
static void rebind(struct client *c)
{
	if (c->channel != CHANNEL_UP)
		return;
	c->udp_socket = (uint8_t)((c->udp_socket + 1) % UDP_SOCKETS);
	tunnel_echo(c, 0);
}

// Another network: all that it had is lost, and it comes from elsewhere.
static void roam(struct client *c)
{
	client_break(c, false);
	c->moves++;
}

static void cut(struct client *c)
{
	client_break(c, churn_random(2));
}

static void handshake(struct client *c)
{
	if (!wish.no_dtls)
		dtls_begin(c);
}

// A network that lets no UDP through, or lets it through again.
static void udp(struct client *c)
{
	c->silent = !c->silent;
	if (c->silent)
		dtls_end(c);
	else
		handshake(c);
	packets(c);
}

static void goodbye(struct client *c)
{
	client_goodbye(c);
}

static void login(struct client *c)
{
	c->wanted = true;
}

static void impostor(struct client *c)
{
	c->wanted = c->impostor = true;
}

// But not while it waits for its cookie: nobody would ever come with that, and only time would end its session.
static void break_off(struct client *c)
{
	if (c->stage != STAGE_PASSWORD)
		cut(c);
}

// Weights: of those who are up, on their way, down.
static const struct {
	const char *name;
	void (*do_it)(struct client *c);
	unsigned up, under_way, down;
} deeds[] = {
	{ "packets", packets, 40, 0, 0 },
	{ "probe", probe, 10, 0, 0 },
	{ "rebind", rebind, 10, 0, 0 },
	{ "roam", roam, 5, 0, 0 },
	{ "cut", cut, 5, 0, 0 },
	{ "handshake", handshake, 10, 0, 0 },
	{ "udp", udp, 5, 0, 0 },
	{ "goodbye", goodbye, 10, 0, 0 },
	{ "login", login, 0, 0, 9 },
	{ "impostor", impostor, 0, 0, 3 },
	{ "break_off", break_off, 0, 1, 0 },
};
#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

const char *const churn_names[] = { "packets", "probe",   "rebind", "roam",     "cut",       "handshake",
	                            "udp",     "goodbye", "login",  "impostor", "break_off", NULL };

static unsigned weight(const struct client *c, unsigned deed)
{
	if (c->stage == STAGE_UP)
		return deeds[deed].up;
	return c->wanted ? deeds[deed].under_way : deeds[deed].down;
}

static void one(struct client *c)
{
	unsigned i, sum = 0, at;

	for (i = 0; i < DEEDS; i++)
		sum += weight(c, i);
	at = churn_random(sum);
	for (i = 0; i < DEEDS - 1 && at >= weight(c, i); i++)
		at -= weight(c, i);
	counts.deeds[i]++;
	deeds[i].do_it(c);
}

void churn_begin(double seconds)
{
	until = now + seconds;
	paid = now;
}

bool churn_done(void)
{
	return now >= until;
}

void churn_tick(void)
{
	const double each = 1.0 / wish.deeds;

	if (churn_done())
		return;
	for (; paid + each <= now; paid += each)
		one(&swarm[churn_random(wish.clients)]);
}
