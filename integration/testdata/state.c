// Writes what it has inherited into the file that its first argument names.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static FILE *out;

// escaped prints bytes so that each is seen.
static void escaped(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~' || s[i] == '\\')
			fprintf(out, "\\%02x", (unsigned char)s[i]);
		else
			putc(s[i], out);
	putc('\n', out);
}

static char buf[1 << 16];

static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, all = 0;
	if (fd < 0)
		return -1;
	while ((n = read(fd, buf + all, sizeof buf - 1 - all)) > 0)
		all += n;
	close(fd);
	buf[all] = 0;
	return all;
}

static void whole(const char *path)
{
	ssize_t n = slurp(path);
	fprintf(out, "%s (%s)\n%s", path, n < 0 ? strerror(errno) : "", n < 0 ? "" : buf);
}

static void bytes(const char *path)
{
	ssize_t n = slurp(path);
	fprintf(out, "%s %zd ", path, n);
	escaped(buf, n < 0 ? 0 : n);
}

static void linked(const char *path)
{
	ssize_t n = readlink(path, buf, sizeof buf);
	fprintf(out, "%s -> ", path);
	escaped(n < 0 ? strerror(errno) : buf, n < 0 ? (ssize_t)strlen(strerror(errno)) : n);
}

static void descriptors(void)
{
	char path[64];
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		if (flags < 0)
			continue;
		fprintf(out, "fd %d cloexec %d flags %o at %ld ", fd, flags, fcntl(fd, F_GETFL), (long)lseek(fd, 0, SEEK_CUR));
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, buf, sizeof buf - 1);
		buf[n < 0 ? 0 : n] = 0;
		char *id = strstr(buf, ":[");
		if (id)
			*id = 0; // a number that differs
		escaped(buf, strlen(buf));
	}
}

// locks prints those that the kernel says are of this process.
static void locks(void)
{
	char line[256], kind[20], mode[20], type[20], where[40], from[30], to[30];
	static char seen[16][128];
	int pid, n = 0;
	// While others lock, a reader may miss some and see some twice.
	for (int i = 0; i < 5; i++) {
		FILE *f = fopen("/proc/locks", "r");
		while (f && fgets(line, sizeof line, f)) {
			int k = 0;
			if (sscanf(line, "%*d: %19s %19s %19s %d %39s %29s %29s", kind, mode, type, &pid, where, from, to) != 7 || pid != getpid())
				continue;
			snprintf(line, sizeof line, "lock %s %s %s %s-%s\n", kind, mode, type, from, to);
			while (k < n && strcmp(seen[k], line))
				k++;
			if (k == n && n < 16)
				strcpy(seen[n++], line);
		}
		if (f)
			fclose(f);
	}
	qsort(seen, n, sizeof *seen, (int (*)(const void *, const void *))strcmp);
	for (int k = 0; k < n; k++)
		fputs(seen[k], out);
}

// pending takes every signal that waits, with what came with it.
static void pending(void)
{
	sigset_t set;
	siginfo_t info;
	struct timespec now = {0, 0};
	sigpending(&set);
	while (sigtimedwait(&set, &info, &now) > 0)
		fprintf(out, "pending %d code %d value %d from %s\n", info.si_signo, info.si_code,
			info.si_code == SI_QUEUE ? info.si_value.sival_int : 0, info.si_pid == getpid() ? "itself" : "another");
}

static void timer(const char *name, int which)
{
	struct itimerval it;
	getitimer(which, &it);
	fprintf(out, "timer %s %s every %ld\n", name, it.it_value.tv_sec > 900 ? "far" : it.it_value.tv_sec ? "near" : "none", (long)it.it_interval.tv_sec);
}

static void stat_fields(void)
{
	// By number in proc(5): what belongs to the process and not to its running.
	static const int fields[] = {4, 5, 6, 7, 8, 18, 19, 20, 21, 38, 40, 41};
	slurp("/proc/self/stat");
	char *p = strrchr(buf, ')');
	int n = 2;
	for (char *word = strtok(p + 1, " "); word; word = strtok(NULL, " "), n++)
		for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
			if (fields[i] == n + 1)
				fprintf(out, "stat %d %s\n", n + 1, word);
}

