// Waiting: poll, ppoll, select, nanosleep, futex, epoll_wait. Ids: setuid,
// getuid and their kin. Control: setpgid, setsid, capset, prctl, ptrace,
// seccomp, setns, unshare, kill, limits, semaphores, process_vm_readv, keyctl,
// modules. Calls without an event of their own.
#include "oracle-calls.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#ifndef SYS_getrlimit
#define SYS_getrlimit SYS_ugetrlimit
#endif
#define U32(x) ((long)(unsigned)(x)) // as compilers hand over an int

// in_child runs a part in a process of its own.
static void in_child(void (*part)(void))
{
	int status;
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		part();
		_exit(0);
	}
	need(waitpid(pid, &status, 0) == pid && status == 0, "a part of the program");
}

static const char *list_of(const struct pollfd *fds, int n, int got)
{
	static char bufs[2][1 << 15];
	static int next;
	char *start = bufs[next++ % 2], *s = start;
	strcpy(s, "none");
	for (int i = 0; i < n; i++) {
		unsigned e = (unsigned short)(got ? fds[i].revents : fds[i].events);
		unsigned ppm = (e & 7) | (e & 8 ? 0x10 : 0) | (e & 0x10 ? 0x20 : 0) | (e & 0x20 ? 0x40 : 0) | (e & 0x40 ? 0x80 : 0) |
			       (e & 0x80 ? 0x100 : 0) | (e & 0x100 ? 0x200 : 0) | (e & 0x200 ? 0x400 : 0) | (e & 0x2000 ? 8 : 0);
		s += sprintf(s, "%s%d:%u", i ? "," : "", fds[i].fd, ppm);
	}
	return start;
}

#ifdef SYS_poll
static void test_poll(struct pollfd *fds, unsigned count, int seen, int timeout)
{
	const char *asked = list_of(fds, seen, 0);
	long r = traced(SYS_poll, P(fds), count, U32(timeout));
	expect("80 fds=%s timeout=%d", asked, timeout);
	expect("81 res=%ld fds=%s timeout=%d", r, list_of(fds, seen, 1), timeout);
}
#endif

static void test_ppoll(struct pollfd *fds, unsigned count, int seen, const struct timespec *ts, unsigned long long ns, const uint64_t *mask, unsigned low)
{
	const char *asked = list_of(fds, seen, 0);
	long r = traced(SYS_ppoll, P(fds), count, P(ts), P(mask), 8);
	expect("254 fds=%s timeout=%llu sigmask=%u", asked, ns, low);
	// The kernel has written back what is left of the time.
	expect("255 res=%ld fds=%s timeout=%llu sigmask=%u", r, list_of(fds, seen, 1), r >= 0 && ts ? (unsigned long long)ts->tv_nsec : ns, low);
}

