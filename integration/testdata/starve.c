// Has N children make calls all the time, and then makes 1000 itself: the
// children must not keep it waiting. Argument 1 is N. It prints how many calls
// it has made.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1, calls = 0;
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				syscall(SYS_getppid);
		}
	while (calls < 1000)
		calls += syscall(SYS_getppid) > 0;
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	printf("%d\n", calls);
	return 0;
}
