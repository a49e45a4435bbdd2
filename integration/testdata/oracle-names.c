// Names, modes, owners and mounts: rename, link, symlink, unlink, mkdir, chmod,
// chown, mknod, mount, umount2, quotactl, fsconfig, chroot, getcwd, access,
// stat.
#include "oracle-calls.h"
#ifdef SYS_newfstatat
enum { FSTATAT = 300 }; // Falco's number
#else
#define SYS_newfstatat SYS_fstatat64
enum { FSTATAT = 271 };
#endif
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/quota.h>

// name is a path and how an event has it.
struct name {
	const char *path, *quoted;
};

static struct name good(const char *path) { return (struct name){path, strdup(quote(path))}; }

// names are paths that lead nowhere, in all the ways a path can.
static struct name names[12];

static void make_names(void)
{
	static char long_name[300], deep[4097];
	int n = 0;
	memset(long_name, 'n', 256);
	memset(deep, '/', 4096);
	memcpy(deep + 4090, "no/x/", 5); // 4095 bytes: as long as can be
	deep[4095] = 0;
	names[n++] = good("none");
	names[n++] = good("none/x y\"\\\t\xc3\xa9");
	names[n++] = good("");
	names[n++] = (struct name){NULL, no_string()};
	names[n++] = (struct name){gap, no_string()};
	names[n++] = (struct name){(void *)-8, no_string()};
	names[n++] = (struct name){tail("nowhere", 8), "\"nowhere\""};
	names[n++] = good(long_name);
	names[n++] = (struct name){strdup(deep), strdup(quote(deep))};
	deep[4095] = '/'; // one too many
	names[n++] = (struct name){deep, strdup(quote_bytes(deep, 4095))};
	for (int i = 0; i < n; i++)
		names[i].quoted = strdup(names[i].quoted);
}

#define EACH(n) for (struct name *p = names, n = *p; n.quoted; n = *++p)

// A call with one path, and what both halves have of its other arguments.
static void test_path(int code, long nr, struct name n, long more, const char *enter, const char *exit)
{
	long r = traced(nr, P(n.path), more, 1234, 1235);
	expect("%d%s", code, enter);
	expect("%d res=%ld %s=%s%s", code + 1, r, code == 314 ? "filename" : code == 264 || code == 258 || code == 390 ? "name" : "path", n.quoted, exit);
}

static inline void test_two(int code, long nr, struct name a, struct name b)
{
	long r = traced(nr, P(a.path), P(b.path), 1234);
	expect("%d", code);
	expect(code == 178 ? "%d res=%ld target=%s linkpath=%s" : "%d res=%ld oldpath=%s newpath=%s", code + 1, r, a.quoted, b.quoted);
}

