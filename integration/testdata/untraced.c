// Makes children with CLONE_UNTRACED by clone and by clone3, and prints what
// they and the program see. With an argument the flags stand where nobody can
// change them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// cloned is clone with these flags. The child ends with 99 if it does not find them in
// the register in which they were given, where that is another one than the result's.
static pid_t cloned(long flags)
{
#ifdef __x86_64__
	long found = flags;
	pid_t pid;
	__asm__ volatile("xor %%esi, %%esi\n\txor %%edx, %%edx\n\txor %%r10d, %%r10d\n\txor %%r8d, %%r8d\n\tsyscall"
		: "=a"(pid), "+D"(found) : "a"(SYS_clone) : "rsi", "rdx", "r10", "r8", "rcx", "r11", "memory");
	if (pid == 0 && found != flags)
		_exit(99);
	return pid;
#else
	return syscall(SYS_clone, flags, 0, 0, 0, 0);
#endif
}

static int child(void)
{
	int fd = open("/etc/passwd", O_RDONLY);
	return fd < 0 ? errno : 0;
}

int main(int argc, char **argv)
{
	int status;
	uint64_t args[11];

	pid_t pid = cloned(CLONE_UNTRACED | SIGCHLD);
	if (pid == 0)
		_exit(child());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	printf("clone: %d\n", WEXITSTATUS(status));

	(void)argv;
	memset(args, 0, sizeof args);
	args[0] = CLONE_UNTRACED;
	args[4] = SIGCHLD;
	pid = syscall(SYS_clone3, args, sizeof args);
	if (pid == 0)
		_exit(args[0] == CLONE_UNTRACED ? child() : 99);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	printf("clone3: %d, flags %s\n", WEXITSTATUS(status), args[0] == CLONE_UNTRACED ? "unchanged" : "changed");

	if (argc == 1)
		return 0;
	int fd = memfd_create("flags", 0);
	if (write(fd, args, sizeof args) != sizeof args)
		return 1;
	void *shared = mmap(NULL, sizeof args, PROT_READ, MAP_SHARED, fd, 0);
	pid = syscall(SYS_clone3, shared, sizeof args);
	if (pid == 0)
		_exit(child());
	if (pid < 0)
		printf("shared clone3: %s\n", strerror(errno));
	else if (waitpid(pid, &status, 0) == pid)
		printf("shared clone3: %#x\n", status);
	return 0;
}
