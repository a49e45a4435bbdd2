// A process that is in the middle of an exec, until a byte comes on standard input: a
// thread of it that has to die for that is held by its tracer, this program. It prints
// the number of the process and then, as its new program, that it goes on.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int tids[2], go[2];

static void *other(void *unused)
{
	int tid = syscall(SYS_gettid);
	write(tids[1], &tid, sizeof tid);
	pause();
	return NULL;
}

static int child(const char *program)
{
	pthread_t t;
	char c;
	pthread_create(&t, NULL, other, NULL);
	read(go[0], &c, 1);
	execl(program, program, "after", NULL);
	return 1;
}

int main(int argc, char **argv)
{
	char c;
	int pid, tid, status;
	if (argc > 1 && !strcmp(argv[1], "after")) {
		printf("goes on\n");
		fflush(stdout);
		while (read(0, &c, 1) > 0)
			;
		return 3;
	}
	pipe(tids);
	pipe(go);
	pid = fork();
	if (pid == 0)
		return child(argv[0]);
	read(tids[0], &tid, sizeof tid);
	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACEEXIT) != 0) {
		perror("PTRACE_SEIZE");
		return 1;
	}
	write(go[1], "", 1);
	waitpid(tid, &status, __WALL);
	printf("ready\n%d\n", pid);
	fflush(stdout);
	read(0, &c, 1);
	ptrace(PTRACE_CONT, tid, NULL, NULL);
	waitpid(tid, &status, __WALL);
	waitpid(pid, &status, 0);
	printf("ended with %d\n", WEXITSTATUS(status));
	return 0;
}
