// A child that does one thing all the time until it is killed: mortal WHAT. Its
// parent tells how it has ended, and has the next one when it gets a byte.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "thread.h"

static char **args;

static void *opens(void *unused)
{
	close(open("/dev/null", O_RDONLY));
	return unused;
}

static void *spin(void *unused)
{
	for (;;)
		getppid();
	return unused;
}

static void *execs(void *unused)
{
	args[2] = "again";
	execv(args[0], args);
	return unused;
}

static void *ends(void *unused)
{
	syscall(SYS_exit_group, 5);
	return unused;
}

static void handled(int sig) { (void)sig; }

// once is what the child does.
static void once(const char *what)
{
	int threads = 1;
	if (!strcmp(what, "call")) {
		opens(NULL);
	} else if (!strcmp(what, "fork")) {
		if (fork() == 0)
			_exit(0);
	} else if (!strcmp(what, "vfork")) {
		if (vfork() == 0)
			_exit(0);
	} else if (!strcmp(what, "untraced")) {
		if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0)
			_exit(0);
	} else if (!strcmp(what, "spawn")) {
		if (vfork() == 0) {
			execl(args[0], args[0], "nothing", NULL);
			_exit(0);
		}
	} else if (!strcmp(what, "thread")) {
		pthread_join(small_thread(opens, NULL), NULL);
	} else if (!strcmp(what, "exec")) {
		execs(NULL);
	} else if (!strcmp(what, "execthread")) {
		small_thread(spin, NULL);
		small_thread(execs, NULL);
		pause();
	} else if (!strcmp(what, "signal")) {
		signal(SIGUSR1, handled);
		raise(SIGUSR1);
	} else if (!strcmp(what, "stop")) {
		pid_t me = getpid();
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == me && kill(me, SIGCONT) == 0)
				usleep(500);
			_exit(0);
		}
		for (;;)
			raise(SIGSTOP);
	} else if (!strcmp(what, "exit") || !strcmp(what, "fault")) {
		if (fork() == 0) {
			for (; threads < 4; threads++)
				small_thread(spin, NULL);
			if (!strcmp(what, "exit"))
				small_thread(ends, NULL), syscall(SYS_exit, 3);
			*(volatile int *)8 = 1;
		}
	} else {
		_exit(0);
	}
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

int main(int argc, char **argv)
{
	char c;
	int status;
	const char *what = argc > 1 ? argv[1] : "";
	struct rlimit none = {0, 0};
	args = argv;
	setrlimit(RLIMIT_CORE, &none);
	if (argc > 2 && !strcmp(argv[2], "again"))
		for (;;)
			once(what);
	if (!strcmp(what, "nothing"))
		return 0;
	args = (char *[]){argv[0], argv[1], "child", NULL};
	printf("ready\n");
	do {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0)
			for (;;)
				once(what);
		waitpid(pid, &status, 0);
		printf("%#x\n", status);
		fflush(stdout);
	} while (read(0, &c, 1) > 0);
	return 0;
}
