// secret DIRECTORY: makes calls whose paths and addresses are in memory that only the
// kernel reads. It ends with 77 where there is no such memory.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static char *secret;

static const char *path(const char *directory, const char *name)
{
	sprintf(secret, "%s/%s", directory, name);
	return secret;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 0;
	int memory = syscall(SYS_memfd_secret, 0);
	if (memory < 0)
		return 77;
	if (ftruncate(memory, 8192) < 0 || (secret = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)) == MAP_FAILED)
		return 77;
	int fd = open(path(argv[1], "file"), O_CREAT | O_RDWR, 0600);
	if (fd < 0 || mkdir(path(argv[1], "directory"), 0700) < 0)
		err(1, "%s", secret);
	unlink(path(argv[1], "none")); // fails: what it was about nobody will know
	struct sockaddr_in *a = (struct sockaddr_in *)secret;
	struct iovec data = {"x", 1};
	struct msghdr message = {.msg_name = a, .msg_namelen = sizeof *a, .msg_iov = &data, .msg_iovlen = 1};
	memset(a, 0, sizeof *a);
	a->sin_family = AF_INET;
	a->sin_port = htons(9);
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (sendto(s, "x", 1, 0, (struct sockaddr *)a, sizeof *a) < 0 || connect(s, (struct sockaddr *)a, sizeof *a) < 0)
		err(1, "socket");
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(s, (struct sockaddr *)a, sizeof *a) == 0 || errno != EINPROGRESS)
		err(1, "connect");
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (sendmsg(s, &message, 0) < 0)
		err(1, "sendmsg");
	memcpy(secret + 4096, &message, sizeof message);
	if (sendmsg(s, (struct msghdr *)(secret + 4096), 0) < 0)
		err(1, "sendmsg");
#ifdef __x86_64__
	// socketcall of i386 has its arguments in memory, of the first 4 GB.
	unsigned *packed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_32BIT, memory, 4096);
	packed[0] = s, packed[1] = (unsigned)(long)packed + 64, packed[2] = sizeof *a;
	memcpy((char *)packed + 64, a, sizeof *a);
	int res;
	__asm__ volatile("int $0x80" : "=a"(res) : "a"(102), "b"(3), "c"(packed) : "memory", "r8", "r9", "r10", "r11");
	if (res < 0 && res != -ENOSYS)
		errx(1, "socketcall: %d", res);
#endif
	char *none[] = {"secret", NULL};
	execv(strcpy(secret, "/proc/self/exe"), none);
	err(1, "exec");
}
