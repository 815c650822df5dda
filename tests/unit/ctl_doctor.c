// What the doctor finds in machines that are made of files.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/ctl/doctor_tree.h"

static char root[64], conf[4096];
static struct answer a;
static struct doctor d;
static int synced;

static int synced_clock(void)
{
	return synced;
}

static int begin(void **unused)
{
	strcpy(root, "/tmp/penstock-doctor-XXXXXX");
	assert_non_null(mkdtemp(root));
	conf[0] = '\0';
	synced = 1;
	return 0;
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *w)
{
	return remove(path);
}

static int end(void **unused)
{
	answer_fini(&a);
	return nftw(root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void directories(const char *path, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", root, path);
	for (char *p = out + strlen(root) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(out, 0755);
		*p = '/';
	}
}

static void file(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *f;

	directories(path, full);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void link_to(const char *path, const char *target)
{
	char full[PATH_MAX];

	directories(path, full);
	assert_int_equal(symlink(target, full), 0);
}

static void look(void)
{
	answer_fini(&a);
	a = (struct answer){ 0 };
	d = (struct doctor){ .root = root, .conf_file = "/etc/penstock.conf", .conf = conf, .clock = synced_clock, .out = &a };
	assert_int_equal(doctor_look(&d), 0);
}

static const char *text_of(size_t from, const char *key)
{
	const struct cell *c = answer_cell(&a, from, answer_record_end(&a, from), key);

	return c ? c->text : "";
}

// Somebody has said that; and what is not well comes with something to do.
static void says(const char *state, const char *check, const char *finding)
{
	for (size_t i = 0; i < a.count; i = answer_record_end(&a, i)) {
		assert_int_equal(strcmp(text_of(i, "state"), "ok") == 0, text_of(i, "remedy")[0] == '\0');
		if (strcmp(text_of(i, "state"), state) == 0 && strcmp(text_of(i, "check"), check) == 0 &&
		    strstr(text_of(i, "finding"), finding))
			return;
	}
	for (size_t i = 0; i < a.count; i = answer_record_end(&a, i))
		print_error("%s %s: %s\n", text_of(i, "state"), text_of(i, "check"), text_of(i, "finding"));
	fail_msg("nobody says %s %s: %s", state, check, finding);
}

static void says_not(const char *finding)
{
	for (size_t i = 0; i < a.count; i = answer_record_end(&a, i))
		if (strstr(text_of(i, "finding"), finding))
			fail_msg("somebody says %s", finding);
}

static void an_empty_machine_is_no_reason_to_fall(void **unused)
{
	look();
	says("fail", "configuration", "/etc/penstock.conf cannot be read");
	says("fail", "kernel", "no /dev/net/tun");
	says("warn", "huge pages", "there are none");
	assert_int_equal(d.worst, DOCTOR_FAIL);
}

static void huge_pages(void **unused)
{
	file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "64\n");
	file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "8\n");
	look();
	says("warn", "huge pages", "128 MB are few, and 16 MB");
	file("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
	look();
	says("ok", "huge pages", "1152 MB, 16 MB of them free");
	strcpy(conf, "huge-pages = no\n");
	look();
	says("ok", "huge pages", "none are wanted");
}

static void poll_cores(void **unused)
{
	file("/sys/devices/system/cpu/online", "0-3\n");
	file("/sys/devices/system/cpu/isolated", "2-3\n");
	look();
	says("ok", "cores", "CPUs 2,3 poll, and are isolated");
	strcpy(conf, "poll-core = 1,3\npoll-mode = busy\n");
	file("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n");
	file("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n");
	look();
	says("warn", "cores", "CPUs 1 and 3, which both poll, are one core");
	says("warn", "cores", "CPU 3 may slow down: its governor is powersave");
	says("warn", "cores", "CPUs 1,3 poll all the time, and other programs may run there");
	strcpy(conf, "poll-core = 7\n");
	look();
	says("fail", "cores", "CPU 7 of poll-core is not there");
}

#define NIC "/sys/bus/pci/devices/0000:01:00.0"

static void a_nic_of_its_own(void **unused)
{
	strcpy(conf, "outer = 0000:01:00.0,rxq=2\n");
	look();
	says("fail", "NICs", "outer = 0000:01:00.0: there is no such device");
	file(NIC "/numa_node", "1\n");
	look();
	says("fail", "NICs", "has no driver");
	link_to(NIC "/driver", "../../../bus/pci/drivers/ixgbe");
	look();
	says("fail", "NICs", "is the kernel's: its driver is ixgbe");
}

static void a_nic_that_is_given_away(void **unused)
{
	strcpy(conf, "inner = \"0000:01:00.0\"\npoll-core = 0,1\n");
	link_to(NIC "/driver", "../../../bus/pci/drivers/vfio-pci");
	file(NIC "/vendor", "0x8086\n");
	look();
	says("ok", "NICs", "has the driver vfio-pci");
	says("fail", "NICs", "no driver of DPDK's for cards of its vendor");
	says("fail", "NICs", "is behind no IOMMU, and VFIO");
	file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	file("/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_ice.so.23", "");
	look();
	says_not("no driver of DPDK's");
	says("warn", "NICs", "the card may write anywhere");
	file(NIC "/iommu_group/devices/0000:01:00.1", "");
	link_to("/sys/bus/pci/devices/0000:01:00.1/driver", "../drivers/ixgbe");
	file("/sys/devices/system/cpu/cpu0/node1", "");
	file("/sys/devices/system/cpu/cpu1/node0", "");
	file(NIC "/numa_node", "1\n");
	look();
	says("ok", "NICs", "is behind an IOMMU");
	says("fail", "NICs", "in one IOMMU group with 0000:01:00.1, whose driver is ixgbe");
	says("warn", "NICs", "is on NUMA node 1, and CPU 1, which polls, is not");
}

static void interfaces_of_the_kernel(void **unused)
{
	file("/proc/net/route",
	     "Iface\tDestination\tGateway\neth0\t00000000\t01020304\neth0\t00000000\t05020304\neth1\t0000000A\t0\n");
	file("/sys/class/net/eth0/mtu", "1400\n");
	file("/sys/class/net/eth1/mtu", "9000\n");
	look();
	says("warn", "MTU", "eth0 has an MTU of 1400");
	strcpy(conf, "outer = eth1\nouter = eth2\n");
	look();
	says("ok", "MTU", "eth1 has an MTU of 9000");
	says("fail", "MTU", "eth2: there is no such interface");
}

static void what_the_kernel_forwards(void **unused)
{
	strcpy(conf, "ipv4-network = 10.1.0.0/16\nipv6-network = fd00::/64\ndevice = vpn\n");
	file("/proc/sys/net/ipv4/ip_forward", "1\n");
	file("/proc/sys/net/ipv6/conf/all/forwarding", "0\n");
	file("/proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
	file("/proc/sys/net/netfilter/nf_conntrack_count", "90\n");
	file("/proc/sys/net/netfilter/nf_conntrack_max", "100\n");
	look();
	says("ok", "forwarding", "the kernel forwards IPv4");
	says("warn", "forwarding", "does not forward IPv6");
	says("warn", "forwarding", "packets of vpn0");
	says("warn", "connection tracking", "90 of 100");
}

static int version;
static int landlock(void)
{
	return version;
}

static void process(const char *seccomp, const char *privileges, const char *bounding, const char *uid)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "Name:\tpenstock\nUid:\t%s\t0\t0\t0\nCapBnd:\t%s\nNoNewPrivs:\t%s\nSeccomp:\t%s\nSeccomp_filters:\t1\n", uid,
	         bounding, privileges, seccomp);
	file("/proc/42/status", text);
}

static void what_processes_have_given_up(void **unused)
{
	answer_fini(&a);
	a = (struct answer){ 0 };
	d = (struct doctor){ .root = root, .landlock = landlock, .check = "confinement", .out = &a };
	doctor_confinement(&d);
	version = 7;
	doctor_confinement(&d);
	says("warn", "confinement", "no Landlock");
	says("ok", "confinement", "Landlock, version 7");

	process("2", "1", "0000000000000000", "65534");
	assert_true(doctor_confined(&d, SANDBOX_NURSERY, 42));
	process("0", "0", "0000000000001000", "0");
	assert_false(doctor_confined(&d, SANDBOX_NURSERY, 42));
	says("warn", "confinement", "nursery (pid 42) runs without a list");
	says("warn", "confinement", "nursery (pid 42) can gain privileges");
	says("warn", "confinement", "nursery (pid 42) has kept capabilities");
	says("warn", "confinement", "nursery (pid 42) runs as root");
	process("0", "1", "0000000000001000", "0"); // NET_ADMIN, and no filter: as it is
	assert_true(doctor_confined(&d, SANDBOX_MAIN, 42));
	assert_true(doctor_confined(&d, SANDBOX_MAIN, 43)); // gone
}

static void limits(void **unused)
{
	strcpy(conf, "max-clients = 100000\n");
	file("/proc/sys/fs/nr_open", "1048576\n");
	file("/proc/sys/kernel/pid_max", "32768\n");
	look();
	says("fail", "limits", "kernel.pid_max is 32768");
	conf[0] = '\0';
	look();
	says("ok", "limits", "8192 clients");
}

static void the_clock(void **unused)
{
	look();
	says("ok", "clock", "kept right");
	synced = 0;
	look();
	says("warn", "clock", "nothing keeps it right");
}

static void certificates(void **unused)
{
	char command[PATH_MAX];

	strcpy(conf, "server-cert = cert.pem\n[vhost:www.example]\nserver-cert = /srv/none.pem\n");
	file("/etc/x", "");
	snprintf(command, sizeof(command),
	         "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 5 -subj /CN=t -keyout %s/key -out "
	         "%s/etc/cert.pem 2>/dev/null",
	         root, root);
	assert_int_equal(system(command), 0);
	look();
	says("warn", "certificates", "cert.pem expires in ");
	says("fail", "certificates", "/srv/none.pem: there is no certificate");
}

static void lists_of_cpus(void **unused)
{
	static const struct {
		const char *text;
		int count; // -1: it is none
	} rows[] = { { "0", 1 },     { "0-3,8", 5 }, { "1023", 1 }, { "", -1 },   { "a", -1 },  { "3-1", -1 },
		     { "1024", -1 }, { "1,,2", -1 }, { "1-", -1 },  { "-1", -1 }, { "1 2", -1 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool set[DOCTOR_CPUS] = { false };
		int n = 0;

		assert_int_equal(cpulist_parse(rows[i].text, set), rows[i].count >= 0);
		for (unsigned j = 0; j < DOCTOR_CPUS; j++)
			n += set[j];
		if (rows[i].count >= 0)
			assert_int_equal(n, rows[i].count);
	}
}

static void options_in_a_text(void **unused)
{
	static const char text[] = "# a = 0\na=1\n\t a = \"2 x\" \nab = 3\n[vhost:w]\na = 4";
	char out[16];

	assert_true(conf_nth(text, "a", 0, out, sizeof(out)));
	assert_string_equal(out, "1");
	assert_true(conf_nth(text, "a", 1, out, sizeof(out)));
	assert_string_equal(out, "2 x");
	assert_false(conf_nth(text, "a", 2, out, sizeof(out)));
	assert_true(conf_any(text, "a", 2, out, sizeof(out)));
	assert_string_equal(out, "4");
	assert_false(conf_nth(text, "b", 0, out, sizeof(out)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_machine_is_no_reason_to_fall),
		TEST(huge_pages),
		TEST(poll_cores),
		TEST(a_nic_of_its_own),
		TEST(a_nic_that_is_given_away),
		TEST(interfaces_of_the_kernel),
		TEST(what_the_kernel_forwards),
		TEST(what_processes_have_given_up),
		TEST(limits),
		TEST(the_clock),
		TEST(certificates),
		cmocka_unit_test(lists_of_cpus),
		cmocka_unit_test(options_in_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
