// held DIRECTORY: makes calls that the kernel holds, and changes what they are about
// meanwhile: the memory of an argument, or where a name leads. Each is about a file of
// its own.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
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

static char text[128];	// the path of a call
static const char *name; // as it was
static struct open_how how;
static int at; // a descriptor
static struct sockaddr_un address;
static atomic_int caller;
static int result;

static int keep(int n, const char *what)
{
	if (n < 0)
		err(1, "%s: %s", name, what);
	return n;
}

static void put(const char *file, const char *content, int mode)
{
	int fd = keep(open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode), file);
	keep(write(fd, content, strlen(content)), "write");
	close(fd);
}

// asleep waits until a thread sleeps: in the call, since it sleeps nowhere else.
static void asleep(int tid)
{
	char file[64], stat[64];
	snprintf(file, sizeof file, "/proc/%d/stat", tid);
	for (;;) {
		int fd = keep(open(file, O_RDONLY | O_CLOEXEC), file);
		ssize_t n = read(fd, stat, sizeof stat - 1);
		close(fd);
		stat[n < 0 ? 0 : n] = 0;
		char *state = strrchr(stat, ')');
		if (state && state[1] == ' ' && state[2] == 'S')
			return;
		usleep(1000);
	}
}

static void *calls(void *call)
{
	caller = syscall(SYS_gettid);
	result = ((int (*)(void))call)();
	if (result < 0)
		result = -errno;
	return NULL;
}

static int opens(void) { return openat(AT_FDCWD, text, O_RDONLY); }
static int opens_no_link(void) { return openat(AT_FDCWD, text, O_RDONLY | O_NOFOLLOW); }
static int opens_at(void) { return openat(at, text, O_RDONLY); }
static int opens_how(void) { return syscall(SYS_openat2, AT_FDCWD, text, &how, sizeof how); }
static int opens_in_root(void)
{
	struct open_how in = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
	return syscall(SYS_openat2, at, text, &in, sizeof in);
}
static int creates(void) { return creat(text, 0600); }
static int connects(void) { return connect(at, (struct sockaddr *)&address, sizeof address); }

static void other_bytes(void) { text[strlen(text) - 1] = '!'; }
static void longer(void) { strcat(text, "er"); }
static void other_how(void) { how.flags = O_WRONLY; }
static void other_address(void) { address.sun_path[0] = '!'; }

// moved is where a file goes that does not stay under its name.
static const char *moved(const char *end)
{
	static char to[128];
	snprintf(to, sizeof to, "%s%s", name, end);
	return to;
}

static void moves(void) { keep(rename(name, moved(".moved")), "rename"); }
static void replaced(void) { moves(), put(name, "", 0600); }
static void deleted(void) { keep(unlink(name), "unlink"), put(name, "", 0600); }
static void gone(void) { keep(unlink(name), "unlink"); }
static void as_if_deleted(void) { keep(rename(name, moved(" (deleted)")), "rename"), put(name, "", 0600); }
static void linked(void) { moves(), keep(symlink(moved(".moved"), name), "symlink"); }
static void link_changed(void)
{
	put("another", "", 0600);
	keep(unlink("link"), "unlink"), keep(symlink("another", "link"), "symlink");
}
static void link_loops(void)
{
	keep(unlink("turning"), "unlink"), keep(symlink("round", "turning"), "symlink"), keep(symlink("turning", "round"), "symlink");
}
static void nothing(void) {}

static void quiet(int unused) { (void)unused; }

// held makes a call about a new pipe, which is opened once its other end is.
static void held(const char *pipe, const char *path, int (*call)(void), void (*change)(void), bool interrupt)
{
	pthread_t t;
	char end[64];
	name = pipe;
	strcpy(text, path);
	keep(mkfifo(pipe, 0600), "mkfifo");
	int fd = keep(open(pipe, O_PATH), pipe);
	caller = 0;
	if (pthread_create(&t, NULL, calls, call) != 0)
		errx(1, "no thread");
	while (!caller)
		sched_yield();
	asleep(caller);
	change();
	if (interrupt) {
		pthread_kill(t, SIGUSR1);
		pthread_join(t, NULL);
		if (result != -EINTR)
			errx(1, "%s: result %d", pipe, result);
	} else {
		snprintf(end, sizeof end, "/proc/self/fd/%d", fd);
		int other = keep(open(end, O_RDWR), end);
		pthread_join(t, NULL);
		if (result < 0 && !(call == opens_how && result == -ENOSYS) && !(call == opens_in_root && result == -ENOSYS))
			errx(1, "%s: result %d", pipe, result);
		close(other);
		close(result);
	}
	close(fd);
}

