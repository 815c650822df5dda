#include "control/ctl/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"

#define MARGIN 4 // modules, as the standard wants them
#define HALF 3   // bytes of a half block in UTF-8
#define ON "\x1b[40;97m"
#define OFF "\x1b[0m"

static bool is_light(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return true;
	return (code->data[y * code->width + x] & 1) == 0;
}

static char *draw_row(const QRcode *code, int y, char *at)
{
	for (int x = -MARGIN; x < code->width + MARGIN; x++) {
		bool up = is_light(code, x, y), down = is_light(code, x, y + 1);

		at = stpcpy(at, up && down ? "\u2588" : up ? "\u2580" : down ? "\u2584" : " ");
	}
	return at;
}

char *qr_text(const char *data, int colour)
{
	QRcode *code = QRcode_encodeString8bit(data, 0, QR_ECLEVEL_L);
	size_t side, row;
	char *text, *at;

	if (code == NULL)
		return NULL;
	side = code->width + 2 * MARGIN;
	row = side * HALF + strlen(ON OFF "\n");
	text = at = malloc((side / 2 + 1) * row + 1);
	for (int y = -MARGIN; text != NULL && y < code->width + MARGIN; y += 2) {
		at = stpcpy(at, colour ? ON : "");
		at = draw_row(code, y, at);
		at = stpcpy(at, colour ? OFF "\n" : "\n");
	}
	secret_wipe(code->data, (size_t)code->width * code->width);
	QRcode_free(code);
	return text;
}
