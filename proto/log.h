// One line an event, to file descriptor 2, in one write(2). Bytes that are no printable ASCII or UTF-8 are escaped (\xNN), so
// that no peer can forge a line. Main puts a pipe behind its children's descriptor 2 when it logs to syslog.
#pragma once

// syslog's numbers.
enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

enum log_form {
	LOG_FORM_PLAIN,    // "penstockd[12]: text"
	LOG_FORM_PRIORITY, // "<6>penstockd[12]: text", as sd-daemon(3) and main's syslog pipe read it
};

// ident must stay valid. Lines above `level` are not printed.
void log_init(const char *ident, enum log_level level, enum log_form form);
void log_set_level(enum log_level level);
// A sink of main's own (syslog) instead of descriptor 2; NULL goes back.
void log_set_sink(void (*sink)(enum log_level level, const char *line));
// Prefixed to every later line of this process: "[17 192.0.2.1] "; "" for none.
void log_set_peer(const char *peer);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
