// Asks to be traced by its parent, or to trace the process PID, and prints the result.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long r = argc > 1 ? ptrace(PTRACE_SEIZE, atoi(argv[1]), 0, 0) : ptrace(PTRACE_TRACEME, 0, 0, 0);
	printf("PTRACE_%s: %s\n", argc > 1 ? "SEIZE" : "TRACEME", r < 0 ? strerrorname_np(errno) : "done");
	fflush(stdout);
	open("/behind/the/call", O_RDONLY);
	return 3;
}
