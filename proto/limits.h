// Every bound that two processes must agree on, each with its reason.
// Included by every room; holds nothing but numbers.
#pragma once

// One packet on a channel. Far below the kernel's default socket buffer (208 KiB), above the largest message.
#define LIMIT_MESSAGE 16384
#define LIMIT_FDS 3 // CONN_START carries the most: client, main channel, sec-mod channel

// What two processes agree on beside messages.def: the packets of a lane (lane.h), the snapshot, the meaning of a message's fields.
// Raised by who changes it: a main of another generation does not take over children that run (control/main/handover.h).
#define PARTS_GENERATION 1

// Names, as ocserv bounds them (its MAX_USERNAME_SIZE is 64; domains make longer ones real).
#define LIMIT_USER 128
#define LIMIT_GROUP 128
#define LIMIT_PASSWORD 256
#define LIMIT_GROUPS 256      // that a login form offers: nobody picks from more
#define LIMIT_GROUP_LIST 8192 // the names of those that a method knows, with commas between
#define LIMIT_PROMPT 512
#define LIMIT_HOSTNAME 128
#define LIMIT_USER_AGENT 256
#define LIMIT_VHOST 253 // a DNS name (RFC 1035 2.3.4)
#define LIMIT_DEVICE 64 // X-AnyConnect-Identifier-DeviceType, -Platform
// A cipher description: "(TLS1.3)-(ECDHE-SECP256R1)-(ECDSA-SECP384R1-SHA384)-(CHACHA20-POLY1305)" is the longest.
#define LIMIT_CIPHER 96
#define LIMIT_BANNER 256 // ocserv: banner is at most 256
#define LIMIT_TEXT 1024  // a configuration value, a log text, a table cell

// Identity.
#define COOKIE_SIZE 32 // 256 random bits
#define SID_SIZE 32    // SHA-256 of the cookie: names a session without being able to open it
#define APP_ID_SIZE 32 // travels as the DTLS ClientHello's session id

// Signatures. The largest is RSA-8192 (1024 bytes).
#define LIMIT_SIGNATURE 1024
// TLS 1.2 ServerKeyExchange: 64 bytes of randoms and an ECDHE point; TLS 1.3: 64 + 33 + 1 + 48 bytes.
#define LIMIT_TBS 512
#define LIMIT_SERVER_KEYS 8  // of one virtual host
#define LIMIT_KEY_THREADS 16 // sec-mod-scale: one for 500 clients is ocserv's rule, and 8192 clients the default

// Virtual hosts, the default one among them: each costs every process keys and contexts, and they are numbered in messages.
#define LIMIT_VHOSTS 64

// A client's certificate is proven by the handshake's messages, which hold its chain and ours: many have 4 KB, and the names of
// the authorities that we take.
#define LIMIT_TRANSCRIPT 32768
#define LIMIT_CERT_PART 8192
#define LIMIT_CERT_PARTS 4

// TLS resumption. An OpenSSL session without certificates has some 200 bytes, and a server name of up to 255.
#define LIMIT_RESUME_ID 32 // RFC 5246 7.4.1.3; OpenSSL's stateful tickets are as long
#define LIMIT_RESUME_STATE 1024
#define LIMIT_RESUME_STORES 2  // tickets of one connection
#define LIMIT_RESUME_FETCHES 4 // what one ClientHello may offer

// DTLS.
#define LIMIT_DATAGRAM 2048 // a handshake datagram; openconnect's stay below the path MTU
#define DTLS_MASTER_SIZE 48 // RFC 5246 8.1
#define LIMIT_MTU_CBC 1900  // its records have to fit into LIMIT_DATAGRAM: 16 + 20 + 16 bytes around a packet, headers
#define LIMIT_AEAD_KEY 32
#define LIMIT_AEAD_IV 12
#define DTLS_SEQUENCE_MAX ((1ULL << 48) - 1) // RFC 6347 4.1
// The last numbers under any keys are never the dataplane's: its worker seals farewells with them, one each, before it hands the
// keys over. That is what leads a client to new keys when the dataplane has died, and with it the knowledge of which numbers it had
// used.
#define DTLS_FAREWELLS 4
#define DTLS_SEQUENCE_LAST (DTLS_SEQUENCE_MAX - DTLS_FAREWELLS) // the dataplane's last one
#define LIMIT_FAREWELL 39                                       // a record header, an explicit nonce, an alert and a tag
#define FAREWELLS_A_LANE 2                                      // one may be lost; the others are for the next dataplane that dies

