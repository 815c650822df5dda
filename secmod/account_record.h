// What an Accounting-Request (RFC 2866, 2869) says of a session. Pure: no I/O, no clock, no allocation. Whoever sends it
// (account_radius.c, ledger.c) owns what is made here.
#pragma once
#include <stdint.h>

#include "secmod/account.h"
#include "secmod/radius_config.h"
#include "secmod/radius_packet.h"

enum account_status { ACCOUNT_START = 1, ACCOUNT_STOP = 2, ACCOUNT_INTERIM = 3, ACCOUNT_ON = 7, ACCOUNT_OFF = 8 };

// now: seconds since 1970, for Event-Timestamp.
void account_record(struct radius_attributes *out, const struct account *acc, const struct radius_config *nas,
                    enum account_status status, uint32_t now);
// Of the gateway itself: ACCOUNT_ON, ACCOUNT_OFF.
void account_record_of_all(struct radius_attributes *out, const struct radius_config *nas, enum account_status status,
                           uint32_t now);
// How long a record that is sent now has waited.
void account_record_delay(struct radius_attributes *out, uint32_t seconds);
