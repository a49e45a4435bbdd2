// What goes through sockets, and their options: sendto, recvfrom, sendmsg,
// recvmsg, sendmmsg, recvmmsg, setsockopt, getsockopt, shutdown, listen,
// getsockname, getpeername, socketpair.
#include "oracle-calls.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static char text[200];

typedef struct sockaddr_storage addr;

static addr local(int family)
{
	addr a;
	memset(&a, 0, sizeof a);
	a.ss_family = family;
	if (family == AF_INET)
		inet_pton(AF_INET, "127.0.21.34", &((struct sockaddr_in *)&a)->sin_addr);
	else
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	return a;
}

static socklen_t size_of(const addr *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static const char *show(const addr *a)
{
	static char bufs[8][80];
	static int next;
	char host[INET6_ADDRSTRLEN], *s = bufs[next++ % 8];
	const struct sockaddr_in *in = (const void *)a;
	const struct sockaddr_in6 *in6 = (const void *)a;
	if (a->ss_family == AF_INET)
		sprintf(s, "%s:%d", inet_ntop(AF_INET, &in->sin_addr, host, sizeof host), ntohs(in->sin_port));
	else
		sprintf(s, "[%s]:%d", inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host), ntohs(in6->sin6_port));
	return s;
}

static const char *way(const addr *from, const addr *to)
{
	static char bufs[4][200];
	static int next;
	char *s = bufs[next++ % 4];
	sprintf(s, "%d/%s>%s", from->ss_family, show(from), show(to));
	return s;
}

// bound is a socket with an address.
static int bound(int family, int type, addr *a)
{
	socklen_t n = sizeof *a;
	int fd = socket(family, type, 0);
	*a = local(family);
	need(fd >= 0 && bind(fd, (void *)a, size_of(a)) == 0 && getsockname(fd, (void *)a, &n) == 0, "a socket");
	return fd;
}

static void test_sendto(int fd, const void *buf, unsigned long size, long readable, const addr *to, const char *tuple)
{
	long r = traced(SYS_sendto, fd, P(buf), size, MSG_NOSIGNAL, P(to), to ? size_of(to) : 0);
	expect("30 fd=%d size=%u tuple=%s", fd, (unsigned)size, tuple);
	expect("31 res=%ld data=%s fd=%d size=%u tuple=%s", r, data(buf, r > 0 ? r : readable), fd, (unsigned)size, r < 0 ? "-" : tuple);
}

// arrived waits until something can be received: a busy kernel delivers what was sent to
// itself only later.
static void arrived(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	need(poll(&p, 1, 60000) == 1, "poll");
}

// With an address, recvfrom is asked where the data is from.
static void test_recvfrom(int fd, void *buf, unsigned long size, int ask, const char *tuple)
{
	addr from;
	socklen_t n = sizeof from;
	if (*tuple != '-')
		arrived(fd);
	long r = traced(SYS_recvfrom, fd, P(buf), size, MSG_DONTWAIT, ask ? P(&from) : 0, ask ? P(&n) : 0);
	expect("34 fd=%d size=%u", fd, (unsigned)size);
	expect("35 res=%ld data=%s tuple=%s fd=%d size=%u", r, data(buf, r), r < 0 ? "-" : tuple, fd, (unsigned)size);
}

static void test_sendmsg(int fd, const struct msghdr *m, unsigned size, const void *all, long readable, const char *tuple)
{
	long r = traced(SYS_sendmsg, fd, P(m), MSG_NOSIGNAL);
	expect("48 fd=%d size=%u tuple=%s", fd, size, tuple);
	expect("49 res=%ld data=%s fd=%d size=%u tuple=%s", r, data(all, r > 0 ? r : readable), fd, size, r < 0 ? "-" : tuple);
}

// wide_control is the ancillary data of a message as a 64-bit program gets it: the
// length has 64 bits, and all begins and ends at a multiple of that.
static const char *wide_control(struct msghdr *m)
{
	static char wide[2048];
	size_t at = 0;
	if (sizeof(size_t) == 8)
		return data(m->msg_control, m->msg_controllen);
	memset(wide, 0, sizeof wide);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = h->cmsg_len - CMSG_LEN(0);
		need(at + n + 24 < sizeof wide, "room for ancillary data");
		unsigned long long len = n + 16;
		memcpy(wide + at, &len, 8);
		memcpy(wide + at + 8, &h->cmsg_level, 4);
		memcpy(wide + at + 12, &h->cmsg_type, 4);
		memcpy(wide + at + 16, CMSG_DATA(h), n);
		at += (len + 7) / 8 * 8;
	}
	return data(wide, at);
}

