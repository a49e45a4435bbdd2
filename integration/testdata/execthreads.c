// execthreads N: executes itself N times, each time from a new thread, while the leader
// waits, and once from a thread whose leader has ended, without success.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char left[12];

static void *execute(void *self)
{
	char *argv[] = {self, left, NULL};
	execv("/proc/self/exe", argv);
	perror("execv");
	_exit(1);
}

static void *alone(void *unused)
{
	char *argv[] = {"missing", NULL};
	usleep(20000); // the leader ends meanwhile
	execv("/missing", argv);
	_exit(0);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int n = atoi(argv[argc - 1]);
	sprintf(left, "%d", n - 1);
	if (pthread_create(&t, NULL, n > 0 ? execute : alone, argv[0]) != 0)
		return 2;
	if (n == 0)
		pthread_exit(NULL);
	for (;;)
		pause();
}
