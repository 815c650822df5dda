// Whether a PCI device can be ours, by what a machine shows in /sys and /dev; and whoever asks is told what to do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/portnic.h"
#include "proto/limits.h"

#define DEVICES "/sys/bus/pci/devices"
#define GROUP "/sys/kernel/iommu_groups/7"
#define NIC "0000:03:00.0"
#define BRIDGE "0000:00:1c.0"
#define SOUND "0000:03:00.1"

static char root[] = "/tmp/penstock-portnic-XXXXXX";
static char why[LIMIT_TEXT + 1];

static const char *at(const char *path)
{
	static char whole[256];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return whole;
}

static void folder(const char *path)
{
	char part[128];

	for (const char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", end ? (int)(end - path) : (int)strlen(path), path);
		assert_true(mkdir(at(part), 0700) == 0 || errno == EEXIST);
		if (!end)
			return;
	}
}

static void points(const char *path, const char *target)
{
	unlink(at(path));
	assert_int_equal(symlink(target, at(path)), 0);
}

static void driven(const char *device, const char *driver)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), DEVICES "/%s/driver", device);
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	points(path, target);
}

static void in_group(const char *device)
{
	char path[128];

	snprintf(path, sizeof(path), GROUP "/devices/%s", device);
	folder(path);
	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group", device);
	points(path, "../../../../kernel/iommu_groups/7");
}

static void device_file(const char *path)
{
	FILE *f = fopen(at(path), "w");

	assert_non_null(f);
	fclose(f);
}

// A NIC under vfio-pci behind an IOMMU, with a bridge in its group: nothing is wrong with it.
static int machine_make(void **state)
{
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(root));
	folder(DEVICES "/" NIC);
	folder(DEVICES "/" BRIDGE);
	folder(DEVICES "/" SOUND);
	folder("/dev/vfio");
	driven(NIC, "vfio-pci");
	driven(BRIDGE, "pcieport");
	in_group(NIC);
	in_group(BRIDGE);
	device_file("/dev/vfio/7");
	return 0;
}

static int machine_remove(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

#define GOOD(word) assert_int_equal(portnic_check(root, "outer", word, why), 0)
#define REFUSED(word, error, text)                                                   \
	do {                                                                         \
		why[0] = 0;                                                          \
		assert_int_equal(portnic_check(root, "outer", word, why), -(error)); \
		assert_string_equal(why, "outer = " word ": " text);                 \
	} while (0)

static void one_that_can_be_ours(void **state)
{
	GOOD(NIC);
	GOOD("03:00.0");
	GOOD(NIC ",some=argument");
	in_group(SOUND); // has no driver
	GOOD(NIC);
}

static void what_is_no_device(void **state)
{
	REFUSED("0000:03", EINVAL, "that is no PCI address");
	REFUSED("0000:04:00.0", ENODEV, "there is no such PCI device (lspci -D lists them)");
}

static void another_driver_has_it(void **state)
{
	driven(NIC, "e1000e");
	REFUSED(NIC, EBUSY, "the device is bound to e1000e, not to vfio-pci: driverctl set-override " NIC " vfio-pci");
	unlink(at(DEVICES "/" NIC "/driver"));
	REFUSED("03:00.0", EBUSY, "the device is bound to no driver, not to vfio-pci: driverctl set-override " NIC " vfio-pci");
}

static void no_iommu(void **state)
{
	unlink(at(DEVICES "/" NIC "/iommu_group"));
	REFUSED(NIC, ENODEV,
	        "the device is behind no IOMMU: intel_iommu=on or amd_iommu=on on the kernel's command line, and VT-d or AMD-Vi in "
	        "the firmware");
	driven(NIC, "uio_pci_generic"); // asks for none
	GOOD(NIC);
}

static void the_kernel_makes_up_a_group(void **state)
{
	unlink(at("/dev/vfio/7"));
	device_file("/dev/vfio/noiommu-7");
	GOOD(NIC);
}

static void somebody_has_a_part_of_the_group(void **state)
{
	in_group(SOUND);
	driven(SOUND, "snd_hda_intel");
	REFUSED(NIC, EBUSY,
	        SOUND ", in the same IOMMU group, is bound to snd_hda_intel: driverctl set-override " SOUND
	              " vfio-pci, or another slot");
}

static void vfio_has_no_such_group(void **state)
{
	unlink(at("/dev/vfio/7"));
	REFUSED(NIC, ENOENT, "/dev/vfio/7: No such file or directory");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, machine_make, machine_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_can_be_ours),        TEST(what_is_no_device),
		TEST(another_driver_has_it),       TEST(no_iommu),
		TEST(the_kernel_makes_up_a_group), TEST(somebody_has_a_part_of_the_group),
		TEST(vfio_has_no_such_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
