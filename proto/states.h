// The states a channel's receiver can be in, and the words that messages carry.
// A handler moves its channel on with chan_enter(); what the table does not allow in a state is refused before any handler.
#pragma once
#include <stdint.h>

// Each set belongs to one kind of channel; the names say receiver and sender.
enum chan_state {
	ANY = ~0u,

	// main, of a worker
	MW_FRESH = 1u << 0,   // TLS and login; no cookie seen yet
	MW_OPENING = 1u << 1, // sec-mod and dataplane are being asked
	MW_UP = 1u << 2,      // has a session
	MW_CLOSING = 1u << 3, // told to go
	MW_PROXY = 1u << 25,  // a proxy's header has to come first

	// a worker, of main
	WM_IDLE = 1u << 4,
	WM_ASKED = 1u << 5, // AUTH_COOKIE_REQ is out
	WM_UP = 1u << 6,

	// sec-mod, of a worker
	SW_HELLO = 1u << 7,    // nothing signed yet
	SW_SIGNED = 1u << 8,   // its handshake is signed; a login may begin
	SW_BUSY = 1u << 9,     // a signature or an attempt is being computed: the worker has to wait
	SW_ASKED = 1u << 10,   // AUTH_ASK is out
	SW_DONE = 1u << 11,    // logged in, or out of tries
	SW_RESUMED = 1u << 18, // its TLS session may go on; as SW_SIGNED, and a whole handshake may yet follow

	// a worker, of sec-mod
	WS_QUIET = 1u << 12,
	WS_SIGNING = 1u << 13,
	WS_LOGIN = 1u << 14,
	WS_PROVING = 1u << 19,
	WS_RESUMING = 1u << 20,

	// the dataplane, of main
	DM_STARTING = 1u << 15,
	DM_READY = 1u << 16,

	CHAN_PLAIN = 1u << 17, // channels that know one state only

	// a worker, of sec-mod: KDC_REQ is out
	WS_KDC = 1u << 24,
	// likewise COOKIE_SHOW
	WS_SHOWING = 1u << 26,
};

enum end_reason {
	END_NONE,
	END_BY_USER,    // the client's own disconnect: voids the cookie
	END_TEMPORARY,  // the client went, its cookie stays for cookie-timeout
	END_BY_ADMIN,   // penstockctl disconnect: the client may come back with its cookie
	END_TERMINATED, // penstockctl terminate: the cookie is void
	END_REPLACED,   // the same cookie came on a newer connection
	END_IDLE,
	END_SESSION_TIMEOUT,
	END_AUTH_TIMEOUT,
	END_DEAD_PEER, // dead peer detection
	END_FROZEN,    // the client has stopped reading
	END_SHUTDOWN,  // the gateway stops
	END_QUOTA,     // its user has used up his quota
	END_EXPIRED,   // valid-until
	END_ERROR,     // a protocol violation; this and what follows count as errors
	END_WORKER,    // its worker died
	END_NURSERY,   // the process that its worker belonged to died
	END_DATAPLANE, // the process that had its tunnel died
	END_MAIN,      // the main process died while something was under way
	END_REASON_LAST = END_MAIN,
};

// What an operator hears of as it happens (penstockctl show events).
enum event_kind {
	EVENT_LOGIN,
	EVENT_LOGIN_FAILED,
	EVENT_CONNECT,
	EVENT_REFUSED, // a good cookie, and no session for it; or a bad one
	EVENT_DISCONNECT,
	EVENT_SESSION_END, // its cookie is void
	EVENT_BAN,
	EVENT_UNBAN,
	EVENT_STALL,   // a login that never ends
	EVENT_WORKER,  // one has died, or broken the rules
	EVENT_PROCESS, // one of the gateway's own has ended
	EVENT_GATEWAY, // it was reloaded, is full, in maintenance, upgraded or stops
	EVENT_LOST,    // so many were not told: who listens reads too slowly
	EVENT_LAST = EVENT_LOST,
};

// What logins stand on: a virtual host's way to log in, and what they wait for.
enum health_kind { HEALTH_METHOD, HEALTH_SERVER, HEALTH_POOL, HEALTH_WAY, HEALTH_KIND_LAST = HEALTH_WAY };

enum auth_outcome {
	AUTH_OK,
	AUTH_BAD,       // wrong password, unknown or locked user
	AUTH_ERROR,     // the method itself failed (module crashed, file unreadable)
	AUTH_ABANDONED, // the client went away and left no guess behind: it had answered nothing, or rightly
	AUTH_HUNG_UP,   // the client went away after an answer, and nobody knows what that was worth
	AUTH_REFUSED,   // a certificate that does not count: no guess
	AUTH_OUTCOME_LAST = AUTH_REFUSED,
};

// How a user shows who he is: by answers to questions, or by what his client has.
enum auth_kind { AUTH_PASSWORD, AUTH_CERTIFICATE, AUTH_NEGOTIATE, AUTH_BEARER, AUTH_KIND_LAST = AUTH_BEARER };

