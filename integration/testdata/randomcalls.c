// A hostile program: COUNT system calls with random numbers and random
// arguments, from several threads of processes that are started again when they
// have died. SEED makes the calls of a process repeat; which process comes when
// is up to the kernel. It prints its seed and its count.
//
//   randomcalls SEED COUNT
//
// It harms nobody: it has namespaces of its own (pid, mount, ipc, network,
// uts), a user of its own without capabilities, nothing but a small tmpfs as
// its root, and small limits. It exits with 77 where that is not allowed. Calls
// that would stop the machine or end the run at once are left out anyway.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MAP_32BIT // where 32-bit calls are another kind of program
#define MAP_32BIT 0
#endif

enum {
	WORKERS = 2, THREADS = 3, // of each worker
	CHILDREN = 24,            // processes and threads that the user may have beside
	NUMBERS = 480,            // numbers of calls that are known, about
	TICK_US = 1000,           // between two looks at the threads
	PATIENCE = 150,           // looks without progress that a worker may have
	USER = 61237,
};

typedef uint64_t u64;

// shared is what survives the processes.
static struct shared {
	_Atomic long calls;
	struct {
		_Atomic int tid;
		_Atomic long calls;
	} threads[WORKERS][THREADS];
} *shared;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	dprintf(2, "randomcalls: %s: %s\n", what, strerror(errno));
	_exit(99);
}

// random

static __thread u64 state;

static u64 next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static u64 below(u64 n) { return (next() >> 11) % n; }
static int one_in(u64 n) { return below(n) == 0; }

// memory

// The arena is below 4 GiB, where 32-bit calls find it too.
enum { PAGE = 4096, GOOD = 16 * PAGE, ARENA = 64 * PAGE };

static char *arena;  // GOOD bytes that may be written, then pages behind pages without access
static char *guards; // the latter
static char *constant, *sealed;

static void make_arena(void)
{
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (arena == MAP_FAILED)
		arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(arena != MAP_FAILED, "mmap");
	guards = arena + GOOD;
	constant = arena + ARENA - 4 * PAGE;
	sealed = arena + ARENA - 2 * PAGE;
	// Two pages, then one without access, again and again.
	for (char *p = guards; p + 3 * PAGE <= constant; p += 3 * PAGE) {
		memset(p, 'x', 2 * PAGE); // a string of 8192 bytes without an end
		need(mprotect(p + 2 * PAGE, PAGE, PROT_NONE) == 0, "mprotect");
	}
	memset(constant, 'c', PAGE);
	need(mprotect(constant, 2 * PAGE, PROT_READ) == 0, "mprotect");
	need(mprotect(sealed, 2 * PAGE, PROT_NONE) == 0, "mprotect");
}

static u64 number(void);
static u64 pointer(void);

// to_end is where something of n bytes ends right before memory without access,
// or a little later.
static char *to_end(size_t n)
{
	size_t pages = (constant - guards) / (3 * PAGE);
	char *end = guards + (below(pages) * 3 + 2) * PAGE;
	return end - n + (one_in(4) ? below(n + 1) : 0);
}

static void *good(void) { return arena + below(GOOD - PAGE); }

static char *put(const void *data, size_t n)
{
	char *p = one_in(3) ? to_end(n) : good();
	if (p >= guards && p + n > guards + ((p - guards) / (3 * PAGE) * 3 + 2) * PAGE)
		return p; // it would not fit
	memcpy(p, data, n);
	return p;
}

static char *path(void)
{
	static const char *const names[] = {
		"", ".", "..", "/", "x", "./x", "a", "a/b", "f0", "f1", "f2", "f3", "/x", "/f0", "/proc/self/mem",
		"/dev/null", "//f1//", "f0\n<NA> ) > open fd=1", "\xff\xfe\x01\x7f", "..//../x/", "sock", "link",
	};
	static const int lengths[] = {4094, 4095, 4096, 4097, 5000, 8192};
	switch (below(8)) {
	case 0: { // no NUL before the guard
		return to_end(lengths[below(6)]);
	}
	case 1: { // with one
		int n = lengths[below(5)];
		char *p = to_end(n + 1);
		p = guards + ((p - guards) / (3 * PAGE) * 3 + 2) * PAGE - n - 1;
		memset(p, one_in(2) ? 'x' : '/', n);
		p[n] = 0;
		return p;
	}
	}
	const char *s = names[below(sizeof names / sizeof *names)];
	return put(s, strlen(s) + 1);
}

