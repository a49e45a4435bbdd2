// Sockets: socket, bind, connect, accept, accept4.
#include "oracle.h"
#include "sockdiag.h"
#include <arpa/inet.h>
#include <sys/un.h>

static int test_socket(int domain, int type, int proto)
{
	long fd = result(syscall(SYS_socket, domain, type, proto));
	unsigned flags = (type & SOCK_NONBLOCK ? PPM_NONBLOCK : 0) | (type & SOCK_CLOEXEC ? PPM_CLOEXEC : 0);
	expect("18 domain=%d type=%d proto=%d", domain & 0xff, type, proto);
	expect("19 fd=%ld domain=%d type=%d proto=%d flags=%u", fd, domain & 0xff, type, proto, flags);
	return fd;
}

static void done(int fd)
{
	int res = (int)result(close(fd));
	expect("4 fd=%d", fd);
	expect("5 res=%d fd=%d", res, fd);
}

// ip makes an address of a family: of the local host, its number last.
static socklen_t ip(struct sockaddr_storage *sa, int family, int last, int port)
{
	char host[30];
	memset(sa, 0, sizeof *sa);
	sa->ss_family = family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)sa;
		sprintf(host, "127.0.21.%d", last);
		inet_pton(AF_INET, host, &in->sin_addr);
		in->sin_port = htons(port);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	inet_pton(AF_INET6, "::1", &in6->sin6_addr);
	in6->sin6_port = htons(port);
	return sizeof *in6;
}

static socklen_t un(struct sockaddr_storage *sa, const char *path, int abstract)
{
	struct sockaddr_un *u = (struct sockaddr_un *)sa;
	memset(sa, 0, sizeof *sa);
	u->sun_family = AF_UNIX;
	strcpy(u->sun_path + abstract, path);
	return offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path) + !abstract;
}

// text is IP:PORT of an address.
static const char *text(const struct sockaddr_storage *sa)
{
	static char bufs[8][80];
	static int next;
	char host[INET6_ADDRSTRLEN], *s = bufs[next++ % 8];
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		sprintf(s, "%s:%d", inet_ntop(AF_INET, &in->sin_addr, host, sizeof host), ntohs(in->sin_port));
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		sprintf(s, "[%s]:%d", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host), ntohs(in6->sin6_port));
	}
	return s;
}

static const char *address(const struct sockaddr_storage *sa)
{
	static char bufs[4][200];
	static int next;
	char *s = bufs[next++ % 4], name[120] = "@";
	const char *path = ((const struct sockaddr_un *)sa)->sun_path;
	if (sa->ss_family == AF_UNIX)
		sprintf(s, "1/%s", quote(path[0] ? path : path[1] ? strcat(name, path + 1) : ""));
	else
		sprintf(s, "%d/%s", sa->ss_family, text(sa));
	return s;
}

static struct sockaddr_storage own(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	memset(&sa, 0, n);
	need(getsockname(fd, (struct sockaddr *)&sa, &n) == 0, "getsockname");
	return sa;
}

static struct sockaddr_storage peer(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	memset(&sa, 0, n);
	need(getpeername(fd, (struct sockaddr *)&sa, &n) == 0, "getpeername");
	return sa;
}

static void test_bind(int fd, const void *sa, socklen_t n, const char *quoted)
{
	long res = result(bind(fd, sa, n));
	size_t len = strlen(quoted);
	struct sockaddr_storage got;
	if (res == 0 && len > 2 && strcmp(quoted + len - 2, ":0") == 0) {
		got = own(fd); // the kernel has chosen the port
		quoted = address(&got);
	}
	expect("20 fd=%d", fd);
	expect("21 res=%ld addr=%s fd=%d", res, quoted, fd);
}

static long test_connect(int fd, const void *sa, socklen_t n, const char *quoted, int want)
{
	char tuple[300] = "-";
	long res = result(connect(fd, sa, n));
	need(res == want, "connect gives another result");
	expect("22 fd=%d addr=%s", fd, quoted);
	if (res == 0 || res == -EINPROGRESS) {
		struct sockaddr_storage from = own(fd), to;
		if (from.ss_family == AF_UNIX) {
			to = peer(fd);
			sprintf(tuple, "1/0>%lu/%s", inode(fd), address(&to) + 2);
		} else {
			memcpy(&to, sa, n);
			sprintf(tuple, "%d/%s>%s", from.ss_family, text(&from), text(&to));
		}
	}
	expect("23 res=%ld tuple=%s fd=%d addr=%s", res, tuple, fd, quoted);
	return res;
}