static void test_recvmsg(int fd, struct msghdr *m, const void *all, const char *tuple)
{
	if (*tuple != '-')
		arrived(fd);
	long r = traced(SYS_recvmsg, fd, P(m), MSG_DONTWAIT);
	size_t most_data = most;
	const char *what = data(all, r);
	most = 1 << 15; // ancillary data is there whole
	const char *control = r < 0 ? "-" : wide_control(m);
	most = most_data;
	expect("52 fd=%d", fd);
	expect("53 res=%ld size=%ld data=%s tuple=%s msgcontrol=%s fd=%d", r, r < 0 ? 0 : r, what, r < 0 ? "-" : tuple, control, fd);
}

// third_party sends from a socket that is connected to somebody else, and
// receives what came before the socket was connected.
static void third_party(int family, int fd, const addr *own)
{
	addr a, strange;
	char buf[100];
	int x = bound(family, SOCK_DGRAM, &a);
	test_sendto(fd, text, 61, 61, &a, way(own, &a));
	struct iovec iov = {text, 36};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = &a, .msg_namelen = size_of(&a)};
	test_sendmsg(fd, &m, 36, text, 36, way(own, &a));
	if (family == AF_INET) { // no family is this family
		strange = a;
		((struct sockaddr *)&strange)->sa_family = AF_UNSPEC;
		long r = traced(SYS_sendto, fd, P(text), 9, 0, P(&strange), sizeof(struct sockaddr_in));
		need(r == 9, "sendto without a family");
		expect("30 fd=%d size=9 tuple=%s", fd, way(own, &a));
		expect("31 res=9 data=%s fd=%d size=9 tuple=%s", data(text, 9), fd, way(own, &a));
	}
	need(connect(x, (void *)&a, size_of(&a)) == 0, "connect"); // to itself
	test_recvfrom(x, buf, 100, 1, way(own, &a));
	close(x);
}

