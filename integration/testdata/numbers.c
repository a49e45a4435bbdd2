// Opens PREFIX/0, PREFIX/1 ... of which none exists, COUNT of them, or until
// it is told to end if COUNT is 0, at a pace that every reader can follow.
// Prints how many, and how many gave another result than ENOENT.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t end;

static void handler(int sig)
{
	(void)sig;
	end = 1;
}

int main(int argc, char **argv)
{
	char path[4096];
	long count = argc > 2 ? atol(argv[2]) : 0, wrong = 0, n;

	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGTERM, &sa, NULL);
	for (n = 0; count ? n < count : !end; n++) {
		snprintf(path, sizeof path, "%s/%ld", argv[1], n);
		if (open(path, O_RDONLY) != -1 || errno != ENOENT)
			wrong++;
		if (n % 10 == 9)
			usleep(1000);
	}
	printf("opened %ld, wrong %ld\n", n, wrong);
	return 0;
}
