// plainopens DIRECTORY: opens files and connects sockets by all kinds of names, none of
// which means anything else than what is opened, or connected to.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sockdiag.h"

static int keep(int fd, const char *what)
{
	if (fd < 0)
		err(1, "%s", what);
	return fd;
}

static void try(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags, 0644);
	close(keep(fd, name));
}

static void try2(int dir, const char *name, unsigned long flags, unsigned long resolve)
{
	struct open_how how = {.flags = flags, .resolve = resolve};
	int fd = syscall(SYS_openat2, dir, name, &how, sizeof how);
	if (fd < 0 && errno == ENOSYS)
		return;
	close(keep(fd, name));
}

// by_handle opens a file without a name, where that is allowed.
static void by_handle(int dir)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = {.head.handle_bytes = MAX_HANDLE_SZ};
	int mount;
	if (name_to_handle_at(dir, "f", &h.head, &mount, 0) == 0) {
		int fd = open_by_handle_at(dir, &h.head, O_RDONLY);
		if (fd >= 0)
			close(fd);
	}
}

static void names(void)
{
	char number[64];
	int dir = keep(open("d", O_DIRECTORY | O_RDONLY), "d");
	int file = keep(open("d/f", O_RDONLY), "d/f");

	try(AT_FDCWD, "./d//f", O_RDONLY);
	try(AT_FDCWD, "d/", O_RDONLY);
	try(AT_FDCWD, "d/.", O_RDONLY);
	try(AT_FDCWD, "d/../d/./f", O_RDONLY);
	try(AT_FDCWD, "..", O_RDONLY);
	try(AT_FDCWD, "/..", O_RDONLY);
	try(AT_FDCWD, "/../..//", O_RDONLY);
	try(AT_FDCWD, "link", O_RDONLY);
	try(AT_FDCWD, "link", O_PATH | O_NOFOLLOW);
	try(AT_FDCWD, "linkdir/link", O_PATH | O_NOFOLLOW);
	try(AT_FDCWD, "linkdir/f", O_RDONLY);
	try(AT_FDCWD, "linkdir/../link", O_RDONLY);
	try(AT_FDCWD, "linkdir/new", O_RDWR | O_CREAT | O_EXCL);
	try(AT_FDCWD, "dangling", O_RDWR | O_CREAT);
	try(AT_FDCWD, "hard", O_RDONLY);
	try(dir, "f", O_RDONLY);
	try(dir, "../link", O_RDONLY);
	try(dir, "link", O_RDONLY);
	int unnamed = openat(AT_FDCWD, "linkdir", O_TMPFILE | O_RDWR, 0600);
	if (unnamed >= 0)
		close(unnamed);
#ifdef SYS_open
	close(keep(syscall(SYS_open, "linkdir/../d/f", O_RDONLY), "open"));
#endif
	by_handle(dir);
	try2(AT_FDCWD, "linkdir/f", O_RDONLY, 0);
	try2(dir, "absolute", O_RDONLY, RESOLVE_IN_ROOT);
	try2(dir, "/f", O_RDONLY, RESOLVE_IN_ROOT);
	try2(dir, "/../../f", O_RDONLY, RESOLVE_IN_ROOT);
	try2(dir, "f", O_RDONLY, RESOLVE_BENEATH);

	try(AT_FDCWD, "/proc/self/maps", O_RDONLY);
	try(AT_FDCWD, "/proc/thread-self/comm", O_RDONLY);
	try(AT_FDCWD, "/proc/self/exe", O_RDONLY);
	try(AT_FDCWD, "/proc/self/cwd/link", O_RDONLY);
	try(AT_FDCWD, "/proc/self/root/proc/self/stat", O_RDONLY);
	try(AT_FDCWD, "/proc/mounts", O_RDONLY);
	try(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
	snprintf(number, sizeof number, "/proc/self/fd/%d", file);
	try(AT_FDCWD, number, O_RDONLY);
	snprintf(number, sizeof number, "/proc/self/fd/%d/f", dir);
	try(AT_FDCWD, number, O_RDONLY);

	int ends[2];
	keep(pipe(ends), "pipe");
	snprintf(number, sizeof number, "/proc/self/fd/%d", ends[1]);
	try(AT_FDCWD, number, O_WRONLY);
	int memory = keep(memfd_create("name", 0), "memfd");
	snprintf(number, sizeof number, "/proc/self/fd/%d", memory);
	try(AT_FDCWD, number, O_RDWR);
	snprintf(number, sizeof number, "/proc/%d/fd/%d", getpid(), memory);
	if (access(number, F_OK) == 0)
		try(AT_FDCWD, number, O_RDWR);

	int gone = keep(open("gone", O_CREAT | O_RDWR, 0600), "gone");
	keep(unlink("gone"), "unlink");
	snprintf(number, sizeof number, "/proc/self/fd/%d", gone);
	try(AT_FDCWD, number, O_RDONLY);
	keep(mkdir("lost", 0755), "mkdir");
	int lost = keep(open("lost", O_DIRECTORY | O_RDONLY), "lost");
	keep(rmdir("lost"), "rmdir");
	try(lost, ".", O_RDONLY);
	close(keep(open("x (deleted)", O_CREAT | O_RDWR, 0600), "x"));
	close(keep(creat("linkdir/created", 0600), "creat"));
	close(keep(open("d/\n\"\\ \xff", O_CREAT | O_RDWR, 0600), "odd"));
	int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (terminal >= 0)
		close(terminal);
	try(AT_FDCWD, "/dev/null", O_RDWR);

	unlink("d/new");
	unlink("made");
	close(dir);
	close(file);
}

static void run(int dir, const char *name, int flags)
{
	pid_t pid = fork();
	if (pid == 0) {
		char *argv[] = {"plainopens", NULL};
		syscall(SYS_execveat, dir, name, argv, argv + 1, flags);
		if (dir == AT_FDCWD)
			execv(name, argv);
		_exit(3);
	}
	int status;
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		errx(1, "%s: status %#x", name, status);
}

// addresses connects to addresses that the kernel replaces.
static void addresses(void)
{
	static const char *const any[] = {"::", "::ffff:0.0.0.0", "::1", "::ffff:127.0.0.1"};
	for (int i = 0; i < 4; i++) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
		int fd = socket(AF_INET6, SOCK_DGRAM, 0);
		if (fd < 0)
			return; // no IPv6
		inet_pton(AF_INET6, any[i], &a.sin6_addr);
		if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EADDRNOTAVAIL && errno != ENETUNREACH)
			err(1, "%s", any[i]);
		close(fd);
	}
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = keep(socket(AF_INET6, SOCK_DGRAM, 0), "socket");
	keep(connect(fd, (struct sockaddr *)&a, sizeof a), "IPv4 of IPv6");
	close(fd);
}

