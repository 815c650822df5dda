#include "control/main/view.h"

#include <stdio.h>

#include "control/main/session.h"
#include "control/main/supervise.h"

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
	char text[128], ago[32];

	if (!a)
		return;
	snprintf(text, sizeof(text), "%s (%u, %s ago)", m->name, m->times, ago_text(m->ago_ms, ago));
	report_item(&a->report, "Last drops", text);
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
	}
	admin_end(a, true, "%s", "");
}
