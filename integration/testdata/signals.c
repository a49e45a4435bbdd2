// Signals in every form, and what the program sees of them: signals WHAT.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// The C library keeps 32 and 33 for itself; the kernel does not.
struct kernel_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

#ifdef __x86_64__
extern void restorer(void);
__asm__("restorer: mov $15, %eax\n syscall\n");
#define RESTORER 0x04000000
#else
#define restorer NULL
#define RESTORER 0
#endif

static void handle(int sig, void (*handler)(int, siginfo_t *, void *), unsigned long flags)
{
	struct kernel_action a = {handler, flags | SA_SIGINFO | RESTORER, restorer, 0};
	if (syscall(SYS_rt_sigaction, sig, &a, NULL, 8))
		printf("sigaction %d: %s\n", sig, strerror(errno));
}

struct seen {
	int count, code, value, pid, uid;
};

static volatile struct seen seen[65][8];
static volatile int next[65];

static void note(int sig, siginfo_t *info, void *context)
{
	int n = next[sig]++ & 7;
	(void)context;
	seen[sig][n].count = 1;
	seen[sig][n].code = info->si_code;
	seen[sig][n].pid = info->si_pid;
	seen[sig][n].uid = info->si_uid;
	seen[sig][n].value = info->si_code == SI_QUEUE ? info->si_value.sival_int : 0;
}

static void pause_briefly(void)
{
	struct timespec t = {0, 200000};
	nanosleep(&t, NULL);
}

// all sends each signal in three ways from another process.
static void all(void)
{
	pid_t me = getpid(), parent = 0;
	int p[2];
	char c;
	pipe(p);
	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			handle(sig, note, 0);
	parent = fork();
	if (parent == 0) {
		for (int sig = 1; sig <= 64; sig++) {
			siginfo_t info = {.si_signo = sig, .si_code = SI_QUEUE};
			info.si_pid = getpid();
			info.si_uid = 7;
			info.si_value.sival_int = 1000 + sig;
			if (sig == SIGKILL || sig == SIGSTOP || sig == SIGCHLD)
				continue;
			kill(me, sig);
			write(p[1], "", 1);
			pause_briefly();
			syscall(SYS_tgkill, me, me, sig);
			write(p[1], "", 1);
			pause_briefly();
			syscall(SYS_rt_sigqueueinfo, me, sig, &info);
			write(p[1], "", 1);
			pause_briefly();
		}
		_exit(0);
	}
	close(p[1]);
	for (int n; (n = read(p[0], &c, 1)) != 0;)
		if (n < 0 && errno != EINTR)
			break;
	while (waitpid(parent, NULL, 0) < 0)
		;
	// Real-time signals come as often as they were sent, others at least once.
	for (int sig = 1; sig <= 64; sig++) {
		int codes = 0;
		for (int i = 0; i < 8; i++) {
			volatile struct seen *s = &seen[sig][i];
			if (!s->count)
				continue;
			codes |= s->code == SI_USER ? 1 : s->code == SI_TKILL ? 2 : s->code == SI_QUEUE ? 4 : sig == SIGCHLD ? 8 : 16;
			if (s->pid != parent || (s->value != 0 && s->value != 1000 + sig) || (s->code == SI_QUEUE && s->uid != 7))
				printf("signal %d: code %d pid %d value %d\n", sig, s->code, s->pid, s->value);
		}
		if (sig == SIGCONT)
			continue; // taken away by a SIGTSTP before it has come, on a busy machine
		if (sig >= 32)
			printf("signal %d count %d codes %d\n", sig, next[sig], codes);
		else
			printf("signal %d %s\n", sig, next[sig] ? "came" : "did not come");
	}
}

static volatile long ticks;

// tick ends its timer after a while: where a handler takes longer than the time
// between two, the program gets no further than from one to the next.
static void tick(int sig, siginfo_t *info, void *context)
{
	struct itimerval off = {{0, 0}, {0, 0}};
	(void)sig, (void)info, (void)context;
	if (++ticks == 300)
		setitimer(ITIMER_REAL, &off, NULL);
	getppid();
}