static u64 size(void)
{
	static const u64 odd[] = {
		0, 1, 2, 7, 8, 15, 16, 24, 64, 112, 127, 128, 4095, 4096, 4097, 65535, 65536, 1ull << 31, (1ull << 31) - 1,
		(1ull << 32) - 1, 1ull << 32, 1ull << 63, (1ull << 63) - 1, ~0ull, ~0ull - 4095,
	};
	return one_in(3) ? below(300) : odd[below(sizeof odd / sizeof *odd)];
}

static u64 descriptor(void)
{
	static const int64_t odd[] = {-1, -100, -2, 1 << 30, INT32_MIN, 1000, 63, 64, 0xffffffff};
	return one_in(6) ? (u64)odd[below(sizeof odd / sizeof *odd)] : below(40);
}

static u64 flags(void)
{
	u64 v = 0;
	for (int n = below(4); n >= 0; n--)
		v |= 1ull << below(one_in(8) ? 64 : 32);
	return v;
}

static char *vector(void)
{
	struct iovec v[40];
	int n = one_in(4) ? 40 : below(5);
	for (int i = 0; i < n; i++)
		v[i] = (struct iovec){one_in(2) ? good() : (void *)pointer(), one_in(2) ? below(200) : size()};
	return put(v, n * sizeof *v);
}

static char *address(void)
{
	union {
		struct sockaddr a;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage all;
	} u;
	memset(&u, one_in(2) ? 0 : 'y', sizeof u);
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_UNSPEC, AF_NETLINK, AF_PACKET, 255, 0x4141};
	u.a.sa_family = families[below(8)];
	if (u.a.sa_family == AF_INET) {
		u.in.sin_port = htons(4000 + below(4));
		u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else if (u.a.sa_family == AF_UNIX && one_in(2)) {
		strcpy(u.un.sun_path, one_in(2) ? "sock" : "f0");
	}
	return put(&u, one_in(2) ? sizeof u : below(sizeof u));
}

static char *message(void)
{
	struct mmsghdr m[3];
	memset(m, 0, sizeof m);
	for (int i = 0; i < 3; i++) {
		struct msghdr *h = &m[i].msg_hdr;
		h->msg_name = one_in(2) ? address() : (void *)pointer();
		h->msg_namelen = one_in(2) ? below(140) : size();
		h->msg_iov = one_in(4) ? (void *)pointer() : (void *)vector();
		h->msg_iovlen = one_in(3) ? size() : below(6);
		h->msg_control = one_in(2) ? NULL : (void *)pointer();
		h->msg_controllen = one_in(2) ? 0 : size();
		m[i].msg_len = size();
	}
	return put(m, one_in(8) ? sizeof *m / 2 : sizeof m);
}

// list is a list of strings that may not end.
static char *list(void)
{
	u64 p[64];
	int n = one_in(8) ? 64 : below(6);
	for (int i = 0; i < n; i++)
		p[i] = one_in(6) ? pointer() : (u64)path();
	if (n < 64 && !one_in(4))
		p[n++] = 0;
	return n == 64 ? memcpy(to_end(0) - sizeof p, p, sizeof p) : put(p, n * sizeof *p);
}

// words are small numbers: a timespec that is not long, a pollfd, a signal set,
// flags of clone3 or openat2 and so on, as the call takes it.
static char *words(void)
{
	u64 w[16];
	for (int i = 0; i < 16; i++)
		w[i] = one_in(3) ? 0 : number();
	if (one_in(2))
		w[0] = 0, w[1] = below(2000000);
	return put(w, sizeof w);
}

static u64 pointer(void)
{
	static const u64 odd[] = {
		0, 1, 8, 0xfff, 0x1000, ~0ull, ~0ull - 7, 0x7ffffffff000, 0x7fffffffefff, 0x8000000000000000,
		0xffff800000000000, 0xffffffff81000000, 0xffffffffff600000, 0xffffffffff5ffff8, 0xdeadbeefdeadbeef,
	};
	switch (below(8)) {
	case 0:
		return odd[below(sizeof odd / sizeof *odd)];
	case 1:
		return (u64)to_end(below(64));
	case 2:
		return (u64)constant + below(PAGE);
	case 3:
		return (u64)sealed + below(PAGE);
	}
	return (u64)good();
}

static u64 number(void)
{
	switch (below(6)) {
	case 0:
		return flags();
	case 1:
		return size();
	case 2:
		return descriptor();
	case 3:
		return next();
	}
	return below(64);
}