static void pairs(void)
{
#ifdef SYS_rename
	struct name ok = good("other"), a = good("a"), b = good("b"), c = good("c"), l = good("l"), s = good("s");
#endif
	need(close(open("a", O_WRONLY | O_CREAT, 0600)) == 0, "open");
	EACH(n)
	{
#ifdef SYS_rename
		test_two(174, SYS_rename, n, ok);
		test_two(174, SYS_rename, ok, n);
		test_two(308, SYS_link, n, ok);
		test_two(308, SYS_link, ok, n);
		test_two(178, SYS_symlink, n, good("none/link"));
		test_two(178, SYS_symlink, ok, n);
		unlink(n.path);
#endif
		long r = traced(SYS_renameat, 7, P(n.path), AT_FDCWD, P("x"));
		expect("176");
		expect("177 res=%ld olddirfd=7 oldpath=%s newdirfd=-100 newpath=\"x\"", r, n.quoted);
		r = traced(SYS_renameat2, AT_FDCWD, P("none"), -8, P(n.path), 7);
		expect("318");
		expect("319 res=%ld olddirfd=-100 oldpath=\"none\" newdirfd=-8 newpath=%s flags=7", r, n.quoted);
		r = traced(SYS_linkat, 7, P(n.path), AT_FDCWD, P("x"), 0x400 | 0x1000 | 0x200);
		expect("310");
		expect("311 res=%ld olddir=7 oldpath=%s newdir=-100 newpath=\"x\" flags=%d", r, n.quoted, 0x1400);
		r = traced(SYS_symlinkat, P(n.path), -9, P("none/x"));
		expect("180");
		expect("181 res=%ld target=%s linkdirfd=-9 linkpath=\"none/x\"", r, n.quoted);
	}
#ifdef SYS_rename
	test_two(174, SYS_rename, a, b);
	test_two(308, SYS_link, b, l);
	test_two(178, SYS_symlink, l, s);
	test_two(174, SYS_rename, b, a);
	unlink("l"), unlink("s");
#endif
	int d = open(".", O_PATH);
	long r = traced(SYS_renameat, d, P("a"), d, P("b"));
	expect("176");
	expect("177 res=%ld olddirfd=%d oldpath=\"a\" newdirfd=%d newpath=\"b\"", r, d, d);
	r = traced(SYS_renameat2, d, P("b"), AT_FDCWD, P("a"), RENAME_NOREPLACE);
	expect("318");
	expect("319 res=%ld olddirfd=%d oldpath=\"b\" newdirfd=-100 newpath=\"a\" flags=1", r, d);
	r = traced(SYS_linkat, d, P("a"), d, P("l"), 0);
	expect("310");
	expect("311 res=%ld olddir=%d oldpath=\"a\" newdir=%d newpath=\"l\" flags=0", r, d, d);
	r = traced(SYS_symlinkat, P("to"), d, P("s"));
	expect("180");
	expect("181 res=%ld target=\"to\" linkdirfd=%d linkpath=\"s\"", r, d);

	EACH(n)
	{
		long r = traced(SYS_unlinkat, -1, P(n.path), 0x200 | 0x400);
		expect("302");
		expect("303 res=%ld dirfd=-1 name=%s flags=%d", r, n.quoted, 0x200);
		r = traced(SYS_mkdirat, -1, P(n.path), 8);
		expect("304");
		expect("305 res=%ld dirfd=-1 path=%s mode=8", r, n.quoted);
	}
	r = traced(SYS_unlinkat, d, P("s"), 0);
	expect("302");
	expect("303 res=%ld dirfd=%d name=\"s\" flags=0", r, d);
	r = traced(SYS_mkdirat, d, P("dir"), 01777);
	expect("304");
	expect("305 res=%ld dirfd=%d path=\"dir\" mode=%d", r, d, 01777);
	r = traced(SYS_unlinkat, AT_FDCWD, P("dir"), AT_REMOVEDIR);
	expect("302");
	expect("303 res=%ld dirfd=-100 name=\"dir\" flags=%d", r, 0x200);
	close(d);
#ifdef SYS_mkdir
	test_path(276, SYS_mkdir, c, 0100750, " mode=33256", " mode=33256");
	test_path(278, SYS_rmdir, c, 0, "", "");
	test_path(300, SYS_unlink, l, 0, "", "");
	EACH(n)
	{
		test_path(276, SYS_mkdir, p == names ? good("none/d") : n.path == names[6].path ? good("none/e") : n, 7, " mode=7", " mode=7");
		test_path(278, SYS_rmdir, n, 0, "", "");
		test_path(300, SYS_unlink, n, 0, "", "");
	}
#endif
}

