// Descriptors and the working directory: open, openat, openat2, creat, close,
// dup, dup2, dup3, pipe, pipe2, chdir, fchdir.
#include "oracle.h"

static struct stat about(int fd)
{
	struct stat st;
	memset(&st, 0, sizeof st);
	if (fd > 0) // the result 0 is, by an old custom, told without a file
		need(fstat(fd, &st) == 0, "fstat");
	return st;
}

static void expect_close(int fd, int res)
{
	expect("4 fd=%d", fd);
	expect("5 res=%d fd=%d", res, fd);
}

static void done(int fd)
{
	if (fd >= 0)
		expect_close(fd, (int)result(close(fd)));
}

// test_openat calls openat; quoted is its path as the event has it.
static int test_openat(int dirfd, const char *path, const char *quoted, int flags, int mode, unsigned ppm, unsigned created, int ppm_mode)
{
	long fd = result(syscall(SYS_openat, dirfd, path, flags, mode));
	struct stat st = about(fd);
	expect("306 dirfd=%d name=%s flags=%u mode=%u", dirfd, quoted, ppm, ppm_mode);
	expect("307 fd=%ld dirfd=%d name=%s flags=%u mode=%u dev=%u ino=%lu", fd, dirfd, quoted,
	       ppm | (fd >= 0 && newest ? created : 0), ppm_mode, device(st.st_dev), st.st_ino);
	return fd;
}

static void openats(char *unreadable)
{
	char name[300], deep[4200];
	int fd, d;

	umask(077);
	done(test_openat(AT_FDCWD, "new", "\"new\"", O_RDWR | O_CREAT, 0750, PPM_RDWR | PPM_CREAT, PPM_F_CREATED, 0750));
	done(test_openat(AT_FDCWD, "new", "\"new\"", O_RDWR | O_CREAT, 0700, PPM_RDWR | PPM_CREAT, 0, 0700));
	done(test_openat(AT_FDCWD, "new", "\"new\"", O_RDONLY | O_CLOEXEC, 0777, PPM_RDONLY | PPM_CLOEXEC, 0, 0));
	done(test_openat(AT_FDCWD, "new", "\"new\"", 3, 0, PPM_RDONLY, 0, 0));
	done(test_openat(AT_FDCWD, "new", "\"new\"", O_RDONLY | O_SYNC, 0, PPM_RDONLY | PPM_SYNC | PPM_DSYNC, 0, 0));
	done(test_openat(AT_FDCWD, "new", "\"new\"", O_RDONLY | O_DSYNC, 0, PPM_RDONLY | PPM_SYNC | PPM_DSYNC, 0, 0));
	done(test_openat(AT_FDCWD, "new", "\"new\"", O_PATH, 0, PPM_RDONLY, 0, 0));
	done(test_openat(AT_FDCWD, "all", "\"all\"", O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644,
			 PPM_WRONLY | PPM_APPEND | PPM_CREAT | PPM_EXCL | PPM_TRUNC | PPM_CLOEXEC | PPM_NONBLOCK, PPM_F_CREATED, 0644));
	done(test_openat(AT_FDCWD, "all", "\"all\"", O_WRONLY | O_CREAT | O_EXCL, 0644, PPM_WRONLY | PPM_CREAT | PPM_EXCL, PPM_F_CREATED, 0644));
	// O_TMPFILE contains O_DIRECTORY, so one bit of it is enough for both names.
	done(test_openat(AT_FDCWD, ".", "\".\"", O_RDONLY | O_DIRECTORY, 0777, PPM_RDONLY | PPM_DIRECTORY | PPM_TMPFILE, 0, 0777));
	done(test_openat(AT_FDCWD, ".", "\".\"", O_RDWR | O_TMPFILE, 0, PPM_RDWR | PPM_DIRECTORY | PPM_TMPFILE, 0, 0));
	done(test_openat(AT_FDCWD, "none", "\"none\"", O_RDWR | O_TMPFILE, 0, PPM_RDWR | PPM_DIRECTORY | PPM_TMPFILE, 0, 0));
	test_openat(AT_FDCWD, "none/x", "\"none/x\"", O_RDWR | O_CREAT, 0644, PPM_RDWR | PPM_CREAT, 0, 0644);
	memset(name, 'n', sizeof name);
	name[255] = 0;
	test_openat(AT_FDCWD, name, quote(name), O_RDONLY, 0, PPM_RDONLY, 0, 0);
	name[255] = 'n', name[256] = 0;
	test_openat(AT_FDCWD, name, quote(name), O_RDONLY, 0, PPM_RDONLY, 0, 0);
	memset(deep, '/', sizeof deep);
	deep[4095] = 0;
	done(test_openat(AT_FDCWD, deep, quote(deep), O_RDONLY, 0, PPM_RDONLY, 0, 0));
	deep[4095] = '/', deep[4096] = 0; // one too many for the kernel
	const char *cut = quote_bytes(deep, 4095);
	test_openat(AT_FDCWD, deep, cut, O_RDONLY, 0, PPM_RDONLY, 0, 0);
	test_openat(AT_FDCWD, "", "\"\"", O_RDONLY, 0, PPM_RDONLY, 0, 0);
	test_openat(AT_FDCWD, "\t\xc3\xa9\"", quote("\t\xc3\xa9\""), O_RDONLY, 0, PPM_RDONLY, 0, 0);
	test_openat(AT_FDCWD, NULL, no_string(), O_RDONLY, 0, PPM_RDONLY, 0, 0);
	test_openat(AT_FDCWD, unreadable, no_string(), O_RDONLY, 0, PPM_RDONLY, 0, 0);
	strcpy(unreadable - 4, "end"); // with its NUL right before the gap
	test_openat(AT_FDCWD, unreadable - 4, "\"end\"", O_RDONLY, 0, PPM_RDONLY, 0, 0);
	d = test_openat(AT_FDCWD, ".", "\".\"", O_PATH, 0, PPM_RDONLY, 0, 0);
	done(test_openat(d, "new", "\"new\"", O_RDONLY, 0, PPM_RDONLY, 0, 0));
	test_openat(d, "none", "\"none\"", O_RDONLY, 0, PPM_RDONLY, 0, 0);
	done(d);
	test_openat(-2, "new", "\"new\"", O_RDONLY, 0, PPM_RDONLY, 0, 0);
	expect_close(0, (int)result(close(0)));
	fd = test_openat(AT_FDCWD, "new", "\"new\"", O_RDONLY, 0, PPM_RDONLY, 0, 0);
	need(fd == 0, "descriptor 0");
}