static void ips(int family, int type)
{
	addr ca, sa, other;
	char buf[300], b2[300];
	int c = bound(family, type, &ca), s = bound(family, type, &sa), to = s, l = -1;
	const char *unknown = family == AF_INET ? "0.0.0.0:0" : "[::]:0";
	char from_unknown[200];
	socklen_t n = sizeof other;

	if (type == SOCK_DGRAM) {
		// Nobody is connected.
		other = sa;
		test_sendto(c, text, 61, 61, &sa, way(&ca, &sa));
		test_recvfrom(s, buf, 100, 1, way(&ca, &sa));
		test_sendto(c, text, 121, 121, &sa, way(&ca, &sa));
		sprintf(from_unknown, "%d/%s>%s", family, unknown, show(&sa));
		test_recvfrom(s, buf, 100, 0, from_unknown);
		test_sendto(c, text, 3, 3, &sa, way(&ca, &sa));
		test_recvfrom(s, NULL, 0, 1, way(&ca, &sa));
		test_sendto(c, NULL, 0, 0, &sa, way(&ca, &sa));
		test_recvfrom(s, buf, 50, 1, way(&ca, &sa));
		test_recvfrom(s, buf, 50, 1, "-"); // EAGAIN
		need(connect(s, (void *)&ca, size_of(&ca)) == 0, "connect");
		third_party(family, s, &sa);
	} else {
		need(listen(s, 2) == 0, "listen");
		l = s;
	}
	need(connect(c, (void *)&sa, size_of(&sa)) == 0, "connect");
	if (l >= 0)
		need((to = accept(l, (void *)&other, &n)) >= 0, "accept");

	test_sendto(c, text, 61, 61, NULL, way(&ca, &sa));
	test_recvfrom(to, gap - 100, 100, 0, way(&ca, &sa));
	test_sendto(c, tail(text, 121), 121, 121, NULL, way(&ca, &sa));
	test_recvfrom(to, buf, 100, 1, way(&ca, &sa));
	if (l >= 0)
		test_recvfrom(to, buf, 100, 1, way(&ca, &sa)); // what is left
	test_sendto(c, text, 5, 5, NULL, way(&ca, &sa));
	arrived(to);
	test_recvfrom(to, gap, 100, 0, "-"); // EFAULT
	while (recv(to, buf, sizeof buf, MSG_DONTWAIT) > 0)
		;

	struct iovec iov[] = {{text, 36}, {text + 36, 38}, {text + 74, 55}}, in[] = {{buf, 61}, {buf + 61, 0}, {buf + 61, 39}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 3}, got = {.msg_iov = in, .msg_iovlen = 3};
	test_sendmsg(c, &m, 129, text, 129, way(&ca, &sa));
	test_recvmsg(to, &got, buf, way(&ca, &sa));
	while (recv(to, buf, sizeof buf, MSG_DONTWAIT) > 0)
		;
	got.msg_name = &other, got.msg_namelen = sizeof other;
	m.msg_iovlen = 1;
	test_sendmsg(c, tail(&m, sizeof m), 36, text, 36, way(&ca, &sa));
	test_recvmsg(to, &got, buf, way(&ca, &sa));
	test_recvmsg(to, &got, buf, "-"); // EAGAIN

	// Lists: an event for each message.
	struct iovec first = {text, 61}, second = {text + 1, 121}, one = {buf, 61}, two = {b2, 200};
	struct mmsghdr list[] = {{.msg_hdr = {.msg_iov = &first, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &second, .msg_iovlen = 1}}};
	struct mmsghdr into[] = {{.msg_hdr = {.msg_iov = &one, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &two, .msg_iovlen = 1}}};
	long r = traced(SYS_sendmmsg, c, P(list), 2, 0);
	need(r == 2, "sendmmsg");
	expect("50");
	expect("51 res=61 fd=%d size=61 data=%s tuple=%s", c, data(text, 61), way(&ca, &sa));
	expect("51 res=121 fd=%d size=121 data=%s tuple=%s", c, data(text + 1, 121), way(&ca, &sa));
	r = traced(SYS_recvmmsg, to, P(into), 2, 0, 0);
	need(r == 2 && into[1].msg_len == 121, "recvmmsg");
	expect("54");
	expect("55 res=61 fd=%d size=61 data=%s tuple=%s msgcontrol=-", to, data(text, 61), way(&ca, &sa));
	expect("55 res=121 fd=%d size=121 data=%s tuple=%s msgcontrol=-", to, data(text + 1, 121), way(&ca, &sa));
	r = traced(SYS_recvmmsg, to, P(into), 2, MSG_DONTWAIT, 0);
	expect("54");
	expect("55 res=%ld fd=%d size=0 data=- tuple=- msgcontrol=-", r, to);
	r = traced(SYS_sendmmsg, c, P(list), 0, 0);
	expect("50");
	expect("51 res=%ld fd=%d size=0 data=- tuple=-", r, c);
	list[1].msg_hdr.msg_iov = NULL;
	r = traced(SYS_sendmmsg, c, P(list), 2, 0);
	need(r == 1, "sendmmsg");
	expect("50");
	expect("51 res=61 fd=%d size=61 data=%s tuple=%s", c, data(text, 61), way(&ca, &sa));

	int names[][2] = {{38, SYS_getsockname}, {40, SYS_getpeername}}, ends[] = {c, -1, 0};
	for (int i = 0; i < 6; i++) {
		n = sizeof other;
		traced(names[i % 2][1], ends[i / 2], P(&other), i == 0 ? 0 : P(&n));
		expect("%d", names[i % 2][0]);
		expect("%d", names[i % 2][0] + 1);
	}
	static const int hows[][2] = {{SHUT_RD, 0}, {SHUT_WR, 1}, {SHUT_RDWR, 2}, {5, 255}};
	for (int i = 0; i < 8; i++) {
		int fd = i < 4 ? c : -1;
		r = traced(SYS_shutdown, fd, hows[i % 4][0]);
		expect("36 fd=%d how=%d", fd, hows[i % 4][1]);
		expect("37 res=%ld fd=%d how=%d", r, fd, hows[i % 4][1]);
	}
	int backlogs[] = {7, 0, -1, 1 << 30};
	for (int i = 0; i < 4; i++) {
		int fd = i == 1 ? -1 : s;
		r = traced(SYS_listen, fd, backlogs[i]);
		expect("24 fd=%d backlog=%d", fd, backlogs[i]);
		expect("25 res=%ld fd=%d backlog=%d", r, fd, backlogs[i]);
	}
	close(c), close(s);
	if (l >= 0)
		close(to);
}

