// Calls of a 32-bit program on a 64-bit kernel, whose structures are narrower:
// here made by a 64-bit program, whose memory for them is low.
#include "oracle-calls.h"

#ifdef __x86_64__
static long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r8 __asm__("r8") = f;
	__asm__ volatile("sub $128, %%rsp\n\tpush %%rbp\n\tmov %%r8, %%rbp\n\tint $0x80\n\tpop %%rbp\n\tadd $128, %%rsp"
			 : "=a"(ret), "+r"(r8)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r9", "r10", "r11", "cc");
	return (int)ret;
}

// traced32 makes a 32-bit call between marks.
#define traced32(...) traced32_call((const long[7]){__VA_ARGS__})

static long traced32_call(const long *a)
{
	syscall(MARK);
	long ret = int80(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	syscall(MARK);
	return ret;
}

struct low {
	struct {
		unsigned base, len;
	} iov[3];
	struct {
		unsigned name, name_len, iov, iov_len, control, control_len, flags;
	} msg;
	struct {
		int sec, nsec;
	} ts;
	struct {
		unsigned cur, max;
	} limit;
	unsigned args[6];
	struct {
		unsigned short num;
		short op, flags;
	} sem;
	struct {
		unsigned short family;
		char path[8];
	} addr;
	int value[2];
	char text[100], buf[200], path[20];
};

// wide is a limit as 64-bit programs have it.
static long wide(unsigned limit) { return limit == 0xffffffff ? -1 : limit; }

// parts are calls that others carry out.
static void parts(struct low *m)
{
	enum { SOCKETCALL = 102, IPC = 117 };
	m->args[0] = -1, m->args[1] = P(&m->addr), m->args[2] = 9;
	m->addr.family = 1, strcpy(m->addr.path, "none/s");
	long r = traced32(SOCKETCALL, 3, P(m->args)); // connect
	expect("22 fd=-1 addr=1/\"none/s\"");
	expect("23 res=%ld tuple=- fd=-1 addr=1/\"none/s\"", r);
	m->args[1] = P(m->text), m->args[2] = 5, m->args[3] = 0;
	m->args[4] = P(&m->addr), m->args[5] = 9; // which send does not have
	r = traced32(SOCKETCALL, 9, P(m->args));
	expect("30 fd=-1 size=5 tuple=-");
	expect("31 res=%ld data=%s fd=-1 size=5 tuple=-", r, data(m->text, 5));
	r = traced32(SOCKETCALL, 99, P(m->args)); // there is no such part
	expect("0 ID=277 nativeID=102");
	expect("1 ID=277 nativeID=102");
	r = traced32(SOCKETCALL, 3, 16); // nor arguments
	expect("0 ID=277 nativeID=102");
	expect("1 ID=277 nativeID=102");

	m->sem.num = 3, m->sem.op = -2, m->sem.flags = 04000;
	r = traced32(IPC, 1, -1, 1, 0, P(&m->sem)); // semop
	expect("250 semid=-1");
	expect("251 res=%ld nsops=1 sem_num_0=3 sem_op_0=-2 sem_flg_0=1 sem_num_1=0 sem_op_1=0 sem_flg_1=0 semid=-1", r);
	m->value[0] = 77;
	r = traced32(IPC, 3, -1, 2, 0x100 | 16, P(m->value)); // semctl, SETVAL
	expect("252 semid=-1 semnum=2 cmd=4096 val=77");
	expect("253 res=%ld semid=-1 semnum=2 cmd=4096 val=77", r);
	r = traced32(IPC, 5 << 16 | 23, 0, 0, 0); // shmget, with a version
	expect("0 ID=267 nativeID=117");
	expect("1 ID=267 nativeID=117");
}

// x32 makes calls of x32, which few kernels carry out.
static void x32(struct low *m)
{
	enum { X32 = 0x40000000 };
	strcpy(m->path, "none/x");
	long r = traced(X32 | SYS_open, P(m->path), O_RDWR | O_CREAT, 0640);
	expect("2 name=\"none/x\" flags=7 mode=%d", 0640);
	expect("3 fd=%ld name=\"none/x\" flags=7 mode=%d dev=0 ino=0", r, 0640);
	m->iov[0].base = P(m->text), m->iov[0].len = 30;
	r = traced(X32 | 516, -1, P(m->iov), 1); // writev: its structures are narrow
	expect("118 fd=-1 size=30");
	expect("119 res=%ld data=%s fd=-1 size=30", r, data(m->text, 30));
}

static void calls(struct low *m)
{
	int p[2];
	need(pipe(p) == 0, "pipe");
	for (int i = 0; i < 100; i++)
		m->text[i] = 'a' + i % 26;
	m->iov[0].base = P(m->text), m->iov[0].len = 30;
	m->iov[1].base = P(m->text + 40), m->iov[1].len = 60;
	m->iov[2].base = 0, m->iov[2].len = 5;
	char joined[90];
	memcpy(joined, m->text, 30);
	memcpy(joined + 30, m->text + 40, 60);

	long r = traced32(146, p[1], P(m->iov), 2); // writev
	expect("118 fd=%d size=90", p[1]);
	expect("119 res=%ld data=%s fd=%d size=90", r, data(joined, 90), p[1]);
	m->iov[0].base = P(m->buf), m->iov[1].base = P(m->buf + 30);
	r = traced32(145, p[0], P(m->iov), 2); // readv
	expect("116 fd=%d", p[0]);
	expect("117 res=%ld size=%ld data=%s fd=%d", r, r, data(joined, 90), p[0]);
	r = traced32(4, 0xffffffff, P(m->text), 10); // write to -1: the event has its sign
	expect("8 fd=-1 size=10");
	expect("9 res=%ld data=%s fd=-1 size=10", r, data(m->text, 10));
	close(p[0]), close(p[1]);

	m->msg.iov = P(m->iov), m->msg.iov_len = 2;
	r = traced32(370, -1, P(&m->msg), 0); // sendmsg
	expect("48 fd=-1 size=90 tuple=-");
	expect("49 res=%ld data=%s fd=-1 size=90 tuple=-", r, data(joined, 90));
	r = traced32(372, -1, P(&m->msg), 0); // recvmsg
	expect("52 fd=-1");
	expect("53 res=%ld size=0 data=- tuple=- msgcontrol=- fd=-1", r);
	m->value[0] = 5, m->value[1] = 10;
	r = traced32(366, -1, 1, 20, P(m->value), 8); // setsockopt, SO_RCVTIMEO
	expect("44");
	expect("45 res=%ld fd=-1 level=1 optname=20 val=4:5000010000 optlen=8", r);

	m->ts.nsec = 70;
	r = traced32(162, P(&m->ts), 0); // nanosleep
	expect("134 interval=70");
	expect("135 res=%ld interval=70", r);
	struct rlimit now;
	need(getrlimit(RLIMIT_NOFILE, &now) == 0, "getrlimit");
	r = traced32(191, RLIMIT_NOFILE, P(&m->limit)); // ugetrlimit
	need(r == 0, "ugetrlimit");
	expect("140 resource=7");
	expect("141 res=0 cur=%ld max=%ld resource=7", wide(m->limit.cur), wide(m->limit.max));
	m->limit.cur = 50, m->limit.max = 10020;
	r = traced32(75, 99, P(&m->limit)); // setrlimit
	expect("142 resource=255");
	expect("143 res=%ld cur=50 max=10020 resource=255", r);
	m->limit.cur = m->limit.max = -1;
	r = traced32(75, RLIMIT_CPU, P(&m->limit));
	expect("142 resource=0");
	expect("143 res=%ld cur=-1 max=-1 resource=0", r);
	m->value[0] = 24, m->value[1] = 77;
	r = traced32(187, -1, -2, P(m->value), 37); // sendfile: a 32-bit offset
	expect("188 out_fd=-1 in_fd=-2 offset=24 size=37");
	expect("189 res=%ld offset=24 out_fd=-1 in_fd=-2 size=37", r);
	r = traced32(239, -1, -2, P(m->value), 37); // sendfile64
	expect("188 out_fd=-1 in_fd=-2 offset=%lu size=37", 24 | 77ul << 32);
	expect("189 res=%ld offset=%lu out_fd=-1 in_fd=-2 size=37", r, 24 | 77ul << 32);

	strcpy(m->path, "none/x");
	r = traced32(5, P(m->path), O_RDWR | O_CREAT, 0640); // open
	expect("2 name=\"none/x\" flags=7 mode=%d", 0640);
	expect("3 fd=%ld name=\"none/x\" flags=7 mode=%d dev=0 ino=0", r, 0640);
	r = traced32(192, 0, 4096, 3, 0x22, -1, 7); // mmap2: its offset is in pages
	expect("160 addr=0 length=4096 prot=3 flags=10 fd=-1 offset=28672");
	expect("161 res=%ld vm_size=+ vm_rss=+ vm_swap=* addr=0 length=4096 prot=3 flags=10 fd=-1 offset=28672", r);
	r = traced32(20); // getpid
	expect("0 ID=16 nativeID=20");
	expect("1 ID=16 nativeID=20");
	need(r > 0, "getpid");
	parts(m);
	x32(m);
}
#endif

int main(int argc, char **argv)
{
	begin_calls(argc, argv);
#ifdef __x86_64__
	pid_t child = fork();
	if (child == 0) {
		int80(20, 0, 0, 0, 0, 0, 0);
		_exit(0);
	}
	int status;
	waitpid(child, &status, 0);
	struct low *low = mmap(NULL, sizeof *low, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (status == 0 && low != MAP_FAILED)
		calls(low);
	else
#endif
		missing("32-bit system calls");
	long r = traced(SYS_close, -1); // and a call as usual
	expect("4 fd=-1");
	expect("5 res=%ld fd=-1", r);
	return 0;
}