static unsigned sum(unsigned s, const unsigned char *b, int n)
{
	for (int i = 0; i < n; i++)
		s = s * 31 + b[i];
	return s;
}

// sleeps until a time from now: however slow handlers are, it comes.
static int sleeps(long ns)
{
	struct timespec t;
	int r, bad = 0;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ns;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	while ((r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)))
		bad += r != EINTR;
	return bad;
}

// storm does calls of all kinds while a timer interrupts them, with handlers
// that restart them and with others.
static void storm(unsigned long flags)
{
	struct itimerval fast = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
	unsigned char b[3000];
	int p[2], status, bad = 0;
	long total = 0;
	unsigned s = 0;
	struct timespec begin, end;
	pipe(p);
	handle(SIGALRM, tick, flags);
	pid_t pid = fork();
	if (pid == 0) { // writes slowly
		close(p[0]);
		setitimer(ITIMER_REAL, &fast, NULL);
		for (int i = 0; i < 60; i++) {
			for (unsigned j = 0; j < sizeof b; j++)
				b[j] = i * 7 + j;
			for (unsigned at = 0; at < sizeof b;) {
				int n = write(p[1], b + at, sizeof b - at);
				if (n > 0)
					at += n;
				else if (errno != EINTR)
					_exit(1);
			}
			if (i % 8 == 0)
				sleeps(2000000);
		}
		_exit(0);
	}
	close(p[1]);
	setitimer(ITIMER_REAL, &fast, NULL);
	for (;;) {
		struct pollfd f = {p[0], POLLIN, 0};
		int n = total % 3 == 0 ? poll(&f, 1, 1) : 1;
		if (n < 0 && errno != EINTR)
			bad++;
		n = read(p[0], b, 1 + total % 777);
		if (n == 0)
			break;
		if (n < 0) {
			bad += errno != EINTR;
			continue;
		}
		s = sum(s, b, n);
		total += n;
		int fd = open("/dev/null", O_RDONLY);
		bad += fd < 0;
		bad += close(fd) != 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	bad += sleeps(30000000);
	clock_gettime(CLOCK_MONOTONIC, &end);
	bad += (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < 29;
	setitimer(ITIMER_REAL, &off, NULL);
	while (waitpid(pid, &status, 0) < 0)
		;
	printf("total %ld sum %08x bad %d child %#x ticks %s\n", total, s, bad, status, ticks > 0 ? "some" : "no");
}

static void trapped(int sig, siginfo_t *info, void *context)
{
#ifdef __x86_64__
	ucontext_t *u = context;
	u->uc_mcontext.gregs[REG_EFL] &= ~0x100;
	// Some virtual machines do not step over int1, which then traps for ever.
	if (*(unsigned char *)u->uc_mcontext.gregs[REG_RIP] == 0xf1)
		u->uc_mcontext.gregs[REG_RIP]++;
#endif
	(void)context;
	printf("signal %d code %d\n", sig, info->si_code);
}

// traps raises SIGTRAP in all ways that a program has.
static void traps(void)
{
	int status;
	handle(SIGTRAP, trapped, 0);
	raise(SIGTRAP);
	kill(getpid(), SIGTRAP);
#ifdef __x86_64__
	__asm__ volatile("int3");
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf; nop" ::: "memory", "cc");
	__asm__ volatile(".byte 0xf1; nop"); // int1
#endif
	// Codes that look like the event stops of a tracer.
	static const int forged[] = {SIGTRAP | 7 << 8, SIGTRAP | 4 << 8, SIGTRAP | 128 << 8, SIGTRAP | 0x80, -1, -60};
	for (unsigned i = 0; i < sizeof forged / sizeof *forged; i++) {
		siginfo_t info = {.si_signo = SIGTRAP, .si_code = forged[i]};
		if (syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGTRAP, &info))
			printf("forged %s\n", strerror(errno));
	}
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGTRAP, SIG_DFL);
		raise(SIGTRAP);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("status %#x\n", status & 0x7f);
}

