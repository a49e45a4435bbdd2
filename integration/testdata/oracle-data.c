// The data of files: read, write and their kin, lseek, sendfile, splice,
// copy_file_range, getdents.
#include "oracle-calls.h"
#include <sys/eventfd.h>
#include <sys/uio.h>

static char pattern[70000];

static void test_read(int fd, void *buf, unsigned long size)
{
	long r = traced(SYS_read, fd, P(buf), size, 1234);
	expect("6 fd=%d size=%u", fd, (unsigned)size);
	expect("7 res=%ld data=%s fd=%d size=%u", r, data(buf, r), fd, (unsigned)size);
}

static void test_pread(int fd, void *buf, unsigned long size, int64_t pos)
{
	long r = traced(SYS_pread64, fd, P(buf), size, OFFSET(pos));
	expect("112 fd=%d size=%u pos=%llu", fd, (unsigned)size, WIDE(pos));
	expect("113 res=%ld data=%s fd=%d size=%u pos=%llu", r, data(buf, r), fd, (unsigned)size, WIDE(pos));
}

// readable is how much of what a call wants to write the tracer can read.
static void test_write(int fd, const void *buf, unsigned long size, long readable)
{
	long r = traced(SYS_write, fd, P(buf), size, 1234);
	expect("8 fd=%d size=%u", fd, (unsigned)size);
	expect("9 res=%ld data=%s fd=%d size=%u", r, data(buf, r > 0 ? r : readable), fd, (unsigned)size);
}

static void test_pwrite(int fd, const void *buf, unsigned long size, int64_t pos, long readable)
{
	long r = traced(SYS_pwrite64, fd, P(buf), size, OFFSET(pos));
	expect("114 fd=%d size=%u pos=%llu", fd, (unsigned)size, WIDE(pos));
	expect("115 res=%ld data=%s fd=%d size=%u pos=%llu", r, data(buf, r > 0 ? r : readable), fd, (unsigned)size, WIDE(pos));
}

// joined is the content of buffers, as far as n goes.
static const char *joined(const struct iovec *v, int count, long n)
{
	static char all[70000];
	size_t len = 0;
	for (int i = 0; i < count && n > 0; i++) {
		size_t part = v[i].iov_len < (size_t)n ? v[i].iov_len : (size_t)n;
		if (len + part > sizeof all)
			part = sizeof all - len;
		memcpy(all + len, v[i].iov_base, part);
		len += part, n -= part;
	}
	return data(all, len);
}

// No position: readv and writev.
enum { NOWHERE = -99 };

static void test_readv(int fd, const struct iovec *v, unsigned long count, int64_t pos)
{
	long r;
	if (pos == NOWHERE) {
		r = traced(SYS_readv, fd, P(v), count);
		expect("116 fd=%d", fd);
		expect("117 res=%ld size=%ld data=%s fd=%d", r, r > 0 ? r : 0, joined(v, count, r), fd);
		return;
	}
	r = traced(SYS_preadv, fd, P(v), count, HALVES(pos));
	expect("120 fd=%d pos=%llu", fd, WIDE(pos));
	expect("121 res=%ld size=%ld data=%s fd=%d pos=%llu", r, r > 0 ? r : 0, joined(v, count, r), fd, WIDE(pos));
}

// The buffers of the first seen entries have size bytes together, readable
// ones at their beginning.
static void test_writev(int fd, const struct iovec *v, unsigned long count, int64_t pos, int seen, unsigned size, long readable)
{
	long r;
	if (pos == NOWHERE) {
		r = traced(SYS_writev, fd, P(v), count);
		expect("118 fd=%d size=%u", fd, size);
		expect("119 res=%ld data=%s fd=%d size=%u", r, joined(v, seen, r > 0 ? r : readable), fd, size);
		return;
	}
	r = traced(SYS_pwritev, fd, P(v), count, HALVES(pos));
	expect("122 fd=%d size=%u pos=%llu", fd, size, WIDE(pos));
	expect("123 res=%ld data=%s fd=%d size=%u pos=%llu", r, joined(v, seen, r > 0 ? r : readable), fd, size, WIDE(pos));
}

