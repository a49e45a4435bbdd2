// Three threads that get numbered signals, each queued behind the one before, until
// standard input ends: one that computes, one in calls that signals end, one in calls that
// go on. Each prints how many did not come, or not in their turn, and all how often the
// process was continued.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct getter {
	pthread_t thread;
	volatile long sent, got, wrong;
	volatile int there;
} getters[3];
static __thread struct getter *self;
static volatile long continued;
static volatile int over, sent;

static void numbered(int sig, siginfo_t *info, void *unused)
{
	self->wrong += info->si_code != SI_QUEUE || info->si_value.sival_int != self->got;
	self->got++;
}

static void continues(int sig) { continued++; }

static void *gets(void *getter)
{
	struct timespec pause = {0, 300000};
	int pipes[2];
	char c;
	long left = 1000000; // looks for what is still to come
	self = getter;
	self->there = 1;
	while (!sent || (self->got < self->sent && --left))
		if (self == &getters[1])
			nanosleep(&pause, NULL);
		else if (self == &getters[2] && pipe(pipes) == 0) {
			write(pipes[1], "", 1);
			read(pipes[0], &c, 1);
			close(pipes[0]);
			close(pipes[1]);
		}
	return NULL;
}

static void *sends(void *unused)
{
	struct timespec pause = {0, 1000000};
	while (!over) {
		for (int i = 0; i < 3; i++) {
			struct getter *g = &getters[i];
			union sigval n = {.sival_int = g->sent};
			if (pthread_sigqueue(g->thread, SIGRTMIN + 3, n) == 0) // else there are too many
				g->sent++;
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = numbered, .sa_flags = SA_SIGINFO | SA_RESTART};
	pthread_t sender;
	char c;
	sigaction(SIGRTMIN + 3, &sa, NULL);
	signal(SIGCONT, continues);
	for (int i = 0; i < 3; i++) {
		pthread_create(&getters[i].thread, NULL, gets, &getters[i]);
		while (!getters[i].there)
			;
	}
	pthread_create(&sender, NULL, sends, NULL);
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	over = 1;
	pthread_join(sender, NULL);
	sent = 1;
	for (int i = 0; i < 3; i++) {
		struct getter *g = &getters[i];
		pthread_join(g->thread, NULL);
		printf("lost %ld, wrong %ld, some %d\n", g->sent - g->got, g->wrong, g->got > 0);
	}
	printf("continued %ld\n", continued);
	return 0;
}