static void modes(void)
{
	struct stat64 st; // what fstatat of 32 bits fills, which is longer than a stat
	char buf[400];
	long r;
	EACH(n)
	{
#ifdef SYS_chmod
		test_path(314, SYS_chmod, n, 0100, "", " mode=64");
		test_path(264, SYS_access, n, 2, " mode=2", " mode=2");
		test_path(66, SYS_stat, n, P(&st), "", "");
		test_path(68, SYS_lstat, n, P(&st), "", "");
		r = traced(SYS_chown, P(n.path), 4321, -1);
		if (new_event(SYS_chown, 132)) {
			expect("378");
			expect("379 res=%ld path=%s uid=4321 gid=4294967295", r, n.quoted);
		}
		r = traced(SYS_lchown, P(n.path), -1, 4322);
		if (new_event(SYS_lchown, 118)) {
			expect("380");
			expect("381 res=%ld path=%s uid=4294967295 gid=4322", r, n.quoted);
		}
#endif
		r = traced(SYS_fchmodat, -1, P(n.path), 0100, 1234);
		expect("312");
		expect("313 res=%ld dirfd=-1 filename=%s mode=64", r, n.quoted);
		r = traced(SYS_fchownat, -1, P(n.path), 11, 12, 0x400 | 0x1000 | 0x2000000);
		if (new_event(SYS_fchownat, 200)) {
			expect("384");
			expect("385 res=%ld dirfd=-1 pathname=%s uid=11 gid=12 flags=%d", r, n.quoted, 0x1400);
		}
		r = traced(SYS_newfstatat, AT_FDCWD, P(n.path), P(&st), 0x800 | 0x100);
		if (new_event(SYS_newfstatat, FSTATAT)) {
			expect("418");
			expect("419 res=%ld dirfd=-100 path=%s flags=%d", r, n.quoted, 0x900);
		}
		// The device is split once more than it should be.
		r = traced(SYS_mknodat, -1, P(n.path), S_IFIFO | 0640, 61440);
		if (new_event(SYS_mknodat, 199)) {
			expect("416");
			expect("417 res=%ld dirfd=-1 path=%s mode=%d dev=251658240", r, n.quoted, S_IFIFO | 0640);
		}
	}
#ifdef SYS_chmod
	struct name a = good("a");
	test_path(314, SYS_chmod, a, 0107777, "", " mode=4095");
	test_path(264, SYS_access, a, 0, " mode=0", " mode=0");
	test_path(264, SYS_access, a, 5, " mode=5", " mode=5");
	test_path(264, SYS_access, a, 15, " mode=7", " mode=7");
	test_path(66, SYS_stat, a, P(&st), "", "");
	test_path(66, SYS_stat, a, P(gap), "", "");
	test_path(68, SYS_lstat, a, P(&st), "", "");
	r = traced(SYS_chown, P("a"), geteuid(), -1);
	if (new_event(SYS_chown, 132)) {
		expect("378");
		expect("379 res=%ld path=\"a\" uid=%u gid=4294967295", r, geteuid());
	}
	r = traced(SYS_lchown, P("a"), -1, getegid());
	if (new_event(SYS_lchown, 118)) {
		expect("380");
		expect("381 res=%ld path=\"a\" uid=4294967295 gid=%u", r, getegid());
	}
	static const int types[] = {S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, 0};
	for (int i = 0; i < 6; i++) {
		r = traced(SYS_mknod, P("/tmp/"), types[i] | 04700, 61440);
		if (new_event(SYS_mknod, 12)) {
			expect("414");
			expect("415 res=%ld path=\"/tmp/\" mode=%d dev=251658240", r, (types[i] ? types[i] : S_IFREG) | 04700);
		}
	}
	EACH(n)
	{
		r = traced(SYS_mknod, P(n.path), S_IFDIR, 0x12345);
		if (new_event(SYS_mknod, 12)) {
			expect("414");
			expect("415 res=%ld path=%s mode=%d dev=%u", r, n.quoted, S_IFDIR, 0x45 | 0x12300 << 12);
		}
	}
	r = traced(SYS_mknod, P("fifo"), S_IFIFO | 0600, 0);
	if (new_event(SYS_mknod, 12)) {
		expect("414");
		expect("415 res=%ld path=\"fifo\" mode=%d dev=0", r, S_IFIFO | 0600);
	}
#endif
	int fd = open("a", O_RDONLY), fds[] = {fd, -1, 77};
	for (int i = 0; i < 3; i++) {
		r = traced(SYS_fchmod, fds[i], 0600);
		expect("316");
		expect("317 res=%ld fd=%d mode=%d", r, fds[i], 0600);
		r = traced(SYS_fstat, fds[i], P(&st));
		expect("70 fd=%d", fds[i]);
		expect("71 res=%ld fd=%d", r, fds[i]);
		r = traced(SYS_fchown, fds[i], -1, getegid());
		if (new_event(SYS_fchown, 127)) {
			expect("382");
			expect("383 res=%ld fd=%d uid=4294967295 gid=%u", r, fds[i], getegid());
		}
	}
	r = traced(SYS_fchmodat, AT_FDCWD, P("a"), 0640, 1234);
	expect("312");
	expect("313 res=%ld dirfd=-100 filename=\"a\" mode=%d", r, 0640);
	r = traced(SYS_fchownat, fd, P(""), -1, getegid(), AT_EMPTY_PATH);
	if (new_event(SYS_fchownat, 200)) {
		expect("384");
		expect("385 res=%ld dirfd=%d pathname=\"\" uid=4294967295 gid=%u flags=%d", r, fd, getegid(), 0x1000);
	}
	r = traced(SYS_newfstatat, fd, P(""), P(&st), AT_EMPTY_PATH);
	if (new_event(SYS_newfstatat, FSTATAT)) {
		expect("418");
		expect("419 res=%ld dirfd=%d path=\"\" flags=%d", r, fd, 0x1000);
	}
	r = traced(SYS_mknodat, AT_FDCWD, P("node"), 0600, 0);
	if (new_event(SYS_mknodat, 199)) {
		expect("416");
		expect("417 res=%ld dirfd=-100 path=\"node\" mode=%d dev=0", r, S_IFREG | 0600);
	}
	close(fd);

	char here[4096];
	need(getcwd(here, sizeof here) != NULL, "getcwd");
	struct {
		void *buf;
		size_t size;
	} cwds[] = {{buf, sizeof buf}, {buf, 2}, {NULL, 100}, {gap, 100}, {gap - strlen(here) - 1, strlen(here) + 1}, {NULL, 0}};
	for (int i = 0; i < 6; i++) {
		r = traced(SYS_getcwd, P(cwds[i].buf), cwds[i].size);
		expect("92");
		expect("93 res=%ld path=%s", r, r >= 0 ? quote(here) : no_string());
	}
	tail("nowhere", 8); // where one of the names is
}