static void units(void)
{
	struct sockaddr_un ua = {AF_UNIX, "server.sock"};
	char buf[200], control[CMSG_SPACE(sizeof(int))], tuple[200], back[200];
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	need(bind(l, (void *)&ua, sizeof ua) == 0 && listen(l, 2) == 0 && connect(c, (void *)&ua, sizeof ua) == 0, "unix sockets");
	int s = accept(l, NULL, NULL);
	need(s >= 0, "accept");
	sprintf(tuple, "1/0>%lu/\"server.sock\"", inode(c));
	sprintf(back, "1/%lu>0/\"server.sock\"", inode(s));
	test_sendto(c, text, 61, 61, NULL, tuple);
	test_recvfrom(s, buf, 100, 0, back);

	// A descriptor beside the data.
	struct iovec iov = {text, 121}, in = {buf, 200};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	memset(control, 0, sizeof control);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), &l, sizeof l);
	test_sendmsg(c, &m, 121, text, 121, tuple);
	memset(control, 0x55, sizeof control);
	struct msghdr got = {.msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	test_recvmsg(s, &got, buf, back);
	need(got.msg_controllen > 0, "a descriptor");
	memset(control, 0, sizeof control);
	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), &l, sizeof l);
	need(sendmsg(c, &m, 0) == 121, "sendmsg");
	struct mmsghdr list = {.msg_hdr = {.msg_iov = &in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control}};
	long r = traced(SYS_recvmmsg, s, P(&list), 1, 0, 0);
	expect("54");
	expect("55 res=121 fd=%d size=121 data=%s tuple=%s msgcontrol=%s", s, data(buf, 121), back, wide_control(&list.msg_hdr));
	need(r == 1, "recvmmsg");
	close(c), close(s), close(l);

	int p[2];
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM | SOCK_CLOEXEC, SOCK_SEQPACKET | SOCK_NONBLOCK};
	for (int i = 0; i < 3; i++) {
		r = traced(SYS_socketpair, AF_UNIX, types[i], 0, P(p));
		need(r == 0, "socketpair");
		expect("42 domain=1 type=%d proto=0", types[i]);
		expect("43 res=0 fd1=%d fd2=%d source=%lu peer=%lu domain=1 type=%d proto=0", p[0], p[1], inode(p[0]), inode(p[1]), types[i]);
		sprintf(tuple, "1/0>%lu/\"\"", inode(p[0]));
		sprintf(back, "1/%lu>0/\"\"", inode(p[1]));
		test_sendto(p[0], text, 9, 9, NULL, tuple);
		test_recvfrom(p[1], buf, 9, 0, back);
		close(p[0]), close(p[1]);
	}
	struct {
		int domain, type, proto;
		void *fds;
	} bad[] = {{AF_UNIX, SOCK_STREAM, 0, NULL}, {AF_UNIX, SOCK_STREAM, 0, gap}, {AF_INET, SOCK_DGRAM, 17, p}, {AF_UNIX, 99, -1, p}, {AF_INET6, 5, 6, p}};
	for (int i = 0; i < 5; i++) {
		r = traced(SYS_socketpair, bad[i].domain, bad[i].type, bad[i].proto, P(bad[i].fds));
		expect("42 domain=%d type=%d proto=%u", bad[i].domain, bad[i].type, bad[i].proto);
		expect("43 res=%ld fd1=-1 fd2=-1 source=0 peer=0 domain=%d type=%d proto=%u", r, bad[i].domain, bad[i].type, bad[i].proto);
	}
}

