#include <errno.h>
#include <string.h>

#include "cstp.h"

static const uint8_t magic[4] = { 'S', 'T', 'F', 1 };

int cstp_parse(const uint8_t *record, size_t len, struct cstp_frame *out)
{
	if (len < CSTP_HEADER || memcmp(record, magic, sizeof(magic)) != 0 || record[7] != 0)
		return -EBADMSG;
	if ((size_t)(record[4] << 8 | record[5]) != len - CSTP_HEADER)
		return -EBADMSG;
	out->type = record[6];
	out->payload = record + CSTP_HEADER;
	out->len = len - CSTP_HEADER;
	return 0;
}

void cstp_header(uint8_t out[CSTP_HEADER], enum cstp_type type, size_t payload_len)
{
	memcpy(out, magic, sizeof(magic));
	out[4] = (uint8_t)(payload_len >> 8);
	out[5] = (uint8_t)payload_len;
	out[6] = (uint8_t)type;
	out[7] = 0;
}

enum end_reason cstp_goodbye(const struct cstp_frame *f)
{
	return f->len > 0 && f->payload[0] == 0xb0 ? END_BY_USER : END_TEMPORARY;
}
