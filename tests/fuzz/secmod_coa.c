// Orders of authorization servers, as anybody's bytes: what is taken of them is in range and printable, and an order names a
// session.
#include <stdlib.h>
#include <string.h>

#include "proto/states.h"
#include "proto/utf8.h"
#include "secmod/coa_inside.h"
#include "secmod/coa_request.h"

#define NEED(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static void printable(const char *text, size_t room)
{
	size_t len = strnlen(text, room), n;

	NEED(len < room);
	for (size_t i = 0; i < len; i += n)
		NEED((n = utf8_printable((const uint8_t *)text + i, len - i)) > 0);
}

// coa-listen's and a client's address, as the operator writes them.
static void read_address(const uint8_t *data, size_t size)
{
	char text[ADDR_TEXT + 16];
	struct addr a;

	if (size >= sizeof(text))
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (coa_address_parse(text, &a) == 0)
		NEED(a.family == 4 || a.family == 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct radius_attributes repeat = { 0 };
	struct coa_request r;
	size_t len = size;

	read_address(data, size);
	if (radius_check(data, &len))
		return 0;
	NEED(len <= size);
	coa_request_repeat(data, len, &repeat);
	NEED(repeat.len <= sizeof(repeat.bytes));
	if (coa_request_read(data, len, &r) != COA_FINE)
		return 0;
	printable(r.acct_id, sizeof(r.acct_id));
	printable(r.user, sizeof(r.user));
	printable(r.caller, sizeof(r.caller));
	printable(r.nas_identifier, sizeof(r.nas_identifier));
	printable(r.filter, sizeof(r.filter));
	NEED(r.by_id || r.by_user || r.by_ipv4 || r.by_ipv6 || r.by_caller || r.by_port);
	NEED(r.disconnect ? r.what == 0 : r.what != 0 && r.what <= CHANGE_ALL);
	NEED(r.rx_rate <= LIMIT_RATE && r.tx_rate <= LIMIT_RATE);
	NEED(r.session_timeout <= INT32_MAX && r.idle_timeout <= INT32_MAX);
	return 0;
}
