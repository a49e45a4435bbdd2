// Does the same in every run, in as many ways as lines of events differ:
// relative paths from changing directories, descriptors that are copied, closed
// and used again, data, odd names, users, limits, signals, failures.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void paths(void)
{
	char deep[5000];
	int d, f;

	mkdir("sub", 0751);
	mkdir("sub/inner", 0700);
	chdir("sub");
	f = open("../sub/./inner/../file", O_RDWR | O_CREAT | O_TRUNC, 0640);
	write(f, "text with \"quotes\" and \x01\xff\n", 25);
	d = open("inner", O_RDONLY | O_DIRECTORY);
	close(openat(d, "deeper", O_WRONLY | O_CREAT, 0600));
	close(openat(d, "../file", O_RDONLY));
	openat(d, "none", O_RDONLY);
	openat(99, "unknown", O_RDONLY);
	openat(f, "in a file", O_RDONLY);
	fchdir(d);
	close(open("deeper", O_RDONLY | O_CLOEXEC));
	close(open("here and there\xc3\xa9\t.", O_RDWR | O_CREAT, 0600));
	open("", O_RDONLY);
	open(".", O_WRONLY);
	close(open("..", O_RDONLY));
	syscall(SYS_openat, AT_FDCWD, NULL, O_RDONLY);
	memset(deep, '/', sizeof deep);
	strcpy(deep + 300, "etc/passwd");
	close(open(deep, O_RDONLY));
	memset(deep, '/', sizeof deep);
	strcpy(deep + 1011, "etc/passwd");
	close(open(deep, O_RDONLY)); // the longest that sysdig has a name for
	strcpy(deep + 1011, "/etc/passwd");
	close(open(deep, O_RDONLY));
	chdir("../..");
	chdir("sub/none");
	chdir("/tmp/..");
	close(open("etc/hostname", O_RDONLY));
	fchdir(d);
	chdir("../..");
	close(d);
	close(d);
	fchdir(d);
	link("sub/file", "hard");
	symlink("sub/file", "soft");
	rename("hard", "harder");
	unlink("harder");
	unlinkat(AT_FDCWD, "none", AT_REMOVEDIR);
	chmod("sub/file", 0604);
	rmdir("sub");
	access("sub/file", R_OK | W_OK);
}

