// A program of any ABI, made of nothing but system calls: without a library there is
// nothing that a compiler for another ABI would lack. It makes calls, prints
// their results, and executes itself in a child:
//
//   abi [child]
#define X32 0x40000000

enum { // the numbers of the calls
#if defined __i386__
	EXIT = 1, FORK = 2, READ = 3, WRITE = 4, OPEN = 5, EXECVE = 11, PIPE = 42, SOCKETCALL = 102, SETITIMER = 104, WAIT4 = 114, CLONE = 120,
	IPC = 117, SIGACTION = 174, WRITEV = 146, NANOSLEEP = 162,
#elif defined __arm__
	EXIT = 1, FORK = 2, READ = 3, WRITE = 4, OPEN = 5, EXECVE = 11, PIPE = 42, SETITIMER = 104, WAIT4 = 114, CLONE = 120, SIGACTION = 174,
	SOCKET = 281, CONNECT = 283, SEND = 289, RECV = 291, SEMOP = 298, SEMGET = 299, SEMCTL = 300, WRITEV = 146, NANOSLEEP = 162,
#elif defined __ILP32__
	EXIT = X32 | 60, FORK = X32 | 57, READ = X32 | 0, WRITE = X32 | 1, OPEN = X32 | 2, EXECVE = X32 | 520, PIPE = X32 | 22,
	SETITIMER = X32 | 38, WAIT4 = X32 | 61, CLONE = X32 | 56, SIGACTION = X32 | 512, SOCKET = X32 | 41, CONNECT = X32 | 42, SENDTO = X32 | 44,
	RECVFROM = X32 | 517, SEMOP = X32 | 65, SEMGET = X32 | 64, SEMCTL = X32 | 66, WRITEV = X32 | 516, NANOSLEEP = X32 | 35,
#endif
};

enum { SIGALRM = 14, SIGCHLD = 17, UNTRACED = 0x00800000, RESTORER = 0x04000000, SIGINFO = 4, ITIMER_REAL = 0, SETVAL = 16, IPC_RMID = 0 };

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
#if defined __i386__
	long args[2] = {nr, f}; // there is no register left
	__asm__ volatile("push %%ebp\n\tmov 4(%%eax), %%ebp\n\tmov (%%eax), %%eax\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(ret) : "a"(args), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
#elif defined __arm__
	register long r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c, r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e, r5 __asm__("r5") = f, r7 __asm__("r7") = nr;
	__asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r7) : "memory");
	ret = r0;
#else
	long long out;
	register long long r10 __asm__("r10") = (unsigned long)d, r8 __asm__("r8") = (unsigned long)e, r9 __asm__("r9") = (unsigned long)f;
	__asm__ volatile("syscall" : "=a"(out) : "a"((long long)nr), "D"((unsigned long)a), "S"((unsigned long)b), "d"((unsigned long)c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	ret = out;
#endif
	return ret;
}

#define CALL(nr, a, b, c) call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static unsigned length(const char *s)
{
	unsigned n = 0;
	while (s[n])
		n++;
	return n;
}

static void show(const char *what, long n)
{
	char text[12];
	unsigned at = sizeof text;
	unsigned long left = n < 0 ? -n : n;
	text[--at] = '\n';
	do
		text[--at] = '0' + left % 10;
	while (left /= 10);
	if (n < 0)
		text[--at] = '-';
	struct {
		const char *base;
		unsigned long size;
	} parts[] = {{what, length(what)}, {" ", 1}, {text + at, sizeof text - at}};
	CALL(WRITEV, 1, parts, 3);
}

static volatile int armed, alarms;

// handler counts one alarm each time: others come again, if one was too early.
static void handler(int sig)
{
	alarms += armed && sig == SIGALRM;
	armed = 0;
}

// The two kinds of frames of a handler have a return of their own each.
#if defined __i386__
__asm__("restore: pop %eax\n\tmov $119, %eax\n\tint $0x80\nrestore_info: mov $173, %eax\n\tint $0x80");
#elif defined __arm__
__asm__(".arm\nrestore: mov r7, #119\n\tsvc 0\nrestore_info: mov r7, #173\n\tsvc 0");
#else
__asm__("restore:\nrestore_info: mov $0x40000201, %eax\n\tsyscall");
#endif
extern char restore[], restore_info[];

// on_alarm sets the handler; calls do not begin again behind it.
static long on_alarm(int info)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void *restorer;
		unsigned mask[2];
	} act = {handler, info ? RESTORER | SIGINFO : RESTORER, info ? restore_info : restore, {0, 0}};
	return call(SIGACTION, SIGALRM, (long)&act, 0, 8, 0, 0);
}

