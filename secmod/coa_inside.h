// What coa.c and coa_config.c share.
#pragma once
#include "proto/addr.h"
#include "secmod/coa.h"
#include "secmod/radius_config.h"

#define COA_CLIENTS_MAX 64
#define COA_NAS_MAX 16
#define RADIUS_CONFIG_DEFAULT "/etc/radcli/radiusclient.conf"

struct coa_client {
	struct addr network;
	char name[RADIUS_SERVER_NAME_MAX + 1]; // of a RADIUS server, in the place of a network: it is where that is; "": none
	char secret[RADIUS_SECRET_MAX + 1];
};

struct coa_config {
	struct addr listen;
	uint32_t window; // seconds that a request may be old, or ahead; 0: it needs no Event-Timestamp
	struct coa_client client[COA_CLIENTS_MAX];
	unsigned n_clients;
	struct {
		struct addr ip;
		char identifier[RADIUS_WORD_MAX + 1];
	} nas[COA_NAS_MAX]; // who we are to servers
	unsigned n_nas;
};

int coa_address_parse(const char *text, struct addr *out); // 0 or -EINVAL
