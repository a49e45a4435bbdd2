// One thread waits in epoll_wait while another has children end. Nobody has a handler
// for SIGCHLD. Prints how often the wait has ended with EINTR.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int over;

static void *parent(void *none)
{
	for (int i = 0; i < 1000; i++) {
		pid_t child = fork();
		if (!child)
			_exit(0);
		for (int n = 0; n < 3; n++)
			close(open("/dev/null", O_RDONLY));
		waitpid(child, NULL, 0);
	}
	over = 1;
	return none;
}

int main(void)
{
	struct epoll_event event;
	int ends = 0, set = epoll_create1(0);
	pthread_t thread;
	pthread_create(&thread, NULL, parent, NULL);
	while (!over)
		if (epoll_wait(set, &event, 1, 20) < 0 && errno == EINTR)
			ends++;
	printf("%d\n", ends);
	return 0;
}
