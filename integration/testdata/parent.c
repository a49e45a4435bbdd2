// Sets up, as oddly as it can, what a program inherits from whoever starts it,
// and executes the program: parent KIND[,KIND...] PROGRAM ARGUMENT...
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "parent: %s: %s\n", what, strerror(errno));
		exit(99);
	}
}

static void signals(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR2, SIGSYS, 36};
	static const int blocked[] = {SIGTERM, SIGCHLD, SIGURG, SIGUSR1, SIGSEGV, SIGTRAP, SIGALRM, SIGPROF, 34, 40};
	sigset_t set;
	union sigval v;
	for (unsigned i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof blocked / sizeof *blocked; i++)
		sigaddset(&set, blocked[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (v.sival_int = 7; v.sival_int < 10; v.sival_int++)
		must(sigqueue(getpid(), 34, v) == 0, "sigqueue");
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGTRAP);
	syscall(SYS_tgkill, getpid(), gettid(), 40);
	struct itimerval far = {{0, 0}, {1000, 0}};
	must(setitimer(ITIMER_REAL, &far, NULL) == 0, "setitimer");
	must(setitimer(ITIMER_PROF, &far, NULL) == 0, "setitimer");
	must(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0, "pdeathsig");
}

// nochild ignores SIGCHLD, so that children are collected by the kernel.
static void nochild(void) { signal(SIGCHLD, SIG_IGN); }

static void limits(void)
{
	static const struct { int what; rlim_t cur, max; } odd[] = {
		{RLIMIT_NOFILE, 77, 177}, {RLIMIT_CORE, 4096, 8192}, {RLIMIT_STACK, 4 << 20, 64 << 20},
		{RLIMIT_FSIZE, 33 << 20, 66 << 20}, {RLIMIT_NPROC, 3333, 4444}, {RLIMIT_MEMLOCK, 0, 65536},
		{RLIMIT_MSGQUEUE, 819, 820}, {RLIMIT_SIGPENDING, 55, 66},
		{RLIMIT_RTTIME, 100000000, 200000000}, {RLIMIT_CPU, 1000, 2000}, {RLIMIT_LOCKS, 11, 22},
	};
	for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct rlimit r = {odd[i].cur, odd[i].max};
		must(setrlimit(odd[i].what, &r) == 0, "setrlimit");
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	must(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
	close(fd);
}

static void attributes(void)
{
	cpu_set_t one;
	struct sched_param none = {0};
	umask(0351);
	put("/proc/self/oom_score_adj", "123");
	put("/proc/self/coredump_filter", "0x5");
	put("/proc/self/timerslack_ns", "77777");
	must(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper");
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "thp");
	must(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6) == 0, "ioprio_set");
	must(personality(ADDR_NO_RANDOMIZE | 0x0020000) != -1, "personality");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	must(sched_setaffinity(0, sizeof one, &one) == 0, "affinity");
	must(sched_setscheduler(0, SCHED_BATCH, &none) == 0, "scheduler");
	must(setpriority(PRIO_PROCESS, 0, 5) == 0, "nice");
}

// privileges gives the program ambient capabilities and security bits.
static void privileges(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	must(syscall(SYS_capget, &h, d) == 0, "capget");
	d[0].inheritable |= 1 << CAP_NET_RAW | 1 << CAP_KILL;
	must(syscall(SYS_capset, &h, d) == 0, "capset");
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0, "ambient");
	must(prctl(PR_CAPBSET_DROP, CAP_WAKE_ALARM, 0, 0, 0) == 0, "bounding");
	must(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS_LOCKED) == 0, "securebits");
}

static void session(void)
{
	must(setsid() > 0, "setsid");
}

static void group(void)
{
	must(setpgid(0, 0) == 0, "setpgid");
}

// children leaves one that has ended, one that will when descriptor 50 is
// closed, and one of which nobody is told.
static void children(void)
{
	siginfo_t info;
	if (fork() == 0)
		_exit(3);
	must(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0, "waitid");
	int p[2];
	char c;
	must(pipe(p) == 0 && dup2(p[1], 50) == 50, "pipe");
	close(p[1]);
	if (fork() == 0) {
		close(50);
		read(p[0], &c, 1);
		_exit(4);
	}
	close(p[0]);
	if (syscall(SYS_clone, 0, 0, 0, 0, 0) == 0)
		_exit(5);
}