static u64 argument(int n)
{
	if (n == 0 && one_in(2))
		return descriptor();
	switch (below(16)) {
	case 0:
		return (u64)vector();
	case 1:
		return (u64)message();
	case 2:
		return (u64)address();
	case 3:
		return (u64)list();
	case 4:
		return (u64)words();
	case 5:
	case 6:
	case 7:
		return (u64)path();
	case 8:
	case 9:
		return pointer();
	case 10:
		return size();
	case 11:
		return descriptor();
	case 12:
		return flags();
	}
	return number();
}

// calls

// gate makes a call. A child that it makes, on whatever stack, ends at once.
__attribute__((noinline)) static long gate(long nr, const u64 *a)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long ret, creates = nr == SYS_clone || nr == SYS_fork || nr == SYS_vfork || nr == SYS_clone3;
	__asm__ volatile(
		"mov %[creates], %%r12\n\t"
		"syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"test %%r12, %%r12\n\t"
		"jz 1f\n\t"
		"mov $60, %%eax\n\t"
		"xor %%edi, %%edi\n\t"
		"syscall\n"
		"1:"
		: "=a"(ret), "+r"(r10), "+r"(r8), "+r"(r9)
		: "0"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), [creates] "r"(creates)
		: "rcx", "r11", "r12", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];
	register long creates __asm__("x19") = nr == SYS_clone || nr == SYS_clone3;
	__asm__ volatile(
		"svc #0\n\t"
		"cbnz x0, 1f\n\t"
		"cbz x19, 1f\n\t"
		"mov x8, #93\n\t"
		"svc #0\n"
		"1:"
		: "+r"(x0)
		: "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(creates)
		: "memory");
	return x0;
#endif
}

#ifdef __x86_64__
// old_gate makes a call of the 32-bit ABI, where the kernel has that.
__attribute__((noinline)) static void old_gate(long nr, const u64 *a)
{
	long creates = nr == 2 || nr == 120 || nr == 190 || nr == 435;
	__asm__ volatile(
		"push %%rbp\n\t"
		"mov %[creates], %%r12\n\t"
		"mov %[last], %%rbp\n\t"
		"int $0x80\n\t"
		"test %%eax, %%eax\n\t"
		"jnz 1f\n\t"
		"test %%r12, %%r12\n\t"
		"jz 1f\n\t"
		"mov $60, %%eax\n\t"
		"xor %%edi, %%edi\n\t"
		"syscall\n"
		"1: pop %%rbp"
		: "+a"(nr)
		: "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4]), [last] "r"(a[5]), [creates] "r"(creates)
		: "r8", "r9", "r10", "r11", "r12", "memory");
}

static int old_calls; // the kernel has them

// These would stop the machine, for those who may, or end the thread.
static int old_harmful(long nr)
{
	switch (nr) {
	case 1: case 36: case 88: case 87: case 115: case 128: case 129: case 252: case 283: case 350: // exit sync reboot swapon swapoff *_module exit_group kexec_load
	case 37: case 238: case 270: case 178: case 335: case 424: // kill and its like
	case 119: case 173: case 340: // sigreturn, prlimit64: of the other kind there is enough
		return 1;
	}
	return 0;
}
#endif

static int harmful(long nr)
{
	switch (nr) {
#ifdef __x86_64__
	case SYS_create_module:
#endif
	case SYS_reboot: case SYS_kexec_load: case SYS_kexec_file_load: case SYS_init_module: case SYS_finit_module:
	case SYS_delete_module: case SYS_swapon: case SYS_swapoff: case SYS_settimeofday: case SYS_clock_settime:
	case SYS_sync:
		return 1;
	case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn:
		return !one_in(50); // these end a thread at once
	}
	return 0;
}

// to_itself makes a call that sends a signal one to the caller, mostly.
static void to_itself(long nr, u64 *a)
{
	static const int harmless[] = {0, SIGUSR1, SIGALRM, SIGWINCH, SIGURG, SIGCHLD, 40};
	int sig = harmless[below(7)];
	if (nr == SYS_prlimit64)
		a[0] = 0; // PID 1 does not come again: with too little memory it makes nobody any more
	if (one_in(16))
		return; // whomever it hits is in the same namespaces, and comes again
	switch (nr) {
	case SYS_kill: case SYS_rt_sigqueueinfo:
		a[0] = getpid(), a[1] = sig;
		break;
	case SYS_tkill:
		a[0] = syscall(SYS_gettid), a[1] = sig;
		break;
	case SYS_tgkill: case SYS_rt_tgsigqueueinfo:
		a[0] = getpid(), a[1] = syscall(SYS_gettid), a[2] = sig;
		break;
	}
}

