// Tries to take hold of its tracer in every way there is, and prints the errors. With
// an argument it waits until it has one, and does not kill it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "done");
}

static int status(const char *of, const char *field)
{
	char line[256], path[64];
	int n = 0;
	snprintf(path, sizeof path, "/proc/%s/status", of);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, field, strlen(field)))
			n = atoi(line + strlen(field));
	if (f)
		fclose(f);
	return n;
}

static int tracer(void) { return status("self", "TracerPid:"); }

static void signals(int pid, int thread, int sig)
{
	char info[128] = {0};
	char what[64], dir[32];
	int fd = syscall(SYS_pidfd_open, pid, 0);
	*(int *)info = sig;
	((int *)info)[2] = SI_QUEUE;
#define TRY(name, call) snprintf(what, sizeof what, "%s %d", name, sig), say(what, call)
	TRY("kill", kill(pid, sig));
	TRY("kill of its group", kill(-pid, sig));
	TRY("tkill", syscall(SYS_tkill, thread, sig));
	TRY("tgkill", syscall(SYS_tgkill, pid, thread, sig));
	TRY("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, pid, sig, info));
	TRY("rt_tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, pid, thread, sig, info));
	TRY("pidfd_send_signal", syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0));
	snprintf(dir, sizeof dir, "/proc/%d", pid);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	TRY("pidfd_send_signal by its directory", syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0));
}

// owned has a descriptor send SIGKILL to its owner when it is ready.
static void owned(int pid, int launched)
{
	int ends[2];
	struct f_owner_ex to = {F_OWNER_PID, pid}, all = {F_OWNER_PGRP, pid};
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
	fcntl(ends[0], F_SETSIG, SIGKILL);
	fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
#define OWN(name, call) say(name, call), write(ends[1], "", 1)
	OWN("F_SETOWN", fcntl(ends[0], F_SETOWN, pid));
	OWN("F_SETOWN_EX", fcntl(ends[0], F_SETOWN_EX, &to));
	OWN("FIOSETOWN", ioctl(ends[0], FIOSETOWN, &pid));
	OWN("SIOCSPGRP", ioctl(ends[0], SIOCSPGRP, &pid));
	if (launched) {
		OWN("F_SETOWN of its group", fcntl(ends[0], F_SETOWN, -pid));
		OWN("F_SETOWN_EX of its group", fcntl(ends[0], F_SETOWN_EX, &all));
	}
}

enum { OF_PROCESS = 1, OF_GROUP, IDLE = 3 << 13 }; // of ioprio_set

static long priority(int pid)
{
	return getpriority(PRIO_PROCESS, pid) << 24 | syscall(SYS_ioprio_get, OF_PROCESS, pid) << 8 | sched_getscheduler(pid);
}

// schedule sets how a process and its threads are scheduled.
static void schedule(int pid, int launched)
{
	long was = priority(pid);
	struct sched_param none = {0};
	struct { // struct sched_attr
		unsigned size, policy;
		unsigned long long flags;
		int nice;
		unsigned priority;
		unsigned long long runtime, deadline, period;
	} attr = {.size = 48, .policy = SCHED_BATCH, .nice = 19};
	say("sched_setscheduler", syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &none));
	say("sched_setparam", syscall(SYS_sched_setparam, pid, &none));
	say("sched_setattr", syscall(SYS_sched_setattr, pid, &attr, 0));
	say("setpriority", setpriority(PRIO_PROCESS, pid, 19));
	say("ioprio_set", syscall(SYS_ioprio_set, OF_PROCESS, pid, IDLE));
	if (launched) {
		say("setpriority of its group", setpriority(PRIO_PGRP, pid, 19));
		say("ioprio_set of its group", syscall(SYS_ioprio_set, OF_GROUP, pid, IDLE));
	}
	printf("its priority is %s\n", priority(pid) == was ? "the same" : "another");
}

int main(int argc, char **argv)
{
	char path[64], byte = 0;
	cpu_set_t cpus;
	struct rlimit limit = {1, 1};

	if (argc > 1) {
		printf("ready\n");
		fflush(stdout);
		getchar();
	}
	int thread = tracer();
	snprintf(path, sizeof path, "%d", thread);
	int pid = status(path, "Tgid:");
	say("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, thread, 0, 0));
	say("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, thread, 0, 0));
	say("process_vm_writev", process_vm_writev(pid, &(struct iovec){&byte, 1}, 1, &(struct iovec){&byte, 1}, 1, 0));
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	say("mem", open(path, O_RDWR));
	say("kcmp", syscall(SYS_kcmp, getpid(), pid, KCMP_FILES, 0, 0));
	say("prlimit", prlimit(pid, RLIMIT_CPU, &limit, NULL));
	sched_getaffinity(pid, sizeof cpus, &cpus);
	say("sched_setaffinity", sched_setaffinity(pid, sizeof cpus, &cpus));
	schedule(pid, argc == 1);
	owned(pid, argc == 1);
	signals(pid, thread, SIGSTOP);
	if (argc == 1)
		signals(pid, thread, SIGKILL);
	printf("the tracer is %s\n", tracer() == thread ? "the same" : "another");
	return 0;
}
