// A program to attach to: attach WHAT [N]. It says ready, goes on until its
// standard input ends, and tells what has gone wrong.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"

static volatile int over;

static void ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

static void untilEnd(void)
{
	char c;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

// Pairs of threads, of which one answers what the other asks. Any error is one
// too many: there are no signals.

struct pair {
	int fd[2];
	long rounds, errors;
};

// want counts what is not as it should be, and tells of it.
static void want(struct pair *p, const char *call, long got, long should)
{
	if (got == should)
		return;
	p->errors++;
	printf("%s: %ld %s\n", call, got, strerror(errno));
}

static int gentle; // no call that natively ends with EINTR after a stop

static void *serve(void *arg)
{
	struct pair *p = arg;
	struct pollfd pfd = {p->fd[0], POLLIN, 0};
	struct epoll_event e = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(ep, EPOLL_CTL_ADD, p->fd[0], &e);
	for (uint64_t n;;) {
		want(p, "wait", gentle ? poll(&pfd, 1, -1) : epoll_wait(ep, &e, 1, -1), 1);
		ssize_t got = read(p->fd[0], &n, sizeof n);
		if (got == 0)
			break;
		want(p, "read", got, sizeof n);
		int f = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
		want(p, "open", f < 0, 0);
		want(p, "close", close(f), 0);
		want(p, "write", write(p->fd[0], &n, sizeof n), sizeof n);
	}
	close(ep);
	return NULL;
}

static void *ask(void *arg)
{
	struct pair *p = arg;
	struct timespec pause = {0, 1000000};
	for (uint64_t n = 1, answer; !over; n++) {
		want(p, "write", write(p->fd[1], &n, sizeof n), sizeof n);
		want(p, "read", read(p->fd[1], &answer, sizeof answer), sizeof answer);
		want(p, "answer", answer, n);
		want(p, "nanosleep", nanosleep(&pause, NULL), 0);
		p->rounds++;
	}
	close(p->fd[1]);
	return NULL;
}

static void load(int n)
{
	struct pair *p = calloc(n, sizeof *p);
	pthread_t *t = calloc(2 * n, sizeof *t);
	long errors = 0;
	int lazy = 0;
	for (int i = 0; i < n; i++) {
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p[i].fd);
		t[2 * i] = small_thread(serve, &p[i]);
		t[2 * i + 1] = small_thread(ask, &p[i]);
	}
	ready();
	untilEnd();
	over = 1;
	for (int i = 0; i < 2 * n; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < n; i++) {
		errors += p[i].errors;
		lazy += p[i].rounds == 0;
	}
	printf("errors %ld, lazy %d\n", errors, lazy);
}

// Calls that are under way for a while. Each tells its result, and one with a
// time how long it took in units of the time.

static struct {
	const char *name;
	long result;
	int error;
	long ms;
} calls[32];
static int numCalls, own[2], pipes[2], listener, sem, queue, lockFile;
static uint32_t word;
static long limit; // ms

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum { READ, POLL, SELECT, FUTEX, EPOLL, ACCEPT, SEMOP, MSGRCV, FLOCK, SIGWAIT, WAIT, // until the end
	SLEEP, POLLTIME, FUTEXTIME, SELECTTIME, COUNT };		       // a time

static const char *names[] = {"read", "poll", "select", "futex", "epoll_wait", "accept", "semop", "msgrcv", "lock", "sigwaitinfo", "wait",
	"nanosleep", "poll with a time", "futex with a time", "select with a time"};

static void *blocked(void *arg)
{
	int i = (long)arg;
	char c;
	struct pollfd pfd = {pipes[0], POLLIN, 0};
	struct timespec ts = {limit / 1000, 0};
	struct timeval tv = {limit / 1000, 0};
	struct epoll_event e = {.events = EPOLLIN};
	struct sembuf op = {0, -1, 0};
	struct {
		long type;
		char text[8];
	} msg;
	struct flock lock = {.l_type = F_WRLCK};
	sigset_t set;
	fd_set fds;
	int ep;
	long r = 0, begin = now();
	switch (i) {
	case READ:
		r = read(own[0], &c, 1);
		break;
	case POLL:
		r = poll(&pfd, 1, -1);
		break;
	case SELECT:
		FD_ZERO(&fds);
		FD_SET(pipes[0], &fds);
		r = select(pipes[0] + 1, &fds, NULL, NULL, NULL);
		break;
	case FUTEX:
		r = syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
		break;
	case EPOLL:
		ep = epoll_create1(0);
		epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &e);
		r = epoll_wait(ep, &e, 1, -1);
		break;
	case ACCEPT:
		r = accept(listener, NULL, NULL) < 0 ? -1 : 0;
		break;
	case SEMOP:
		r = semop(sem, &op, 1);
		break;
	case MSGRCV:
		r = msgrcv(queue, &msg, sizeof msg.text, 0, 0);
		break;
	case FLOCK:
		r = fcntl(lockFile, F_SETLKW, &lock);
		break;
	case SIGWAIT:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		r = sigwaitinfo(&set, NULL);
		break;
	case WAIT:
		r = wait(NULL) > 0;
		break;
	case SLEEP:
		r = nanosleep(&ts, NULL);
		break;
	case POLLTIME:
		r = poll(NULL, 0, limit);
		break;
	case FUTEXTIME:
		r = syscall(SYS_futex, &numCalls, FUTEX_WAIT, COUNT, &ts, NULL, 0);
		break;
	case SELECTTIME:
		r = select(0, NULL, NULL, NULL, &tv);
		break;
	}
	calls[i].error = r < 0 ? errno : 0;
	calls[i].result = r;
	calls[i].ms = now() - begin;
	return NULL;
}

