#include "control/main/view.h"

#include <stdio.h>

#include "control/main/session.h"
#include "control/main/supervise.h"

// ------------------------------------------------------------------------------------------------------------ one tunnel

void view_ask(struct admin_client *a, const struct session *s)
{
	struct child *dataplane = a->g->dataplane;

	if (!s->tunnel) {
		admin_end(a, true, "%s", "");
	} else if (!dataplane || !dataplane->ready || dataplane->stuck) {
		report_text(&a->report, "Dataplane", "%s", dataplane && dataplane->stuck ? "does not answer" : "not running");
		admin_end(a, true, "%s", "");
	} else {
		admin_wait(a, MSG_TUNNEL_VIEW);
		LINK_SEND(&dataplane->link, TUNNEL_ASK, &(struct msg_tunnel_ask){ .token = a->token, .tunnel = s->tunnel->number });
	}
}

static const char *ago_text(uint64_t ms, char out[32])
{
	if (ms >= 60000)
		return report_duration(ms / 1000, out);
	snprintf(out, 32, "%.1fs", (double)ms / 1000);
	return out;
}

void view_drop(struct gateway *g, const struct msg_tunnel_drop *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_TUNNEL_VIEW);

	if (a && a->n_drops < ADMIN_DROPS_MAX)
		a->drops[a->n_drops++] = *m;
}

// A list for people, and the same as records.
static void report_drops(struct report *r, const struct msg_tunnel_drop *drops, unsigned n)
{
	char text[128], ago[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s (%u, %s ago)", drops[i].name, drops[i].times, ago_text(drops[i].ago_ms, ago));
		report_item(r, "Last drops", text);
	}
	if (!n)
		report_item(r, "Last drops", "");
	for (unsigned i = 0; i < n; i++) {
		report_begin(r, "raw_last_drops");
		report_text(r, "counter", "%s", drops[i].name);
		report_number(r, "times", drops[i].times, NULL);
		report_number(r, "raw_ago_ms", drops[i].ago_ms, NULL);
	}
}

static uint64_t rest(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

static void report_path(struct report *r, const struct msg_tunnel_view *m)
{
	char text[ADDR_TEXT];

	report_text(r, "Path peer", "%s", addr_text_port(&m->peer, text));
	report_text(r, "Path local", "%s", addr_text_port(&m->local, text));
	report_text(r, "Path port", "%s", m->port);
	report_text(r, "Path interface", "%s", m->interface);
	if (m->vlan)
		report_number(r, "Path VLAN", m->vlan & 0xfff, NULL);
}

static void report_keys(struct report *r, const struct msg_tunnel_view *m)
{
	uint64_t records = m->lost + rest(m->packets_in, m->cstp_packets_in);
	char ago[32];

	report_text(r, "UDP", "%s, heard %s ago%s", m->closed ? "ended by the client" : "alive", ago_text(m->heard_ms, ago),
	            m->handshaking ? ", a new handshake is under way" : "");
	report_number(r, "raw_udp_heard_ms", m->heard_ms, NULL);
	report_path(r, m);
	if (m->relayed)
		return;
	report_number(r, "Epoch", m->epoch, NULL);
	report_number(r, "Next record to send", m->sent, NULL);
	report_number(r, "Next record expected", m->seen, NULL);
	report_number(r, "Records lost", m->lost, "%llu (%.2f%%)", (unsigned long long)m->lost,
	              records ? 100.0 * (double)m->lost / (double)records : 0.0);
	report_number(r, "Records repeated", m->copies, NULL);
}

// Of this connection; those of the whole session stand before.
static void report_channels(struct report *r, const struct msg_tunnel_view *m)
{
	report_number(r, "RX packets over DTLS", rest(m->packets_in, m->cstp_packets_in), NULL);
	report_bytes(r, "RX over DTLS", rest(m->bytes_in, m->cstp_bytes_in));
	report_number(r, "TX packets over DTLS", rest(m->packets_out, m->cstp_packets_out), NULL);
	report_bytes(r, "TX over DTLS", rest(m->bytes_out, m->cstp_bytes_out));
	report_number(r, "RX packets over CSTP", m->cstp_packets_in, NULL);
	report_bytes(r, "RX over CSTP", m->cstp_bytes_in);
	report_number(r, "TX packets over CSTP", m->cstp_packets_out, NULL);
	report_bytes(r, "TX over CSTP", m->cstp_bytes_out);
	report_number(r, "Lost to a slow worker", m->lane_lost, NULL);
}

void view_told(struct gateway *g, const struct msg_tunnel_view *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_TUNNEL_VIEW);

	if (!a)
		return;
	if (m->up) {
		report_number(&a->report, "Core", m->core, NULL);
		report_number(&a->report, "CPU", m->cpu, NULL);
		if (m->cipher || m->relayed)
			report_keys(&a->report, m);
		else
			report_text(&a->report, "UDP", "%s", m->handshaking ? "a handshake is under way" : "no handshake yet");
		report_channels(&a->report, m);
		report_drops(&a->report, a->drops, a->n_drops);
	}
	admin_end(a, true, "%s", "");
}