static void jail(unsigned code, int number, unsigned action)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action | code),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {4, f};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p))
		printf("seccomp %s\n", strerror(errno));
}

static void refused(int sig, siginfo_t *info, void *context)
{
	(void)context;
	printf("signal %d code %d call %d errno %d\n", sig, info->si_code, info->si_syscall, info->si_errno);
}

// filters has calls refused in every way by filters of the program's own.
static void filters(void)
{
	int status;
	jail(77, SYS_getpriority, SECCOMP_RET_ERRNO);
	long r = syscall(SYS_getpriority, 0, 0);
	printf("refused %ld %d\n", r, errno);
	handle(SIGSYS, refused, 0);
	jail(5, SYS_getsid, SECCOMP_RET_TRAP);
	syscall(SYS_getsid, 0);
	for (int data = 0; data < 3; data++) {
		static const int calls[] = {SYS_getpgid, SYS_sync, SYS_mkdirat};
		jail(data, calls[data], SECCOMP_RET_TRACE);
		r = syscall(calls[data], -100, "made by a call that was refused", 0700);
		printf("traced %ld %d\n", r, errno);
	}
	printf("made %d\n", access("made by a call that was refused", F_OK));
	jail(0, SYS_getitimer, SECCOMP_RET_LOG);
	printf("logged %ld\n", syscall(SYS_getitimer, 0, &status));
	pid_t pid = fork();
	if (pid == 0) {
		jail(0, SYS_setpriority, SECCOMP_RET_KILL_PROCESS);
		syscall(SYS_setpriority, 0, 0, 0);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("killed %#x\n", status & 0x7f);
}

#ifdef __x86_64__
static long compat(long number, long a, long b, long c)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return r;
}
#endif

// foreign makes calls by the other entries of the kernel.
static void foreign(void)
{
#ifdef __x86_64__
	int status;
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	strcpy(low, "/dev/null");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		printf("getpid %d\n", compat(20, 0, 0, 0) == getpid());
		long fd = compat(5, (long)low, O_RDONLY, 0);
		long once = compat(6, fd, 0, 0), twice = compat(6, fd, 0, 0);
		printf("open %ld close %ld again %ld\n", fd, once, twice);
		printf("no number %ld\n", compat(4000, 0, 0, 0));
		pid_t child = compat(2, 0, 0, 0); // fork
		if (child == 0)
			_exit(8);
		waitpid(child, &status, 0);
		printf("child %#x\n", status);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("status %#x\n", status);
	long r = syscall(0x40000000 + SYS_getppid);
	printf("x32 %s\n", r > 0 ? "is there" : strerror(errno));
#endif
	long n = syscall(100000);
	printf("no number %ld %d\n", n, errno);
	n = syscall(-1);
	printf("minus one %ld %d\n", n, errno);
}

static void interrupted(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
}

// stopped has a child stop and go on in the middle of calls of all kinds, and
// tells which of them notice.
static void stopped(void)
{
	int p[2], status;
	char c;
	pipe(p);
	pid_t pid = fork();
	if (pid == 0) {
		struct timespec t = {0, 30000000};
		struct epoll_event ev;
		sigset_t none, term;
		struct pollfd f = {p[0], POLLIN, 0};
		sigemptyset(&none);
		sigemptyset(&term);
		sigaddset(&term, SIGTERM);
		sigprocmask(SIG_BLOCK, &term, NULL);
		int e = epoll_create1(0), i = 0;
		handle(SIGUSR1, interrupted, 0);
		for (; i < 10; i++) {
			nanosleep(&t, NULL);
			poll(&f, 1, 20);
			epoll_wait(e, &ev, 1, 20); // this one natively fails with EINTR
			sigtimedwait(&term, NULL, &t);
			clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
		}
		_exit(read(p[0], &c, 1) == 1 ? 5 : 6);
	}
	int seen = 0, continued = 0;
	for (int i = 0; i < 40; i++) {
		usleep(7000);
		kill(pid, SIGSTOP);
		waitpid(pid, &status, WUNTRACED);
		seen += WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
		kill(pid, SIGCONT);
		waitpid(pid, &status, WCONTINUED);
		continued += WIFCONTINUED(status) != 0;
	}
	write(p[1], "x", 1);
	waitpid(pid, &status, 0);
	printf("stopped %d continued %d status %#x\n", seen, continued, status);
}