static void waiting(void)
{
	int p[2];
	long r;
	need(pipe(p) == 0 && write(p[1], "x", 1) == 1, "a pipe");
	struct pollfd two[] = {{-1, POLLIN, 0}, {-10, POLLWRBAND, 0}};
	struct pollfd some[] = {{p[0], POLLIN | POLLPRI | POLLRDNORM, 0}, {p[1], 0x23ff, 0}, {999, POLLOUT, 0}};
#ifdef SYS_poll
	static struct pollfd many[600];
	test_poll(two, 2, 2, 0);
	test_poll(some, 3, 3, -1);
	test_poll(tail(some, sizeof some), 3, 3, 0x7fffffff);
	test_poll(NULL, 5, 0, 0);
	test_poll((void *)gap, 1, 0, -1);
	test_poll((void *)(gap - 12), 2, 0, 5);
	test_poll(NULL, 0, 0, 3);
	struct rlimit limit, files;
	need(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	for (int i = 0; i < 600; i++)
		many[i] = (struct pollfd){-i - 1, POLLIN, 0};
	if (files.rlim_cur >= 600)
		test_poll(many, 600, 512, 0); // 512 are looked at
	limit = files;
	limit.rlim_cur = 100;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	test_poll(many, 0x80000003, 512, 0);
	need(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
#ifdef SYS_select
	r = traced(SYS_select, U32(-1), 0, 0, 0, 0);
	expect("82");
	expect("83 res=%ld", r);
	struct timeval none = {0, 0};
	r = traced(SYS_select, 0, 0, 0, 0, P(&none));
	expect("82");
	expect("83 res=%ld", r);
#endif
#endif
	struct timespec ts = {0, 7}, odd = {-1, 5};
	uint64_t mask = 0x500000200;
	test_ppoll(two, 2, 2, &ts, 7, &mask, 0x200);
	test_ppoll(some, 3, 3, NULL, 0, NULL, 0);
	test_ppoll(some, 3, 3, (void *)gap, 0, (void *)gap, 0);
	test_ppoll(NULL, 5, 0, NULL, 0, NULL, 0);
	test_ppoll(some, 1, 1, &odd, WIDE(-1000000000 + 5), tail(&mask, 8), 0x200);

	ts.tv_nsec = 7;
	struct timespec *times[] = {&ts, NULL, (void *)gap, &odd, (void *)(gap - sizeof ts / 2)};
	unsigned long long ns[] = {7, 0, 0, WIDE(-1000000000 + 5), 0};
	for (int i = 0; i < 5; i++) {
		r = traced(SYS_nanosleep, P(times[i]), 0);
		expect("134 interval=%llu", ns[i]);
		expect("135 res=%ld interval=%llu", r, ns[i]);
	}

	static uint32_t word = 7;
	unsigned long futexes[][4] = {{P(&word), FUTEX_PRIVATE_FLAG, 128, 8}, {P(&word), FUTEX_WAKE, 1, 1}, {P(gap), 0, 0, 7},
				      {P(&word), FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME | 12, 0x18c, 3}, {0, 13, 0, 9}, {1, 0x17f, 0x100, 9}};
	for (int i = 0; i < 6; i++) {
		unsigned long *f = futexes[i];
		unsigned op = i == 0 ? 128 : i == 1 ? 1 : i == 3 ? 0x18c : f[2];
		r = traced(SYS_futex, f[0], f[1], f[3], 0, 0, 0);
		expect("64 addr=%lu op=%u val=%lu", f[0], op, f[3]);
		expect("65 res=%ld addr=%lu op=%u val=%lu", r, f[0], op, f[3]);
	}
#ifdef SYS_epoll_wait
	int e = epoll_create1(0);
	struct epoll_event ev = {EPOLLIN};
	need(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev) == 0, "epoll_ctl");
	for (int i = 0; i < 3; i++) {
		r = traced(SYS_epoll_wait, i == 1 ? -1 : e, i == 1 ? 0 : P(&ev), i ? U32(-i) : 1, 0);
		expect("78 maxevents=%d", i ? -i : 1);
		expect("79 res=%ld maxevents=%d", r, i ? -i : 1);
	}
	close(e);
#endif
	close(p[0]), close(p[1]);
}

static void users(void)
{
	unsigned r[3] = {0}, g[3] = {0};
	long res;
	static const struct {
		int code, nr;
		const char *name;
	} set[] = {{198, SYS_setuid, "uid"}, {200, SYS_setgid, "gid"}};
	for (int i = 0; i < 6; i++) {
		unsigned id = i < 2 ? -1 : i < 4 ? (i == 2 ? geteuid() : getegid()) : 0x12345678;
		if (i >= 4 && geteuid() == 0)
			id = 0;
		res = traced(set[i % 2].nr, id);
		expect("%d %s=%u", set[i % 2].code, set[i % 2].name, id);
		expect("%d res=%ld %s=%u", set[i % 2].code + 1, res, set[i % 2].name, id);
	}
	for (int i = 0; i < 2; i++) {
		unsigned a = i ? geteuid() : -1, b = i ? getegid() : -1;
		res = traced(SYS_setresuid, a, -1, a);
		expect("192 ruid=%u euid=4294967295 suid=%u", a, a);
		expect("193 res=%ld ruid=%u euid=4294967295 suid=%u", res, a, a);
		res = traced(SYS_setresgid, -1, b, -1);
		expect("194 rgid=4294967295 egid=%u sgid=4294967295", b);
		expect("195 res=%ld rgid=4294967295 egid=%u sgid=4294967295", res, b);
		res = traced(SYS_setreuid, a, -1);
		if (new_event(SYS_setreuid, 123)) {
			expect("426");
			expect("427 res=%ld ruid=%u euid=4294967295", res, a);
		}
		res = traced(SYS_setregid, -1, b);
		if (new_event(SYS_setregid, 124)) {
			expect("428");
			expect("429 res=%ld rgid=4294967295 egid=%u", res, b);
		}
	}
	static const struct {
		int code, nr;
		const char *name;
	} get[] = {{202, SYS_getuid, "uid"}, {204, SYS_geteuid, "euid"}, {206, SYS_getgid, "gid"}, {208, SYS_getegid, "egid"}};
	for (int i = 0; i < 4; i++) {
		res = traced(get[i].nr, 1234);
		expect("%d", get[i].code);
		expect("%d %s=%ld", get[i].code + 1, get[i].name, res);
	}
	need(getresuid(r, r + 1, r + 2) == 0 && getresgid(g, g + 1, g + 2) == 0, "ids");
	unsigned a = 99, b = 99, c = 99;
	res = traced(SYS_getresuid, P(&a), P(&b), P(tail(&c, 4)));
	expect("210");
	expect("211 res=%ld ruid=%u euid=%u suid=%u", res, r[0], r[1], r[2]);
	res = traced(SYS_getresgid, P(&a), P(&b), P(&c));
	expect("212");
	expect("213 res=%ld rgid=%u egid=%u sgid=%u", res, g[0], g[1], g[2]);
	a = b = 99;
	res = traced(SYS_getresuid, P(gap), P(&b), P(&c));
	expect("210");
	expect("211 res=%ld ruid=0 euid=%u suid=%u", res, b, c);
	res = traced(SYS_getresgid, 0, P(&b), P(&c));
	expect("212");
	expect("213 res=%ld rgid=0 egid=%u sgid=%u", res, b, c);
}

// other_users tests what root can do, in a process of its own.
static void other_users(void)
{
	unsigned a, b, c;
	long r = traced(SYS_setresgid, 11, 12, 13);
	expect("194 rgid=11 egid=12 sgid=13");
	expect("195 res=%ld rgid=11 egid=12 sgid=13", r);
	if (r < 0) {
		missing("the privilege of changing user and group");
		return;
	}
	r = traced(SYS_getresgid, P(&a), P(&b), P(&c));
	expect("212");
	expect("213 res=%ld rgid=11 egid=12 sgid=13", r);
	r = traced(SYS_setregid, 12, 13);
	if (new_event(SYS_setregid, 124)) {
		expect("428");
		expect("429 res=%ld rgid=12 egid=13", r);
	}
	r = traced(SYS_setresuid, 21, 22, 23);
	expect("192 ruid=21 euid=22 suid=23");
	expect("193 res=%ld ruid=21 euid=22 suid=23", r);
	r = traced(SYS_getresuid, P(&a), P(&b), P(&c));
	expect("210");
	expect("211 res=%ld ruid=21 euid=22 suid=23", r);
	r = traced(SYS_geteuid);
	expect("204");
	expect("205 euid=22");
	r = traced(SYS_setuid, 0); // EPERM
	expect("198 uid=0");
	expect("199 res=%ld uid=0", r);
	r = traced(SYS_setreuid, 22, 0);
	if (new_event(SYS_setreuid, 123)) {
		expect("426");
		expect("427 res=%ld ruid=22 euid=0", r);
	}
}

static void groups(void)
{
	static const int ids[][2] = {{-1, -2}, {0, 0}, {1 << 30, 5}};
	long r;
	for (int i = 0; i < 3; i++) {
		r = traced(SYS_setpgid, U32(ids[i][0]), U32(ids[i][1]));
		expect("294 pid=%d pgid=%d", ids[i][0], ids[i][1]);
		expect("295 res=%ld pid=%d pgid=%d", r, ids[i][0], ids[i][1]);
	}
	r = traced(SYS_setsid, 1234);
	expect("274");
	expect("275 res=%ld", r); // EPERM: already a leader
}

static void session(void)
{
	long r = traced(SYS_setsid);
	expect("274");
	expect("275 res=%ld", r);
}

static void test_prctl(unsigned option, unsigned long arg, const char *text, long number)
{
	long r = traced(SYS_prctl, U32(option), arg, 0, 0, 0);
	if (new_event(SYS_prctl, 106)) {
		expect("400");
		expect("401 res=%ld option=%u arg2_str=%s arg2_int=%lld", r, option, text, (long long)(unsigned long)number);
	}
}

static void prctls(void)
{
	char name[400], got[16];
	int flag = 0;
	memset(name, 'n', sizeof name);
	name[399] = 0;
	test_prctl(-3, -3, "-", -3);
	test_prctl(PR_SET_NAME, P(name), quote(name), 0);
	test_prctl(PR_SET_NAME, P(gap), "-", 0);
	test_prctl(PR_SET_NAME, 0, "-", 0);
	test_prctl(PR_SET_NAME, P(tail("oracle", 7)), "\"oracle\"", 0);
	test_prctl(PR_GET_NAME, P(got), "\"oracle\"", 0);
	test_prctl(PR_SET_CHILD_SUBREAPER, 1337, "-", 1337);
	test_prctl(PR_GET_CHILD_SUBREAPER, P(&flag), "-", 1);
	test_prctl(PR_GET_CHILD_SUBREAPER, P(gap), "-", 0);
	test_prctl(PR_SET_CHILD_SUBREAPER, 0, "-", 0);
	test_prctl(PR_GET_DUMPABLE, (long)0x1234567890ll, "-", (long)0x1234567890ll);
	test_prctl(PR_CAPBSET_READ, CAP_CHOWN, "-", CAP_CHOWN);
}

static void test_capset(struct __user_cap_header_struct *h, struct __user_cap_data_struct *d)
{
	struct __user_cap_header_struct mine = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct has[2];
	long r = traced(SYS_capset, P(h), P(d));
	need(syscall(SYS_capget, &mine, has) == 0, "capget");
	if (new_event(SYS_capset, 115)) {
		expect("352");
		expect("353 res=%ld cap_inheritable=%llu cap_permitted=%llu cap_effective=%llu", r, has[0].inheritable | (unsigned long long)has[1].inheritable << 32,
		       has[0].permitted | (unsigned long long)has[1].permitted << 32, has[0].effective | (unsigned long long)has[1].effective << 32);
	}
}

static void capabilities(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	need(syscall(SYS_capget, &h, d) == 0, "capget");
	test_capset(NULL, NULL);
	test_capset(&h, (void *)gap);
	test_capset(&h, d);
	d[0].effective &= ~(1u << CAP_CHOWN);
	test_capset(&h, d);
	d[0].inheritable = d[0].permitted & 6;
	d[0].permitted &= ~(1u << CAP_CHOWN);
	test_capset(&h, d);
	d[0].permitted = d[0].effective = -1; // EPERM
	test_capset(&h, d);
}

static void test_ptrace(unsigned long request, int pid, unsigned long addr, unsigned long data, unsigned ppm, const char *seen)
{
	long r = traced(SYS_ptrace, request, U32(pid), addr, data);
	expect("168 request=%u pid=%d", ppm, pid);
	expect("169 res=%ld %s request=%u pid=%d", r, r < 0 ? "addr=0:0 data=0:0" : seen, ppm, pid);
}

// traced_child asks to be traced: its starter is its tracer, which is what must
// not be tried of a process that has another one.
static void traced_child(void)
{
	test_ptrace(0x4209, -1, 0, 0, 0x17, "");
	test_ptrace(PTRACE_CONT, 1 << 30, 1, 19, 8, "");
	test_ptrace(PTRACE_POKEDATA, -1, 3, 4, 6, "");
	test_ptrace(99999, -1, P(gap), -1, 0, "");
	test_ptrace(PTRACE_SEIZE, 0, 5, 6, 0x14, "");
}

static void strict(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {1, &allow};
	unsigned action = SECCOMP_RET_ALLOW;
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	unsigned long calls[][3] = {{SECCOMP_SET_MODE_FILTER, 0, 0}, {SECCOMP_GET_ACTION_AVAIL, 0, P(&action)}, {0xffffffff, 7, P(gap)},
				    {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, P(&prog)}, {SECCOMP_SET_MODE_FILTER, -1, P(gap)}};
	for (int i = 0; i < 5; i++) {
		unsigned long *c = calls[i];
		long r = traced(SYS_seccomp, c[0], c[1], c[2]);
		expect("298 op=%lu flags=%lu", c[0], c[1]);
		expect("299 res=%ld op=%lu flags=%lu", r, c[0], c[1]);
	}
}

static void spaces(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY), pid = open("/proc/self/ns/pid", O_RDONLY);
	struct {
		int fd;
		unsigned type, ppm;
	} sets[] = {{-1, CLONE_NEWCGROUP, 0x10000000}, {fd, CLONE_NEWNET, 0x10}, {fd, CLONE_NEWUTS, 0x80}, {fd, 0, 0}, {1, CLONE_NEWIPC | CLONE_NEWUSER, 0x48}};
	sets[4].ppm = 0x8 | 0x100000;
	for (int i = 0; i < 5; i++) {
		long r = traced(SYS_setns, sets[i].fd, sets[i].type);
		expect("240 fd=%d nstype=%u", sets[i].fd, sets[i].ppm);
		expect("241 res=%ld fd=%d nstype=%u", r, sets[i].fd, sets[i].ppm);
	}
	static const unsigned shares[][2] = {{0, 0}, {CLONE_FS | CLONE_FILES, 3}, {CLONE_NEWUTS | CLONE_NEWIPC, 0x88}, {12, 0}, {CLONE_NEWNS, 0x20}};
	for (int i = 0; i < 5; i++) {
		long r = traced(SYS_unshare, shares[i][0]);
		expect("284 flags=%u", shares[i][1]);
		expect("285 res=%ld flags=%u", r, shares[i][1]);
	}
	close(fd), close(pid);
}

