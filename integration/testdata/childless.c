/* Waits that see clones too, until there is no child left. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerror(errno) : r == 0 ? "0" : "a child");
}

static pid_t child(int signal, int status)
{
	pid_t pid = syscall(SYS_clone, signal, 0, 0, 0, 0);
	if (pid == 0)
		_exit(status);
	return pid;
}

static void until_none(int options)
{
	int children = 0, status;
	while (wait4(-1, &status, options, NULL) > 0)
		children++;
	printf("%d children, then %s\n", children, strerror(errno));
}

static void *one(void *arg)
{
	return wait4(-1, NULL, __WALL, NULL) > 0 ? arg : NULL;
}

/* Waits that have a child when they begin, which another one collects. */
static void collected(void)
{
	pthread_t threads[2];
	int children = 0;
	void *child;

	if (fork() == 0) {
		usleep(100000);
		_exit(0);
	}
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, one, &children);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &child);
		children += child != NULL;
	}
	printf("two waits: %d children\n", children);

	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0) {
		usleep(100000);
		_exit(0);
	}
	say("one that nobody need collect", wait4(-1, NULL, __WALL, NULL));
}

int main(void)
{
	siginfo_t info;

	setvbuf(stdout, NULL, _IOLBF, 0);
	say("none, __WALL", wait4(-1, NULL, __WALL, NULL));
	say("none, __WALL|WNOHANG", wait4(-1, NULL, __WALL | WNOHANG, NULL));
	say("none, __WCLONE", wait4(-1, NULL, __WCLONE, NULL));
	say("none, __WALL|__WNOTHREAD", wait4(-1, NULL, __WALL | __WNOTHREAD, NULL));
	say("none, waitid", waitid(P_ALL, 0, &info, WEXITED | __WALL));
	say("none, plain", wait4(-1, NULL, 0, NULL));

	child(SIGCHLD, 1);
	child(0, 2);
	child(SIGCHLD, 3);
	until_none(__WALL);

	child(SIGCHLD, 1);
	say("a plain child, __WCLONE", wait4(-1, NULL, __WCLONE, NULL));
	until_none(__WALL);

	child(0, 1);
	say("a clone, plain", wait4(-1, NULL, 0, NULL));
	say("a clone, __WCLONE", wait4(-1, NULL, __WCLONE, NULL));
	until_none(__WCLONE);

	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	say("one that lives, __WALL|WNOHANG", wait4(-1, NULL, __WALL | WNOHANG, NULL));
	kill(pid, SIGKILL);
	until_none(__WALL);
	collected();
	return 0;
}