// The tunnel's MTU (wire protocol: at least 800, 1280 with IPv6).
#define LIMIT_MTU_MIN 576
#define LIMIT_MTU_MAX 9000
// Tunnels above this MTU need jumbo frames outside, and larger buffers: headers, record and the ring's own header come on top.
#define LIMIT_MTU_PLAIN 1800
#define LIMIT_PACKET (LIMIT_MTU_MAX + 64)

#define ENCODING_SETS 7 // sets of enum compressor: a bit for each, and the lowest for none of them

// What an operator sees of one tunnel's packets.
#define LIMIT_SNAP 2048 // bytes of a packet, outside and inside each; longer ones are cut
#define LIMIT_WATCH_PACKETS 1000000
#define LIMIT_WATCH_SECONDS 3600

#define LIMIT_TUNNELS 1048576
#define LIMIT_ITEMS 2048        // routes, DNS servers, domains of one session
#define LIMIT_NETWORKS 256      // behind one client
#define LIMIT_PORTS 256         // ports of restrict-user-to-ports: more than its text has room for
#define LIMIT_RATE 125000000000 // bytes a second: what is faster than 1 Tbit/s is not limited
#define LIMIT_SERVICES 32       // DNS servers of a restricted client, and what the gateway itself has
#define LIMIT_LOGIN_TRIES 3     // ocserv: 3 password tries a connection
#define LIMIT_AUTH_ROUNDS 16    // ocserv: at most 16 challenges
#define LIMIT_WAYS 5            // to log in: what all lines of auth make together, and ocserv's four of enable-auth
#define LIMIT_TOKEN 12288       // a Kerberos ticket with a PAC, a JWT with its groups; base64 of it fits into HTTP's headers
#define LIMIT_REALM 255         // Kerberos
#define LIMIT_URL_PATH 255      // of a proxy's own
#define LIMIT_KDCS 8            // lines of kkdcp of one virtual host
#define LIMIT_KDC_USES 8        // of the proxy by one connection: kinit takes two, and a new one for each
#define LIMIT_KERBEROS 15360    // one message to a KDC or from it; what is larger has no room in a packet of ours
#define LIMIT_GRANTS 512        // settings that a login brings with it: as many routes and servers as RADIUS has room for
#define LIMIT_GRANT_KEY 48
#define LIMIT_ACCT_ID 16 // Acct-Session-Id: 64 random bits in hexadecimal digits
#define LIMIT_METHOD 32
#define HEALTH_NAME 64 // of what logins wait for
#define HEALTH_STATE 128

// Metrics.
#define LIMIT_METRICS 256
#define LIMIT_METRIC_PARTS 13  // buckets of a histogram, and its sum
#define LIMIT_METRIC_LABEL 255 // a virtual host's name is the longest

// HTTP (ocserv-features: 16 requests a connection, 16 KB of headers, 256 KB of body).
#define LIMIT_HTTP_REQUESTS 16
#define LIMIT_HTTP_HEADERS 16384
#define LIMIT_HTTP_BODY 262144
#define LIMIT_CAMOUFLAGE 255 // bytes of its secret; in a URL each may take three
#define LIMIT_QUERY (3 * LIMIT_CAMOUFLAGE)
#define LIMIT_INCLUDED 8192 // bytes of headers that an operator adds to answers: clients read no more than some
#define LIMIT_XML_DEPTH 16
#define LIMIT_FILE_NAME 255
#define LIMIT_PROFILE 65536 // user-profile: a quarter of what a worker holds back for a client that reads slowly

// A worker's memory before glibc says no; idle ones hold some 200 KB.
#define LIMIT_WORKER_MEMORY (64u << 20)

// All descriptors that penstock-metrics may have. What it needs itself (its channel, libevent, a place to listen at and the next
// one) leaves a dozen for clients.
#define LIMIT_METRICS_FILES 20
