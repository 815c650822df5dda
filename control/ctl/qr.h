// A QR code for a terminal: two modules a character, light ones drawn, so that it is read on a dark background.
#pragma once

// The text (malloc'd: the caller wipes and frees it), NULL and errno. colour: with escape sequences that make it dark on light
// whatever the terminal's colours are.
char *qr_text(const char *data, int colour);