static void plain(int fd)
{
	char buf[400];
	int p[2], e;

	test_write(fd, pattern, 40, 40);
	test_write(fd, pattern + 1, 160, 160);
	test_write(fd, tail(pattern, 81), 81, 81);
	test_write(fd, pattern, 0, 0);
	test_write(-1, pattern, 160, 160);
	test_write(-1, NULL, 6, 0);
	test_write(fd, NULL, 6, 0);
	test_write(fd, gap, 6, 0);
	test_write(-1, tail(pattern, 10), 40, 10);
	test_write(-1, (void *)-8, 40, 0);
	test_write(-1, pattern, BIT(32) + 7, BIT(32) ? sizeof pattern : 7);
	test_write(1 << 30, pattern, -1ul, sizeof pattern);
	// Less than was asked for.
	struct rlimit old, few = {1010, RLIM_INFINITY};
	need(getrlimit(RLIMIT_FSIZE, &old) == 0 && setrlimit(RLIMIT_FSIZE, &few) == 0, "RLIMIT_FSIZE");
	test_pwrite(fd, pattern, 100, 1000, 0);
	need(setrlimit(RLIMIT_FSIZE, &old) == 0 && ftruncate(fd, 281) == 0, "RLIMIT_FSIZE");
	need((e = eventfd(5, EFD_NONBLOCK)) >= 0, "eventfd");
	test_read(e, buf, 100);
	test_read(e, buf, 100); // EAGAIN
	close(e);

	need(lseek(fd, 0, SEEK_SET) == 0, "lseek");
	test_read(fd, buf, 40);
	test_read(fd, buf, 160);
	test_read(fd, gap - 81, 81);
	test_read(fd, buf, sizeof buf); // nothing is left
	test_read(fd, buf, 0);
	test_read(-1, buf, 64);
	test_read(fd, NULL, 0);
	need(lseek(fd, 0, SEEK_SET) == 0, "lseek");
	test_read(fd, gap, 64);
	test_read(fd, NULL, 64);
	test_read(fd, (void *)-8, 64);
	need(pipe(p) == 0 && write(p[1], pattern, 12) == 12, "a pipe");
	test_read(p[0], buf, BIT(32) + 400);
	close(p[0]), close(p[1]);

	test_pwrite(fd, pattern + 2, 40, 0, 40);
	test_pwrite(fd, pattern + 3, 160, 1000, 160);
	test_pwrite(-1, pattern, 160, 0, 160);
	test_pwrite(fd, pattern, 10, -5, 10);
	test_pwrite(-1, NULL, 6, 7, 0);
	test_pwrite(-1, tail(pattern, 1), 6, 7, 1);
	test_pread(fd, buf, 40, 0);
	test_pread(fd, buf, 161, 1000);
	test_pread(fd, buf, 40, 1ll << 40);
	test_pread(fd, buf, 40, -5);
	test_pread(-1, NULL, 13, 17);
	test_pread(fd, gap, 13, 0);
}