// make opens a file with what it holds and moves it to number fd.
static void make(int fd, const char *name, int flags)
{
	int f = open(name, O_RDWR | O_CREAT | flags, 0644);
	must(f >= 0 && write(f, "0123456789012345678901234567890123456789", 40) == 40, name);
	must(lseek(f, fd, SEEK_SET) == fd, "lseek");
	must(dup3(f, fd, flags & O_CLOEXEC) == fd, "dup3");
	close(f);
}

static void lock(int fd, short type, int command, int from, int length)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = length};
	must(fcntl(fd, command, &l) == 0, "lock");
}

static void descriptors(void)
{
	int p[2];
	make(13, "appended", O_APPEND);
	must(dup2(13, 20) == 20, "dup2");
	make(15, "closed on exec", O_CLOEXEC);
	make(17, "unlinked", 0);
	unlink("unlinked");
	make(19, "locked", 0);
	make(30, "flocked", 0);
	lock(19, F_WRLCK, F_SETLK, 3, 4);
	lock(19, F_RDLCK, F_SETLK, 30, 0);
	lock(13, F_WRLCK, F_OFD_SETLK, 1, 2);
	must(flock(30, LOCK_EX) == 0, "flock");
	must(pipe2(p, O_NONBLOCK) == 0, "pipe2");
	must(dup2(p[0], 40) == 40 && dup2(p[1], 57) == 57, "dup2");
	close(p[0]);
	close(p[1]);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0, "socketpair");
	must(dup2(p[0], 61) == 61 && dup2(p[1], 62) == 62, "dup2");
	close(p[0]);
	close(p[1]);
	must(dup2(eventfd(3, 0), 63) == 63, "eventfd");
	int e = epoll_create1(0);
	struct epoll_event ev = {EPOLLIN, {.u32 = 61}};
	must(epoll_ctl(e, EPOLL_CTL_ADD, 61, &ev) == 0, "epoll_ctl");
	must(dup2(e, 64) == 64, "dup2");
	must(dup2(memfd_create("memory", 0), 65) == 65, "memfd");
	must(dup2(open(".", O_PATH | O_DIRECTORY), 66) == 66, "open");
	must(dup2(open("/proc/self/status", O_RDONLY), 67) == 67, "open");
	for (int fd = 3; fd < 13; fd++)
		close(fd);
}

// closed takes the standard descriptors away.
static void closed(void)
{
	close(0);
	close(1);
	close(2);
}

// directory makes the working directory one that is no more.
static void directory(void)
{
	must(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0, "directory");
}

static char *odd[] = {
	"A=1", "", "NOEQUALS", "=x", "B=", "A=2", "PATH=/usr/bin:/bin", "A=1", "GOGC=off", "GOMAXPROCS=1",
	"NEWLINE=a\nb", "BYTES=\xff\xfe\x01", "LD_BIND_NOW=1", "TZ=", "", "GODEBUG=inittrace=1,gctrace=1,schedtrace=1", "LAST==", NULL,
};

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*set)(void); } kinds[] = {
		{"signals", signals}, {"nochild", nochild}, {"limits", limits}, {"attributes", attributes}, {"privileges", privileges},
		{"session", session}, {"group", group}, {"children", children}, {"descriptors", descriptors},
		{"directory", directory}, {"closed", closed},
	};
	extern char **environ;
	char **env = environ, **args = argv + 2;
	if (argc < 3)
		return 99;
	for (char *word = strtok(argv[1], ","); word; word = strtok(NULL, ",")) {
		unsigned i;
		for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (!strcmp(word, kinds[i].name)) {
				kinds[i].set();
				break;
			}
		if (!strcmp(word, "environment"))
			env = odd;
		else if (!strcmp(word, "name")) {
			char *program = *args;
			*args = "";
			execve(program, args, env);
			return 99;
		} else if (i == sizeof kinds / sizeof *kinds)
			return 98;
	}
	execve(*args, args, env);
	return 97;
}
