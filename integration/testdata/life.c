// Ways to make processes and to end them: life WHAT [ARGUMENT].
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// told is what a parent hears of its children.
static void told(void)
{
	int status, n = 0, sum = 0;
	while (wait(&status) > 0) {
		n++;
		sum += status;
	}
	printf("%d children, statuses %#x, %s\n", n, sum, strerror(errno));
}

static int child(void *status)
{
	syscall(SYS_exit_group, (long)status);
	return 0;
}

static char stack[1 << 16] __attribute__((aligned(16)));

static void make(const char *how, int i)
{
	char *argv[] = {"/bin/true", NULL};
	long status = i % 7;
	pid_t pid;
	if (!strcmp(how, "fork")) {
		if (fork() == 0)
			_exit(status);
	} else if (!strcmp(how, "vfork")) {
		if (vfork() == 0)
			_exit(status);
	} else if (!strcmp(how, "vforkexec")) {
		if (vfork() == 0) {
			execv(argv[0], argv);
			_exit(status);
		}
	} else if (!strcmp(how, "spawn")) {
		posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
	} else if (!strcmp(how, "clone")) {
		clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)status);
	} else if (!strcmp(how, "clone3")) {
		struct clone_args a = {.exit_signal = SIGCHLD};
		if (syscall(SYS_clone3, &a, sizeof a) == 0)
			_exit(status);
	} else if (!strcmp(how, "untraced")) {
		if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0)
			_exit(getpid() > 0 ? status : 99);
	} else if (!strcmp(how, "untraced3")) {
		struct clone_args a = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};
		if (syscall(SYS_clone3, &a, sizeof a) == 0)
			_exit(getpid() > 0 ? status : 99);
		if (a.flags != CLONE_UNTRACED)
			printf("the arguments have changed: %#llx\n", (unsigned long long)a.flags);
	} else if (!strcmp(how, "grandchild")) {
		if (fork() == 0) {
			if (fork() == 0)
				_exit(status);
			wait(NULL);
			_exit(status);
		}
	} else {
		exit(98);
	}
}

static void storm(const char *how, int n)
{
	for (int i = 0; i < n; i++) {
		make(how, i);
		if (i % 10 == 9)
			told();
	}
	told();
}

// bomb has n children at once.
static void bomb(int n)
{
	int go[2];
	char c;
	pipe(go);
	for (int i = 0; i < n; i++)
		switch (fork()) {
		case 0:
			close(go[1]);
			read(go[0], &c, 1);
			_exit(i % 5);
		case -1:
			printf("fork: %s\n", strerror(errno));
		}
	close(go[1]);
	told();
}

// cloneparent has a child that is its sibling.
static void cloneparent(void)
{
	pid_t me = getpid();
	if (fork() == 0) {
		if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) {
			printf("the parent is %s\n", getppid() == me ? "that of the caller" : "another");
			fflush(stdout);
			_exit(6);
		}
		_exit(5);
	}
	told();
}

// daemonize leaves a process that waits until somebody writes to the FIFO named.
static void daemonize(const char *name)
{
	if (fork() == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		for (int fd = 0; fd < 100; fd++)
			close(fd);
		open(name, O_RDONLY);
		open("/the/daemon/was/here", O_RDONLY);
		_exit(9);
	}
	told();
}

// deaths has children die of every signal and tells how.
static void deaths(void)
{
	struct rlimit core = {RLIM_INFINITY, RLIM_INFINITY};
	setrlimit(RLIMIT_CORE, &core);
	prctl(PR_SET_DUMPABLE, 1);
	for (int sig = 1; sig <= 64; sig++) {
		int status;
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			continue;
		pid_t pid = fork();
		if (pid == 0) {
			kill(getpid(), sig);
			_exit(100);
		}
		waitpid(pid, &status, 0);
		printf("signal %d status %#x\n", sig, status);
	}
}

// dying ends itself by the signal, with or without a core.
static void dying(int sig, int core)
{
	struct rlimit r = {core ? RLIM_INFINITY : 0, RLIM_INFINITY};
	setrlimit(RLIMIT_CORE, &r);
	signal(sig, SIG_DFL);
	raise(sig);
	kill(getpid(), sig);
	_exit(100);
}

static void orphan(void)
{
	if (fork() == 0) {
		while (getppid() != 1)
			usleep(100);
		_exit(11);
	}
}

// init does what the first process of a namespace does: it has children,
// collects those of others and ends when there is none left.
static void init(void)
{
	int status, own = 0, adopted = 0;
	printf("pid %d\n", getpid());
	for (int i = 0; i < 5; i++) {
		if (fork() == 0) {
			orphan();
			_exit(i);
		}
	}
	while (wait(&status) > 0)
		if (WEXITSTATUS(status) >= 10)
			adopted += WEXITSTATUS(status);
		else
			own += WEXITSTATUS(status);
	printf("own %d, adopted %d, then %s\n", own, adopted, strerror(errno));
	// Signals that would end or stop another process.
	printf("TERM %d\n", kill(1, SIGTERM));
	printf("STOP %d\n", kill(1, SIGSTOP));
	printf("KILL %d\n", kill(1, SIGKILL));
	printf("TSTP %d\n", kill(1, SIGTSTP));
	fflush(stdout);
	// Everybody but the caller and itself, and the tracer would be one of them.
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			pause();
	if (fork() == 0) {
		usleep(20000); // the others sleep by then
		_exit(kill(-1, SIGTERM) == 0 ? 20 : 30);
	}
	while (wait(&status) > 0)
		printf("status %#x\n", status);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			pause();
	printf("kill all %d\n", kill(-1, SIGKILL));
	while (wait(&status) > 0)
		printf("status %#x\n", status);
	int none = kill(-1, SIGKILL);
	printf("nobody left: %d %s\n", none, strerror(errno));
}

// busy has children that make calls until they are killed.
static void busy(int n)
{
	for (int i = 0; i < n; i++)
		if (fork() == 0)
			for (;;)
				close(open("/dev/null", O_RDONLY));
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

// sleepingvfork waits for a child that sleeps.
static void sleepingvfork(void)
{
	if (vfork() == 0) {
		write(1, "ready\n", 6);
		sleep(100);
		_exit(0);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (!strcmp(what, "exit"))
		_exit(n);
	else if (!strcmp(what, "storm"))
		storm(argv[2], atoi(argv[3]));
	else if (!strcmp(what, "bomb"))
		bomb(n);
	else if (!strcmp(what, "cloneparent"))
		cloneparent();
	else if (!strcmp(what, "daemon"))
		daemonize(argv[2]);
	else if (!strcmp(what, "deaths"))
		deaths();
	else if (!strcmp(what, "dying"))
		dying(n, argc > 3);
	else if (!strcmp(what, "init"))
		init();
	else if (!strcmp(what, "segv"))
		*(volatile int *)8 = 1;
	else if (!strcmp(what, "sleepingvfork"))
		sleepingvfork();
	else if (!strcmp(what, "busy"))
		busy(n);
	else
		return 97;
	fflush(stdout);
	return argc > 5;
}
