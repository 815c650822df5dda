#include "portnic.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_pci.h>

#include "eal.h"
#include "proto/log.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

// The last word of a symbolic link: the driver's name; "" for none.
static void driver_of(const char *device, char *out, size_t room)
{
	char path[128], target[256];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", device);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	name = strrchr(target, '/');
	snprintf(out, room, "%.*s", (int)room - 1, name ? name + 1 : "");
}

static bool is_for_userspace(const char *driver)
{
	return strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0;
}

int portnic_check(const char *option, const char *word, char *why)
{
	char name[64], device[PCI_PRI_STR_SIZE], path[128], driver[64];
	struct rte_pci_addr addr;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, ","), word);
	if (rte_pci_addr_parse(name, &addr) < 0)
		return START_ERROR(why, EINVAL, "%s = %s: that is no PCI address", option, word);
	rte_pci_device_name(&addr, device, sizeof(device));
	snprintf(path, sizeof(path), PCI_DEVICES "/%s", device);
	if (access(path, F_OK) < 0)
		return START_ERROR(why, ENODEV, "%s = %s: there is no such PCI device (lspci -D lists them)", option, word);
	driver_of(device, driver, sizeof(driver));
	if (is_for_userspace(driver))
		return 0;
	return START_ERROR(why, EBUSY, "%s = %s: the device is bound to %s, not to vfio-pci: driverctl set-override %s vfio-pci",
	                   option, word, driver[0] ? driver : "no driver", device);
}

static void take_all(const struct port *nic, bool all)
{
	int ret = all ? rte_eth_promiscuous_enable(nic->id) : rte_eth_promiscuous_disable(nic->id);

	if (ret < 0)
		log_warn("%s: cannot switch promiscuous mode %s: %s", nic->name, all ? "on" : "off", strerror(-ret));
}

static void carrier_set(const struct port *tap, bool up)
{
	int on = up;

	if (ioctl(tap->carrier, TUNSETCARRIER, &on) < 0)
		log_warn("%s: its carrier cannot be switched %s", tap->interface, up ? "on" : "off");
}

void portnic_start(const struct port *nic)
{
	carrier_set(nic->beside, nic->up);
	// neighbour discovery, VRRP, routing daemons: the kernel knows which groups it is in
	if (rte_eth_allmulticast_enable(nic->id) < 0)
		take_all(nic, true);
}

void portnic_follow_kernel(struct port *nic, const struct rtnl_link *link)
{
	struct rte_ether_addr mac;
	bool all = link->promiscuity > 0;
	int ret;

	if (link->has_mac && memcmp(link->mac, nic->mac.addr_bytes, sizeof(link->mac)) != 0) {
		memcpy(mac.addr_bytes, link->mac, sizeof(link->mac));
		ret = rte_eth_dev_default_mac_addr_set(nic->id, &mac);
		if (ret == 0)
			log_notice("%s: takes the MAC address of %s", nic->name, nic->beside->interface);
		else
			log_warn("%s: cannot take the MAC address of %s: %s", nic->name, nic->beside->interface, strerror(-ret));
		nic->mac = mac;
		all = all || ret < 0;
	}
	if (all != (rte_eth_promiscuous_get(nic->id) == 1))
		take_all(nic, all);
}

void portnic_follow_links(struct ports *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct port *nic = &p->all[i];
		struct rte_eth_link link = { 0 };
		bool up;

		if (nic->kernel || !nic->beside || rte_eth_link_get_nowait(nic->id, &link) < 0)
			continue;
		up = link.link_status == RTE_ETH_LINK_UP;
		if (up == nic->up)
			continue;
		nic->up = up;
		log_notice("%s: the link is %s", nic->name, up ? "up" : "down");
		carrier_set(nic->beside, up);
	}
}