static void kills(void)
{
	int me = getpid(), tid = gettid();
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL); // a handler would stand between the marks
	setpgid(0, 0); // pid 0 is the group
	struct {
		int pid, tid, sig;
	} to[] = {{0, 0, 0}, {me, tid, SIGUSR1}, {me, tid, 65}, {-me, -1, 0}, {1 << 30, 1 << 30, 9}, {-1 - (1 << 30), -2, 300}};
	for (int i = 0; i < 6; i++) {
		int sig = to[i].sig & 0xff;
		long r = traced(SYS_kill, U32(to[i].pid), to[i].sig);
		expect("128 pid=%d sig=%d", to[i].pid, sig);
		expect("129 res=%ld pid=%d sig=%d", r, to[i].pid, sig);
		r = traced(SYS_tkill, U32(to[i].tid), to[i].sig);
		expect("130 tid=%d sig=%d", to[i].tid, sig);
		expect("131 res=%ld tid=%d sig=%d", r, to[i].tid, sig);
		r = traced(SYS_tgkill, U32(to[i].pid), U32(to[i].tid), to[i].sig);
		expect("132 pid=%d tid=%d sig=%d", to[i].pid, to[i].tid, sig);
		expect("133 res=%ld pid=%d tid=%d sig=%d", r, to[i].pid, to[i].tid, sig);
	}
	need(sigpending(&set) == 0 && sigismember(&set, SIGUSR1), "a signal");
}

