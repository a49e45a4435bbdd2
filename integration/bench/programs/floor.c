/* floor CALL,... COMMAND...: the least that following a command and its
 * children with seccomp and ptrace costs. It stops twice per call (once where
 * the result follows from an event or there is none), asks for the call with
 * PTRACE_GET_SYSCALL_INFO, reads a path or data with one pread of the tracee's
 * memory, takes the time, and leaves a record of fixed size in memory that nobody
 * reads. It decodes nothing and keeps no state but the memory descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define NONE (-1)

/* The calls that it knows: where they have a path, where data at the entry or
 * at the exit, and whether the exit stop is wanted. */
static const struct call {
	const char *name;
	int nr, path, in, out, exit;
} calls[] = {
	{ "openat", SYS_openat, 1, NONE, NONE, 1 },
	{ "close", SYS_close, NONE, NONE, NONE, 1 },
	{ "read", SYS_read, NONE, NONE, 1, 1 },
	{ "write", SYS_write, NONE, 1, NONE, 1 },
	{ "newfstatat", SYS_newfstatat, 1, NONE, NONE, 1 },
	{ "clone", SYS_clone, NONE, NONE, NONE, 0 }, /* an event follows */
	{ "clone3", SYS_clone3, NONE, NONE, NONE, 0 },
#ifdef SYS_fork
	{ "fork", SYS_fork, NONE, NONE, NONE, 0 },
	{ "vfork", SYS_vfork, NONE, NONE, NONE, 0 },
#endif
	{ "execve", SYS_execve, 0, NONE, NONE, 1 }, /* a failure has no event */
	{ "execveat", SYS_execveat, 1, NONE, NONE, 1 },
	{ "exit", SYS_exit, NONE, NONE, NONE, 0 }, /* nothing returns */
	{ "exit_group", SYS_exit_group, NONE, NONE, NONE, 0 },
};

#define NCALLS (sizeof calls / sizeof *calls)

static const struct call *call_of(uint64_t nr)
{
	for (size_t i = 0; i < NCALLS; i++)
		if (calls[i].nr == (int)nr)
			return &calls[i];
	return NULL;
}

/* A record of one half of a call. */
static struct record {
	uint64_t time_ns, args[6];
	int64_t result;
	uint32_t tid, nr;
	char data[64];
} records[4096];
static unsigned next_record;

/* The tracees, a direct-mapped table by thread id. A descriptor that another
 * thread displaces is closed and opened anew when it is needed. */
static struct tracee {
	pid_t tid;
	int mem; /* -1: not open */
	uint64_t out; /* where the data of the call will be, 0: none */
} tracees[1024];

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static struct tracee *find(pid_t tid)
{
	struct tracee *t = &tracees[(unsigned)tid % 1024];

	if (t->tid != tid) {
		if (t->tid != 0 && t->mem >= 0)
			close(t->mem);
		t->tid = tid;
		t->mem = -1;
	}
	return t;
}

static void forget_memory(struct tracee *t)
{
	if (t->mem >= 0)
		close(t->mem);
	t->mem = -1;
}

static void read_memory(struct tracee *t, uint64_t address, char *data, size_t size)
{
	if (t->mem < 0) {
		char name[32];

		snprintf(name, sizeof name, "/proc/%d/mem", t->tid);
		t->mem = open(name, O_RDONLY | O_CLOEXEC);
	}
	if (pread(t->mem, data, size, address) < 0)
		data[0] = 0;
}

static struct record *new_record(pid_t tid)
{
	struct record *r = &records[next_record++ % 4096];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	r->time_ns = t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
	r->tid = tid;
	return r;
}

/* enter records the first half and says how to go on. */
static int enter(struct tracee *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) < 0)
		return PTRACE_CONT;
	struct record *r = new_record(t->tid);
	r->nr = info.seccomp.nr;
	memcpy(r->args, info.seccomp.args, sizeof r->args);
	const struct call *c = call_of(info.seccomp.nr);

	t->out = 0;
	if (c == NULL || !c->exit)
		return PTRACE_CONT;
	if (c->path != NONE)
		read_memory(t, info.seccomp.args[c->path], r->data, sizeof r->data);
	if (c->in != NONE)
		read_memory(t, info.seccomp.args[c->in], r->data, sizeof r->data);
	if (c->out != NONE)
		t->out = info.seccomp.args[c->out];
	return PTRACE_SYSCALL;
}

static void leave(struct tracee *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) < 0)
		return;
	struct record *r = new_record(t->tid);
	r->result = info.exit.rval;
	if (t->out != 0)
		read_memory(t, t->out, r->data, sizeof r->data);
}

static void stopped(pid_t tid, int status)
{
	struct tracee *t = find(tid);
	int how = PTRACE_CONT, signal = WSTOPSIG(status);

	switch (status >> 16) {
	case PTRACE_EVENT_SECCOMP:
		how = enter(t);
		signal = 0;
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE: {
		unsigned long child = 0;

		ptrace(PTRACE_GETEVENTMSG, tid, 0, &child);
		new_record(tid)->result = child;
		signal = 0;
		break;
	}
	case PTRACE_EVENT_EXEC:
		forget_memory(t);
		new_record(tid)->result = 0;
		signal = 0;
		break;
	case PTRACE_EVENT_STOP:
		if (signal != SIGTRAP)
			how = PTRACE_LISTEN; /* a group stop */
		signal = 0;
		break;
	case 0:
		if (signal == (SIGTRAP | 0x80)) {
			leave(t);
			signal = 0;
		}
		break;
	}
	ptrace(how, tid, 0, signal);
}

/* parse reads names with commas between them. */
static size_t parse(char *names, int *nrs)
{
	size_t n = 0;

	for (char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ",")) {
		size_t i = 0;

		while (i < NCALLS && strcmp(calls[i].name, name) != 0)
			i++;
		if (i < NCALLS && n < NCALLS)
			nrs[n++] = calls[i].nr;
	}
	return n;
}

static void install_filter(const int *nrs, size_t n)
{
	struct sock_filter code[64];
	unsigned short len = 0;

	code[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n; i++)
		code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nrs[i], n - i, 0);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);

	struct sock_fprog program = { .len = len, .filter = code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		die("filter");
}

int main(int argc, char **argv)
{
	int nrs[NCALLS], go[2], status, result = 0;
	size_t n = argc < 3 ? 0 : parse(argv[1], nrs);

	if (n == 0) {
		fprintf(stderr, "usage: floor CALL,... COMMAND...\n");
		return 125;
	}
	if (pipe2(go, O_CLOEXEC) != 0)
		die("pipe");
	pid_t root = fork();
	if (root == 0) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) != 0) /* until the tracer is there */
			die("read");
		install_filter(nrs, n);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	close(go[0]);
	if (root < 0 || ptrace(PTRACE_SEIZE, root, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
			       PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) != 0)
		die("seize");
	close(go[1]);

	for (;;) {
		pid_t tid = wait4(-1, &status, __WALL, NULL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return result;
		if (WIFSTOPPED(status)) {
			stopped(tid, status);
			continue;
		}
		forget_memory(find(tid));
		if (tid == root)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}
