// TCP's header (RFC 9293 3.1).
#pragma once

#define PROTOCOL_TCP 6
#define TCP_HEADER 20
#define TCP_CHECKSUM 16 // offset in it

// The byte that has the flags.
#define TCP_FLAGS 13
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_CWR 0x80