static void opens(void)
{
#ifdef SYS_open
	long fd = result(syscall(SYS_open, "opened", O_RDWR | O_CREAT, 0750));
	struct stat st = about(fd);
	expect("2 name=\"opened\" flags=%u mode=%u", PPM_RDWR | PPM_CREAT, 0750);
	expect("3 fd=%ld name=\"opened\" flags=%u mode=%u dev=%u ino=%lu", fd, PPM_RDWR | PPM_CREAT | (newest ? PPM_F_CREATED : 0), 0750,
	       device(st.st_dev), st.st_ino);
	done(fd);
	fd = result(syscall(SYS_open, "none", O_RDWR | O_TMPFILE, 0));
	expect("2 name=\"none\" flags=%u mode=0", PPM_RDWR | PPM_TMPFILE | PPM_DIRECTORY);
	expect("3 fd=%ld name=\"none\" flags=%u mode=0 dev=0 ino=0", fd, PPM_RDWR | PPM_TMPFILE | PPM_DIRECTORY);
	fd = result(syscall(SYS_open, NULL, O_WRONLY, 0));
	expect("2 name=%s flags=%u mode=0", no_string(), PPM_WRONLY);
	expect("3 fd=%ld name=%s flags=%u mode=0 dev=0 ino=0", fd, no_string(), PPM_WRONLY);
	fd = result(syscall(SYS_creat, "created", 0700));
	st = about(fd);
	expect("58 name=\"created\" mode=%u", 0700);
	expect("59 fd=%ld name=\"created\" mode=%u dev=%u ino=%lu creat_flags=0", fd, 0700, device(st.st_dev), st.st_ino);
	done(fd);
	fd = result(syscall(SYS_creat, "none/x", S_IRGRP));
	expect("58 name=\"none/x\" mode=%u", 040);
	expect("59 fd=%ld name=\"none/x\" mode=%u dev=0 ino=0 creat_flags=0", fd, 040);
#endif
}

static void test_openat2(const char *path, struct open_how *how, unsigned ppm, unsigned created, unsigned mode, unsigned resolve)
{
	long fd = result(syscall(SYS_openat2, AT_FDCWD, path, how, sizeof *how));
	struct stat st = about(fd);
	expect("326 dirfd=-100 name=\"%s\" flags=%u mode=%u resolve=%u", path, ppm, mode, resolve);
	expect("327 fd=%ld dirfd=-100 name=\"%s\" flags=%u mode=%u resolve=%u dev=%u ino=%lu", fd, path,
	       ppm | (fd >= 0 && newest ? created : 0), mode, resolve, device(st.st_dev), st.st_ino);
	done(fd);
}