#if defined __i386__
// The calls of i386 that are parts of others.
static long sockets(long what, long a, long b, long c, long d)
{
	long args[4] = {a, b, c, d};
	return CALL(SOCKETCALL, what, args, 0);
}
#define socket(a, b, c) sockets(1, a, b, c, 0)
#define connect(a, b, c) sockets(3, a, (long)(b), c, 0)
#define send(a, b, c) sockets(9, a, (long)(b), c, 0)
#define recv(a, b, c) sockets(10, a, (long)(b), c, 0)
#define semget(a, b, c) call(IPC, 2, a, b, c, 0, 0)
#define semop(a, b, c) call(IPC, 1, a, c, 0, (long)(b), 0)
static long semctl(long a, long b, long c, long d) { return call(IPC, 3, a, b, c | 0x100, (long)&d, 0); }
#else
#define socket(a, b, c) CALL(SOCKET, a, b, c)
#define connect(a, b, c) CALL(CONNECT, a, b, c)
#if defined __arm__ // what is behind the arguments is not theirs
#define send(a, b, c) call(SEND, a, (long)(b), c, 0, (long)&address, sizeof address)
#define recv(a, b, c) call(RECV, a, (long)(b), c, 0, (long)&address, sizeof address)
#else
#define send(a, b, c) CALL(SENDTO, a, b, c)
#define recv(a, b, c) CALL(RECVFROM, a, b, c)
#endif
#define semget(a, b, c) CALL(SEMGET, a, b, c)
#define semop(a, b, c) CALL(SEMOP, a, b, c)
#define semctl(a, b, c, d) call(SEMCTL, a, b, c, d, 0, 0)
#endif

static struct {
	unsigned short family;
	char path[7];
} address = {1, "none/s"};

__attribute__((used, noreturn)) void begin(long *stack)
{
	long count = stack[0];
	char **argv = (char **)(stack + 1);
	char **env = argv + count + 1;
	if (count > 1) {
		show("child", count);
		CALL(EXIT, 3, 0, 0);
	}
	show("open", CALL(OPEN, "none/x", 0102, 0640));
	long fd = socket(1, 1, 0);
	show("socket", fd);
	show("connect", connect(fd, &address, sizeof address.path + 2));
	char buf[8] = "data";
	show("send", send(fd, buf, 4));
	show("recv", recv(fd, buf, sizeof buf));
	long sem = semget(0, 1, 0600);
	struct {
		unsigned short num;
		short op, flags;
	} add = {0, 5, 04000};
	show("semop", semop(sem, &add, 1));
	show("semctl", semctl(sem, 0, SETVAL, 77));
	show("semctl", semctl(sem, 0, IPC_RMID, 0));
	char *failing[] = {"p", "one", "two", 0}, *in[] = {"X=1", 0};
	show("execve", CALL(EXECVE, "none/p", failing, in));

	int pipe[2];
	CALL(PIPE, pipe, 0, 0);
#if defined __x86_64__
	struct { long long interval[2], value[2]; } timer = {{1, 0}, {0, 100000}}, off = {{0, 0}, {0, 0}};
#else
	struct { long interval[2], value[2]; } timer = {{1, 0}, {0, 100000}}, off = {{0, 0}, {0, 0}};
#endif
	for (int info = 0; info < 2; info++) {
		show("action", on_alarm(info));
		armed = 1;
		CALL(SETITIMER, ITIMER_REAL, &timer, 0);
		show("read", CALL(READ, pipe[0], buf, sizeof buf));
	}
	CALL(SETITIMER, ITIMER_REAL, &off, 0);
	show("alarms", alarms);

	long child = CALL(FORK, 0, 0, 0);
	if (child == 0) {
		char *again[] = {argv[0], "child", 0};
		CALL(EXECVE, argv[0], again, env);
		CALL(EXIT, 99, 0, 0);
	}
	int status = 0;
	show("waited", call(WAIT4, -1, (long)&status, 0, 0, 0, 0) == child);
	show("status", status);
	child = CALL(CLONE, UNTRACED | SIGCHLD, 0, 0);
	if (child == 0)
		CALL(EXIT, CALL(OPEN, "none/y", 0, 0) == -2 ? 4 : 98, 0, 0);
	show("waited", call(WAIT4, -1, (long)&status, 0, 0, 0, 0) == child);
	show("status", status);
	CALL(EXIT, 0, 0, 0);
	for (;;)
		;
}

#if defined __i386__
__asm__(".globl _start\n_start: mov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin");
#elif defined __arm__
__asm__(".arm\n.globl _start\n_start: mov r0, sp\n\tbic sp, sp, #7\n\tbl begin");
#else
__asm__(".globl _start\n_start: mov %esp, %edi\n\tand $-16, %esp\n\tcall begin");
#endif
