// Not every driver's interrupts come in every machine, and a core that sleeps through frames is worse than one that never sleeps:
// until each queue has shown that it can wake the core, sleeps are short, and a core whose NICs miss too often sleeps no more.
#include "interrupts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_pci.h>

#define SLEEP_NS 100000000
#define SLEEP_UNPROVEN_NS 5000000
#define MISSED_MAX 3

// Interrupts by message cost no system call; the old kind has to be acknowledged by one that seccomp forbids.
static bool has_messages(const struct port *p)
{
	char device[PCI_PRI_STR_SIZE], path[128];
	struct rte_pci_addr addr;

	if (rte_pci_addr_parse(p->name, &addr) < 0)
		return true; // no PCI device
	rte_pci_device_name(&addr, device, sizeof(device));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/msi_irqs", device);
	return access(path, F_OK) == 0;
}

bool interrupts_open(struct port *p)
{
	int fd[QUEUES_MAX];

	if (!has_messages(p))
		return false;
	for (uint16_t q = 0; q < p->rx_queues; q++) {
		fd[q] = rte_eth_dev_rx_intr_ctl_q_get_fd(p->id, q);
		if (fd[q] < 0 || rte_eth_dev_rx_intr_disable(p->id, q) < 0)
			return false;
	}
	memcpy(p->wait, fd, p->rx_queues * sizeof(*fd));
	return true;
}

bool interrupts_arm(struct interrupts *i)
{
	if (i->armed || i->n == 0)
		return false;
	for (unsigned k = 0; k < i->n; k++)
		rte_eth_dev_rx_intr_enable(i->of[k].port->id, i->of[k].queue);
	i->armed = true;
	return true;
}

static void interrupt_take(struct interrupt *one)
{
	uint64_t times;

	if (read(one->wait->fd, &times, sizeof(times)) > 0)
		one->proven = true;
}

void interrupts_disarm(struct interrupts *i)
{
	for (unsigned k = 0; k < i->n && i->armed; k++) {
		rte_eth_dev_rx_intr_disable(i->of[k].port->id, i->of[k].queue);
		interrupt_take(&i->of[k]);
	}
	i->armed = false;
}

static bool all_proven(const struct interrupts *i)
{
	for (unsigned k = 0; k < i->n; k++)
		if (!i->of[k].proven)
			return false;
	return true;
}

long interrupts_sleep_ns(const struct interrupts *i)
{
	return all_proven(i) ? SLEEP_NS : SLEEP_UNPROVEN_NS;
}

void interrupts_judge(struct interrupts *i, bool timed_out, bool frames)
{
	if (!timed_out && all_proven(i))
		i->missed = 0;
	if (!timed_out || !frames)
		return;
	i->missed++;
	if (i->missed == MISSED_MAX)
		i->distrusted = true;
}