// places binds sockets where the kernel chooses the port, or the family.
static void places(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = keep(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	keep(bind(fd, (struct sockaddr *)&a, sizeof a), "bind");
	socklen_t size = sizeof a;
	keep(getsockname(fd, (struct sockaddr *)&a, &size), "getsockname");
	close(fd);
	in_port_t ports[] = {0, a.sin_port};
	for (int i = 0; i < 2; i++) {
		a = (struct sockaddr_in){.sin_family = AF_UNSPEC, .sin_port = ports[i]};
		fd = keep(socket(AF_INET, SOCK_DGRAM, 0), "socket");
		if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno != EADDRINUSE)
			err(1, "bind without a family");
		close(fd);
	}
	a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(1234), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); // which has no ports
	if (fd >= 0) {
		keep(bind(fd, (struct sockaddr *)&a, sizeof a), "bind of a raw socket");
		close(fd);
	}
}

static int serve(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	snprintf(a.sun_path, sizeof a.sun_path, "%s", name);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 5) < 0)
		err(1, "%s", name);
	return fd;
}

// moved connects to a socket that had another name when it was bound, which is now that
// of another one.
static void moved(const char *where)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char first[4200];
	if (snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", where) >= (int)sizeof a.sun_path)
		errx(1, "%s: too long", where);
	snprintf(first, sizeof first, "%s/so", where);
	int one = serve(first);
	keep(rename(first, a.sun_path), "rename");
	int other = serve(first);
	int fd = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	keep(connect(fd, (struct sockaddr *)&a, sizeof a), a.sun_path);
	close(fd);
	close(one);
	close(other);
}

