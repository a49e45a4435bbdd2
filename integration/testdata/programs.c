// Executes a program, which is a copy of itself, in the way that the first argument
// names, in the current directory. The program prints the inode of what it runs from.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int copied(int to)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	close(from);
	return to;
}

static void file(const char *path)
{
	close(copied(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755)));
}

static int readable(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void *exchange(void *unused)
{
	for (;;)
		syscall(SYS_renameat2, AT_FDCWD, "program", AT_FDCWD, "other", RENAME_EXCHANGE);
	return unused;
}

// Two files under one name, one after the other. Without a name it begins from a descriptor.
static int race(int rounds, const char *name)
{
	pthread_t thread;
	char *args[] = {"program", "done", NULL};
	int here = open(".", O_PATH);
	file("other");
	pthread_create(&thread, NULL, exchange, NULL);
	for (int i = 0; i < rounds; i++) {
		int status = 1;
		pid_t pid = fork();
		if (pid == 0) {
			if (name)
				execve(name, args, environ);
			else
				syscall(SYS_execveat, here, "program", args, environ, 0);
			_exit(1);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	char *args[] = {"named", "done", NULL}, path[64];
	if (!strcmp(way, "done")) {
		struct stat st;
		stat("/proc/self/exe", &st);
		printf("%d %lu\n", getpid(), (unsigned long)st.st_ino);
		return 0;
	}
	file("program");
	mkdir("directory", 0755);
	if (!strcmp(way, "path"))
		execv("program", args);
	if (!strcmp(way, "race"))
		return race(atoi(argv[2]), argc == 3 ? "program" : argv[3]);
	if (!strcmp(way, "race from a descriptor"))
		return race(atoi(argv[2]), NULL);
	if (!strcmp(way, "memfd"))
		fexecve(copied(memfd_create("program", MFD_CLOEXEC)), args, environ);
	if (!strcmp(way, "procfd")) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", copied(memfd_create("program", MFD_CLOEXEC)));
		execv(path, args);
	}
	if (!strcmp(way, "empty"))
		syscall(SYS_execveat, readable("program"), "", args, environ, AT_EMPTY_PATH);
	if (!strcmp(way, "opath"))
		syscall(SYS_execveat, open("program", O_PATH | O_CLOEXEC), "", args, environ, AT_EMPTY_PATH);
	if (!strcmp(way, "at"))
		syscall(SYS_execveat, open("directory", O_PATH | O_CLOEXEC), "../program", args, environ, 0);
	if (!strcmp(way, "link")) {
		symlink("program", "harmless");
		execv("harmless", args);
	}
	if (!strcmp(way, "linked directory")) { // to the letter it is ./program
		mkdir("directory/deep", 0755);
		symlink("directory/deep", "shallow");
		rename("program", "directory/program");
		execv("shallow/../program", args);
	}
	if (!strcmp(way, "hard link")) {
		link("program", "harmless");
		execv("harmless", args);
	}
	if (!strcmp(way, "deleted")) {
		int fd = readable("program");
		unlink("program");
		fexecve(fd, args, environ);
	}
	if (!strcmp(way, "root")) {
		char directory[4000], long_path[4096];
		snprintf(long_path, sizeof long_path, "/proc/self/root%s/program", getcwd(directory, sizeof directory));
		execv(long_path, args);
	}
	if (!strcmp(way, "check")) { // AT_EXECVE_CHECK: nothing is executed
		if (syscall(SYS_execveat, AT_FDCWD, "program", args, environ, 0x10000) != 0)
			return 77;
		return syscall(SYS_execveat, readable("program"), "", args, environ, AT_EMPTY_PATH | 0x10000) != 0;
	}
	if (!strcmp(way, "script")) {
		int fd = open("script", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		dprintf(fd, "#!program done\n");
		close(fd);
		execv("script", args);
	}
	perror(way);
	return 1;
}