static void roots(void)
{
	EACH(n)
		test_path(266, SYS_chroot, n, 0, "", "");
	test_path(266, SYS_chroot, good("/"), 0, "", "");
}

static void test_mount(struct name from, struct name to, struct name type, unsigned long flags, unsigned seen)
{
	long r = traced(SYS_mount, P(from.path), P(to.path), P(type.path), flags, 0);
	expect("256 flags=%u", seen);
	expect("257 res=%ld dev=%s dir=%s type=%s flags=%u", r, from.quoted, to.quoted, type.quoted, seen);
}

static void test_umount(struct name n, int flags)
{
	char seen[30];
	sprintf(seen, " flags=%d", flags & 15);
	test_path(newest ? 390 : 258, SYS_umount2, n, flags, seen, newest ? seen : "");
}

static void test_fsconfig(int fd, unsigned cmd, struct name key, const void *value, int aux)
{
	long r = traced(SYS_fsconfig, fd, cmd, P(key.path), P(value), aux);
	if (!new_event(SYS_fsconfig, 335))
		return;
	const char *text = r >= 0 && (cmd == 1 || cmd == 3 || cmd == 4) ? quote(value) : "-";
	expect("372");
	expect("373 res=%ld fd=%d cmd=%u key=%s value_bytebuf=%s value_charbuf=%s aux=%d", r, fd, cmd, key.quoted,
	       r >= 0 && cmd == 2 ? data(value, aux) : "-", text, aux);
}

