// The doctor on NICs: those that are the dataplane's own, their drivers, IOMMU and NUMA node; the MTU of those that are the
// kernel's.
#include <ctype.h>
#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_tree.h"

#define PCI_TEXT 16
#define MTU_ORDINARY 1500

// "0000:01:00.0", with more behind a comma or nothing.
static bool is_pci(const char *text, char out[PCI_TEXT])
{
	static const char shape[] = "xxxx:xx:xx.x";
	size_t i;

	for (i = 0; shape[i]; i++)
		if (shape[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != shape[i])
			return false;
	snprintf(out, PCI_TEXT, "%.12s", text);
	return !text[i] || text[i] == ',';
}

// ---------------------------------------------------------------------------------------------------------------- of ours

static void say_driver(struct doctor *d, const char *pci)
{
	static const char *const drivers[] = { "vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core" };
	char driver[64], fix[128];

	snprintf(fix, sizeof(fix), "driverctl set-override %s vfio-pci", pci);
	if (!tree_link(d, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", pci)) {
		doctor_say(d, DOCTOR_FAIL, fix, "%s has no driver", pci);
		return;
	}
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (strcmp(driver, drivers[i]) == 0) {
			doctor_say(d, DOCTOR_OK, "", "%s has the driver %s", pci, driver);
			return;
		}
	doctor_say(d, DOCTOR_FAIL, fix, "%s is the kernel's: its driver is %s", pci, driver);
}

static bool is_installed(const struct doctor *d, const char *driver)
{
	char pattern[PATH_MAX];
	glob_t found;
	bool yes;

	snprintf(pattern, sizeof(pattern), "%s/usr/lib/*/dpdk/pmds-*/librte_net_%s.so.*", d->root, driver);
	yes = glob(pattern, 0, NULL, &found) == 0;
	globfree(&found);
	return yes;
}

// Which of a vendor's drivers a card takes only DPDK knows; without any of them it has none.
static void say_dpdk_driver(struct doctor *d, const char *pci)
{
	static const struct {
		const char *vendor;
		const char *drivers[6];
		const char *fix;
	} known[] = {
		{ "0x8086",
		  { "ixgbe", "i40e", "ice", "iavf", "e1000" },
		  "apt install librte-net-ixgbe23, librte-net-i40e23, librte-net-ice23 or librte-net-e1000-23" },
		{ "0x15b3", { "mlx5" }, "apt install librte-net-mlx5-23" },
		{ "0x14e4", { "bnxt" }, "apt install librte-net-bnxt23" },
		{ "0x1af4", { "virtio" }, "apt install librte-net-virtio23" },
		{ "0x15ad", { "vmxnet3" }, "apt install librte-net-vmxnet3-23" },
		{ "0x1d0f", { "ena" }, "apt install librte-net-ena23" },
	};
	char vendor[16];

	if (!tree_read(d, vendor, sizeof(vendor), "/sys/bus/pci/devices/%s/vendor", pci))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		bool any = false;

		if (strcmp(vendor, known[i].vendor) != 0)
			continue;
		for (const char *const *name = known[i].drivers; *name; name++)
			any = any || is_installed(d, *name);
		if (!any)
			doctor_say(d, DOCTOR_FAIL, known[i].fix, "%s: no driver of DPDK's for cards of its vendor is installed",
			           pci);
	}
}

// VFIO hands out groups as wholes.
static void say_neighbours(struct doctor *d, const char *pci)
{
	char path[PATH_MAX], driver[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/iommu_group/devices", d->root, pci);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, pci) == 0 ||
		    !tree_link(d, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", e->d_name))
			continue;
		if (strcmp(driver, "vfio-pci") != 0 && strcmp(driver, "pcieport") != 0)
			doctor_say(d, DOCTOR_FAIL, "give that one to vfio-pci as well, or put the card into another slot",
			           "%s is in one IOMMU group with %s, whose driver is %s", pci, e->d_name, driver);
	}
	if (dir)
		closedir(dir);
}

static void say_iommu(struct doctor *d, const char *pci)
{
	char unsafe[8], driver[64];

	if (tree_link(d, driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", pci) && strcmp(driver, "vfio-pci") != 0)
		return;
	if (tree_has(d, "/sys/bus/pci/devices/%s/iommu_group", pci)) {
		doctor_say(d, DOCTOR_OK, "", "%s is behind an IOMMU", pci);
		say_neighbours(d, pci);
	} else if (tree_read(d, unsafe, sizeof(unsafe), "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") &&
	           unsafe[0] == 'Y') {
		doctor_say(d, DOCTOR_WARN,
		           "switch the IOMMU on (VT-d, AMD-Vi) in the firmware, and intel_iommu=on on the kernel's command line",
		           "%s is behind no IOMMU: the card may write anywhere in memory", pci);
	} else {
		doctor_say(d, DOCTOR_FAIL,
		           "VT-d or AMD-Vi in the firmware and intel_iommu=on iommu=pt on the kernel's command line; without one, "
		           "vfio's enable_unsafe_noiommu_mode",
		           "%s is behind no IOMMU, and VFIO takes only those that are", pci);
	}
}

static void say_node(struct doctor *d, const char *pci)
{
	long long node = tree_number(d, "/sys/bus/pci/devices/%s/numa_node", pci);

	for (unsigned i = 0; node >= 0 && i < DOCTOR_CPUS; i++)
		if (d->poll[i] && tree_has(d, "/sys/devices/system/cpu/cpu%u", i) &&
		    !tree_has(d, "/sys/devices/system/cpu/cpu%u/node%lld", i, node)) {
			doctor_say(d, DOCTOR_WARN, "name CPUs of that node in poll-core (lscpu lists them)",
			           "%s is on NUMA node %lld, and CPU %u, which polls, is not", pci, node, i);
			return;
		}
}

static unsigned say_nics(struct doctor *d, const char *option)
{
	char value[256], pci[PCI_TEXT];
	unsigned found = 0;

	for (unsigned n = 0; conf_nth(d->conf, option, n, value, sizeof(value)); n++) {
		if (!is_pci(value, pci))
			continue;
		found++;
		if (!tree_has(d, "/sys/bus/pci/devices/%s", pci)) {
			doctor_say(d, DOCTOR_FAIL, "lspci -D lists those that are there", "%s = %s: there is no such device",
			           option, pci);
			continue;
		}
		say_driver(d, pci);
		say_dpdk_driver(d, pci);
		say_iommu(d, pci);
		say_node(d, pci);
	}
	return found;
}

void doctor_nics(struct doctor *d)
{
	if (say_nics(d, "outer") + say_nics(d, "inner") == 0)
		doctor_say(d, DOCTOR_OK, "", "the configuration names none by its PCI address: the kernel keeps all");
}

// --------------------------------------------------------------------------------------------------------------- kernel's

static void say_mtu(struct doctor *d, const char *interface)
{
	long long mtu = tree_number(d, "/sys/class/net/%s/mtu", interface);

	if (mtu < 0)
		doctor_say(d, DOCTOR_FAIL, "ip link lists those that are there", "%s: there is no such interface", interface);
	else if (mtu < MTU_ORDINARY)
		doctor_say(d, DOCTOR_WARN,
		           "ip link set dev INTERFACE mtu 1500 where its network allows that; else mtu in the configuration",
		           "%s has an MTU of %lld: tunnels have less", interface, mtu);
	else
		doctor_say(d, DOCTOR_OK, "", "%s has an MTU of %lld", interface, mtu);
}

// Interfaces with the kernel's default route, each once.
static void say_default_routes(struct doctor *d)
{
	char text[65536], seen[IFNAMSIZ] = "", *line, *save;

	if (!tree_read(d, text, sizeof(text), "/proc/net/route"))
		return;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char interface[IFNAMSIZ], destination[16];

		if (sscanf(line, "%15s %15s", interface, destination) != 2 || strcmp(destination, "00000000") != 0 ||
		    strcmp(interface, seen) == 0)
			continue;
		say_mtu(d, interface);
		snprintf(seen, sizeof(seen), "%s", interface);
	}
}

void doctor_mtu(struct doctor *d)
{
	char value[256], pci[PCI_TEXT];
	bool kernel = !conf_nth(d->conf, "outer", 0, value, sizeof(value));

	for (unsigned n = 0; conf_nth(d->conf, "outer", n, value, sizeof(value)); n++) {
		if (strcmp(value, "auto") == 0 || strcmp(value, "udp") == 0)
			kernel = true;
		else if (!is_pci(value, pci) && strlen(value) < IFNAMSIZ && !strchr(value, ','))
			say_mtu(d, value);
	}
	if (kernel)
		say_default_routes(d);
}
