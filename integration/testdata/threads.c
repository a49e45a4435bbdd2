// Threads, and ways in which a process with threads ends: threads WHAT [N].
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"

static char **args;
static volatile int started;

static void *spin(void *unused)
{
	for (;;)
		getppid();
	return unused;
}

static void *blocked(void *unused)
{
	for (;;)
		pause();
	return unused;
}

// executes executes this program anew, from a thread that is not the leader.
static void *executes(void *left)
{
	char n[24];
	while (!started)
		usleep(100);
	snprintf(n, sizeof n, "%ld", (long)left - 1);
	args[2] = n;
	execv(args[0], args);
	_exit(96);
}

static void start(void *(*f)(void *), void *arg)
{
	pthread_detach(small_thread(f, arg));
}

static void execthread(long n)
{
	if (n == 0) {
		printf("a leader: %d\n", getpid() == gettid());
		return;
	}
	for (int i = 0; i < 8; i++)
		start(i == 4 ? executes : i % 2 ? spin : blocked, (void *)n);
	started = 1;
	if (n % 2)
		syscall(SYS_exit, 0); // a leader that is dead by then
	pause();
}

static void *opens(void *unused)
{
	close(open("/etc/hostname", O_RDONLY));
	return unused;
}

// joined makes and joins n threads at a time.
static void joined(int n, int rounds)
{
	pthread_t *t = calloc(n, sizeof *t);
	int bad = 0;
	while (rounds--) {
		for (int i = 0; i < n; i++)
			bad += pthread_create(&t[i], NULL, opens, NULL) != 0;
		for (int i = 0; i < n; i++)
			bad += pthread_join(t[i], NULL) != 0;
	}
	printf("bad %d\n", bad);
}

static int all[2];

static void *idle(void *unused)
{
	char c;
	opens(NULL);
	write(all[1], "", 1);
	read(STDIN_FILENO, &c, 1); // until its end
	return unused;
}

// many has n threads that have all opened a file and wait for standard input
// to end.
static void many(int n)
{
	char c;
	pipe(all);
	for (int i = 0; i < n; i++)
		start(idle, NULL);
	for (int i = 0; i < n; i++)
		read(all[0], &c, 1);
	printf("ready\n");
	fflush(stdout);
	read(STDIN_FILENO, &c, 1);
	exit(0);
}

static void *ends(void *code)
{
	syscall(SYS_exit_group, (long)code);
	return NULL;
}

static volatile pid_t leads; // cleared by the kernel when the leader ends

static void *leaves(void *unused)
{
	while (leads)
		usleep(100);
	return unused;
}

// races has rounds of children, in which threads end the process with codes of
// their own, all at the same time. It tells what the parent hears of each.
static void races(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			start(spin, NULL);
			for (long code = 1; code < 5; code++)
				start(ends, (void *)code);
			if (i % 3 == 0)
				syscall(SYS_exit, 5);
			if (i % 3 == 1)
				syscall(SYS_exit_group, 6);
			pause();
		}
		waitpid(pid, &status, 0);
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		printf("%d %#x\n", pid, status);
		if (code < 1 || code > 6)
			exit(94);
	}
}

// leader ends before its threads; the last of them decides.
static void leader(int code)
{
	leads = syscall(SYS_set_tid_address, &leads);
	start(code ? ends : leaves, (void *)(long)code);
	start(leaves, NULL);
	syscall(SYS_exit, 3);
}

static void *forks(void *unused)
{
	for (;;) {
		if (fork() == 0)
			_exit(0);
		waitpid(-1, NULL, 0);
	}
	return unused;
}

static void *creates(void *unused)
{
	pthread_t t;
	for (;;)
		if (pthread_create(&t, NULL, opens, NULL) == 0)
			pthread_join(t, NULL);
	return unused;
}

static void hectic(void)
{
	start(spin, NULL);
	start(blocked, NULL);
	start(forks, NULL);
	start(creates, NULL);
	for (;;)
		opens(NULL);
}

// kills ends rounds of children, which do all at once, at any moment.
static void kills(int rounds)
{
	int killed = 0;
	for (int i = 0; i < rounds; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			hectic();
		struct timespec t = {0, (i * 7919 % 200) * 50000};
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		killed += status == SIGKILL;
	}
	printf("killed %d\n", killed);
}

// dumped has a process with threads die with a core.
static void *dumped(void *unused)
{
	usleep(2000);
	*(volatile int *)8 = 1;
	return unused;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;
	args = argv;
	if (!strcmp(what, "exec"))
		execthread(n);
	else if (!strcmp(what, "joined"))
		joined(n, atoi(argv[3]));
	else if (!strcmp(what, "many"))
		many(n);
	else if (!strcmp(what, "races"))
		races(n);
	else if (!strcmp(what, "leader"))
		leader(n);
	else if (!strcmp(what, "kills"))
		kills(n);
	else if (!strcmp(what, "hectic"))
		hectic();
	else if (!strcmp(what, "dumped")) {
		start(spin, NULL);
		start(blocked, NULL);
		start(dumped, NULL);
		pause();
	} else
		return 97;
	return 0;
}
