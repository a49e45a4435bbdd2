/* Threads with small stacks, of which a program can have many. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_t small_thread(void *(*f)(void *), void *arg)
{
	pthread_t t;
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 1 << 16);
	if (pthread_create(&t, &a, f, arg)) {
		printf("pthread_create: %s\n", strerror(errno));
		exit(95);
	}
	return t;
}