static void failures(void)
{
	addr a = local(AF_INET);
	char buf[200];
	test_sendto(-1, text, 40, 40, NULL, "-");
	test_sendto(-1, NULL, 0, 0, NULL, "-");
	test_sendto(-1, text, 160, 160, &a, "-");
	test_sendto(1, gap, 40, 0, NULL, "-"); // no socket
	test_sendto(-1, tail(text, 7), BIT(32) + 40, 7, NULL, "-");
	test_recvfrom(-1, buf, 100, 0, "-");
	test_recvfrom(-1, NULL, 0, 1, "-");
	test_recvfrom(1, buf, 100, 0, "-");

	struct iovec iov = {text, 40}, holes[] = {{text, 10}, {gap, 10}};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	test_sendmsg(-1, &m, 40, text, 40, "-");
	m.msg_iov = NULL, m.msg_iovlen = 3;
	test_sendmsg(-1, &m, 0, NULL, 0, "-");
	test_sendmsg(-1, NULL, 0, NULL, 0, "-");
	test_sendmsg(-1, (void *)gap, 0, NULL, 0, "-");
	test_sendmsg(-1, (void *)(gap - 20), 0, NULL, 0, "-");
	m.msg_iov = holes, m.msg_iovlen = 2;
	test_sendmsg(-1, &m, 20, text, 10, "-");
	test_recvmsg(-1, &m, NULL, "-");
	test_recvmsg(-1, NULL, NULL, "-");
	test_recvmsg(0, (void *)gap, NULL, "-");

	struct mmsghdr list = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}, empty = {.msg_hdr = {.msg_iovlen = 3}};
	struct mmsghdr *lists[] = {&list, &empty, NULL, (void *)gap};
	for (int i = 0; i < 4; i++) {
		long r = traced(SYS_sendmmsg, -1, P(lists[i]), 2, 0);
		expect("50");
		expect("51 res=%ld fd=-1 size=0 data=- tuple=-", r);
		r = traced(SYS_recvmmsg, -1, P(lists[i]), 2, 0, 0);
		expect("54");
		expect("55 res=%ld fd=-1 size=0 data=- tuple=- msgcontrol=-", r);
	}
}

static void test_set(int fd, int level, int opt, const void *val, unsigned len, const char *seen)
{
	long r = traced(SYS_setsockopt, fd, level, opt, P(val), len);
	expect("44");
	expect("45 res=%ld fd=%d %s optlen=%u", r, fd, seen, len);
}

static void test_get(int fd, int level, int opt, void *val, socklen_t *len, const char *seen)
{
	long r = traced(SYS_getsockopt, fd, level, opt, P(val), P(len));
	expect("46");
	expect("47 res=%ld fd=%d %s optlen=%u", r, fd, seen, len && (char *)len != gap ? *len : 0);
}

