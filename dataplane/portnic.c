#include "portnic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#define GROUP_ROOM 32
#define DRIVER_ROOM 64
// Seconds without a link, before the operator is told: some take three to find their speed.
#define LINK_PATIENCE 5

// ------------------------------------------------------------------------------------------------------------------ check

struct check {
	const char *root, *option, *word;
	char device[PCI_PRI_STR_SIZE];
	char *why;
};

// The last word of a symbolic link of the device's: a driver's name, a group's number; "" for none.
static void link_read(const struct check *c, const char *device, const char *what, char *out, size_t room)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "%s" PCI_DEVICES "/%s/%s", c->root, device, what);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	name = strrchr(target, '/');
	snprintf(out, room, "%.*s", (int)room - 1, name ? name + 1 : "");
}

static int check_driver(const struct check *c, const char *driver)
{
	if (strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0)
		return 0;
	return START_ERROR(c->why, EBUSY, "%s = %s: the device is bound to %s, not to vfio-pci: driverctl set-override %s vfio-pci",
	                   c->option, c->word, driver[0] ? driver : "no driver", c->device);
}

// What the IOMMU cannot tell apart is handed out together: nobody else may have a part of it.
static int check_neighbour(const struct check *c, const char *device)
{
	char driver[DRIVER_ROOM];

	link_read(c, device, "driver", driver, sizeof(driver));
	if (!driver[0] || strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "pcieport") == 0 || strcmp(driver, "pci-stub") == 0)
		return 0;
	return START_ERROR(c->why, EBUSY,
	                   "%s = %s: %s, in the same IOMMU group, is bound to %s: driverctl set-override %s vfio-pci, or "
	                   "another slot",
	                   c->option, c->word, device, driver, device);
}

static int check_neighbours(const struct check *c)
{
	char path[PATH_MAX];
	struct dirent *e;
	int ret = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s" PCI_DEVICES "/%s/iommu_group/devices", c->root, c->device);
	d = opendir(path);
	while (d && ret == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			ret = check_neighbour(c, e->d_name);
	if (d)
		closedir(d);
	return ret;
}

// A group has one user at a time. One that the kernel made up, because there is no IOMMU, has another name.
static int check_free(const struct check *c, const char *group)
{
	char path[PATH_MAX], made_up[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/dev/vfio/%s", c->root, group);
	snprintf(made_up, sizeof(made_up), "%s/dev/vfio/noiommu-%s", c->root, group);
	fd = open(access(made_up, F_OK) == 0 ? made_up : path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	ret = errno;
	return START_ERROR(c->why, ret, "%s = %s: %s: %s", c->option, c->word, path + strlen(c->root),
	                   ret == EBUSY ? "another process has it, a virtual machine or another DPDK program" : strerror(ret));
}

static int check_iommu(const struct check *c)
{
	char group[GROUP_ROOM];
	int ret;

	link_read(c, c->device, "iommu_group", group, sizeof(group));
	if (!group[0])
		return START_ERROR(c->why, ENODEV,
		                   "%s = %s: the device is behind no IOMMU: intel_iommu=on or amd_iommu=on on the kernel's command "
		                   "line, and VT-d or AMD-Vi in the firmware",
		                   c->option, c->word);
	ret = check_neighbours(c);
	return ret < 0 ? ret : check_free(c, group);
}

int portnic_check(const char *root, const char *option, const char *word, char *why)
{
	struct check c = { .root = root, .option = option, .word = word, .why = why };
	char name[64], path[PATH_MAX], driver[DRIVER_ROOM];
	struct rte_pci_addr addr;
	int ret;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, ","), word);
	if (rte_pci_addr_parse(name, &addr) < 0)
		return START_ERROR(why, EINVAL, "%s = %s: that is no PCI address", option, word);
	rte_pci_device_name(&addr, c.device, sizeof(c.device));
	snprintf(path, sizeof(path), "%s" PCI_DEVICES "/%s", root, c.device);
	if (access(path, F_OK) < 0)
		return START_ERROR(why, ENODEV, "%s = %s: there is no such PCI device (lspci -D lists them)", option, word);
	link_read(&c, c.device, "driver", driver, sizeof(driver));
	ret = check_driver(&c, driver);
	return ret < 0 || strcmp(driver, "vfio-pci") != 0 ? ret : check_iommu(&c);
}

// ---------------------------------------------------------------------------------------------------------------- running

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

// One that has never had a link.
static void miss_link(struct port *nic)
{
	if (nic->waited == LINK_PATIENCE)
		return;
	if (++nic->waited == LINK_PATIENCE)
		log_warn("%s: no link: is the cable plugged in, and is the other side up?", nic->name);
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
		if (up == nic->up) {
			miss_link(nic);
			continue;
		}
		nic->up = up;
		nic->waited = LINK_PATIENCE;
		log_notice("%s: the link is %s", nic->name, up ? "up" : "down");
		carrier_set(nic->beside, up);
	}
}