static void *other(void *unused)
{
	for (;;)
		pause();
	return unused;
}

// until_waits waits until a process has gone to sleep, in the call that it is about to make.
static void until_waits(pid_t pid)
{
	char path[64], text[512], state = 'R';
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	while (state != 'S' && state != 'X') {
		usleep(10000);
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, text, sizeof text - 1);
		close(fd);
		text[n < 0 ? 0 : n] = 0;
		char *end = strrchr(text, ')');
		state = end ? end[2] : 'X';
	}
}

// afterStop is stopped and goes on, by a SIGCONT that another thread takes. A signal
// that is ignored much later ends no call.
static void afterStop(void)
{
	struct epoll_event ev;
	sigset_t cont;
	pthread_t thread;
	int e = epoll_create1(0);
	pthread_create(&thread, NULL, other, NULL);
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	pthread_sigmask(SIG_BLOCK, &cont, NULL);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			until_waits(getppid());
			if (i == 0) {
				kill(getppid(), SIGSTOP);
				usleep(50000);
				kill(getppid(), SIGCONT);
			} else
				syscall(SYS_tgkill, getppid(), getppid(), SIGWINCH);
			pause();
		}
		errno = 0;
		int n = epoll_wait(e, &ev, 1, i == 0 ? 2000 : 400);
		printf("%d %s\n", n, strerror(errno));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static volatile int noted;

static void heed(int sig)
{
	noted++;
	if (sig == SIGHUP) // blocked until the handler returns, and then ignored
		kill(getpid(), SIGUSR1);
}

