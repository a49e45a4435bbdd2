// The command of a container: container WHAT.
//   work SELF  opens files, gives up its user as a server does, and opens more
//   open FILE  opens a file
//   serve      says ready and its pid, and ends by SIGTERM in a handler
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *what, int result)
{
	printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
	fflush(stdout);
}

static void look(const char *path)
{
	tell(path, open(path, O_RDONLY));
}

static void collect(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	printf("child: %#x\n", status);
	fflush(stdout);
}

// server is what a master process starts: another user, its children, and a
// program that it executes.
static void server(const char *self)
{
	pid_t pid;
	tell("setgroups", setgroups(0, NULL));
	tell("setgid", setgid(1000));
	tell("setuid", setuid(1000));
	look("/none/dropped");
	if ((pid = vfork()) == 0) {
		look("/none/vforked");
		_exit(0);
	}
	collect(pid);
	if ((pid = fork()) == 0) {
		look("/none/forked");
		execl(self, "container", "open", "/none/grandchild", NULL);
		_exit(99);
	}
	collect(pid);
	execl(self, "container", "open", "/none/executed", NULL);
	_exit(99);
}

static void work(const char *self)
{
	struct sockaddr_un name = {AF_UNIX, "/none/socket"};
	pid_t pid;
	printf("uid %d, gid %d\n", getuid(), getgid());
	fflush(stdout);
	look("/none/start");
	tell("connect", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof name));
	if ((pid = fork()) == 0)
		server(self);
	collect(pid);
	exit(7);
}

static void terminated(int sig)
{
	static const char text[] = "terminated\n";
	write(STDOUT_FILENO, text, sizeof text - 1);
	_exit(5);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "work"))
		work(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "open"))
		look(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "serve")) {
		signal(SIGTERM, terminated);
		printf("ready\npid %d\n", getpid());
		fflush(stdout);
		for (;;)
			pause();
	}
	return 0;
}
