/* tracee MODE N: does something N times, and prints the nanoseconds that one
 * time took, of mode "end" those from the end of a child to the parent's word of
 * it. A twentieth of N is done before, unmeasured; that is counted in
 * "done", the second number printed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void openclose(void)
{
	/* No libc function in between: exactly these two calls. */
	long fd = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0 || syscall(SYS_close, fd) != 0)
		exit(1);
}

static void forkexec(void)
{
	char *argv[] = { "/bin/true", NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
}

static void posixspawn(void)
{
	char *argv[] = { "/bin/true", NULL };
	int status;
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
		exit(1);
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		exit(1);
	return fd;
}

static void reading(void)
{
	static int fd = -1;
	char data[64];

	if (fd < 0)
		fd = opened("/dev/zero", O_RDONLY);
	if (syscall(SYS_read, fd, data, sizeof data) != sizeof data)
		exit(1);
}

static void writing(void)
{
	static int fd = -1;
	static const char data[64] = "sixty-four bytes";

	if (fd < 0)
		fd = opened("/dev/null", O_WRONLY);
	if (syscall(SYS_write, fd, data, sizeof data) != sizeof data)
		exit(1);
}

static void stating(void)
{
	struct stat st;

	if (syscall(SYS_newfstatat, AT_FDCWD, "/dev/null", &st, 0) != 0)
		exit(1);
}

static void untraced(void)
{
	syscall(SYS_getppid);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static double measured; /* by the body itself, if it does */

static void ending(void)
{
	static double *end;
	int status;

	if (end == NULL)
		end = mmap(NULL, sizeof *end, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (end == MAP_FAILED)
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		*end = now();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
	measured += now() - *end;
}

static const struct {
	const char *name;
	void (*body)(void);
} modes[] = {
	{ "openclose", openclose },
	{ "read", reading },
	{ "write", writing },
	{ "stat", stating },
	{ "spawn", posixspawn },
	{ "thread", thread },
	{ "forkexec", forkexec },
	{ "end", ending },
	{ "getppid", untraced },
};

int main(int argc, char **argv)
{
	void (*body)(void) = NULL;
	long n = argc == 3 ? atol(argv[2]) : 0;
	long warm = n / 20 + 1;

	for (size_t i = 0; argc == 3 && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			body = modes[i].body;
	if (body == NULL || n <= 0) {
		fprintf(stderr, "usage: tracee MODE N\n");
		return 2;
	}
	for (long i = 0; i < warm; i++)
		body();
	measured = 0;
	double start = now();
	for (long i = 0; i < n; i++)
		body();
	double took = measured > 0 ? measured : now() - start;
	printf("%.1f %ld\n", took / n, warm + n);
	return 0;
}
