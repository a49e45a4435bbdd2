// slip: one thread makes children by clone3, another one sets and clears CLONE_UNTRACED
// in its argument all the time. A child that has no tracer waits until it has one,
// and opens a file then, many times. Status 77 if there was no such child.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile uint64_t args[11];
static atomic_bool over;

static void *change(void *unused)
{
	while (!over)
		args[0] ^= CLONE_UNTRACED;
	return unused;
}

static int tracer(void)
{
	static char text[4096];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	char *line = strstr(text, "TracerPid:");
	return line != NULL ? atoi(line + 10) : -1;
}

static int child(void)
{
	if (tracer() != 0)
		return 0;
	for (int i = 0; i < 6000 && tracer() == 0; i++)
		usleep(10000);
	for (int i = 0; i < 100; i++) { // who is seized stops a little later
		close(open("/evaded/slip", O_RDONLY));
		usleep(1000);
	}
	return 1;
}

int main(void)
{
	pthread_t t;
	args[4] = SIGCHLD;
	if (pthread_create(&t, NULL, change, NULL) != 0)
		return 2;
	for (int n = 0; n < 20000; n++) {
		int status;
		pid_t pid = syscall(SYS_clone3, args, sizeof args);
		if (pid == 0)
			_exit(child());
		if (pid < 0 || waitpid(pid, &status, __WALL) != pid)
			return 3;
		if (status != 0) {
			over = true;
			pthread_join(t, NULL);
			return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? 0 : 4;
		}
	}
	over = true;
	pthread_join(t, NULL);
	return 77;
}
