// Makes enough calls to be put on a CPU by a tracer that does so, and then, as the
// first argument says, what a mask of that time would outlive.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void busy(void)
{
	for (int i = 0; i < 60; i++)
		close(open("/etc/passwd", O_RDONLY));
}

static int width(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof set, &set);
	return CPU_COUNT(&set);
}

// deadline asks for a policy that only a thread with all CPUs gets.
static void deadline(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { sizeof a, 6, 0, 0, 0, 1000000, 30000000, 30000000 };

	busy();
	printf("%s\n", syscall(SYS_sched_setattr, 0, &a, 0) ? strerror(errno) : "deadline");
}

// user becomes another user.
static void user(void)
{
	busy();
	if (setresuid(65534, 65534, 65534))
		printf("%s\n", strerror(errno));
	printf("%d\n", width());
}

static void *executes(void *program)
{
	busy();
	execl(program, program, "width", NULL);
	return NULL;
}

// thread executes a program from a thread that is not the leader.
static void thread(char *program)
{
	pthread_t t;

	pthread_create(&t, NULL, executes, program);
	pthread_join(t, NULL);
}

static void handler(int sig)
{
	busy();
}

// forks has forks interrupted, by a handler with many calls, and begun again.
static void forks(void)
{
	int native = width(), narrow = 0, status;

	signal(SIGALRM, handler);
	for (int i = 0; i < 500; i++) {
		struct itimerval soon = { .it_value.tv_usec = 60 + i % 200 };
		setitimer(ITIMER_REAL, &soon, NULL);
		pid_t pid = fork();
		if (pid == 0)
			_exit(width() != native);
		while (waitpid(pid, &status, 0) < 0)
			;
		narrow += status != 0;
	}
	printf("%d narrow\n", narrow);
}

// cpuset goes to the cpusets whose lists of tasks are the arguments, one after the
// other.
static void cpuset(char **tasks)
{
	for (; *tasks; tasks++) {
		busy();
		int fd = open(*tasks, O_WRONLY);
		busy();
		if (write(fd, "0", 1) != 1)
			printf("%s\n", strerror(errno));
		close(fd);
		usleep(100000); // the tracer gives the mask back in a silence
		printf("%d\n", width());
	}
}

int main(int argc, char **argv)
{
	if (!strcmp(argv[1], "deadline"))
		deadline();
	else if (!strcmp(argv[1], "user"))
		user();
	else if (!strcmp(argv[1], "thread"))
		thread(argv[0]);
	else if (!strcmp(argv[1], "forks"))
		forks();
	else if (!strcmp(argv[1], "cpuset"))
		cpuset(argv + 2);
	else
		printf("%d\n", width());
	return 0;
}