static long call_number(void)
{
	switch (below(64)) {
	case 0:
		return -(long)below(600);
	case 1:
		return 400 + below(700);
	case 2:
		return 0x40000000 | below(600); // x32
	case 3:
		return (int)next();
	}
	return below(NUMBERS);
}

static void hostile_call(void)
{
	u64 a[6];
	for (int i = 0; i < 6; i++)
		a[i] = argument(i);
#ifdef __x86_64__
	if (old_calls && one_in(16)) {
		long nr = one_in(30) ? next() & 0x7fffffff : below(NUMBERS);
		if (!old_harmful(nr))
			old_gate(nr, a);
		return;
	}
#endif
	long nr = call_number();
	while (harmful(nr & ~0x40000000))
		nr = call_number();
	to_itself(nr & ~0x40000000, a);
	gate(nr, a);
}

// a child, now and then

static void child(void)
{
	pid_t pid = one_in(2) ? fork() : syscall(SYS_clone, SIGCHLD | CLONE_UNTRACED | CLONE_PARENT, 0, 0, 0, 0);
	if (pid == 0) {
		state ^= getpid() * 0x9e3779b97f4a7c15ull;
		alarm(1);
		for (int n = below(40); n > 0; n--)
			hostile_call();
		_exit(below(256));
	}
	if (pid > 0 && one_in(2))
		waitpid(pid, NULL, WNOHANG);
}

static void nothing(int sig) { (void)sig; }

static int worker_index;

static int thread_main(void *arg)
{
	int n = (int)(intptr_t)arg;
	shared->threads[worker_index][n].tid = syscall(SYS_gettid);
	state ^= (n + 1) * 0x9e3779b97f4a7c15ull;
	struct sigaction sa = {.sa_handler = nothing};
	for (long i = 0;; i++) {
		if (i % 64 == 0) { // what calls have changed
			sigset_t none;
			sigemptyset(&none);
			sigprocmask(SIG_SETMASK, &none, NULL);
			sa.sa_flags = one_in(2) ? SA_RESTART : 0;
			for (int sig = SIGHUP; sig < SIGRTMAX; sig++)
				if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE && sig != SIGTRAP && sig != SIGSYS && sig != SIGXCPU)
					sigaction(sig, &sa, NULL);
		}
		if (one_in(300))
			child();
		hostile_call();
		shared->threads[worker_index][n].calls++;
		shared->calls++;
	}
	return 0;
}

// descriptors opens some of all kinds.
static void descriptors(void)
{
	int p[2];
	need(close(0) == 0 || 1, "close");
	for (int fd = 0; fd < 64; fd++)
		close(fd);
	open("f0", O_RDWR | O_CREAT, 0666);
	open("f1", O_RDONLY | O_CREAT, 0666);
	open(".", O_RDONLY | O_DIRECTORY);
	open("x", O_PATH);
	pipe2(p, O_NONBLOCK);
	pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
	epoll_create1(0);
	eventfd(1, EFD_NONBLOCK);
	memfd_create("randomcalls", MFD_ALLOW_SEALING);
	socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0);
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4000 + below(4)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		bind(fd, (struct sockaddr *)&in, sizeof in);
		listen(fd, 4);
		socket(AF_INET, type | SOCK_NONBLOCK, 0);
		socket(AF_INET6, type | SOCK_NONBLOCK, 0);
		fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
		struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "sock"};
		unlink("sock");
		bind(fd, (struct sockaddr *)&un, sizeof un);
		listen(fd, 4);
		socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
	}
}

static void limit(int what, rlim_t n)
{
	struct rlimit l = {n, n};
	need(setrlimit(what, &l) == 0, "setrlimit");
}

// worker is one process with several threads.
static void worker(u64 seed)
{
	state = seed | 1;
	for (int i = 0; i < 8; i++)
		next();
	umask(0);
	make_arena();
	descriptors();
	for (int n = 1; n < THREADS; n++) {
		char *stack = mmap(NULL, 1 << 17, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
		if (stack == MAP_FAILED)
			break;
		// Without a TLS of its own, so state is common: a race that does not matter.
		clone(thread_main, stack + (1 << 17), CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
		      (void *)(intptr_t)n);
	}
	thread_main((void *)0);
}

#ifdef __x86_64__
// probe finds out whether there are 32-bit calls.
static void probe(void)
{
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		u64 a[6] = {0};
		signal(SIGSEGV, SIG_DFL);
		old_gate(20, a); // getpid
		_exit(0);
	}
	int status;
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	old_calls = status == 0;
}
#endif

