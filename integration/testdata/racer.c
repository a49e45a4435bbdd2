// racer KIND DIRECTORY ROUNDS: one thread makes ROUNDS calls, another one changes
// all the time what they are about. After each call the first says what it has got, 1
// or 2, by an lseek of as many bytes, and 0 if it has got nothing.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *directory;
static atomic_bool over;
static volatile char path[4096]; // of the calls; the last byte is changed
static volatile char *last;
static volatile struct open_how how = {.flags = O_RDONLY};
static volatile struct sockaddr_in address;
static volatile struct sockaddr_un name;
static in_port_t ports[2];
static ino_t inodes[2];

static const char *in(const char *name)
{
	char *p;
	if (asprintf(&p, "%s/%s", directory, name) < 0)
		err(1, "asprintf");
	return p;
}

static ino_t create(const char *name)
{
	struct stat st;
	int fd = open(in(name), O_CREAT | O_WRONLY, 0755);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", name);
	close(fd);
	return st.st_ino;
}

static void say(int got) { lseek(0, got, SEEK_SET); }

static int which(int fd)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	return st.st_ino == inodes[0] ? 1 : st.st_ino == inodes[1] ? 2 : 3;
}

static void set_path(const char *p)
{
	strcpy((char *)path, p);
	last = path + strlen(p) - 1;
}

static void open_path(void)
{
	int fd = open((char *)path, O_RDONLY);
	say(which(fd));
	if (fd >= 0)
		close(fd);
}

static void open2_path(void)
{
	int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	say(which(fd));
	if (fd >= 0)
		close(fd);
}

static int child(void *unused)
{
	char *none[] = {"child", NULL};
	execve((char *)path, none, none + 1);
	_exit(3);
}

static void exec_path(void)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	int status;
	pid_t pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		err(1, "clone");
	say(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

static void connect_address(void)
{
	struct sockaddr_in peer = {0};
	socklen_t size = sizeof peer;
	struct linger at_once = {1, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int got = 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
		got = peer.sin_port == ports[0] ? 1 : peer.sin_port == ports[1] ? 2 : 3;
	say(got);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

// connect_pending connects to a port where nobody listens, and does not wait for the
// answer: getpeername tells nothing then.
static void connect_pending(void)
{
	struct sockaddr_in peer = {0};
	socklen_t size = sizeof peer;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int got = 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == EINPROGRESS &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &peer, &size) == 0)
		got = peer.sin_port == ports[0] ? 1 : peer.sin_port == ports[1] ? 2 : 3;
	say(got);
	close(fd);
}

static void connect_name(void)
{
	struct sockaddr_un peer = {0};
	socklen_t size = sizeof peer;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int got = 0;
	if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0 && getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
		got = peer.sun_path[strlen(peer.sun_path) - 1] - '0';
	say(got);
	close(fd);
}

#ifdef __x86_64__
// connect_packed connects by socketcall, which has its arguments in memory: there they
// change. All of it is within the first 4 GB.
static volatile unsigned packed[3];

static void connect_packed(void)
{
	struct sockaddr_in peer = {0};
	socklen_t size = sizeof peer;
	int fd = packed[0] = socket(AF_INET, SOCK_DGRAM, 0);
	int got = 0, res;
	__asm__ volatile("int $0x80" : "=a"(res) : "a"(102), "b"(3), "c"(packed) : "memory", "r8", "r9", "r10", "r11");
	if (res == 0 && getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
		got = peer.sin_port == ports[0] ? 1 : peer.sin_port == ports[1] ? 2 : 3;
	say(got);
	close(fd);
}

static struct sockaddr_in both[2];
static void change_packed(void) { packed[1] ^= (unsigned)(long)&both[0] ^ (unsigned)(long)&both[1]; }
#endif

static void bind_address(void)
{
	struct sockaddr_in own = {0};
	socklen_t size = sizeof own;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int got = 0;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && getsockname(fd, (struct sockaddr *)&own, &size) == 0)
		got = own.sin_port == ports[0] ? 1 : own.sin_port == ports[1] ? 2 : 3;
	say(got);
	close(fd);
}

static void change_how(void) { how.flags ^= O_APPEND; }
static void change_path(void) { *last ^= '1' ^ '2'; }
static void change_address(void) { address.sin_port ^= ports[0] ^ ports[1]; }

static void change_link(void)
{
	static int n;
	static const char *link, *next;
	if (!link) {
		link = in("link");
		next = in("next");
	}
	if (symlink(n++ % 2 ? "file1" : "file2", next) < 0 || rename(next, link) < 0)
		err(1, "link");
}

static void change_names(void)
{
	static const char *one, *two;
	if (!one) {
		one = in("file1");
		two = in("file2");
	}
	if (renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE) < 0)
		err(1, "exchange");
}