static void limits(void)
{
	struct own_limit {
		unsigned long cur, max;
	} now = {1, 2}, set = {50, 10020};
	struct rlimit files;
	long r;
	need(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	unsigned long gets[][2] = {{RLIMIT_NPROC, P(&now)}, {RLIMIT_NOFILE, P(tail(&now, sizeof now))}, {-1, P(&now)}, {RLIMIT_CPU, 0}, {RLIMIT_CORE, P(gap)}, {16, P(&now)}};
	for (int i = 0; i < 6; i++) {
		int seen = i == 2 || i == 5 ? 255 : gets[i][0];
		r = traced(SYS_getrlimit, gets[i][0], gets[i][1]);
		struct own_limit *got = (void *)gets[i][1];
		expect("140 resource=%d", seen);
		expect("141 res=%ld cur=%ld max=%ld resource=%d", r, r ? -1 : (long)got->cur, r ? -1 : (long)got->max, seen);
	}
	struct own_limit all = {-1, -1};
	struct {
		int resource, seen;
		struct own_limit *to;
	} sets[] = {{RLIMIT_MEMLOCK, 8, &set}, {-1, 255, &set}, {RLIMIT_NOFILE, 7, NULL}, {RLIMIT_NOFILE, 7, (void *)gap}, {RLIMIT_CPU, 0, &all},
		    {RLIMIT_RTTIME, 15, tail(&set, sizeof set)}};
	for (int i = 0; i < 6; i++) {
		int bad = i == 2 || i == 3;
		r = traced(SYS_setrlimit, U32(sets[i].resource), P(sets[i].to));
		expect("142 resource=%d", sets[i].seen);
		expect("143 res=%ld cur=%ld max=%ld resource=%d", r, bad ? 0 : (long)sets[i].to->cur, bad ? 0 : (long)sets[i].to->max, sets[i].seen);
	}
	struct limit64 {
		uint64_t cur, max;
	} to_set = {files.rlim_cur, files.rlim_max}, old = {3, 4}, none = {-1, -1};
	struct {
		int pid, resource;
		struct limit64 *to, *from;
	} both[] = {{getpid(), RLIMIT_NOFILE, &to_set, &old}, {0, RLIMIT_NOFILE, &to_set, NULL}, {0, RLIMIT_NOFILE, NULL, &old}, {-1, RLIMIT_RSS, NULL, NULL},
		    {0, RLIMIT_NOFILE, (void *)gap, &old}, {0, RLIMIT_NOFILE, NULL, (void *)gap}, {1 << 30, RLIMIT_AS, &none, &old}};
	for (int i = 0; i < 7; i++) {
		struct limit64 to = {0, 0}, from = {-1, -1};
		if (both[i].to && (char *)both[i].to != gap)
			to = *both[i].to;
		r = traced(SYS_prlimit64, U32(both[i].pid), both[i].resource, P(both[i].to), P(both[i].from));
		if (r == 0)
			from = both[i].from ? *both[i].from : (struct limit64){0, 0};
		expect("144 pid=%d resource=%d", both[i].pid, both[i].resource);
		expect("145 res=%ld newcur=%lld newmax=%lld oldcur=%lld oldmax=%lld pid=%d resource=%d", r, (long long)to.cur, (long long)to.max, (long long)from.cur,
		       (long long)from.max, both[i].pid, both[i].resource);
	}
}

static void test_semop(int id, struct sembuf *ops, unsigned n, const char *seen)
{
#ifdef SYS_semop
	long r = traced(SYS_semop, U32(id), P(ops), n);
#else // i386 has it as a part of another call only
	long r = traced(SYS_ipc, 1, U32(id), n, 0, P(ops));
#endif
	expect("250 semid=%d", id);
	expect("251 res=%ld nsops=%u %s semid=%d", r, n, seen, id);
}

static void test_semctl(int id, int num, int cmd, int ppm, unsigned long arg, int val)
{
	long r = traced(SYS_semctl, U32(id), U32(num), cmd, arg);
	expect("252 semid=%d semnum=%d cmd=%d val=%d", id, num, ppm, val);
	expect("253 res=%ld semid=%d semnum=%d cmd=%d val=%d", r, id, num, ppm, val);
}

static void semaphores(void)
{
	static const char none[] = "sem_num_0=0 sem_op_0=0 sem_flg_0=0 sem_num_1=0 sem_op_1=0 sem_flg_1=0";
	struct {
		int key, count, flags, ppm;
	} gets[] = {{0, 2, IPC_CREAT | 0600, 0x2000}, {0, -1, IPC_CREAT, 0x2000}, {0x12345, 0, IPC_EXCL, 0x4000}, {-5, 1 << 30, -1, 0x6000}};
	int id = -1;
	for (int i = 0; i < 4; i++) {
		long r = traced(SYS_semget, U32(gets[i].key), U32(gets[i].count), gets[i].flags);
		expect("262 key=%d nsems=%d semflg=%d", gets[i].key, gets[i].count, gets[i].ppm);
		expect("263 res=%ld key=%d nsems=%d semflg=%d", r, gets[i].key, gets[i].count, gets[i].ppm);
		if (i == 0)
			id = r;
	}
	need(id >= 0, "semget");
	struct sembuf up = {0, 3, SEM_UNDO}, two[] = {{1, 7, IPC_NOWAIT}, {0, -2, SEM_UNDO | IPC_NOWAIT}};
	test_semop(-1, NULL, 12, none);
	test_semop(id, NULL, -1, none);
	test_semop(id, (void *)gap, 1, none);
	test_semop(id, &up, 0, none);
	test_semop(id, &up, 1, "sem_num_0=0 sem_op_0=3 sem_flg_0=2 sem_num_1=0 sem_op_1=0 sem_flg_1=0");
	test_semop(id, tail(&up, sizeof up), 2, "sem_num_0=0 sem_op_0=3 sem_flg_0=2 sem_num_1=0 sem_op_1=0 sem_flg_1=0");
	test_semop(id, tail(two, sizeof two), 2, "sem_num_0=1 sem_op_0=7 sem_flg_0=1 sem_num_1=0 sem_op_1=-2 sem_flg_1=3");
	test_semctl(-1, 0, SETVAL, 0x1000, 1, 1);
	test_semctl(id, 1, SETVAL, 0x1000, 0xffffffff, -1); // ERANGE
	test_semctl(id, 1, SETVAL, 0x1000, 5, 5);
	test_semctl(id, 1, GETVAL, 0x200, 5, 0);
	static const int cmds[][2] = {{1, 2}, {2, 1}, {3, 8}, {11, 0x100}, {13, 0x40}, {14, 0x80}, {15, 0x400}, {17, 0x800}, {18, 0x20}, {19, 0x10}, {99, 0}};
	for (size_t i = 0; i < sizeof cmds / sizeof *cmds; i++)
		test_semctl(-7, -3, cmds[i][0], cmds[i][1], 9, 0);
	test_semctl(id, 0, IPC_RMID, 4, 77, 0);
}

static char there[100]; // of the child, what others read and write

static void process_memory(void)
{
	int p[2];
	need(pipe(p) == 0, "a pipe");
	pid_t child = fork();
	if (child == 0) {
		strcpy(there, "memory of a child");
		write(p[1], "x", 1);
		pause();
	}
	char c, buf[200], list[200];
	need(read(p[0], &c, 1) == 1, "the child");
	memset(buf, 0, sizeof buf);
	struct iovec local[] = {{buf, 4}, {buf + 4, 6}}, remote = {there, 10}, nowhere = {gap, 10};
	long r = traced(SYS_process_vm_readv, child, P(local), 2, P(&remote), 1, 0);
	need(r == 10, "process_vm_readv");
	if (new_event(SYS_process_vm_readv, 301)) {
		expect("420");
		expect("421 res=10 pid=%d data=\"memory of \"", child);
	}
	strcpy(buf, "written by");
	r = traced(SYS_process_vm_writev, child, P(tail(local, sizeof local)), 2, P(&remote), 1, 0);
	need(r == 10, "process_vm_writev");
	if (new_event(SYS_process_vm_writev, 302)) {
		expect("422");
		expect("423 res=10 pid=%d data=\"written by\"", child);
	}
	memset(list, 'l', sizeof list);
	struct iovec long_one = {list, 90}, far = {there, 90};
	r = traced(SYS_process_vm_writev, child, P(&long_one), 1, P(&far), 1, 0);
	if (new_event(SYS_process_vm_writev, 302)) {
		expect("422");
		expect("423 res=%ld pid=%d data=%s", r, child, data(list, 90));
	}
	struct {
		int pid;
		struct iovec *to, *from;
	} bad[] = {{child, local, &nowhere}, {-1, local, &remote}, {1 << 30, local, &remote}, {child, NULL, &remote}, {child, (void *)gap, NULL}};
	for (int i = 0; i < 5; i++) {
		r = traced(SYS_process_vm_readv, U32(bad[i].pid), P(bad[i].to), 2, P(bad[i].from), 1, 0);
		if (new_event(SYS_process_vm_readv, 301)) {
			expect("420");
			expect("421 res=%ld pid=%d data=-", r, bad[i].pid);
		}
		r = traced(SYS_process_vm_writev, U32(bad[i].pid), P(bad[i].to), 2, P(bad[i].from), 1, 0);
		if (new_event(SYS_process_vm_writev, 302)) {
			expect("422");
			expect("423 res=%ld pid=%d data=-", r, bad[i].pid);
		}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(p[0]), close(p[1]);
}

static long test_keyctl(unsigned op, long a, long b, long c, long d, const char *seen)
{
	long r = traced(SYS_keyctl, op, a, b, c, d);
	if (new_event(SYS_keyctl, 191))
		expect("453 res=%ld operation=%u %s", r, op, seen);
	return r;
}

static void keys(void)
{
	char seen[300], buf[200];
	long ring = test_keyctl(KEYCTL_JOIN_SESSION_KEYRING, P("oracle ring"), 5, 6, 7, "arg2=1:\"oracle ring\" arg3=0:0 arg4=0:0 arg5=0:0");
	if (ring < 0)
		missing("kernel keyrings");
	long key = syscall(SYS_add_key, "user", "oracle", "secret", 6, KEY_SPEC_SESSION_KEYRING);
	test_keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, P("user"), P("oracle"), 0, "arg2=0:-3 arg3=1:\"user\" arg4=1:\"oracle\" arg5=0:0");
	test_keyctl(KEYCTL_SEARCH, U32(-3), P("user"), P(tail("none", 5)), U32(-3), "arg2=0:-3 arg3=1:\"user\" arg4=1:\"none\" arg5=0:-3");
	test_keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 5, 6, 7, "arg2=0:0 arg3=0:0 arg4=0:0 arg5=0:0");
	sprintf(seen, "arg2=0:%d arg3=0:%ld arg4=0:%d arg5=0:0", (int)key, P(buf), 200);
	test_keyctl(KEYCTL_DESCRIBE, key, P(buf), 200, 9, seen);
	test_keyctl(KEYCTL_READ, key, P(buf), 200, 9, seen);
	test_keyctl(KEYCTL_GET_SECURITY, key, P(buf), 200, 9, seen);
	test_keyctl(KEYCTL_REVOKE, 7, 8, 9, 10, "arg2=0:7 arg3=0:0 arg4=0:0 arg5=0:0");
	test_keyctl(KEYCTL_SET_TIMEOUT, 7, 8, 9, 10, "arg2=0:7 arg3=0:8 arg4=0:0 arg5=0:0");
	test_keyctl(KEYCTL_NEGATE, 7, 8, 9, 10, "arg2=0:7 arg3=0:8 arg4=0:9 arg5=0:0");
	test_keyctl(KEYCTL_SESSION_TO_PARENT, 7, 8, 9, 10, "arg2=0:0 arg3=0:0 arg4=0:0 arg5=0:0");
}

