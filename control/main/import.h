// `penstockd --import`: what of an ocserv configuration is supported, translated or refused, line by line, with the files of users
// and groups that it names; and the same configuration with its lines as they are written here. Reads only what it is given, and
// writes nothing but that.
#pragma once

// The report on stdout. output: where to write the configuration (a new file), or NULL. The exit status: 0; 1 where a line was
// refused or something is missing; 2 where a file could not be read or written.
int import_run(const char *file, const char *output);