// at_sign connects to a socket of which a path begins as the text of an abstract name.
static void at_sign(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "@path"};
	int server = serve("./@path");
	int fd = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	keep(connect(fd, (struct sockaddr *)&a, sizeof a), a.sun_path);
	close(fd);
	close(server);
}

// bound binds a socket to a name, of which size bytes are told, and connects to it.
static void bound(const struct sockaddr_un *a, size_t size)
{
	int server = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	int fd = keep(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	size += offsetof(struct sockaddr_un, sun_path);
	keep(bind(server, (struct sockaddr *)a, size), "bind");
	keep(listen(server, 5), "listen");
	keep(connect(fd, (struct sockaddr *)a, size), "connect");
	close(fd);
	close(server);
}

// abstract has sockets with names that are no paths, and one with a path that looks so.
static void abstract(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t size = 1 + snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "plainopens %d", getpid());
	bound(&a, size);
	bound(&a, sizeof a.sun_path);
	bound(&a, size + 1); // with a NUL at the end
	strcpy(a.sun_path + size, "@");
	bound(&a, size + 1);
	strcpy(a.sun_path + size + 1, "x"); // and one with a NUL within
	a.sun_path[size] = 0;
	bound(&a, size + 2);
	strcpy(a.sun_path + size, "\nx");
	bound(&a, size + 2);
	strcpy(a.sun_path, "@bound");
	bound(&a, sizeof a.sun_path);
}

// programs executes this program by all kinds of names.
static void programs(void)
{
	char self[4096], text[4200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[keep(n, "exe")] = 0;
	keep(symlink(self, "program"), "symlink");
	int script = keep(open("script", O_CREAT | O_WRONLY | O_CLOEXEC, 0755), "script");
	write(script, text, snprintf(text, sizeof text, "#!%s\n", self));
	close(script);
	int here = keep(open(".", O_DIRECTORY | O_RDONLY | O_CLOEXEC), ".");
	int file = keep(open(self, O_RDONLY | O_CLOEXEC), self);
	int memory = keep(memfd_create("program", MFD_CLOEXEC), "memfd");
	while ((n = read(file, text, sizeof text)) > 0)
		write(memory, text, n);

	run(AT_FDCWD, self, 0);
	run(AT_FDCWD, "program", 0);
	run(AT_FDCWD, "./d/../program", 0);
	run(AT_FDCWD, "script", 0);
	run(AT_FDCWD, "/proc/self/exe", 0);
	run(here, "program", 0);
	run(file, "", AT_EMPTY_PATH);
	run(memory, "", AT_EMPTY_PATH);
	snprintf(text, sizeof text, "/proc/self/fd/%d", file);
	run(AT_FDCWD, text, 0);
	snprintf(text, sizeof text, "/dev/fd/%d", memory);
	run(AT_FDCWD, text, 0);
}

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);
	if (fd >= 0) {
		write(fd, text, strlen(text));
		close(fd);
	}
}

// between opens files of itself in a pid namespace below that of its /proc.
static void between(void)
{
	keep(unshare(CLONE_NEWPID), "unshare");
	pid_t pid = fork();
	if (pid == 0) {
		char number[64];
		int file = keep(open("/d/f", O_RDONLY), "/d/f");
		try(AT_FDCWD, "/proc/self/maps", O_RDONLY);
		try(AT_FDCWD, "/proc/thread-self/comm", O_RDONLY);
		snprintf(number, sizeof number, "/proc/self/fd/%d", file);
		try(AT_FDCWD, number, O_RDONLY);
		_exit(0);
	}
	int status;
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		errx(1, "between: status %#x", status);
}