static void mounts(void)
{
	struct name none = {NULL, no_string()}, dir = good("mnt");
	need(mkdir("mnt", 0700) == 0, "mkdir");
	test_mount(good("source"), good("target"), good("not_supported"), 0xC0ED0000 | 1, 1);
	test_mount(none, none, none, 0xffffffff, 0xffffffff);
	EACH(n)
	{
		test_mount(n, dir, good("no type"), 0x4000, 0x4000);
		test_mount(good("x"), n, good("no type"), 2, 2);
		test_mount(good("x"), dir, n, 8, 8);
		test_umount(n, 1);
	}
	test_umount(good("/tmp"), 0x1f);

	int own = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (!own) {
		missing("the privilege of mounting");
		return;
	}
	test_mount(good("none"), dir, good("tmpfs"), MS_NOSUID | MS_NODEV, MS_NOSUID | MS_NODEV);
	test_mount(none, dir, none, MS_REMOUNT | MS_RDONLY, MS_REMOUNT | MS_RDONLY);
	test_umount(dir, MNT_DETACH);

	int fs = syscall(SYS_fsopen, "tmpfs", 0);
	need(fs >= 0, "fsopen");
	test_fsconfig(fs, 1, good("source"), "my source", 0);
	test_fsconfig(fs, 1, good("size"), tail("1M", 3), 0);
	test_fsconfig(fs, 0, good("ro"), NULL, 0);
	test_fsconfig(fs, 1, good("no such key"), "value", 0);
	test_fsconfig(fs, 2, good("source"), "bytes", 5);
	test_fsconfig(fs, 6, none, NULL, 0);
	close(fs);
	fs = syscall(SYS_fsopen, "ext4", 0);
	if (fs < 0 || syscall(SYS_fsconfig, fs, 3, "journal_path", "/dev/loop0", AT_FDCWD) < 0)
		missing("ext4 and a block device, /dev/loop0, to set a path with");
	else
		test_fsconfig(fs, 3, good("journal_path"), "/dev/loop0", AT_FDCWD);
	if (fs >= 0)
		close(fs);
	int pick = syscall(SYS_fspick, AT_FDCWD, "/", 0);
	need(pick >= 0, "fspick");
	test_fsconfig(pick, 1, good("no such key"), "value", 0);
	close(pick);
}

static void failing_fsconfigs(void)
{
	test_fsconfig(0, 0, good("key"), "value", 100);
	test_fsconfig(-1, 1, good("key"), gap, 0);
	test_fsconfig(-1, 2, good("key"), "value", 5);
	test_fsconfig(-1, 99, good("key"), (void *)-8, -5);
	EACH(n)
		test_fsconfig(-3, 1, n, "value", 0);
}

// test_quota calls quotactl; the rest is what both halves have, and what only
// the exit half has before that.
static long test_quota(unsigned cmd, unsigned type, struct name special, unsigned id, void *addr, const char *file, const char *numbers,
		       int got, const char *both)
{
	long r = traced(SYS_quotactl, cmd << 8 | type, P(special.path), id, P(addr));
	expect("190 %s", both);
	expect("191 res=%ld special=%s quotafilepath=%s %s quota_fmt_out=%d %s", r, special.quoted, file, numbers, got, both);
	return r;
}

static const char *quota_numbers(const unsigned long *block, const unsigned long *info)
{
	static char text[600];
	static const unsigned long zeros[8];
	if (!block)
		block = zeros;
	if (!info)
		info = zeros;
	sprintf(text,
		"dqb_bhardlimit=%lu dqb_bsoftlimit=%lu dqb_curspace=%lu dqb_ihardlimit=%lu dqb_isoftlimit=%lu dqb_btime=%lu dqb_itime=%lu "
		"dqi_bgrace=%lu dqi_igrace=%lu dqi_flags=%lu",
		block[0], block[1], block[2], block[3], block[4], block[6], block[7], info[0], info[1], info[2] & 0xff);
	return text;
}

