// Makes enough calls to be put on a CPU by a tracer that does so, and prints
// the masks that it sees, and those of a child, in between.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void busy(void)
{
	for (int i = 0; i < 200; i++)
		close(open("/etc/passwd", O_RDONLY));
}

static void show(const char *who)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof set, &set);
	printf("%s %d\n", who, CPU_COUNT(&set));
	fflush(stdout);
}

int main(void)
{
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof all, &all);
	busy();
	show("after calls");
	busy();
	if (fork() == 0) {
		show("child");
		_exit(0);
	}
	wait(NULL);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &one);
			break;
		}
	sched_setaffinity(0, sizeof one, &one);
	busy();
	show("bound to one");
	sched_setaffinity(0, sizeof all, &all);
	busy();
	usleep(100000); // the tracer gives the mask back in a silence
	show("after a silence");
	return 0;
}