static void vectors(int fd)
{
	char a[15], b[15], c[15], small[40];
	struct iovec three[] = {{a, 15}, {b, 15}, {c, 15}};
	struct iovec many[33];
	int p[2];

	need(pipe(p) == 0 && write(p[1], pattern, 43) == 43, "a pipe");
	test_readv(p[0], three, 3, NOWHERE);
	close(p[0]), close(p[1]);
	test_readv(-1, three, 7, NOWHERE);
	test_readv(-1, NULL, 7, NOWHERE);
	test_readv(fd, (void *)gap, 1, NOWHERE);
	test_readv(fd, three, 0, NOWHERE);
	test_readv(fd, three, -1, NOWHERE);
	test_readv(fd, three, 3, 0);
	test_readv(fd, tail(three, sizeof three), 3, 5);
	test_readv(fd, tail(three, sizeof three), 4, 5); // one is behind the end
	test_readv(fd, three, 2, 1ll << 40);
	test_readv(fd, three, 2, -7);
	test_readv(-1, three, 7, 0);
	for (int i = 0; i < 33; i++)
		many[i] = (struct iovec){small + i, 1};
	test_readv(fd, many, 32, 0);

	struct iovec one = {pattern, 40}, two[] = {{pattern, 80}, {pattern + 100, 80}};
	struct iovec gaps[] = {{pattern, 0}, {pattern, 50}, {pattern + 60, 50}};
	struct iovec bad[] = {{pattern, 10}, {gap, 10}, {pattern, 10}}, worse[] = {{NULL, 5}, {pattern, 5}};
	test_writev(-12, &one, 1, NOWHERE, 1, 40, 40);
	test_writev(-12, NULL, 7, NOWHERE, 0, 0, 0);
	test_writev(fd, two, 2, NOWHERE, 2, 160, 160);
	test_writev(fd, gaps, 3, NOWHERE, 3, 100, 100);
	test_writev(fd, gaps, 0, NOWHERE, 0, 0, 0);
	test_writev(-1, bad, 3, NOWHERE, 1, 30, 10);
	test_writev(fd, worse, 2, NOWHERE, 0, 10, 0);
	test_writev(fd, (void *)(gap - sizeof one / 2), 1, NOWHERE, 0, 0, 0);
	for (int i = 0; i < 33; i++)
		many[i] = (struct iovec){pattern + i, 1};
	test_writev(fd, many, 33, NOWHERE, 32, 32, 32); // 32 are looked at
	test_writev(-12, &one, 1, 1, 1, 40, 40);
	test_writev(fd, two, 2, 77, 2, 160, 160);
	test_writev(fd, NULL, 2, 77, 0, 0, 0);
	test_writev(fd, two, 2, -2, 2, 160, 160);
}

static void moves(int fd)
{
	int p[2];
	long r;
	uint64_t at = 5;
	need(pipe(p) == 0, "pipe");

	r = traced(SYS_sendfile, p[1], fd, P(&at), 37);
	need(r == 37 && at == 42, "sendfile");
	expect("188 out_fd=%d in_fd=%d offset=5 size=37", p[1], fd);
	expect("189 res=37 offset=42 out_fd=%d in_fd=%d size=37", p[1], fd);
	need(lseek(fd, 0, SEEK_SET) == 0, "lseek");
	r = traced(SYS_sendfile, p[1], fd, 0, 9);
	expect("188 out_fd=%d in_fd=%d offset=0 size=9", p[1], fd);
	expect("189 res=%ld offset=0 out_fd=%d in_fd=%d size=9", r, p[1], fd);
	at = 24;
	for (int i = 0; i < 3; i++) {
		void *where[] = {&at, NULL, gap};
		r = traced(SYS_sendfile, -1, -2, P(where[i]), 37);
		expect("188 out_fd=-1 in_fd=-2 offset=%d size=37", i ? 0 : 24);
		expect("189 res=%ld offset=%d out_fd=-1 in_fd=-2 size=37", r, i ? 0 : 24);
	}

	at = 3;
	r = traced(SYS_splice, fd, P(&at), p[1], 0, 11, 1 | 2 | 4 | 8);
	need(r == 11, "splice");
	expect("166 fd_in=%d fd_out=%d size=11 flags=15", fd, p[1]);
	expect("167 res=11 fd_in=%d fd_out=%d size=11 flags=15", fd, p[1]);
	r = traced(SYS_splice, 1, 2, -7, 4, 0x123, 1 | 0x100);
	expect("166 fd_in=1 fd_out=-7 size=291 flags=1");
	expect("167 res=%ld fd_in=1 fd_out=-7 size=291 flags=1", r);
	close(p[0]), close(p[1]);

	int to = open("copy", O_RDWR | O_CREAT, 0600);
	need(to >= 0, "open");
	uint64_t from = 2, into = 4;
	r = traced(SYS_copy_file_range, fd, P(&from), to, P(&into), 20, 0);
	expect("332 fdin=%d offin=%lu len=20", fd, P(&from));
	expect("333 res=%ld fdout=%d offout=%lu fdin=%d offin=%lu len=20", r, to, P(&into), fd, P(&from));
	r = traced(SYS_copy_file_range, -3, 140, -4, 300, BIT(33), 0);
	expect("332 fdin=-3 offin=140 len=%lu", BIT(33));
	expect("333 res=%ld fdout=-4 offout=300 fdin=-3 offin=140 len=%lu", r, BIT(33));
	close(to);

	long seeks[][4] = {{fd, 7, SEEK_SET, 0}, {fd, 7, SEEK_CUR, 1}, {fd, -1, SEEK_END, 2}, {fd, 0, SEEK_DATA, 0}, {-1, 7, SEEK_SET, 0},
			   {fd, -8, SEEK_SET, 0}, {1 << 30, (long)BIT(40), 99, 0}};
	for (size_t i = 0; i < sizeof seeks / sizeof *seeks; i++) {
		long *s = seeks[i];
		r = traced(SYS_lseek, s[0], s[1], s[2]);
		expect("86 fd=%ld offset=%llu whence=%ld", s[0], WIDE(s[1]), s[3]);
		expect("87 res=%ld fd=%ld offset=%llu whence=%ld", r, s[0], WIDE(s[1]), s[3]);
	}

#ifdef SYS__llseek
	int64_t to_be, places[] = {7, -1, 1ll << 40, 0x100000001};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS__llseek, fd, (long)(places[i] >> 32), (long)places[i], P(&to_be), i ? 99 : SEEK_CUR);
		expect("86 fd=%d offset=%llu whence=%d", fd, WIDE(places[i]), !i);
		expect("87 res=%ld fd=%d offset=%llu whence=%d", r, fd, WIDE(places[i]), !i);
	}