// processors prints where the process may run.
static void processors(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof set, &set);
	fprintf(out, "processors");
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			fprintf(out, " %d", i);
	fprintf(out, "\n");
}

static void waits(void)
{
	close(50); // a child waits for that
	int status;
	pid_t got;
	struct rusage r;
	siginfo_t info = {0};
	int seen[256] = {0}, n = 0;
	while ((got = waitpid(-1, &status, 0)) > 0)
		seen[n++ & 255] = status;
	for (int a = 0; a < n; a++) // in whatever order they ended
		for (int b = a + 1; b < n; b++)
			if (seen[b] < seen[a]) {
				int s = seen[a];
				seen[a] = seen[b];
				seen[b] = s;
			}
	for (int i = 0; i < n; i++)
		fprintf(out, "child %#x\n", seen[i]);
	fprintf(out, "then %s\n", strerror(errno));
	fprintf(out, "WNOHANG %d\n", waitpid(-1, &status, WNOHANG));
	fprintf(out, "own group %d %s\n", waitpid(0, &status, WNOHANG), strerror(errno));
	fprintf(out, "P_ALL %d %s\n", waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG), strerror(errno));
	getrusage(RUSAGE_CHILDREN, &r);
	fprintf(out, "children have used %s\n", r.ru_maxrss || r.ru_utime.tv_sec ? n ? "some" : "some, but there are none" : "nothing");
}

int main(int argc, char **argv, char **envp)
{
	static char *links[] = {"/proc/self/exe", "/proc/self/cwd", "/proc/self/root", "/proc/self/ns/pid", "/proc/self/ns/mnt",
		"/proc/self/ns/net", "/proc/self/ns/user", "/proc/self/ns/pid_for_children", "/proc/self/ns/ipc", "/proc/self/ns/cgroup", "/proc/self/ns/uts"};
	static char *files[] = {"/proc/self/limits", "/proc/self/cgroup", "/proc/self/oom_score_adj", "/proc/self/coredump_filter",
		"/proc/self/personality", "/proc/self/timerslack_ns", "/proc/self/loginuid", "/proc/self/sessionid", "/proc/self/comm", "/proc/self/uid_map"};
	char *text;
	size_t size;
	int value = 0;
	out = open_memstream(&text, &size);
	descriptors();
	fprintf(out, "pid %d ppid %d pgid %d sid %d tid %d\n", getpid(), getppid(), getpgid(0), getsid(0), gettid());
	fprintf(out, "argc %d\n", argc);
	for (int i = 0; i < argc; i++)
		escaped(argv[i], strlen(argv[i]));
	for (char **e = envp; *e; e++)
		escaped(*e, strlen(*e));
	bytes("/proc/self/environ");
	bytes("/proc/self/cmdline");
	for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
		linked(links[i]);
	whole("/proc/self/status");
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
		whole(files[i]);
	stat_fields();
	locks();
	pending();
	timer("real", ITIMER_REAL);
	timer("virtual", ITIMER_VIRTUAL);
	timer("prof", ITIMER_PROF);
	prctl(PR_GET_PDEATHSIG, &value);
	fprintf(out, "pdeathsig %d\n", value);
	value = 0;
	prctl(PR_GET_CHILD_SUBREAPER, &value);
	fprintf(out, "subreaper %d securebits %#x dumpable %d keepcaps %d thp %d ambient %d\n", value, prctl(PR_GET_SECUREBITS),
		prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 13, 0, 0));
	fprintf(out, "nice %d ioprio %ld policy %d umask %o\n", getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, 1, 0), sched_getscheduler(0), umask(0));
	fprintf(out, "keyring %s\n", syscall(SYS_keyctl, 0, -3, 0) > 0 ? "session" : strerror(errno));
	processors();
	waits();
	fclose(out);
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		return 1;
	return 0;
}