static long plain_accept(int listener)
{
#ifdef SYS_accept
	return syscall(SYS_accept, listener, NULL, NULL);
#else // i386 has it as a part of another call only
	return syscall(SYS_socketcall, 5, (long[]){listener, 0, 0});
#endif
}

// test_accept accepts one of queued connections.
static int test_accept(int listener, int flags, int backlog, int left)
{
	long fd = result(flags < 0 ? plain_accept(listener) : syscall(SYS_accept4, listener, NULL, NULL, flags));
	char tuple[300] = "-";
	if (fd >= 0) {
		struct sockaddr_storage to = own(fd);
		if (to.ss_family == AF_UNIX) {
			sprintf(tuple, "1/%lu>0/%s", inode(fd), address(&to) + 2);
		} else {
			struct sockaddr_storage from = peer(fd);
			sprintf(tuple, "%d/%s>%s", to.ss_family, text(&from), text(&to));
		}
	}
	int code = flags < 0 ? 246 : newest ? 388 : 248;
	unsigned ppm = (flags & SOCK_NONBLOCK ? PPM_NONBLOCK : 0) | (flags & SOCK_CLOEXEC ? PPM_CLOEXEC : 0);
	// The flags of the enter half are a constant.
	expect(flags < 0 ? "%d" : "%d flags=0", code);
	expect(code == 388 ? "%d fd=%ld tuple=%s queuepct=%d queuelen=%d queuemax=%d flags=%u" : "%d fd=%ld tuple=%s queuepct=%d queuelen=%d queuemax=%d",
	       code + 1, fd, tuple, backlog ? 100 * left / backlog : 0, left, backlog, ppm);
	return fd;
}

// queues reports whether the kernel tells of the queues of unix sockets. A probe in
// the kernel does not need to be told.
static int queues(void)
{
	int fd = test_socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	int tells = sock_diag(fd, AF_UNIX);
	done(fd);
	return tells || getenv("ORACLE_QUEUES");
}

// stream accepts two connections to a listener at an address.
static void stream(int family, const void *sa, socklen_t n, const char *quoted)
{
	int l = test_socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	test_bind(l, sa, n, quoted);
	need(listen(l, 2) == 0, "listen");
	struct sockaddr_storage at = own(l);
	int a = test_socket(family, SOCK_STREAM, 0), b = test_socket(family, SOCK_STREAM, 0);
	test_connect(a, &at, n, address(&at), 0);
	test_connect(b, &at, n, address(&at), 0);
	int told = family != AF_UNIX || queues() ? 2 : 0;
	int c = test_accept(l, -1, told, told / 2), d = test_accept(l, SOCK_CLOEXEC, told, 0);
	done(a), done(b), done(c), done(d), done(l);
}

