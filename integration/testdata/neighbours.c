// Opens a file below filters of its own, of every kind, and prints what it sees. With
// "wait" it does that when its standard input ends; with "installed" it has the
// filters before.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct kind {
	const char *name;
	unsigned action;
	int listens, threaded;
} kinds[] = {
	{"allow", SECCOMP_RET_ALLOW},
	{"log", SECCOMP_RET_LOG},
	{"trace", SECCOMP_RET_TRACE | 7},
	{"errno", SECCOMP_RET_ERRNO | 77},
	{"trap", SECCOMP_RET_TRAP | 5},
	{"thread", SECCOMP_RET_KILL_THREAD, .threaded = 1},
	{"process", SECCOMP_RET_KILL_PROCESS},
	{"continue", SECCOMP_RET_USER_NOTIF, .listens = 1},
	{"emulate", SECCOMP_RET_USER_NOTIF, .listens = 2},
};

enum { count = sizeof kinds / sizeof *kinds };

static volatile int listener = -1;

static void trapped(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	printf("trapped: code %d errno %d\n", info->si_code, info->si_errno);
}

// install refuses opens of the caller with mode number, or whatever k does to them.
static int install(const struct kind *k, int number)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, k->action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {6, f};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, k->listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &p);
	if (fd < 0)
		printf("%s: refused, %s\n", k->name, strerrorname_np(errno));
	if (k->listens)
		listener = fd;
	return fd;
}

static void *supervise(void *arg)
{
	const struct kind *k = arg;
	while (listener == -1)
		usleep(100);
	struct seccomp_notif n = {0};
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
		return NULL;
	struct seccomp_notif_resp r = {.id = n.id};
	if (k->listens == 1)
		r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		r.val = 4242;
	printf("%s: asked for call %s\n", k->name, n.data.nr == SYS_openat ? "openat" : "?");
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
	return NULL;
}

static void *calls(void *arg)
{
	const struct kind *k = arg;
	char path[64];
	snprintf(path, sizeof path, "/neighbour/%s", k->name);
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, (int)(k - kinds));
	if (fd < 0)
		printf("%s: %d\n", k->name, errno);
	else
		printf("%s: %ld\n", k->name, fd);
	return NULL;
}

// live is a process below one filter, which opens when a byte comes.
static void live(const struct kind *k, int ready, int go, int late)
{
	pthread_t thread;
	char c;
	struct sigaction sa = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGSYS, &sa, NULL);
	if (late) {
		write(ready, "", 1);
		read(go, &c, 1);
	}
	if (k->listens)
		pthread_create(&thread, NULL, supervise, (void *)k);
	int refused = install(k, k - kinds) < 0;
	if (!late) {
		write(ready, "", 1);
		read(go, &c, 1);
	}
	if (k->threaded) {
		pthread_t caller;
		pthread_create(&caller, NULL, calls, (void *)k);
		pthread_join(caller, NULL);
		printf("%s: is over\n", k->name);
	} else {
		calls((void *)k);
	}
	if (k->listens && !refused)
		pthread_join(thread, NULL);
	exit(3);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int go[count][2], ready[2], status;
	pid_t pids[count];
	char c;
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	pipe(ready);
	for (int i = 0; i < count; i++) {
		pipe(go[i]);
		pids[i] = fork();
		if (pids[i] == 0)
			live(&kinds[i], ready[1], go[i][0], strcmp(how, "installed"));
		read(ready[0], &c, 1);
	}
	if (argc > 1) {
		printf("ready\n");
		fflush(stdout);
		read(0, &c, 1);
	}
	for (int i = 0; i < count; i++) {
		write(go[i][1], "", 1);
		waitpid(pids[i], &status, 0);
		printf("%s: status %#x\n", kinds[i].name, status & ~0x80);
		fflush(stdout);
	}
	return 0;
}