#endif

	char entries[4096];
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	long lists[][3] = {{dir, P(entries), sizeof entries}, {10, 0, 0}, {dir, P(gap), 400}, {-1, P(entries), 40}};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		long *l = lists[i];
#ifdef SYS_getdents
		r = traced(SYS_getdents, l[0], l[1], l[2]);
		expect("236 fd=%ld", l[0]);
		expect("237 res=%ld fd=%ld", r, l[0]);
		need(lseek(dir, 0, SEEK_SET) == 0, "lseek");
#endif
		r = traced(SYS_getdents64, l[0], l[1], l[2]);
		expect("238 fd=%ld", l[0]);
		expect("239 res=%ld fd=%ld", r, l[0]);
	}
	close(dir);
}

// The most that a record may hold is less than what can be asked for.
static void large(int fd)
{
	static char buf[sizeof pattern];
	struct iovec two[] = {{pattern, 30000}, {pattern + 30000, 40000}};
	test_pwrite(fd, pattern, sizeof pattern, 0, sizeof pattern);
	test_pread(fd, buf, sizeof buf, 0);
	test_writev(fd, two, 2, 0, 2, 70000, 70000);
	two[0].iov_base = buf, two[1].iov_base = buf + 30000;
	test_readv(fd, two, 2, 0);
}

// sealed is data that the kernel does not get.
static void sealed(int fd)
{
	char *page = sealed_page("", 0);
	if (!page)
		return;
	struct iovec v = {page, 7};
	test_write(fd, page, 40, 0);
	test_writev(fd, &v, 1, 0, 1, 7, 0);
}

int main(int argc, char **argv)
{
	begin_calls(argc, argv);
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = 'A' + i % 26 + (i / 26 % 2) * 32;
	int fd = open("data", O_RDWR | O_CREAT, 0600);
	need(fd >= 0, "open");
	plain(fd);
	vectors(fd);
	moves(fd);
	large(fd);
	sealed(fd);
	return 0;
}
