// What the oracle programs for single calls share, beside oracle.h. A call that
// is judged stands between two marks, calls with a number that no kernel has:
// all that its thread leaves between them must have been told, in its order.
// What the program does besides, its output among it, stands outside.
//
// Argument 1 is the ceiling, argument 2 a directory of the program's own,
// argument 3 the most data that an event has.
#include "oracle.h"
#include <sys/ioctl.h>

#define MARK 1023

// traced makes a call between marks: its number, then its arguments.
#define traced(...) traced_call((const long[8]){__VA_ARGS__})
#define P(x) ((long)(x))

// A program of 32 bits hands an offset over in two arguments. Those behind three
// others are an even one and the next on arm (OFFSET), and any two of calls with two
// arguments for it in every ABI (HALVES).
#if __SIZEOF_LONG__ == 8
#define HALVES(v) (long)(v), 0
#define OFFSET(v) (long)(v)
#elif defined __arm__
#define HALVES(v) (long)(v), (long)((uint64_t)(v) >> 32)
#define OFFSET(v) 0, HALVES(v)
#else
#define HALVES(v) (long)(v), (long)((uint64_t)(v) >> 32)
#define OFFSET(v) HALVES(v)
#endif
#define WIDE(v) (unsigned long long)(int64_t)(v) // for %llu
#define BIT(n) ((unsigned long)(1ULL << (n)))     // 0 where a long has no such bit

static long traced_call(const long *a)
{
	syscall(MARK);
	errno = 0;
	long ret = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	int err = errno;
	syscall(MARK);
	return ret == -1 && err ? -err : ret;
}

// missing says what the machine lacks for a row.
static inline void missing(const char *what)
{
	dprintf(1, "missing %s\n", what);
}

// new_event reports whether the reader knows the event of call nr, which came
// after the oldest version; else it tells that the call is a generic one. sc is
// Falco's number of the call.
static inline int new_event(long nr, int sc)
{
	enum { OLDEST_NUMBERS = 329 };
	if (newest)
		return 1;
	expect("0 ID=%d nativeID=%ld", sc < OLDEST_NUMBERS ? sc : 0, nr);
	expect("1 ID=%d nativeID=%ld", sc < OLDEST_NUMBERS ? sc : 0, nr);
	return 0;
}

static char *gap; // memory that nobody can read or write; what is before it can be

// tail copies bytes to where they end right before the gap.
static inline void *tail(const void *bytes, size_t n)
{
	return memcpy(gap - n, bytes, n);
}

// sealed_page is memory that only a tracer can read, behind n bytes of text. It
// is NULL where the kernel does not tell tracers so.
static inline char *sealed_page(const char *text, size_t n)
{
	long long query[13] = {sizeof query, 0x10};
	int maps = open("/proc/self/maps", O_RDONLY);
	int told = ioctl(maps, _IOWR('f', 17, long long[13]), query) == 0; // PROCMAP_QUERY
	close(maps);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(pages != MAP_FAILED, "mmap");
	memset(pages, 's', 8192);
	memcpy(pages + 4096 - n, text, n);
	need(mprotect(pages + 4096, 4096, PROT_NONE) == 0, "mprotect");
	if (!told)
		missing("PROCMAP_QUERY, which tells of memory without access");
	return told ? pages + 4096 : NULL;
}

static size_t most = 80; // data of an event

// data quotes the beginning of n bytes as an event has it.
static inline const char *data(const void *bytes, long n)
{
	static char bufs[3][1 << 17];
	static int next;
	char *start = bufs[next++ % 3], *p = start;
	if (n <= 0)
		return "-";
	*p++ = '"';
	for (size_t i = 0; i < (size_t)n && i < most; i++) {
		unsigned char c = ((const unsigned char *)bytes)[i];
		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			p += sprintf(p, "\\x%02x", c);
		else
			*p++ = c;
	}
	*p++ = '"';
	*p = 0;
	return start;
}

static void begin_calls(int argc, char **argv)
{
	begin(argc, argv);
	need(argc > 3 && chdir(argv[2]) == 0, "chdir");
	most = strtoul(argv[3], NULL, 10);
	// A mapping behind the end of its file: unreadable, and nothing else is
	// ever mapped there.
	long room = 1 << 18;
	int fd = memfd_create("gap", 0);
	need(fd >= 0 && ftruncate(fd, room) == 0, "a file");
	char *pages = mmap(NULL, room + (1 << 16), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(pages != MAP_FAILED && close(fd) == 0, "a gap");
	gap = pages + room;
}