// calling is told how many seconds the calls with a time take.
static void calling(int seconds)
{
	struct sockaddr_un addr = {AF_UNIX};
	sigset_t set;
	int end[2];
	pthread_t t[COUNT];
	struct flock lock = {.l_type = F_WRLCK};
	limit = 1000L * seconds;
	numCalls = COUNT;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pipe(own);
	pipe(pipes);
	pipe(end);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(listener, (void *)&addr, sizeof addr.sun_family); // a name of the kernel's choice
	listen(listener, 1);
	sem = semget(IPC_PRIVATE, 1, 0600);
	queue = msgget(IPC_PRIVATE, 0600);
	lockFile = memfd_create("lock", 0);
	if (fork() == 0) {
		char c;
		close(end[1]);
		fcntl(lockFile, F_SETLK, &lock);
		kill(getppid(), SIGUSR1);
		read(end[0], &c, 1); // the end of the parent, or its word
		_exit(0);
	}
	sigwaitinfo(&set, NULL); // the child has the lock
	for (long i = 0; i < COUNT; i++)
		t[i] = small_thread(blocked, (void *)i);
	ready();
	untilEnd();
	write(own[1], "", 1);
	write(pipes[1], "", 1);
	word = 1;
	syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
	socklen_t size = sizeof addr;
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	getsockname(listener, (void *)&addr, &size);
	connect(client, (void *)&addr, size);
	semctl(sem, 0, SETVAL, 1);
	struct {
		long type;
		char text[8];
	} msg = {1, "message"};
	msgsnd(queue, &msg, sizeof msg.text, 0);
	kill(getpid(), SIGUSR1);
	write(end[1], "", 1);
	for (int i = 0; i < COUNT; i++)
		pthread_join(t[i], NULL);
	semctl(sem, 0, IPC_RMID);
	msgctl(queue, IPC_RMID, NULL);
	for (int i = 0; i < COUNT; i++) {
		printf("%s: %ld %s", names[i], calls[i].result, strerror(calls[i].error));
		if (i >= SLEEP)
			printf(", %s", calls[i].ms < limit ? "early" : calls[i].ms < limit + limit / 2 ? "in time" : "late");
		printf("\n");
	}
}

// steps opens a file for each byte that it reads.
static void *steps(void *unused)
{
	char name[32], c;
	for (int i = 1; read(STDIN_FILENO, &c, 1) == 1; i++) {
		snprintf(name, sizeof name, "/attach/%d", i);
		open(name, O_RDONLY);
		printf("%d: %s\n", i, strerror(errno));
		fflush(stdout);
	}
	exit(0);
	return unused;
}

// headless does so in a thread whose leader has ended.
static void headless(void)
{
	small_thread(steps, NULL);
	ready();
	syscall(SYS_exit, 0);
}

// tree has a child and a grandchild, which do steps each with one byte.
static void tree(void)
{
	if (fork() == 0) {
		if (fork() == 0)
			steps(NULL);
		steps(NULL);
	}
	ready();
	while (wait(NULL) > 0)
		;
}

static void *computes(void *unused)
{
	for (volatile long n = 0; !over; n++)
		;
	return unused;
}

static void *waitsInVfork(void *unused)
{
	if (vfork() == 0) {
		char c;
		read(STDIN_FILENO, &c, 1);
		_exit(0);
	}
	return unused;
}

// states has threads in all of them.
static void states(void)
{
	small_thread(computes, NULL);
	small_thread(waitsInVfork, NULL);
	ready();
	untilEnd();
	printf("end\n");
}

// signals gets many of them, in calls that they end and in others, and counts.
static volatile long handled, ended;

static void handler(int sig) { handled++; }

static void *sends(void *to)
{
	struct timespec pause = {0, 500000};
	while (!over) {
		pthread_kill(*(pthread_t *)to, SIGUSR1);
		handled--;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void signals(void)
{
	struct sigaction sa = {.sa_handler = handler};
	struct timespec pause = {0, 200000};
	pthread_t self = pthread_self(), t;
	sigaction(SIGUSR1, &sa, NULL);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	t = small_thread(sends, &self);
	ready();
	for (int left = 10000;; left--) { // a busy machine brings few of them in time
		char c;
		if (read(STDIN_FILENO, &c, 1) == 0 && (ended || left <= 0))
			break;
		if (syscall(SYS_nanosleep, &pause, NULL) < 0)
			ended++;
		poll(NULL, 0, 1);
	}
	over = 1;
	pthread_join(t, NULL);
	printf("some ended %d\n", ended > 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;
	if (!strcmp(what, "load"))
		load(n);
	else if (!strcmp(what, "gentle")) {
		gentle = 1;
		load(n);
	} else if (!strcmp(what, "calls"))
		calling(n);
	else if (!strcmp(what, "steps")) {
		ready();
		steps(NULL);
	} else if (!strcmp(what, "headless"))
		headless();
	else if (!strcmp(what, "tree"))
		tree();
	else if (!strcmp(what, "states"))
		states();
	else if (!strcmp(what, "signals"))
		signals();
	else
		return 97;
	return 0;
}