// foreign executes a program of another machine, for which this one is registered
// (Linux 6.7).
static void foreign(void)
{
	char self[4096], line[4200], file[20] = "\x7f""ELF";
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[keep(n, "exe")] = 0;
	mkdir("formats", 0755);
	if (mount("binfmt_misc", "formats", "binfmt_misc", 0, NULL) < 0)
		return;
#ifdef __x86_64__
	file[18] = 183; /* EM_AARCH64 */
#else
	file[18] = 62; /* EM_X86_64 */
#endif
	snprintf(line, sizeof line, ":foreign:M:18:\\x%02x\\x00::%s:", (unsigned char)file[18], self);
	put("formats/register", line);
	int fd = keep(open("script-foreign", O_CREAT | O_WRONLY | O_CLOEXEC, 0755), "foreign");
	write(fd, file, sizeof file);
	close(fd);
	run(AT_FDCWD, "./script-foreign", 0);
	keep(umount2("formats", MNT_DETACH), "umount");
}

// elsewhere does it in another root, with a /proc of its own, where that is allowed.
static int elsewhere(const char *directory)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0)
		return 77;
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", uid);
	put("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1", gid);
	put("/proc/self/gid_map", map);
	if (mount("tmpfs", directory, "tmpfs", 0, NULL) < 0)
		return 77;
	keep(chdir(directory), "chdir");
	mkdir("d", 0755);
	mkdir("proc", 0755);
	mkdir("dev", 0755);
	pid_t pid = fork();
	if (pid == 0) {
		if (mount("proc", "proc", "proc", 0, NULL) < 0)
			_exit(77);
		foreign();
		close(keep(open("dev/null", O_CREAT | O_RDWR, 0644), "null"));
		if (mount("/dev/null", "dev/null", NULL, MS_BIND, NULL) < 0)
			_exit(77);
		int self = keep(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "exe");
		if (chroot(".") < 0)
			_exit(77);
		run(self, "", AT_EMPTY_PATH); // there is no /dev/fd
		close(keep(open("d/f", O_CREAT | O_RDWR, 0644), "d/f"));
		keep(symlink("/d/f", "link"), "symlink");
		keep(symlink("/link", "d/link"), "symlink");
		keep(symlink("/f", "d/absolute"), "symlink");
		keep(symlink("/d", "linkdir"), "symlink");
		keep(symlink("made", "dangling"), "symlink");
		keep(link("d/f", "hard"), "link");
		names();
		between();
		_exit(0);
	}
	int status;
	keep(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	if (argc == 1 || strstr(argv[1], "script"))
		return 0;
	if (argc != 2)
		errx(1, "usage: plainopens DIRECTORY");
	keep(chdir(argv[1]), argv[1]);
	keep(mkdir("d", 0755), "mkdir");
	keep(mkdir("other", 0755), "mkdir");
	close(keep(open("d/f", O_CREAT | O_RDWR, 0644), "d/f"));
	char *where = getcwd(NULL, 0), *target;
	if (asprintf(&target, "%s/d/f", where) < 0)
		err(1, "asprintf");
	keep(symlink(target, "link"), "symlink");
	keep(symlink("../link", "d/link"), "symlink");
	keep(symlink("/f", "d/absolute"), "symlink");
	keep(symlink("d", "linkdir"), "symlink");
	keep(symlink("made", "dangling"), "symlink");
	keep(link("d/f", "hard"), "link");
	names();
	addresses();
	places();
	int diag = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	if (diag >= 0 && sock_diag(diag, AF_UNIX))
		moved(where); // else nobody can tell it from a socket that was exchanged
	close(diag);
	at_sign();
	abstract();
	programs();
	if (asprintf(&target, "%s/other", where) < 0)
		err(1, "asprintf");
	return elsewhere(target);
}