static void modules(void)
{
	char image[41];
	long r;
	for (int i = 0; i < 41; i++)
		image[i] = '0' + i;
	struct {
		const void *image;
		unsigned long len;
		const char *args, *seen, *quoted;
	} inits[] = {{image, 40, "AAA BBB", strdup(data(image, 40)), "\"AAA BBB\""},
		     {tail(image, 41), 41, NULL, strdup(data(image, 41)), no_string()},
		     {NULL, 40, gap, "-", no_string()},
		     {gap, -1ul, "", "-", "\"\""},
		     {image, 0, "x", "-", "\"x\""}};
	for (int i = 0; i < 5; i++) {
		r = traced(SYS_init_module, P(inits[i].image), inits[i].len, P(inits[i].args));
		if (new_event(SYS_init_module, 76)) {
			expect("410");
			expect("411 res=%ld img=%s length=%lu uargs=%s", r, inits[i].seen, inits[i].len, inits[i].quoted);
		}
	}
	static const int fds[][3] = {{-1, 1, 1}, {99, 2, 2}, {0, 4, 4}, {-1, 3, 3}, {-1, 8, 0}};
	for (int i = 0; i < 5; i++) {
		r = traced(SYS_finit_module, U32(fds[i][0]), i == 2 ? 0 : P("args"), fds[i][1]);
		if (new_event(SYS_finit_module, 314)) {
			expect("412");
			expect("413 res=%ld fd=%d uargs=%s flags=%d", r, fds[i][0], i == 2 ? "-" : "\"args\"", fds[i][2]);
		}
	}
	struct {
		const char *name, *quoted;
		unsigned flags, ppm;
	} deletes[] = {{"test_module", "\"test_module\"", O_TRUNC | O_NONBLOCK, 3}, {"none", "\"none\"", O_TRUNC, 1}, {NULL, "-", O_NONBLOCK, 2}, {gap, "-", 0x5ff, 0}};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_delete_module, P(deletes[i].name), deletes[i].flags);
		if (new_event(SYS_delete_module, 77)) {
			expect("424");
			expect("425 res=%ld name=%s flags=%u", r, deletes[i].quoted, deletes[i].ppm);
		}
	}
	int got = traced(SYS_delete_module, P(tail("end", 4)), 0);
	if (new_event(SYS_delete_module, 77)) {
		expect("424");
		expect("425 res=%d name=\"end\" flags=0", got);
	}
}

