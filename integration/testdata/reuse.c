// Has numbers of processes used twice: a child executes a program and ends, and the
// next one, which executes none, gets its number. Each opens /reuse/N.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void hide(int n)
{
	char name[32];
	snprintf(name, sizeof name, "/reuse/%d", n);
	open(name, O_RDONLY);
}

static pid_t forked(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = number > 0 ? (uintptr_t)&number : 0, .set_tid_size = number > 0};
	return syscall(SYS_clone3, &args, sizeof args);
}

int main(int argc, char **argv)
{
	int status;
	if (argc > 2) {
		hide(atoi(argv[2]));
		return 0;
	}
	pid_t first = forked(0);
	if (first == 0) {
		execl(argv[1], "other", argv[1], "1", NULL);
		_exit(1);
	}
	waitpid(first, &status, 0);
	pid_t second = forked(first);
	if (second == 0) {
		hide(2);
		_exit(0);
	}
	if (second < 0) {
		printf("clone3: %s\n", strerrorname_np(errno));
		return 0;
	}
	waitpid(second, &status, 0);
	printf("%d %d\n", first, second);
	return 0;
}
