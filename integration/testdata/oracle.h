// What the oracle programs share. Each makes calls in all the ways that matter
// and prints, for every event that the calls must leave, the thread and what
// must be in the event, a line each: the code, then the parameters as the
// newest version of the event has them.
//
//   TID CODE name=value name=value ...
//
// Numbers are decimal, strings quoted with what is not printable as \xNN;
// - is a parameter of length 0, * any number, + any but 0. Flags are Falco's,
// spelled out here and not taken from the tables of the product.
//
// Argument 1 is the ceiling: newest or 336.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PPM_RDONLY = 1, PPM_WRONLY = 2, PPM_RDWR = 3, PPM_CREAT = 4, PPM_APPEND = 8, PPM_DSYNC = 0x10,
	PPM_EXCL = 0x20, PPM_NONBLOCK = 0x40, PPM_SYNC = 0x80, PPM_TRUNC = 0x100, PPM_DIRECTORY = 0x400,
	PPM_CLOEXEC = 0x1000, PPM_TMPFILE = 0x2000, PPM_F_CREATED = 0x4000,
};

static int newest; // the reader knows the newest event types

static void need(int ok, const char *what)
{
	if (ok)
		return;
	dprintf(2, "oracle program: %s: %s\n", what, strerror(errno));
	_exit(99);
}

// outer_tid is the tid of the caller as the tracer sees it, who mounted /proc.
static int outer_tid(void)
{
	char link[100] = "";
	need(readlink("/proc/thread-self", link, sizeof link - 1) > 0, "/proc/thread-self");
	return atoi(strrchr(link, '/') + 1);
}

// expect_of prints what an event of a thread must hold.
static void expect_of(int tid, const char *format, ...)
{
	static char text[1 << 17];
	static volatile int lock;
	while (__sync_lock_test_and_set(&lock, 1))
		sched_yield();
	int n = sprintf(text, "%d ", tid);
	va_list args;
	va_start(args, format);
	n += vsnprintf(text + n, sizeof text - n - 1, format, args);
	va_end(args);
	text[n++] = '\n';
	need(write(1, text, n) == n, "write");
	__sync_lock_release(&lock);
}

#define expect(...) expect_of(outer_tid(), __VA_ARGS__)

// quote_bytes quotes n bytes, in one of several buffers in turn.
static const char *quote_bytes(const char *s, size_t n)
{
	static char bufs[8][1 << 15];
	static int next;
	char *start = bufs[next++ % 8], *p = start;
	if (n == 0)
		return "-";
	*p++ = '"';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = s[i];
		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			p += sprintf(p, "\\x%02x", c);
		else
			*p++ = c;
	}
	*p++ = '"';
	*p = 0;
	return start;
}

static inline const char *quote(const char *s) { return *s ? quote_bytes(s, strlen(s)) : "\"\""; }

// no_string is a string that could not be read.
static inline const char *no_string(void) { return newest ? "-" : "\"<NA>\""; }

// result is the result of a call as the event has it.
static inline long result(long ret) { return ret < 0 ? -errno : ret; }

static inline unsigned device(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 | (minor(dev) & ~0xffu) << 12;
}

// inode of a socket. fstat may refuse it in a 32-bit program: the kernel sets no times
// of sockets, and what was in that memory before may not fit.
static inline unsigned long inode(int fd)
{
	char link[32], text[64] = "";
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	need(readlink(link, text, sizeof text - 1) > 0 && strchr(text, '['), "readlink");
	return strtoul(strchr(text, '[') + 1, NULL, 10);
}

// contents reads a small file.
static inline size_t contents(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(buf, 1, size - 1, f) : 0;
	if (f)
		fclose(f);
	buf[n] = 0;
	return n;
}

static void begin(int argc, char **argv)
{
	need(argc > 1, "usage");
	newest = !strcmp(argv[1], "newest");
}

// list_value quotes a list of strings, each with its NUL, as far as a record
// has room: 4096 bytes, the last string cut and with its NUL.
static inline const char *list_value(char *list, size_t n, size_t room)
{
	if (n > room) {
		n = room;
		list[n - 1] = 0;
	}
	return quote_bytes(list, n);
}

// arguments quotes argument zero and the others of the caller.
static inline void arguments(const char **exe, const char **args)
{
	static char list[1 << 16];
	size_t n = contents("/proc/self/cmdline", list, sizeof list);
	size_t first = strlen(list) + 1;
	*exe = quote(list);
	*args = list_value(list + first, n - first, 4096 - first);
}

static inline const char *cgroups(void)
{
	static const char *const names[] = {"cpuset", "cpu", "cpuacct", "io", "memory", // the rest of version 1 only
		"devices", "freezer", "net_cls", "perf_event", "net_prio", "hugetlb", "pids", "rdma", "misc"};
	static char all[4096], file[1 << 14];
	char list[4096];
	size_t n = 0;
	contents("/proc/self/cgroup", file, sizeof file);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *want = names[i];
		strcpy(all, file);
		char *save, *line = strtok_r(all, "\n", &save);
		for (; line; line = strtok_r(NULL, "\n", &save)) {
			char *controllers = strchr(line, ':') + 1, *path = strchr(controllers, ':');
			*path++ = 0;
			char padded[300], key[40];
			sprintf(padded, ",%s,", controllers);
			sprintf(key, ",%s,", strcmp(want, "io") ? want : "blkio");
			if (*controllers ? !strstr(padded, key) : i >= 5)
				continue;
			n += sprintf(list + n, "%s=%s", want, path) + 1;
			break;
		}
	}
	return quote_bytes(list, n);
}

// image is what a record has of the caller behind its parent.
static inline const char *image(void)
{
	static char text[1 << 14];
	char name[40];
	struct rlimit files;
	need(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	name[contents("/proc/thread-self/comm", name, sizeof name) - 1] = 0;
	sprintf(text, "cwd=%s fdlimit=%lu pgft_maj=* pgft_min=* vm_size=+ vm_rss=+ vm_swap=* comm=%s cgroups=%s",
		newest ? "-" : "\"\"", (unsigned long)files.rlim_cur, quote(name), cgroups());
	return text;
}