enum item_kind {
	ITEM_DNS,
	ITEM_NBNS,
	ITEM_SPLIT_DNS,
	ITEM_ROUTE,
	ITEM_NO_ROUTE,
	ITEM_DEFAULT_DOMAIN,
	ITEM_BANNER,
	ITEM_HOSTNAME,
	ITEM_PROXY_URL,
	ITEM_HEADER, // as it is to stand in the answer to CONNECT
	ITEM_KIND_LAST = ITEM_HEADER
};

// What a session's tunnel is to do, or not to do, beside the ordinary: one bit each.
enum tunnel_rule {
	RULE_DENY_ROAMING = 1 << 0, // its peer keeps its address
	RULE_COPY_DSCP = 1 << 1,    // the DSCP of a packet is that of its record
	RULE_TARGETS = 1 << 2,      // its client may send only to what TUNNEL_TARGET allows
	RULE_PORTS = 1 << 3,        // its client may use only what TUNNEL_PORT names
	RULE_PORTS_BUT = 1 << 4,    // all but what TUNNEL_PORT names
	RULE_CLAMP_MSS = 1 << 6,    // TCP's ends offer each other no larger segments than fit
	RULES_ALL = RULE_DENY_ROAMING | RULE_COPY_DSCP | RULE_TARGETS | RULE_PORTS | RULE_PORTS_BUT | RULE_CLAMP_MSS,
};

// What becomes of packets from one client to another: client-to-client, in the order of its words.
enum client_to_client { CLIENTS_KERNEL, CLIENTS_DIRECT, CLIENTS_DENY };

// What is changed of a session that is up: one bit each.
enum change_what {
	CHANGE_RX_RATE = 1 << 0,
	CHANGE_TX_RATE = 1 << 1,
	CHANGE_SESSION_TIMEOUT = 1 << 2,
	CHANGE_IDLE_TIMEOUT = 1 << 3,
	CHANGE_FILTER = 1 << 4, // where its client may send to
	CHANGE_ALL = (1 << 5) - 1,
};

enum change_result {
	CHANGE_DONE,
	CHANGE_NO_SESSION,
	CHANGE_NO_FILTER, // there is no group of that name that says anything
	CHANGE_BUSY,      // the change before is still under way
	CHANGE_FAILED,
	CHANGE_RESULT_LAST = CHANGE_FAILED,
};

enum tunnel_channel { CHANNEL_CSTP, CHANNEL_DTLS, CHANNEL_LAST = CHANNEL_DTLS };

// Why a tunnel is on the channel it is on.
enum channel_why {
	WHY_NO_DTLS,  // no handshake has come to an end yet
	WHY_KEYS,     // DTLS: new keys are in force
	WHY_HEARD,    // DTLS: UDP is heard again
	WHY_CLIENT,   // CSTP: the client sends its packets there
	WHY_SILENCE,  // CSTP: nothing over UDP for switch-to-tcp-timeout
	WHY_DEAD_UDP, // CSTP: dead peer detection has had no answer over UDP
	WHY_ALERT,    // CSTP: the client ended its DTLS
	WHY_REKEY,    // CSTP: its keys were old, new ones are on their way
	WHY_REFILL,   // CSTP: the dataplane that had its keys has died
	WHY_LAST = WHY_REFILL,
};

// How a client is to change keys: by a new connection, or within the one it has.
enum rekey_method { REKEY_NEW_TUNNEL, REKEY_SSL, REKEY_METHOD_LAST = REKEY_SSL };

// How a client's DTLS comes to its keys: a pre-shared key from the TLS session, or the master secret that the client has chosen,
// for the resumption of a session that never was.
enum dtls_kind {
	DTLS_KIND_NONE,
	DTLS_KIND_PSK,
	DTLS_KIND_RESUMED,
	DTLS_KIND_CBC, // likewise resumed, with AES-CBC-SHA: its records are the worker's
	DTLS_KIND_LAST = DTLS_KIND_CBC
};
// What of that a client can do: one bit each.
enum dtls_offer { DTLS_OFFER_PSK = 1, DTLS_OFFER_RESUMED = 2, DTLS_OFFER_CBC = 4, DTLS_OFFER_ALL = 7 };

// RFC 5288, RFC 7905. Key 16/32/32 bytes, IV 4/4/12 bytes.
enum aead_cipher { AEAD_NONE, AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_LAST = AEAD_CHACHA20_POLY1305 };

// Content encodings of the tunnel: LZ4's block format, and LZS (RFC 1974).
enum compressor { COMPRESS_NONE, COMPRESS_LZ4, COMPRESS_LZS, COMPRESS_LAST = COMPRESS_LZS };

// What a counter of the packet path tells (dataplane/counters.def).
enum counter_role { COUNTER_NOTE, COUNTER_DROP, COUNTER_IN, COUNTER_OUT, COUNTER_TAKEN, COUNTER_GIVEN, COUNTER_ROLES };

// Why an operator's look at a tunnel ended: one of its limits, the tunnel is gone, or too many look already.
enum watch_end { WATCH_PACKETS, WATCH_BYTES, WATCH_SECONDS, WATCH_GONE, WATCH_BUSY, WATCH_END_LAST = WATCH_BUSY };

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_BOOL, VALUE_LIST, VALUE_KIND_LAST = VALUE_LIST };
