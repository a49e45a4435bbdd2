// Interrupts calls in every way that a call can be interrupted, and prints
// what the program saw of each.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int armed, handled;

// handler does the same each time, however many alarms were too early.
static void handler(int sig)
{
	(void)sig;
	if (!armed)
		return;
	armed = 0;
	handled++;
	getppid(); // a call of its own in between
}

static void arm(int flags)
{
	struct sigaction sa;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = handler;
	sa.sa_flags = flags;
	sigaction(SIGALRM, &sa, NULL);
	armed = 1;
	struct itimerval it = {{1, 0}, {0, 30000}}; // again, if it was too early
	setitimer(ITIMER_REAL, &it, NULL);
}

static const char *result(long r)
{
	return r >= 0 ? "ok" : errno == EINTR ? "EINTR" : "other";
}

int main(void)
{
	int p[2];
	char c;
	struct timespec t = {0, 100000000}, longer = {60, 0};
	struct itimerval off = {{0, 0}, {0, 0}};
	struct pollfd none = {-1, 0, 0};

	if (pipe(p))
		return 1;
	// A child writes after the alarm, and stops and continues us before.
	arm(0);
	printf("read without SA_RESTART: %s\n", result(read(p[0], &c, 1)));
	setitimer(ITIMER_REAL, &off, NULL);
	arm(SA_RESTART);
	if (fork() == 0) {
		usleep(90000);
		write(p[1], "x", 1);
		_exit(0);
	}
	printf("read with SA_RESTART: %s\n", result(read(p[0], &c, 1)));
	wait(NULL);
	arm(SA_RESTART);
	printf("nanosleep with a handler: %s\n", result(nanosleep(&longer, NULL)));
	arm(0);
	printf("poll with a handler: %s\n", result(poll(&none, 1, 60000)));
	setitimer(ITIMER_REAL, &off, NULL);
	if (fork() == 0) {
		usleep(20000);
		kill(getppid(), SIGSTOP);
		usleep(20000);
		kill(getppid(), SIGCONT);
		_exit(0);
	}
	printf("nanosleep over a stop: %s\n", result(nanosleep(&t, NULL)));
	wait(NULL);
	if (fork() == 0) {
		usleep(20000);
		kill(getppid(), SIGSTOP);
		usleep(20000);
		kill(getppid(), SIGCONT);
		usleep(50000);
		write(p[1], "x", 1);
		_exit(0);
	}
	printf("read over a stop: %s\n", result(read(p[0], &c, 1)));
	wait(NULL);
	printf("handled: %d\n", handled);
	return 0;
}
