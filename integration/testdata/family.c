// What processes hear of each other: family WHAT.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "thread.h"

static int ready[2];

// heir waits for the signal that it asks for at the death of its parent.
static void heir(pid_t parent)
{
	sigset_t set;
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	write(ready[1], "", 1);
	sigwaitinfo(&set, &info);
	printf("code %d of the parent %d\n", info.si_code, info.si_pid == parent);
	fflush(stdout);
	_exit(11);
}

static void *makes(void *unused)
{
	char c;
	pid_t me = getpid();
	if (fork() == 0)
		heir(me);
	read(ready[0], &c, 1);
	return unused;
}

static void told(void)
{
	int status, n = 0, sum = 0;
	while (wait(&status) > 0) {
		n++;
		sum += status;
	}
	printf("%d children, statuses %#x, %s\n", n, sum, strerror(errno));
}

// pdeathsig has threads and processes end whose children want to know.
static void pdeathsig(void)
{
	char c;
	pthread_join(small_thread(makes, NULL), NULL);
	told();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int sig = 0; sig <= SIGKILL; sig += SIGKILL) {
		fflush(stdout);
		if (fork() == 0) {
			pid_t me = getpid();
			if (fork() == 0)
				heir(me);
			read(ready[0], &c, 1);
			kill(me, sig);
			_exit(2);
		}
		told();
	}
}

static volatile int hup, cont;

static void hung(int sig) { hup += sig == SIGHUP; }
static void continued(int sig) { cont += sig == SIGCONT; }

// orphaned has a process group that is stopped lose the last one who could
// continue it.
static void orphaned(void)
{
	int end[2];
	char c;
	pipe(end);
	if (fork() == 0) {
		setsid(); // in a container the first process, which inherits, may be of ours
		pid_t pid = fork();
		if (pid == 0) {
			setpgid(0, 0);
			signal(SIGHUP, hung);
			signal(SIGCONT, continued);
			raise(SIGSTOP);
			while (!hup || !cont)
				usleep(100);
			printf("hup %d cont %d\n", hup, cont);
			raise(SIGTSTP); // stops nobody in such a group
			raise(SIGTTIN);
			printf("goes on\n");
			fflush(stdout);
			_exit(7);
		}
		int status;
		waitpid(pid, &status, WUNTRACED);
		_exit(WIFSTOPPED(status) ? 3 : 4);
	}
	close(end[1]);
	read(end[0], &c, 1); // until both have ended
	told();
}

// subreaper collects the children of its children.
static void subreaper(void)
{
	pid_t me = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < 5; i++)
		if (fork() == 0) {
			if (fork() == 0) {
				while (getppid() != me)
					usleep(100);
				_exit(10);
			}
			_exit(i);
		}
	told();
}

static volatile int *counted;

// count runs in any of the threads, in several at once.
static void count(int sig) { __atomic_fetch_add(counted, 1, __ATOMIC_SEQ_CST), (void)sig; }

static void *calls(void *unused)
{
	for (;;)
		getppid();
	return unused;
}

// races stops and continues a process with threads without waiting for either,
// while signals come that must all arrive.
static void races(void)
{
	int status, sent = 0;
	counted = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGRTMIN, count);
		for (int i = 0; i < 3; i++)
			small_thread(calls, NULL);
		write(ready[1], "", 1);
		for (;;)
			pause();
	}
	read(ready[0], &(char){0}, 1);
	for (int i = 0; i < 500; i++) {
		kill(pid, i % 7 ? SIGSTOP : SIGTSTP);
		if (i % 3 == 0)
			sent += sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = i}) == 0;
		if (i % 5 == 0)
			usleep(i % 50 * 20);
		kill(pid, SIGCONT);
		if (i % 4 == 0)
			waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG);
	}
	for (int i = 0; i < 30000 && *counted < sent; i++)
		usleep(1000);
	printf("counted %d of %d\n", *counted, sent);
	kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status))
		;
	printf("status %#x\n", status);
}

// faults when its standard input ends.
static void faults(void)
{
	char c;
	printf("ready\n");
	fflush(stdout);
	read(0, &c, 1);
	*(volatile int *)8 = 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	pipe(ready);
	if (!strcmp(what, "pdeathsig"))
		pdeathsig();
	else if (!strcmp(what, "orphaned"))
		orphaned();
	else if (!strcmp(what, "subreaper"))
		subreaper();
	else if (!strcmp(what, "races"))
		races();
	else if (!strcmp(what, "faults"))
		faults();
	else
		return 97;
	return 0;
}