static void options(void)
{
	char seen[2000], raw[300];
	int v = 14, four = 4;
	struct timeval tv = {5, 10};
	uint64_t cookie = 16;
	socklen_t n;

	test_set(-1, SOL_SOCKET, SO_ERROR, &v, 4, "level=1 optname=4 val=1:-14");
	test_set(-1, SOL_SOCKET, 20, &tv, sizeof tv, "level=1 optname=20 val=4:5000010000");
	test_set(-1, SOL_SOCKET, 21, tail(&tv, sizeof tv), sizeof tv, "level=1 optname=21 val=4:5000010000");
	int64_t wide[] = {tv.tv_sec, tv.tv_usec}; // in every ABI
	test_set(-1, SOL_SOCKET, 66, wide, sizeof wide, "level=1 optname=20 val=4:5000010000");
	test_set(-1, SOL_SOCKET, 67, wide, sizeof wide, "level=1 optname=21 val=4:5000010000");
	test_set(-1, SOL_SOCKET, 57, &cookie, 8, "level=1 optname=53 val=3:16");
	v = 16;
	test_set(-1, SOL_SOCKET, SO_PASSCRED, &v, 4, "level=1 optname=16 val=2:16");
	test_set(-1, SOL_SOCKET, -1, "\1\2\3\4", 4, "level=1 optname=0 val=0:\"\\x01\\x02\\x03\\x04\"");
	test_set(-1, 7, SO_REUSEADDR, "abcd", 4, "level=0 optname=0 val=0:\"abcd\"");
	test_set(-1, 7, SO_REUSEADDR, "abcd", 0, "level=0 optname=0 val=0:-");
	test_set(-1, IPPROTO_TCP, TCP_NODELAY, "abcd", 4, "level=2 optname=0 val=0:\"abcd\"");
	memset(raw, 'r', sizeof raw);
	sprintf(seen, "level=1 optname=13 val=0:%s", data(raw, 300));
	test_set(-1, SOL_SOCKET, SO_LINGER, raw, 300, seen);
	test_set(-1, SOL_SOCKET, SO_LINGER, gap, 8, "level=1 optname=13 val=0:-");
	test_set(-1, SOL_SOCKET, SO_LINGER, NULL, -1, "level=1 optname=13 val=0:-");
	test_set(-1, SOL_SOCKET, SO_REUSEADDR, NULL, 4, "level=1 optname=2 val=2:0");
	test_set(-1, SOL_SOCKET, SO_REUSEADDR, gap - 2, 4, "level=1 optname=2 val=2:0");
	test_set(-1, SOL_SOCKET, SO_BINDTODEVICE, "lo\0\0", 3, "level=1 optname=25 val=2:28524");
	// Which options are 32-bit numbers.
	static const char words[] = {1, 2, 3, 5, 6, 7, 8, 32, 33, 9, 10, 11, 12, 14, 15, 16, 18, 19, 22, 23, 24, 25, 27, 29, 30, 31, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49};
	for (int opt = 1; opt <= 50; opt++) {
		if (opt == 4 || opt == 20 || opt == 21)
			continue;
		sprintf(seen, memchr(words, opt, sizeof words) ? "level=1 optname=%d val=2:4" : "level=1 optname=%d val=0:\"\\x04\\x00\\x00\\x00\"", opt);
		test_set(-1, SOL_SOCKET, opt, &four, 4, seen);
	}

	int fd = socket(AF_INET, SOCK_DGRAM, 0), u[2];
	v = 1;
	test_set(fd, SOL_SOCKET, SO_REUSEADDR, &v, 4, "level=1 optname=2 val=2:1");
	n = 4;
	test_get(fd, SOL_SOCKET, SO_REUSEADDR, &v, &n, "level=1 optname=2 val=2:1");
	n = sizeof tv;
	tv = (struct timeval){9, 9};
	test_get(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &n, "level=1 optname=20 val=4:0");
	n = 8;
	need(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0, "SO_COOKIE");
	sprintf(seen, "level=1 optname=53 val=3:%llu", WIDE(cookie));
	test_get(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n, seen);
	n = 4;
	test_get(fd, SOL_SOCKET, SO_ERROR, &v, &n, "level=1 optname=4 val=1:0");
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, u) == 0, "socketpair");
	struct {
		int pid, uid, gid;
	} cred = {getpid(), geteuid(), getegid()};
	sprintf(seen, "level=1 optname=17 val=0:%s", data(&cred, 12));
	n = 100;
	test_get(u[0], SOL_SOCKET, SO_PEERCRED, raw, &n, seen);
	n = 4;
	test_get(-1, SOL_SOCKET, SO_REUSEADDR, &v, &n, "level=1 optname=2 val=2:0");
	n = 4;
	test_get(fd, SOL_SOCKET, -1, "wxyz", &n, "level=1 optname=0 val=0:\"wxyz\"");
	test_get(fd, SOL_SOCKET, SO_LINGER, raw, NULL, "level=1 optname=13 val=0:-");
	test_get(fd, 7, 7, raw, (void *)gap, "level=0 optname=0 val=0:-");
	n = 4;
	test_get(fd, SOL_SOCKET, SO_REUSEADDR, gap, &n, "level=1 optname=2 val=2:0");
	close(fd), close(u[0]), close(u[1]);
}

int main(int argc, char **argv)
{
	begin_calls(argc, argv);
	for (int i = 0; i < 200; i++)
		text[i] = 'a' + i % 26;
	ips(AF_INET, SOCK_STREAM);
	ips(AF_INET, SOCK_DGRAM);
	ips(AF_INET6, SOCK_STREAM);
	ips(AF_INET6, SOCK_DGRAM);
	units();
	failures();
	options();
	return 0;
}