// quota_of_disk asks a file system that keeps quotas, if there is one.
static void quota_of_disk(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "r");
	char line[4096], disk[1000] = "";
	unsigned format;
	while (!*disk && mounts && fgets(line, sizeof line, mounts))
		if (sscanf(line, "/dev/%990s", disk + 5) == 1) {
			memcpy(disk, "/dev/", 5);
			if (quotactl(QCMD(Q_GETFMT, USRQUOTA), disk, 0, (void *)&format) != 0)
				*disk = 0;
		}
	if (mounts)
		fclose(mounts);
	if (!*disk) {
		missing("a file system that keeps quotas");
		return;
	}
	struct dqblk block = {0};
	unsigned long info[3] = {0};
	const char *none = quota_numbers(NULL, NULL);
	test_quota(0x800004, 0, good(disk), 0, &format, no_string(), none, format == 1 ? 2 : format == 2 ? 4 : format == 4 ? 8 : 1, "cmd=4 type=1 id=0 quota_fmt=1");
	need(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), disk, 0, (void *)&block) == 0, "Q_GETQUOTA");
	need(quotactl(QCMD(Q_GETINFO, USRQUOTA), disk, 0, (void *)info) == 0, "Q_GETINFO");
	test_quota(0x800007, 0, good(disk), 0, &block, no_string(), quota_numbers((void *)&block, NULL), 1, "cmd=32 type=1 id=0 quota_fmt=1");
	test_quota(0x800005, 0, good(disk), 0, info, no_string(), quota_numbers(NULL, info), 1, "cmd=8 type=1 id=0 quota_fmt=1");
}

static void quotas(void)
{
	static const struct {
		unsigned cmd, ppm;
	} cmds[] = {{0x800001, 0x80}, {0x800003, 2}, {0x800004, 4}, {0x800005, 8}, {0x800006, 16}, {0x800007, 32}, {0x800008, 64}, {0x5801, 0x100},
		    {0x5802, 0x200}, {0x5803, 0x400}, {0x5804, 0x800}, {0x5805, 0x1000}, {0x5806, 0x2000}, {0x5807, 0x4000}, {7, 0}};
	char both[200];
	const char *none = quota_numbers(NULL, NULL);
	for (size_t i = 0; i < sizeof cmds / sizeof *cmds; i++) {
		unsigned id = cmds[i].ppm & (32 | 64 | 0x400 | 0x800) ? 77 : 0;
		sprintf(both, "cmd=%u type=%u id=%u quota_fmt=1", cmds[i].ppm, i % 3 == 2 ? 0 : 1u << i % 3, id);
		test_quota(cmds[i].cmd, i % 3, good("none"), 77, gap, no_string(), none, 1, both);
	}
	EACH(n)
	{
		test_quota(0x800002, 0, n, 2, "file", "\"file\"", none, 1, "cmd=1 type=1 id=0 quota_fmt=4");
		test_quota(0x800002, 1, good("none"), 4, (void *)n.path, n.quoted, none, 1, "cmd=1 type=2 id=0 quota_fmt=8");
	}
	test_quota(0x800002, 1, good("none"), 9, "file", "\"file\"", none, 1, "cmd=1 type=2 id=0 quota_fmt=1");
	struct name null = {NULL, no_string()};
	test_quota(0x800001, 0, null, 0, NULL, no_string(), none, 1, "cmd=128 type=1 id=0 quota_fmt=1");
	quota_of_disk();
}

// sealed are paths that the kernel does not get.
static void sealed(void)
{
	char *page = sealed_page("abc", 3);
	if (!page)
		return;
	struct name none = {page, no_string()}, begins = {page - 3, strdup(quote("abc"))};
	test_path(94, SYS_chdir, none, 0, "", "");
	test_path(94, SYS_chdir, begins, 0, "", "");
}

int main(int argc, char **argv)
{
	begin_calls(argc, argv);
	make_names();
	pairs();
	modes();
	roots();
	failing_fsconfigs();
	quotas();
	mounts();
	sealed();
	return 0;
}