static int bind_at(int i)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&a, size) < 0 || getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		err(1, "bind");
	ports[i] = a.sin_port;
	if (i == 0)
		address = a;
	return fd;
}

static void *accept_all(void *fd);

static void serve(void *(*server)(void *), long fd)
{
	pthread_t t;
	if (pthread_create(&t, NULL, server, (void *)fd) != 0)
		errx(1, "no thread");
}

static void listen_as(const char *path)
{
	strcpy((char *)name.sun_path, path);
	name.sun_family = AF_UNIX;
	unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 4096) < 0)
		err(1, "%s", path);
	serve(accept_all, fd);
	last = name.sun_path + strlen(path) - 1;
}

static void listen_at(int i)
{
	if (listen(bind_at(i), 4096) < 0)
		err(1, "listen");
}

static void *accept_all(void *fd)
{
	while (!over)
		close(accept((long)fd, NULL, NULL));
	return NULL;
}

static void *race(void *change)
{
	while (!over)
		((void (*)(void))change)();
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(1, "usage: racer KIND DIRECTORY ROUNDS");
	const char *kind = argv[1];
	directory = argv[2];
	void (*call)(void) = open_path, (*change)(void) = change_path;
	inodes[0] = create("file1");
	inodes[1] = create("file2");
	set_path(in("file1"));
	if (strcmp(kind, "link") == 0) {
		change = change_link;
		change();
		set_path(in("link"));
	} else if (strcmp(kind, "names") == 0) {
		change = change_names;
	} else if (strcmp(kind, "openat2") == 0) {
		call = open2_path;
	} else if (strcmp(kind, "exec") == 0) {
		call = exec_path;
		set_path(in("exit1"));
	} else if (strcmp(kind, "connect") == 0) {
		call = connect_address;
		change = change_address;
		int first = dup(0);
		listen_at(0);
		listen_at(1);
		for (long fd = first + 1; fd <= first + 2; fd++)
			serve(accept_all, fd);
	} else if (strcmp(kind, "unix") == 0) {
		call = connect_name;
		listen_as(in("socket1"));
		listen_as(in("socket2"));
	} else if (strcmp(kind, "bind") == 0) {
		call = bind_address;
		change = change_address;
		for (int i = 0; i < 2; i++)
			close(bind_at(i));
#ifdef __x86_64__
	} else if (strcmp(kind, "packed") == 0) {
		call = connect_packed;
		change = change_packed;
		for (int i = 0; i < 2; i++) {
			close(bind_at(i));
			both[i] = *(struct sockaddr_in *)&address;
			both[i].sin_port = ports[i];
		}
		packed[1] = (unsigned)(long)&both[0];
		packed[2] = sizeof *both;
#endif
	} else if (strcmp(kind, "how") == 0) {
		call = open2_path;
		change = change_how;
	} else if (strcmp(kind, "pending") == 0) {
		call = connect_pending;
		change = change_address;
		bind_at(0);
		bind_at(1);
	} else if (strcmp(kind, "path") != 0) {
		errx(1, "%s: unknown", kind);
	}
	pthread_t racer;
	if (pthread_create(&racer, NULL, race, change) != 0)
		errx(1, "no thread");
	for (long n = atol(argv[3]); n > 0; n--)
		call();
	over = true;
	pthread_join(racer, NULL);
	return 0;
}
