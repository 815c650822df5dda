// Values of options, and words of the operator, that have a form of their own: the first byte says which. What is taken of them is
// in range.
#include <stdlib.h>
#include <string.h>

#include "control/main/limit.h"
#include "control/main/netlist.h"
#include "control/main/nic.h"
#include "control/main/packing.h"
#include "control/main/ports.h"
#include "proto/kdcspec.h"
#include "proto/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int truth)
{
	if (!truth)
		abort();
}

static void read_ports(const char *text)
{
	static struct port_rules r, again;
	char print[PORTS_TEXT];
	const char *wrong;

	if (ports_parse(text, &r, &wrong) < 0) {
		need(!wrong || (wrong >= text && wrong <= text + strlen(text)));
		return;
	}
	need(r.n <= LIMIT_PORTS);
	ports_print(&r, print);
	need(ports_parse(print, &again, &wrong) == 0 && again.n == r.n && again.but == r.but);
}

static void read_network(const char *text)
{
	struct addr a = { 0 };

	if (netlist_parse(text, &a) == 0)
		need(a.family == 0 || a.family == 4 || a.family == 6);
}

static void read_address(const char *text)
{
	char interface[NIC_INTERFACE];
	struct addr a;

	if (nic_address_parse(text, interface, &a) == 0)
		need(interface[0] && strlen(interface) < NIC_INTERFACE && a.family);
}

static void read_route(const char *text)
{
	char interface[NIC_INTERFACE];
	struct nic_route r;

	if (nic_route_parse(text, interface, &r) == 0)
		need(interface[0] && strlen(interface) < NIC_INTERFACE &&
		     (r.to.family == 0 || r.via.family == 0 || r.to.family == r.via.family));
}

static void read_packing(const char *text)
{
	struct packing p = { 0 };

	if (packing_parse(text, &p) == 0)
		need(packing_choose(&p, 0) == COMPRESS_NONE);
}

static void read_kdc(const char *text)
{
	struct kdcspec k;

	if (!kdcspec_parse(text, &k))
		need(k.path[0] == '/' && k.realm[0] && k.host[0] && k.port[0]);
}

static void read_limit(const char *text)
{
	struct msg_session_change m = { 0 };

	need(limit_take(&m, text) == (m.what != 0));
	need(m.rx_rate <= LIMIT_RATE && m.tx_rate <= LIMIT_RATE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const char *text) = { read_ports,   read_network, read_address, read_route,
		                                             read_packing, read_kdc,     read_limit };
	char text[1200];

	if (size < 1 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	readers[data[0] % (sizeof(readers) / sizeof(*readers))](text);
	return 0;
}