static void descriptors(void)
{
	char buf[300];
	int p[2];
	int f = open("sub/file", O_RDWR);

	pipe(p);
	write(p[1], "down the pipe", 13);
	read(p[0], buf, sizeof buf);
	dup(f);
	dup2(p[0], 40);
	close(p[0]);
	read(40, buf, 0);
	dup3(f, 41, O_CLOEXEC);
	dup2(41, 40);
	write(40, buf, sizeof buf);
	close(40), close(41);
	dup(-1);
	dup2(41, 42);
	dup3(f, f, 0);
	fcntl(f, F_DUPFD, 50);
	fcntl(50, F_GETFD);
	close(50);
	lseek(f, -1, SEEK_END);
	pread(f, buf, 100, 3);
	pwrite(f, "x", 1, 1000);
	struct iovec io[2] = {{buf, 10}, {buf + 10, 90}};
	writev(f, io, 2);
	lseek(f, 0, SEEK_SET);
	readv(f, io, 2);
	ftruncate(f, 10);
	flock(f, LOCK_EX | LOCK_NB);
	fchmod(f, 04755);
	close(p[1]);
	pipe2(p, O_NONBLOCK | O_CLOEXEC);
	read(p[0], buf, 1);
	struct pollfd polls[] = {{p[0], POLLIN, 0}, {p[1], POLLOUT | POLLPRI, 0}, {-1, POLLIN, 0}};
	poll(polls, 3, 0);
	close(p[0]), close(p[1]);
	pipe2(p, 12345);
	close(eventfd(7, EFD_NONBLOCK));
	close(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	close(inotify_init1(IN_CLOEXEC));
	close(epoll_create1(0));
	sigset_t set;
	sigemptyset(&set);
	close(signalfd(-1, &set, 0));
	close(syscall(SYS_memfd_create, "memory", 0));
	close(f);
	read(f, buf, 1);
	close(12345);
}

static void sockets(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "sub/socket"};
	struct { int family; struct sockaddr *sa; socklen_t n; } all[] = {
		{AF_INET, (struct sockaddr *)&in, sizeof in},
		{AF_INET6, (struct sockaddr *)&in6, sizeof in6},
		{AF_UNIX, (struct sockaddr *)&un, sizeof un},
	};
	char buf[200];
	for (int i = 0; i < 3; i++) {
		int l = socket(all[i].family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		socklen_t n = all[i].n;
		bind(l, all[i].sa, n);
		listen(l, 3);
		getsockname(l, all[i].sa, &n);
		int a = socket(all[i].family, SOCK_STREAM, 0);
		connect(a, all[i].sa, n);
		int b = accept(l, NULL, NULL);
		write(a, "request", 7);
		read(b, buf, sizeof buf);
		write(b, "answer", 6);
		read(a, buf, sizeof buf);
		int c = dup(b);
		close(b);
		shutdown(c, SHUT_WR);
		close(a);
		a = socket(all[i].family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(a, all[i].sa, n);
		b = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		read(b, buf, 1);
		close(a), close(b), close(c), close(l);
		a = socket(all[i].family, SOCK_STREAM, 0);
		connect(a, all[i].sa, n); // nobody is there any more
		accept(a, NULL, NULL);
		close(a);
	}
	int u = socket(AF_INET, SOCK_DGRAM, 0), v = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof in;
	in.sin_port = 0;
	bind(u, (struct sockaddr *)&in, sizeof in);
	getsockname(u, (struct sockaddr *)&in, &n);
	connect(v, (struct sockaddr *)&in, sizeof in);
	write(v, "datagram", 8);
	read(u, buf, sizeof buf);
	int one = 1;
	setsockopt(u, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	close(u), close(v);
	int pair[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	write(pair[0], "pair", 4);
	read(pair[1], buf, sizeof buf);
	close(pair[0]), close(pair[1]);
	close(socket(AF_NETLINK, SOCK_RAW, 0));
	close(socket(AF_PACKET, SOCK_RAW, 0));
	socket(77, SOCK_RAW, 0);
	bind(-1, NULL, 0);
	connect(12345, (struct sockaddr *)&un, sizeof un);
}

static void *thread(void *arg)
{
	(void)arg;
	close(open("sub/file", O_RDONLY));
	return NULL;
}

static void handler(int sig) { (void)sig; }

static void processes(char *self)
{
	pthread_t t;
	struct sigaction sa = {.sa_handler = handler};
	struct rlimit limit;

	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	int kept = open("sub/file", O_RDONLY), gone = open("sub/file", O_RDONLY | O_CLOEXEC);
	if (fork() == 0) {
		chdir("sub");
		close(open("file", O_RDONLY));
		close(kept);
		char *argv[] = {"other name", "child", "", "with blanks", NULL};
		char *envp[] = {"HOME=/nowhere", "X=", NULL};
		execve("/nowhere/none", argv, envp);
		execve(self, argv, envp);
		_exit(1);
	}
	wait(NULL);
	close(kept), close(gone);
	if (vfork() == 0)
		_exit(7);
	wait(NULL);
	if (fork() == 0) {
		setresgid(65534, 65534, 65534);
		setresuid(65534, 65534, 65534);
		setuid(0);
		open("/etc/shadow", O_RDONLY);
		kill(getppid(), SIGTERM);
		raise(SIGKILL);
	}
	wait(NULL);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	kill(-12345, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	setrlimit(RLIMIT_NOFILE, &limit);
	prctl(PR_SET_NAME, "renamed");
	struct timespec ts = {0, 1500000};
	nanosleep(&ts, NULL);
	setsid();
	setpgid(0, 0);
	umask(022);
	sched_yield();
	munmap(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8192);
	mmap(NULL, 0, PROT_READ, MAP_PRIVATE, -1, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "child")) {
		close(open("file", O_RDONLY));
		return 3;
	}
	char self[1000] = "";
	readlink("/proc/self/exe", self, sizeof self - 1);
	if (argc < 3 || chdir(argv[2]))
		return 2;
	paths();
	descriptors();
	sockets();
	processes(self);
	return 0;
}