static void generic(long nr, int sc, long arg)
{
	traced(nr, arg, arg);
	expect("0 ID=%d nativeID=%ld", sc, nr);
	expect("1 ID=%d nativeID=%ld", sc, nr);
}

static void generics(void)
{
	struct utsname u;
	generic(SYS_uname, 67, P(&u));
	generic(SYS_uname, 67, 0);
	generic(SYS_sched_yield, 99, 0);
	generic(SYS_getcpu, 217, 0);
	generic(SYS_gettimeofday, 47, 0);
	generic(SYS_clock_gettime, 176, -1);
	generic(SYS_getpid, 16, 0);
	generic(SYS_preadv2, newest ? 359 : 0, -1); // the oldest readers have no number for it
	generic(1000, 0, 1); // nobody knows this one
	generic(700, 0, 1);
#ifdef SYS_time
	generic(SYS_time, 11, 0);
#ifdef __x86_64__
	generic(134, 52, 0); // uselib, which the kernel has no more
#endif
#endif
}

int main(int argc, char **argv)
{
	begin_calls(argc, argv);
	waiting();
	users();
	in_child(other_users);
	in_child(session);
	groups();
	prctls();
	in_child(capabilities);
	in_child(traced_child);
	in_child(strict);
	in_child(spaces);
	kills();
	in_child(limits);
	semaphores();
	process_memory();
	in_child(keys);
	modules();
	generics();
	return 0;
}
