// Makes a system call many times: calls NAME COUNT. It prints the nanoseconds of processor
// time that one took, and closes what an open has opened.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void need(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	need(argc == 3, "calls NAME COUNT");
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int zero = open("/dev/zero", O_RDONLY), sock = socket(AF_INET, SOCK_DGRAM, 0);
	long n = atol(argv[2]);
	char data[64];
	need(zero >= 0 && sock >= 0, "open, socket");
	double begin = now();
	if (!strcmp(argv[1], "openat")) {
		for (long i = 0; i < n; i++) {
			long fd = syscall(SYS_openat, AT_FDCWD, argv[0], O_RDONLY, 0);
			need(fd >= 0 && syscall(SYS_close, fd) == 0, "openat");
		}
	} else if (!strcmp(argv[1], "read")) {
		for (long i = 0; i < n; i++)
			need(syscall(SYS_read, zero, data, sizeof data) == sizeof data, "read");
	} else if (!strcmp(argv[1], "connect")) {
		for (long i = 0; i < n; i++)
			need(syscall(SYS_connect, sock, &to, sizeof to) == 0, "connect");
	} else if (!strcmp(argv[1], "getppid")) {
		for (long i = 0; i < n; i++)
			syscall(SYS_getppid);
	} else {
		for (long i = 0; i < n; i++)
			syscall(SYS_getpgid, 0);
	}
	printf("%.1f\n", (now() - begin) / n);
	return 0;
}
