// A thread that does not have the descriptors of its leader uses sockets and files,
// and prints the events that this gives, as TestOwnDescriptors has the sensor print
// them. Under each of its numbers the leader has something else, if it lives. Argument
// 1 is how that has come about: unshare, close_range, clone, leader (it is the leader
// that has got others), ended (it has none any more); argument 2 is a directory. With a
// further one what /proc does not tell of sockets is left open, with a *.
#define _GNU_SOURCE
#include "sockdiag.h"
#include "thread.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum { FIRST = 3, LAST = 40, MARK = 7 };

static const char *way;
static atomic_int apart, covered;
static int decoy, copied;

static void need(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(errno == ENOSYS || errno == EINVAL ? 77 : 1);
	}
}

static int is(const char *what) { return !strcmp(way, what); }

static void await(atomic_int *flag)
{
	while (!*flag)
		usleep(1000);
}

// told reports whether the kernel tells of queues of sockets that cannot be copied.
static int told(int family)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), tells = fd >= 0 && sock_diag(fd, family);
	close(fd);
	return tells;
}

// known is what only a copy of a socket tells.
static const char *known(const char *text) { return copied ? text : "*"; }

static int port(int fd, int (*of)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in a = {0};
	socklen_t n = sizeof a;
	of(fd, (void *)&a, &n);
	return ntohs(a.sin_port);
}

// ends are the two of a socket, its own one first or last.
static const char *ends(int fd, int out)
{
	static char text[64];
	int local = port(fd, getsockname), peer = port(fd, getpeername);
	sprintf(text, "127.0.0.1:%d->127.0.0.1:%d", out ? local : peer, out ? peer : local);
	return text;
}

static const char *own(int fd)
{
	static char text[64];
	sprintf(text, "127.0.0.1:%d", port(fd, getsockname));
	return text;
}

static int listener(int waiting, struct sockaddr_in *at)
{
	socklen_t n = sizeof *at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	need(bind(fd, (void *)at, sizeof *at) == 0 && listen(fd, waiting) == 0, "listen");
	getsockname(fd, (void *)at, &n);
	return fd;
}

static int connected(struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	need(connect(fd, (void *)to, sizeof *to) == 0, "connect");
	return fd;
}

// cover puts the decoy under all numbers.
static void cover(void)
{
	for (int fd = FIRST; fd < LAST; fd++)
		dup2(decoy, fd);
}

static void pass(int from, int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	need(sendmsg(from, &m, 0) == 1, "sendmsg");
	printf("sendmsg|*|*|*\n");
	need(recvmsg(to, &m, 0) == 1, "recvmsg");
	printf("recvmsg|*|*|*\n");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	lseek(fd, MARK, SEEK_SET);
	char one[64], other[64]; // in the order of the alphabet
	strcpy(one, ends(fd, 0));
	strcpy(other, ends(fd, 1));
	printf("lseek|*|*|%s\n", strcmp(one, other) < 0 ? one : other);
}

static void use(const char *dir)
{
	struct sockaddr_in at, any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char path[200], byte = 0;

	int l = listener(7, &at);
	printf("bind|*|<NA>|%s\n", known(own(l)));
	int c = connected(&at);
	printf("connect|%s|<NA>|127.0.0.1:%d\n", ends(c, 1), ntohs(at.sin_port));
	int a = accept4(l, NULL, NULL, 0);
	printf("accept|%s|%s|*\n", ends(a, 0), copied || told(AF_INET) ? "7" : "0");
	sendto(c, "x", 1, 0, NULL, 0);
	printf("sendto|%s|<NA>|*\n", ends(c, 1));
	recvfrom(a, &byte, 1, 0, NULL, NULL);
	printf("recvfrom|%s|<NA>|*\n", ends(a, 0));
	int u = socket(AF_INET, SOCK_DGRAM, 0);
	need(bind(u, (void *)&any, sizeof any) == 0, "bind");
	printf("bind|*|<NA>|%s\n", own(u));
	connect(u, (void *)&at, sizeof at);
	printf("connect|%s|<NA>|127.0.0.1:%d\n", ends(u, 1), ntohs(at.sin_port));

	snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", dir);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	need(bind(s, (void *)&name, sizeof name) == 0 && listen(s, 5) == 0, "bind");
	printf("bind|*|<NA>|%s\n", name.sun_path);
	int p = socket(AF_UNIX, SOCK_STREAM, 0);
	need(connect(p, (void *)&name, sizeof name) == 0, "connect");
	printf("connect|* %s|<NA>|%s\n", name.sun_path, copied ? name.sun_path : "<NA>"); // the address of the call is no truth
	int q = accept4(s, NULL, NULL, 0);
	printf("accept|* %s|%s|*\n", name.sun_path, told(AF_UNIX) ? "5" : "0");
	sendto(p, "x", 1, 0, NULL, 0);
	printf("sendto|* %s|<NA>|*\n", known(name.sun_path));
	pass(q, p, a);

	snprintf(path, sizeof path, "%s/file", dir);
	int f = open(path, O_CREAT | O_RDWR, 0600);
	need(f >= 0, "open");
	printf("open*|*|<NA>|%s\n", path);
	need(openat(AT_FDCWD, path, O_RDONLY) >= 0, "open");
	printf("open*|*|<NA>|%s\n", path);
	need(fchdir(open(dir, O_RDONLY)) == 0, "fchdir");
	printf("open*|*|<NA>|%s\n", dir);
	need(open("file", O_RDONLY) >= 0, "open");
	printf("open*|*|<NA>|%s\n", path);
	need(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 0) != MAP_FAILED, "mmap"); // for its memory's size
}

static void *run(void *dir)
{
	sendto(decoy, "x", 1, 0, NULL, 0); // so that a tracer knows what descriptors the threads share
	if (is("unshare"))
		need(syscall(SYS_unshare, CLONE_FILES) == 0, "unshare");
	if (is("close_range"))
		need(syscall(SYS_close_range, 200, 300, CLOSE_RANGE_UNSHARE) == 0, "close_range");
	need(syscall(SYS_unshare, CLONE_FS) == 0, "unshare"); // the directory of the leader is another one too
	apart = 1;
	await(&covered);
	if (is("ended")) {
		char link[64], to[64];
		snprintf(link, sizeof link, "/proc/%d/fd/1", getpid());
		while (readlink(link, to, sizeof to) >= 0)
			usleep(1000);
	} else
		for (int fd = FIRST; fd < LAST; fd++)
			close(fd); // so that its own get numbers of the leader's
	printf("thread %ld\n", syscall(SYS_gettid));
	use(dir);
	fflush(stdout);
	syscall(SYS_exit_group, 0);
	return NULL;
}

static int cloned(void *dir) { return run(dir), 0; }

int main(int argc, char **argv)
{
	struct sockaddr_in at;
	way = argc > 2 ? argv[1] : "";
	copied = argc == 3;
	int l = listener(3, &at);
	decoy = dup2(connected(&at), LAST);
	need(dup2(l, LAST + 1) > 0, "dup2");
	if (is("clone"))
		need(clone(cloned, (char *)malloc(1 << 18) + (1 << 18), CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, argv[2]) > 0, "clone");
	else
		small_thread(run, argv[2]);
	await(&apart);
	if (is("leader"))
		need(syscall(SYS_unshare, CLONE_FILES) == 0, "unshare");
	if (!is("ended"))
		cover();
	sendto(decoy, "x", 1, 0, NULL, 0);
	covered = 1;
	if (is("ended"))
		pthread_exit(NULL);
	for (;;)
		pause();
}