static void empty_directory(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, "x") && strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			if (unlink(e->d_name))
				rmdir(e->d_name);
	if (d)
		closedir(d);
}

// supervise is PID 1 of the namespace. It lasts until the calls are made.
static void supervise(u64 seed, long count)
{
	pid_t pids[WORKERS] = {0};
	long seen[WORKERS][THREADS] = {0};
	int quiet[WORKERS] = {0};
	for (long tick = 1; shared->calls < count; tick++) {
		int status;
		pid_t pid;
		while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
			for (int w = 0; w < WORKERS; w++)
				if (pids[w] == pid)
					pids[w] = 0;
		if (tick % 1000 == 0) {
			kill(-1, SIGKILL); // also children that have got stuck
			empty_directory(".");
		}
		for (int w = 0; w < WORKERS; w++) {
			if (pids[w] == 0) {
				seed = seed * 6364136223846793005ull + 1442695040888963407ull;
				memset(&shared->threads[w], 0, sizeof shared->threads[w]);
				memset(seen[w], 0, sizeof seen[w]);
				quiet[w] = 0;
				pid = fork();
				if (pid == 0) {
					setpgid(0, 0);
					worker_index = w;
					worker(seed);
				}
				pids[w] = pid > 0 ? pid : 0;
				continue;
			}
			int moved = 0;
			for (int n = 0; n < THREADS; n++) {
				long calls = shared->threads[w][n].calls;
				int tid = shared->threads[w][n].tid;
				if (calls != seen[w][n])
					moved = 1;
				else if (tid > 0 && tick % 2)
					syscall(SYS_tgkill, pids[w], tid, SIGALRM);
				seen[w][n] = calls;
			}
			quiet[w] = moved ? 0 : quiet[w] + 1;
			if (quiet[w] > PATIENCE)
				kill(pids[w], SIGKILL);
		}
		usleep(TICK_US);
	}
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
	_exit(0);
}

static void copy_itself(const char *to)
{
	static char buf[1 << 20];
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
	need(in >= 0 && out >= 0, "open");
	for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
		need(write(out, buf, n) == n, "write");
	close(in);
	close(out);
}

static void put_file(const char *path, const char *format, int n)
{
	int fd = open(path, O_WRONLY);
	need(fd >= 0, path);
	dprintf(fd, format, n, n);
	close(fd);
}

// confine gives the caller namespaces, a root and limits of its own.
static void confine(void)
{
	const int spaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS;
	int uid = getuid(), gid = getgid();
	if (unshare(uid == 0 ? spaces : spaces | CLONE_NEWUSER) != 0) {
		dprintf(2, "randomcalls: namespaces of its own are not allowed: %s\n", strerror(errno));
		_exit(77);
	}
	if (uid != 0) {
		put_file("/proc/self/setgroups", "deny", 0);
		put_file("/proc/self/uid_map", "%d %d 1\n", uid);
		put_file("/proc/self/gid_map", "%d %d 1\n", gid);
	}
	need(mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0, "private mounts");
	need(mount("randomcalls", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=8m,nr_inodes=300,mode=777") == 0, "mount");
	need(chdir("/tmp") == 0, "chdir");
	copy_itself("x");
	need(chroot(".") == 0 && chdir("/") == 0, "chroot");
}

static void become_nobody(void)
{
	if (getuid() == 0)
		need(setresgid(USER, USER, USER) == 0 && setresuid(USER, USER, USER) == 0, "setresuid");
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } none[2] = {{0}};
	need(syscall(SYS_capset, &head, none) == 0, "capset");
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	limit(RLIMIT_AS, 256 << 20);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_MEMLOCK, 64 << 10);
	limit(RLIMIT_MSGQUEUE, 64 << 10);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_NPROC, 1 + WORKERS * THREADS + CHILDREN);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	u64 seed = strtoull(argv[1], NULL, 0);
	long count = atol(argv[2]);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(shared != MAP_FAILED, "mmap");
#ifdef __x86_64__
	probe();
#endif
	confine();
	pid_t pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		become_nobody();
		need(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl"); // a change of user takes it back
		supervise(seed, count);
	}
	int status;
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	if (status != 0) {
		dprintf(2, "randomcalls: the supervisor ended with %#x\n", status);
		return 98;
	}
	printf("seed %llu calls %ld\n", (unsigned long long)seed, (long)shared->calls);
	return 0;
}
