// What somebody who is no tracer sees of the ends of children: how long after its last
// call each of them can be collected, by somebody who waits for that with a pidfd.
// Usage: prompt CHILDREN BUSY, with BUSY processes that make calls all the time.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long long x = *(long long *)a, y = *(long long *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int n = atoi(argv[1]), busy = atoi(argv[2]), wrong = 0;
	int pids[busy];
	long long took[n];
	volatile long long *last = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < busy; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				open("/prompt/busy", O_RDONLY);
		}
	}
	for (int i = 0; i < n; i++) {
		int status = 0, pid = fork();
		if (pid == 0) {
			open("/prompt/child", O_RDONLY);
			*last = now();
			_exit(i & 0x7f);
		}
		struct pollfd p = {syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};
		if (p.fd < 0) {
			for (int j = 0; j < busy; j++)
				kill(pids[j], SIGKILL);
			return 77;
		}
		while (poll(&p, 1, -1) != 1)
			;
		close(p.fd);
		// The pidfd tells of the end, and it can be collected when its tracer has done so.
		while (waitpid(pid, &status, WNOHANG) == 0)
			sched_yield();
		took[i] = now() - *last;
		wrong += status != (i & 0x7f) << 8;
	}
	for (int i = 0; i < busy; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	qsort(took, n, sizeof *took, compare);
	printf("wrong %d, median %lld, longest %lld\n", wrong, took[n / 2], took[n - 1]);
	return 0;
}