static void openat2s(void)
{
	struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0750, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	test_openat2("how", &how, PPM_RDWR | PPM_CREAT, PPM_F_CREATED, 0750, 1 | 4);
	how = (struct open_how){.flags = O_RDWR | O_TMPFILE, .mode = 0600, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	test_openat2(".", &how, PPM_RDWR | PPM_TMPFILE | PPM_DIRECTORY, 0, 0600, 2 | 8 | 16);
	how = (struct open_how){.flags = O_RDONLY, .resolve = RESOLVE_CACHED};
	test_openat2("none", &how, PPM_RDONLY, 0, 0, 32);
	test_openat2("none", NULL, PPM_RDONLY, 0, 0, 0);
}

static void expect_dup(int fd, long res)
{
	expect(newest ? "366 fd=%d" : "124 fd=%d", fd);
	expect(newest ? "367 res=%ld oldfd=%d" : "125 res=%ld", res, fd);
}

static void dups(void)
{
	long res = result(syscall(SYS_dup, 1));
	expect_dup(1, res);
	done(res);
	res = result(syscall(SYS_dup, 1234));
	expect_dup(1234, res);
#ifdef SYS_dup2
	int pairs[][2] = {{1, 77}, {1, 77}, {1, 1}, {-1, 78}, {1, -7}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		res = result(syscall(SYS_dup2, pairs[i][0], pairs[i][1]));
		expect(newest ? "362 fd=%d" : "124 fd=%d", pairs[i][0]);
		expect(newest ? "363 res=%ld oldfd=%d newfd=%d" : "125 res=%ld", res, pairs[i][0], pairs[i][1]);
	}
	done(77);
#endif
	int to[] = {79, 1, -7};
	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		res = result(syscall(SYS_dup3, 1, to[i], O_CLOEXEC));
		expect(newest ? "364 fd=1" : "124 fd=1");
		expect(newest ? "365 res=%ld oldfd=1 newfd=%d flags=%u" : "125 res=%ld", res, to[i], PPM_CLOEXEC);
	}
	done(79);
}

static void pipes(void)
{
	int p[2] = {-1, -1};
	long res;
#ifdef SYS_pipe
	res = result(syscall(SYS_pipe, p));
	expect("60");
	expect("61 res=%ld fd1=%d fd2=%d ino=%lu", res, p[0], p[1], about(p[0]).st_ino);
	done(p[0]);
	done(p[1]);
	res = result(syscall(SYS_pipe, NULL));
	expect("60");
	expect("61 res=%ld fd1=-1 fd2=-1 ino=0", res);
#endif
	res = result(syscall(SYS_pipe2, p, O_CLOEXEC | O_NONBLOCK));
	expect(newest ? "392" : "60");
	expect(newest ? "393 res=%ld fd1=%d fd2=%d ino=%lu flags=%u" : "61 res=%ld fd1=%d fd2=%d ino=%lu", res, p[0], p[1],
	       about(p[0]).st_ino, PPM_CLOEXEC | PPM_NONBLOCK);
	done(p[0]);
	done(p[1]);
	res = result(syscall(SYS_pipe2, NULL, O_CLOEXEC | O_DIRECT | O_NONBLOCK));
	expect(newest ? "392" : "60");
	expect(newest ? "393 res=%ld fd1=-1 fd2=-1 ino=0 flags=%u" : "61 res=%ld fd1=-1 fd2=-1 ino=0", res,
	       PPM_CLOEXEC | PPM_NONBLOCK | 0x200);
	res = result(syscall(SYS_pipe2, p, 1));
	expect(newest ? "392" : "60");
	expect(newest ? "393 res=%ld fd1=-1 fd2=-1 ino=0 flags=0" : "61 res=%ld fd1=-1 fd2=-1 ino=0", res);
}

static void test_chdir(const char *path, const char *quoted)
{
	long res = result(chdir(path));
	expect("94");
	expect("95 res=%ld path=%s", res, quoted);
}

static void chdirs(char *unreadable)
{
	char deep[4096];
	int fd;

	need(mkdir("sub", 0700) == 0, "mkdir");
	test_chdir("sub", "\"sub\"");
	test_chdir("..", "\"..\"");
	test_chdir("none", "\"none\"");
	test_chdir("", "\"\"");
	test_chdir(NULL, no_string());
	test_chdir(unreadable, no_string());
	for (int i = 0; i < 4094; i += 2)
		memcpy(deep + i, "./", 2);
	deep[4094] = 0;
	test_chdir(deep, quote(deep));
	memset(deep, 'd', 300);
	deep[300] = 0;
	test_chdir(deep, quote(deep));

	fd = test_openat(AT_FDCWD, "sub", "\"sub\"", O_RDONLY, 0, PPM_RDONLY, 0, 0);
	expect("96 fd=%d", fd);
	expect("97 res=%ld fd=%d", result(fchdir(fd)), fd);
	done(fd);
	expect("96 fd=-1");
	expect("97 res=%ld fd=-1", result(fchdir(-1)));
	expect("96 fd=1");
	expect("97 res=%ld fd=1", result(fchdir(1)));
	done(-1);
	expect_close(-1, (int)result(close(-1)));
	expect_close(2000000000, (int)result(close(2000000000)));
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	long page = sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(pages != MAP_FAILED && munmap(pages + page, page) == 0, "a gap");

	test_chdir(argv[2], quote(argv[2]));
	openats(pages + page);
	opens();
	openat2s();
	dups();
	pipes();
	chdirs(pages + page);
	expect("186 status=0 ret=0 sig=0 core=0 reaper_tid=0");
	return 0;
}