// connecting waits for a place in the queue of a server.
static void connecting(const char *socket_name, void (*change)(void))
{
	pthread_t t;
	name = socket_name;
	address.sun_family = AF_UNIX;
	strcpy(address.sun_path, name);
	int server = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	keep(bind(server, (struct sockaddr *)&address, sizeof address), "bind");
	keep(listen(server, 0), "listen");
	int first = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	keep(connect(first, (struct sockaddr *)&address, sizeof address), "connect");
	at = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	caller = 0;
	if (pthread_create(&t, NULL, calls, connects) != 0)
		errx(1, "no thread");
	while (!caller)
		sched_yield();
	asleep(caller);
	change();
	close(keep(accept(server, NULL, NULL), "accept"));
	pthread_join(t, NULL);
	keep(result, "connect");
	close(server), close(first), close(at);
}

static void copy(const char *to)
{
	char block[4096];
	ssize_t n;
	int from = keep(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "exe");
	int fd = keep(open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0755), to);
	while ((n = read(from, block, sizeof block)) > 0)
		keep(write(fd, block, n), "write");
	close(from), close(fd);
}

static int executes(void *unused)
{
	char *argv[] = {"held", NULL};
	(void)unused;
	execve(text, argv, argv + 1);
	_exit(errno == ENOEXEC ? 1 : 2);
}

static void program_replaced(void) { moves(), copy(name); }
static void script(void) { moves(), put(name, "#!/bin/sh\n", 0755); }
static void bytes_of_exec(void) { text[strlen(text) - 1] = '!'; }

// leased executes a file on which there is a lease: the kernel opens it when that is
// given up. The child shares the memory, and waits for nothing else.
static void leased(const char *file, void (*change)(void), int status)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	int got;
	name = file;
	strcpy(text, file);
	int fd = keep(open(file, O_RDONLY | O_CLOEXEC), file);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		errx(77, "no leases");
	signal(SIGIO, SIG_IGN);
	pid_t pid = keep(clone(executes, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL), "clone");
	asleep(pid);
	change();
	keep(fcntl(fd, F_SETLEASE, F_UNLCK), "lease");
	keep(waitpid(pid, &got, 0), "wait");
	if (!WIFEXITED(got) || WEXITSTATUS(got) != status)
		errx(1, "%s: status %#x", file, got);
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return 0;
	keep(chdir(argv[1]), argv[1]);
	struct sigaction quietly = {.sa_handler = quiet};
	sigaction(SIGUSR1, &quietly, NULL);
	keep(mkdir("d", 0700), "d");
	int dir = keep(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "d");

	held("quiet", "quiet", opens, nothing, false);
	held("bytes", "bytes", opens, other_bytes, false);
	held("long", "long", opens, longer, false);
	held("fails", "fails", opens, other_bytes, true);
	held("replaced", "replaced", opens, replaced, false);
	held("moved", "moved", opens, moves, false);
	held("deleted", "deleted", opens, deleted, false);
	held("gone", "gone", opens, gone, false);
	held("as if deleted", "as if deleted", opens, as_if_deleted, false);
	held("linked", "linked", opens, linked, false);
	held("linked at the end", "linked at the end", opens_no_link, linked, false);
	held("created", "created", creates, replaced, false);
	keep(symlink("target", "link"), "symlink");
	held("target", "link", opens, link_changed, false);
	keep(symlink("center", "turning"), "symlink");
	held("center", "turning", opens, link_loops, false);
	at = dir;
	held("d/at", "at", opens_at, replaced, false);
	held("d/in", "/in", opens_in_root, replaced, false);
	how = (struct open_how){.flags = O_RDONLY};
	held("how", "how", opens_how, other_how, false);
	connecting("socket", other_address);
	copy("program"), leased("program", program_replaced, 0);
	copy("scripted"), leased("scripted", script, 0);
	put("garbage", "garbage", 0755), leased("garbage", bytes_of_exec, 1);
	return 0;
}