static void ips(void)
{
	struct sockaddr_storage a, b, c;
	socklen_t n;
	int one = 1, zero = 0;

	for (int family = AF_INET;; family = AF_INET6) {
		n = ip(&a, family, 1, 0);
		stream(family, &a, n, address(&a));

		// Datagrams: both ends bound, one connected.
		int s = test_socket(family, SOCK_DGRAM, 0), f = test_socket(family, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP);
		n = ip(&a, family, 2, 0);
		test_bind(s, &a, n, address(&a));
		b = own(s);
		ip(&c, family, 3, 0);
		test_bind(f, &c, n, address(&c));
		test_connect(f, &b, n, address(&b), 0);
		done(s), done(f);

		// Nobody listens; one who does without accepting, on a socket that does not wait.
		s = test_socket(family, SOCK_STREAM, 0);
		test_bind(s, &a, n, address(&a));
		b = own(s);
		f = test_socket(family, SOCK_STREAM, 0);
		test_connect(f, &b, n, address(&b), -ECONNREFUSED);
		done(f);
		need(listen(s, 0) == 0, "listen");
		f = test_socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		test_connect(f, &b, n, address(&b), -EINPROGRESS);
		int full = test_socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		test_connect(full, &b, n, address(&b), -EINPROGRESS); // for long: the queue is full
		done(full), done(f), done(s);
		if (family == AF_INET6)
			break;
	}

	// An IPv4 client of a listener of both families.
	int l = test_socket(AF_INET6, SOCK_STREAM, 0);
	need(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) == 0, "IPV6_V6ONLY");
	need(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0, "SO_REUSEADDR");
	n = ip(&a, AF_INET6, 0, 0);
	((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_any;
	test_bind(l, &a, n, "10/[::]:0");
	need(listen(l, 5) == 0, "listen");
	b = own(l);
	n = ip(&c, AF_INET, 4, ntohs(((struct sockaddr_in6 *)&b)->sin6_port));
	int f = test_socket(AF_INET, SOCK_STREAM, 0);
	test_connect(f, &c, n, address(&c), 0);
	int s = test_accept(l, 0, 5, 0);
	done(s), done(f);
	need(fcntl(l, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
	test_accept(l, 0, 0, 0); // EAGAIN
	done(l);
}

static void units(void)
{
	struct sockaddr_storage a, b;
	char name[60], quoted[200];

	socklen_t n = un(&a, "server.sock", 0);
	stream(AF_UNIX, &a, n, address(&a));
	sprintf(name, "pdig-oracle-%d", getpid());
	n = un(&a, name, 1);
	stream(AF_UNIX, &a, n, address(&a));

	// A datagram socket that is reached through a link: the tuple has the name
	// that the server has, the address that of the call.
	int s = test_socket(AF_UNIX, SOCK_DGRAM, 0), f = test_socket(AF_UNIX, SOCK_DGRAM, 0);
	n = un(&a, "datagram.sock", 0);
	test_bind(s, &a, n, address(&a));
	need(symlink("datagram.sock", "link.sock") == 0, "symlink");
	n = un(&b, "link.sock", 0);
	test_connect(f, &b, n, address(&b), 0);
	done(f), done(s);

	f = test_socket(AF_UNIX, SOCK_STREAM, 0);
	n = un(&a, "none.sock", 0);
	test_connect(f, &a, n, address(&a), -ENOENT);
	done(f);

	// A path that fills the address and has no NUL.
	memset(((struct sockaddr_un *)&a)->sun_path, 'p', 108);
	memset(quoted, 0, sizeof quoted);
	memset(quoted + 3, 'p', 108);
	memcpy(quoted, "1/\"", 3);
	quoted[111] = '"';
	test_bind(-1, &a, sizeof(struct sockaddr_un), quoted);
	test_connect(-1, &a, sizeof(struct sockaddr_un), quoted, -EBADF);
	stream(AF_UNIX, &a, sizeof(struct sockaddr_un), quoted);
}

static void odd(void)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_storage a;

	test_bind(-1, NULL, 0, "-");
	test_connect(-1, NULL, 0, "-", -EBADF);
	test_accept(-1, -1, 0, 0);
	test_accept(-1, SOCK_NONBLOCK, 0, 0);
	test_socket(0, SOCK_RAW | SOCK_CLOEXEC, PF_INET);
	test_socket(AF_INET, 99, 0);
	test_socket(0x100 | AF_INET, SOCK_STREAM, 0); // there is no such family
	int fd = test_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	test_bind(fd, &nl, sizeof nl, "-");
	expect("22 fd=%d addr=-", fd);
	expect("23 res=%ld tuple=- fd=%d addr=-", result(connect(fd, (struct sockaddr *)&nl, sizeof nl)), fd);
	done(fd);
	fd = test_socket(AF_INET, SOCK_DGRAM, 0);
	expect("22 fd=%d addr=-", fd);
	expect("23 res=%ld tuple=2/0.0.0.0:0>0.0.0.0:0 fd=%d addr=-", result(connect(fd, &none, sizeof none)), fd);
	test_bind(fd, (void *)8, 16, "-"); // no memory there
	socklen_t n = ip(&a, AF_INET, 1, 7);
	test_bind(fd, &a, n - 9, "-"); // too short to hold an address
	done(fd);
	// No family is that of the socket, for any address of it.
	fd = test_socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in any = {0};
	test_bind(fd, &any, sizeof any, "2/0.0.0.0:0");
	done(fd);
	fd = test_socket(AF_INET6, SOCK_DGRAM, 0);
	test_bind(fd, &any, sizeof any, "-"); // refused
	done(fd);
	test_bind(1, &a, n, address(&a)); // no socket
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	need(chdir(argv[2]) == 0, "chdir");
	expect("94");
	expect("95 res=0 path=%s", quote(argv[2]));
	ips();
	units();
	odd();
	expect("186 status=0 ret=0 sig=0 core=0 reaper_tid=0");
	return 0;
}