// -------------------------------------------------------------------------------------------------------- the whole of it

// The answer that goes on with a record in this section; NULL: nobody waits for it.
static struct report *record(struct gateway *g, uint32_t token, const char *section)
{
	struct admin_client *a = admin_find(g, token, MSG_DATAPLANE_STATS_END);

	if (!a)
		return NULL;
	report_begin(&a->report, section);
	return &a->report;
}

void view_dp_port(struct gateway *g, const struct msg_dp_port *m)
{
	struct report *r = record(g, m->token, "ports");

	if (!r)
		return;
	report_text(r, "name", "%s", m->name);
	report_text(r, "role", "%s", m->role);
	report_text(r, "driver", "%s", m->driver);
	report_text(r, "interface", "%s", m->interface);
	report_bool(r, "up", m->up);
	if (m->gone)
		report_text(r, "note", "the interface has gone");
	report_text(r, "queues", "%u/%u", m->rx_queues, m->tx_queues);
	report_number(r, "raw_rx_queues", m->rx_queues, NULL);
	report_number(r, "raw_tx_queues", m->tx_queues, NULL);
	report_text(r, "offloads", "%s", m->offloads);
	report_number(r, "rx packets", m->rx_packets, NULL);
	report_number(r, "rx bytes", m->rx_bytes, NULL);
	report_number(r, "tx packets", m->tx_packets, NULL);
	report_number(r, "tx bytes", m->tx_bytes, NULL);
	report_number(r, "missed", m->rx_missed, NULL);
	report_number(r, "errors", m->errors, NULL);
}

void view_dp_core(struct gateway *g, const struct msg_dp_core *m)
{
	struct report *r = record(g, m->token, "cores");

	if (!r)
		return;
	report_number(r, "lcore", m->lcore, NULL);
	report_number(r, "cpu", m->cpu, NULL);
	report_text(r, "busy", "%u.%u%%", m->busy / 10u, m->busy % 10u);
	report_number(r, "raw_busy_permille", m->busy, NULL);
	report_text(r, "busy now", "%u.%u%%", m->busy_now / 10u, m->busy_now % 10u);
	report_number(r, "raw_busy_now_permille", m->busy_now, NULL);
	report_number(r, "raw_busy_us", m->busy_us, NULL);
	report_number(r, "cycles per packet", m->cycles_per_packet, NULL);
	report_number(r, "packets", m->packets, NULL);
	report_number(r, "sleeps", m->sleeps, NULL);
	report_number(r, "tunnels", m->tunnels, NULL);
}

void view_dp_pool(struct gateway *g, const struct msg_dp_pool *m)
{
	struct report *r = record(g, m->token, "pools");

	if (!r)
		return;
	report_text(r, "name", "%s", m->name);
	report_number(r, "total", m->total, NULL);
	report_number(r, "free", m->free, NULL);
}

void view_dp_ring(struct gateway *g, const struct msg_dp_ring *m)
{
	struct report *r = record(g, m->token, "rings");

	if (!r)
		return;
	report_text(r, "name", "%s", m->name);
	report_number(r, "room", m->room, NULL);
	report_number(r, "waiting", m->waiting, NULL);
	report_number(r, "most", m->most, NULL);
}

static const char *role_text(enum counter_role role)
{
	static const char *const texts[] = {
		[COUNTER_NOTE] = "note", [COUNTER_DROP] = "drop",   [COUNTER_IN] = "in",
		[COUNTER_OUT] = "out",   [COUNTER_TAKEN] = "taken", [COUNTER_GIVEN] = "given",
	};

	return texts[role];
}

void view_dp_counter(struct gateway *g, const struct msg_dp_counter *m)
{
	struct report *r = record(g, m->token, "counters");

	if (!r)
		return;
	if (m->thread[0])
		report_text(r, "thread", "%s", m->thread);
	report_text(r, "name", "%s", m->name);
	report_number(r, "value", m->value, NULL);
	report_text(r, "role", "%s", role_text(m->role));
	if (!m->thread[0])
		report_text(r, "meaning", "%s", m->help);
}

static uint64_t under_way(const struct msg_dataplane_stats_end *m)
{
	uint64_t gone = m->packets_out + m->dropped;

	return m->packets_in > gone ? m->packets_in - gone : 0;
}

void view_dp_end(struct gateway *g, const struct msg_dataplane_stats_end *m)
{
	struct report *r = record(g, m->token, "");

	if (!r)
		return;
	report_number(r, "tunnels", m->tunnels, NULL);
	report_number(r, "tunnels max", m->tunnels_max, NULL);
	report_number(r, "tunnels on DTLS", m->on_dtls, NULL);
	report_number(r, "packets in", m->packets_in, NULL);
	report_number(r, "packets out", m->packets_out, NULL);
	report_number(r, "packets dropped", m->dropped, NULL);
	report_number(r, "packets under way", under_way(m), NULL);
	report_number(r, "memory bytes", m->memory_bytes, NULL);
	report_text(r, "memory", "%s", m->memory);
	admin_end(admin_find(g, m->token, MSG_DATAPLANE_STATS_END), true, "%s", "");
}