// noticed waits while signals come that it ignores and one that it has a handler for, which
// ends the call: behind them, and before them with one that comes in the handler.
static void noticed(void)
{
	struct sigaction a = {.sa_handler = heed};
	struct timeval v = {5, 0};
	struct epoll_event ev;
	char c;
	int e = epoll_create1(0), s[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v);
	signal(SIGUSR1, SIG_IGN);
	sigaddset(&a.sa_mask, SIGUSR1);
	sigaction(SIGHUP, &a, NULL);
	sigaction(SIGUSR2, &a, NULL);
	for (int i = 0; i < 12; i++) {
		if (fork() == 0) {
			until_waits(getppid());
			kill(getppid(), i % 4 == 1 ? SIGHUP : SIGUSR1);
			if (i % 4 == 2)
				usleep(20000);
			if (i % 4 != 1)
				kill(getppid(), SIGUSR2);
			_exit(0);
		}
		errno = noted = 0;
		long r = i % 3 ? recv(s[0], &c, 1, 0) : epoll_wait(e, &ev, 1, 5000);
		printf("%d: %ld %s, %d\n", i, r, strerror(errno), noted);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

// computed makes a call that a filter ends with EINTR without a signal, and computes on
// while signals come that are ignored.
static void computed(void)
{
	signal(SIGUSR1, SIG_IGN);
	jail(EINTR, SYS_getpriority, SECCOMP_RET_ERRNO);
	for (int i = 0; i < 5; i++) {
		pid_t parent = getpid(), pid = fork();
		if (pid == 0)
			for (;;) {
				usleep(1000);
				kill(parent, SIGUSR1);
			}
		unsigned long sum = 0, n = 1 << 24;
		long r = syscall(SYS_getpriority, i, 0);
		for (; n; n--) {
			sum = sum * 6364136223846793005 + n;
			__asm__ volatile("" : "+r"(sum));
		}
		printf("%ld %d, %lu\n", r, errno, sum);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

// disturbed makes calls of all kinds that wait, while signals come that nobody
// has a handler for: no call notices. The first process of a pid namespace does
// not notice those either that would end or stop another one.
static void disturbed(int init)
{
	struct timespec t = {0, 60000000};
	struct timeval v = {0, 60000};
	struct epoll_event ev;
	struct sembuf op = {0, -1, 0};
	struct { long type; char text[8]; } message;
	struct sockaddr_un any = {AF_UNIX, ""};
	struct pollfd f;
	sigset_t term;
	char c;
	int p[2], futex = 0;
	static const char *names[] = {"epoll_wait", "epoll_pwait", "sigtimedwait", "semtimedop", "recv", "accept", "read", "nanosleep",
		"poll", "ppoll", "select", "futex", "msgrcv", "recvmmsg", "connected read"};
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	if (!init) {
		signal(SIGUSR1, SIG_IGN);
		signal(SIGTSTP, SIG_IGN);
		signal(SIGRTMIN + 3, SIG_IGN);
	}
	pipe(p);
	int e = epoll_create1(0), sem = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(l, (struct sockaddr *)&any, sizeof(sa_family_t));
	listen(l, 1);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v);
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v);
	bind(s, (struct sockaddr *)&any, sizeof(sa_family_t));
	f.fd = p[0];
	f.events = POLLIN;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (fork() == 0) {
			static const int sent[2][5] = {{SIGUSR1, SIGTSTP, SIGWINCH, SIGURG, SIGCONT}, {SIGUSR1, SIGTSTP, SIGINT, SIGSTOP, SIGURG}};
			for (int n = 0; n < 5; n++) {
				usleep(10000);
				kill(getppid(), n == 3 && i % 2 ? SIGRTMIN + 3 : sent[init][n]);
			}
			if (i == 6)
				write(p[1], "", 1);
			if (i == 12) {
				usleep(12000);
				message.type = 1;
				msgsnd(queue, &message, 1, 0);
			}
			_exit(0);
		}
		struct timespec left = t;
		struct timeval wait = v;
		struct mmsghdr hdr = {0};
		fd_set set;
		FD_ZERO(&set);
		FD_SET(p[0], &set);
		errno = 0;
		long r = i == 0 ? epoll_wait(e, &ev, 1, 60)
			: i == 1 ? epoll_pwait(e, &ev, 1, 60, &term)
			: i == 2 ? sigtimedwait(&term, NULL, &left)
			: i == 3 ? semtimedop(sem, &op, 1, &left)
			: i == 4 ? recv(s, &c, 1, 0)
			: i == 5 ? accept(l, NULL, NULL)
			: i == 6 ? read(p[0], &c, 1)
			: i == 7 ? nanosleep(&left, NULL)
			: i == 8 ? poll(&f, 1, 60)
			: i == 9 ? ppoll(&f, 1, &left, &term)
			: i == 10 ? select(p[0] + 1, &set, NULL, NULL, &wait)
			: i == 11 ? syscall(SYS_futex, &futex, 0, 0, &left, NULL, 0)
			: i == 12 ? msgrcv(queue, &message, 1, 0, 0)
			: i == 13 ? recvmmsg(s, &hdr, 1, 0, NULL)
			: recv(s, &c, 1, MSG_WAITALL);
		printf("%s %ld %s\n", names[i], r, strerror(errno));
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
	semctl(sem, 0, IPC_RMID);
	msgctl(queue, IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "all"))
		all();
	else if (!strcmp(what, "storm"))
		storm(SA_RESTART);
	else if (!strcmp(what, "storm-eintr"))
		storm(0);
	else if (!strcmp(what, "traps"))
		traps();
	else if (!strcmp(what, "filters"))
		filters();
	else if (!strcmp(what, "foreign"))
		foreign();
	else if (!strcmp(what, "disturbed"))
		disturbed(getpid() == 1);
	else if (!strcmp(what, "noticed"))
		noticed();
	else if (!strcmp(what, "computed"))
		computed();
	else if (!strcmp(what, "afterstop"))
		afterStop();
	else if (!strcmp(what, "stopped"))
		stopped();
	else
		return 97;
	return 0;
}
