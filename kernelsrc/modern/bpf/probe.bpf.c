/* The probe: it copies what a table says of each system call. The table, which calls
 * are wanted, and what a copy means are user space's (table.go, decode.go).
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Sizes. A record has room bytes; behind it the scratch has as many as one copy
 * may have, so that the verifier sees that none leaves it. */
#define ROOM 65536
#define COPY 4096
#define SLACK 8192
#define NCALLS 1024
#define MAXOPS 8

/* Kinds of records. */
enum { ENTER = 1, EXIT, FORK, EXEC, END };

/* Kinds of areas: memory of the program, and what the kernel knows. */
enum { MEMORY = 1, FILE_FACTS, SOCKET_FACTS, TASK_FACTS, EXE_PATH };

/* What to copy: the operations of the table. */
enum { OP_STRING = 1, OP_BYTES, OP_SIZED, OP_IOV, OP_MESSAGE, OP_MESSAGES, OP_STRINGS, OP_FILE, OP_SOCKET, OP_FILES };

#define FAILED_ONLY 1 /* flag of an operation: only if the call has failed */
#define LATE_ONLY 2   /* only if the entry could not read all */
#define EIGHTFOLD 4   /* the length counts words of 8 bytes */

struct op { u8 code, arg, larg, flags; u32 max; };
struct desc { struct op enter[MAXOPS], exit[MAXOPS]; };

struct head {
	u64 ts;
	u32 len;
	u8 kind, abi;
	u16 nr;
	u32 tid, tgid;
	u64 args[8]; /* six registers, the result, the CPU */
};

struct area { u64 addr; u32 len; u8 kind, failed; u16 pad; };

struct scratch { char data[ROOM + SLACK]; };

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, struct scratch); } scratches SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2 * NCALLS); __type(key, u32); __type(value, struct desc); } table SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 4096); __type(key, u32); __type(value, u32); } late SEC(".maps");

struct ring { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); };
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, u32); __array(values, struct ring); } rings SEC(".maps");

/* Counters of each CPU. */
enum { SEEN, FULL, TOO_LARGE, NO_RING, NCOUNTERS };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, NCOUNTERS); __type(key, u32); __type(value, u64); } counters SEC(".maps");

/* Which calls are wanted, by abi * NCALLS + number: 1 the entry, 2 the exit, 4 the entry
 * has operations, 8 the exit. */
volatile u8 interest[2 * NCALLS] SEC(".data.interest");

/* The sensor makes itself known by a getpid with this argument: from then on its own
 * process is left out, and others are recorded. Its number in another pid namespace
 * than the first is not the kernel's. */
volatile const u64 password SEC(".rodata.password") = 0;
volatile u32 self SEC(".data.self") = 0;

#define BOUND(x, mask) do { asm volatile("" : "+r"(x)); x &= (mask); } while (0)

static __always_inline struct scratch *scratch(u32 slot)
{
	u32 key = bpf_get_smp_processor_id() * 3 + slot;

	return bpf_map_lookup_elem(&scratches, &key);
}

static __always_inline void count(u32 what)
{
	u64 *n = bpf_map_lookup_elem(&counters, &what);

	if (n)
		(*n)++;
}

/* Each function below adds areas to a record and returns its new length. */

static __always_inline u32 aligned(u32 n) { return (n + 7) & ~7u; }

static __always_inline u32 put_head(struct scratch *s, u32 off, u64 addr, u32 len, u8 kind, u8 failed)
{
	struct area a = {.addr = addr, .len = len, .kind = kind, .failed = failed};

	BOUND(off, ROOM - 1);
	*(struct area *)(s->data + off) = a;
	return off + sizeof(a);
}

static __always_inline int full(u32 off) { return off > ROOM - COPY - 256; }

/* What is behind the last byte up to the next multiple of 8 is sent too. */
static __always_inline u32 pad(struct scratch *s, u32 off)
{
	u32 at = off;

	if (!(off & 7))
		return off;
	for (int i = 0; i < 7; i++) {
		u32 o = at + i;

		BOUND(o, ROOM - 1);
		s->data[o] = 0;
	}
	return aligned(off);
}

/* A page that the program has not touched yet cannot be read: the exit tries again. */
static __always_inline void missing(u32 slot)
{
	u32 key = (u32)bpf_get_current_pid_tgid(), one = 1;

	if (slot == 0)
		bpf_map_update_elem(&late, &key, &one, BPF_ANY);
}

__attribute__((noinline)) int put_bytes(u32 slot, u32 off, u64 addr, u32 len)
{
	struct scratch *s = scratch(slot);
	u32 at = off + sizeof(struct area), n = len;
	long err;

	if (!s || full(off))
		return off;
	BOUND(at, ROOM - 1);
	if (n > COPY)
		n = COPY;
	BOUND(n, SLACK - 1);
	err = bpf_probe_read_user(s->data + at, n, (void *)addr);
	if (err) {
		/* As much as is on its first page. */
		u32 here = 4096 - (addr & 4095);

		if (here < n)
			n = here;
		BOUND(n, SLACK - 1);
		err = bpf_probe_read_user(s->data + at, n, (void *)addr);
		if (err)
			n = 0;
		missing(slot);
	}
	put_head(s, off, addr, n, MEMORY, err != 0);
	return pad(s, off + sizeof(struct area) + n);
}

__attribute__((noinline)) int put_string(u32 slot, u32 off, u64 addr)
{
	struct scratch *s = scratch(slot);
	u32 at = off + sizeof(struct area);
	long n;

	if (!s || full(off) || !addr)
		return off;
	BOUND(at, ROOM - 1);
	n = bpf_probe_read_user_str(s->data + at, COPY, (void *)addr);
	if (!n)
		n = 1; /* an empty string: before 6.16 its NUL does not count */
	if (n < 0)
		missing(slot);
	put_head(s, off, addr, n < 0 ? 0 : n, MEMORY, n < 0);
	if (n < 0)
		n = 0;
	return pad(s, off + sizeof(struct area) + (n & (SLACK - 1)));
}

static __always_inline u64 word(const void *p, int compat)
{
	u64 v = 0;
	u32 w = 0;

	if (compat) {
		bpf_probe_read_user(&w, 4, p);
		return w;
	}
	bpf_probe_read_user(&v, 8, p);
	return v;
}

#define COMPAT (1u << 31)

/* A list of buffers, and the first bytes of them. */
__attribute__((noinline)) int put_iov(u32 slot, u32 off, u64 addr, u64 n, u32 limit)
{
	int compat = (limit & COMPAT) != 0;
	u32 w = compat ? 4 : 8, left = limit & ~COMPAT;

	if (n > 32)
		n = 32;
	if (!addr || !n)
		return off;
	off = put_bytes(slot, off, addr, n * 2 * w);
	for (int i = 0; i < 32; i++) {
		u64 base, size;

		if (i >= n || !left)
			break;
		base = word((void *)(addr + 2 * i * w), compat);
		size = word((void *)(addr + (2 * i + 1) * w), compat);
		if (size > left)
			size = left;
		if (size)
			off = put_bytes(slot, off, base, size);
		left -= size;
	}
	return off;
}

/* A struct msghdr and what it leads to. */
__attribute__((noinline)) int put_message(u32 slot, u32 off, u64 addr, u32 limit)
{
	int compat = (limit & COMPAT) != 0;
	u32 w = compat ? 4 : 8, len = 0;
	u64 name, control, size;

	off = put_bytes(slot, off, addr, 8 * w); /* with msg_len of a list */
	name = word((void *)addr, compat);
	bpf_probe_read_user(&len, 4, (void *)(addr + w));
	if (name)
		off = put_bytes(slot, off, name, len > 128 ? 128 : len);
	control = word((void *)(addr + 4 * w), compat);
	size = word((void *)(addr + 5 * w), compat);
	if (control && size)
		off = put_bytes(slot, off, control, size > COPY ? COPY : size);
	return put_iov(slot, off, word((void *)(addr + 2 * w), compat), word((void *)(addr + 3 * w), compat), limit);
}

__attribute__((noinline)) int put_messages(u32 slot, u32 off, u64 addr, u32 n, u32 limit)
{
	u32 stride = limit & COMPAT ? 32 : 64;

	for (int i = 0; i < 32; i++) {
		if (i >= n)
			break;
		off = put_message(slot, off, addr + i * stride, limit);
	}
	return off;
}

/* The strings of an exec, argument by argument. */
__attribute__((noinline)) int put_strings(u32 slot, u32 off, u64 addr, u32 compat)
{
	u32 w = compat ? 4 : 8;

	if (!addr)
		return off;
	for (int i = 0; i < 64; i++) {
		u64 at = word((void *)(addr + i * w), compat);

		off = put_bytes(slot, off, addr + i * w, w);
		if (!at)
			break;
		off = put_string(slot, off, at);
	}
	return off;
}

static __always_inline struct file *file_of(int fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds, *f = 0;

	if (fd < 0 || (u32)fd >= BPF_CORE_READ(fdt, max_fds))
		return 0;
	fds = BPF_CORE_READ(fdt, fd);
	bpf_probe_read_kernel(&f, sizeof(f), fds + fd);
	return f;
}

#define CTIME_QUERIED (1u << 31) /* I_CTIME_QUERIED, since 6.13 */

static __always_inline void times(struct inode *i, u64 *ctime, u64 *mtime)
{
	struct inode___6_11 *new = (void *)i;
	struct inode___6_6 *mid = (void *)i;
	struct inode___old *old = (void *)i;

	if (bpf_core_field_exists(new->i_ctime_sec)) {
		*ctime = BPF_CORE_READ(new, i_ctime_sec) * 1000000000ull + (BPF_CORE_READ(new, i_ctime_nsec) & ~CTIME_QUERIED);
		*mtime = BPF_CORE_READ(new, i_mtime_sec) * 1000000000ull + BPF_CORE_READ(new, i_mtime_nsec);
		return;
	}
	if (bpf_core_field_exists(mid->__i_ctime))
		*ctime = BPF_CORE_READ(mid, __i_ctime.tv_sec) * 1000000000ull + BPF_CORE_READ(mid, __i_ctime.tv_nsec);
	else
		*ctime = BPF_CORE_READ(old, i_ctime.tv_sec) * 1000000000ull + BPF_CORE_READ(old, i_ctime.tv_nsec);
	if (bpf_core_field_exists(mid->__i_mtime))
		*mtime = BPF_CORE_READ(mid, __i_mtime.tv_sec) * 1000000000ull + BPF_CORE_READ(mid, __i_mtime.tv_nsec);
	else
		*mtime = BPF_CORE_READ(old, i_mtime.tv_sec) * 1000000000ull + BPF_CORE_READ(old, i_mtime.tv_nsec);
}

struct file_facts { u64 ino; u32 dev, mode, nlink, pad; };

__attribute__((noinline)) int put_file(u32 slot, u32 off, int fd)
{
	struct scratch *s = scratch(slot);
	struct file_facts x = {};
	struct file *f = file_of(fd);
	u32 at;

	if (!s || full(off) || !f)
		return off;
	x.ino = BPF_CORE_READ(f, f_inode, i_ino);
	x.dev = BPF_CORE_READ(f, f_inode, i_sb, s_dev);
	x.mode = BPF_CORE_READ(f, f_mode);
	x.nlink = BPF_CORE_READ(f, f_inode, i_nlink);
	at = put_head(s, off, (u32)fd, sizeof(x), FILE_FACTS, 0);
	BOUND(at, ROOM - 1);
	*(struct file_facts *)(s->data + at) = x;
	return at + sizeof(x);
}

/* The descriptors that a call has written at addr. */
__attribute__((noinline)) int put_files(u32 slot, u32 off, u64 addr)
{
	int fds[2] = {-1, -1};

	off = put_bytes(slot, off, addr, sizeof(fds));
	bpf_probe_read_user(fds, sizeof(fds), (void *)addr);
	off = put_file(slot, off, fds[0]);
	return put_file(slot, off, fds[1]);
}

struct socket_facts {
	u64 ino;
	u16 family, type, port, peer_port;
	u8 addr[16], peer[16];
	u32 queue, queue_max;
	u32 named, peer_named; /* lengths of unix names */
	u8 name[112], peer_name[112];
};

#define SOCKFS_MAGIC 0x534F434B

static __always_inline u32 unix_name(struct sock *sk, u8 *dst)
{
	struct unix_address *a = BPF_CORE_READ((struct unix_sock *)sk, addr);
	u32 n = a ? BPF_CORE_READ(a, len) : 0;

	if (!n || n > 110)
		return 0;
	BOUND(n, 127);
	if (n > 110)
		return 0;
	/* Of exactly n bytes. Before 5.16 there is a hash before the name. */
	if (bpf_probe_read_kernel(dst, n, (char *)a + bpf_core_field_offset(struct unix_address, name)))
		return 0;
	return n;
}

__attribute__((noinline)) int put_socket(u32 slot, u32 off, int fd)
{
	struct scratch *s = scratch(slot);
	struct socket_facts *x;
	struct file *f = file_of(fd);
	struct sock *sk, *peer;
	struct socket *sock;
	u32 at;

	if (!s || full(off) || !f || BPF_CORE_READ(f, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return off;
	sock = BPF_CORE_READ(f, private_data);
	sk = BPF_CORE_READ(sock, sk);
	if (!sk)
		return off;
	at = put_head(s, off, (u32)fd, sizeof(*x), SOCKET_FACTS, 0);
	BOUND(at, ROOM - 1);
	x = (void *)(s->data + at);
	__builtin_memset(x, 0, sizeof(*x));
	x->ino = BPF_CORE_READ(f, f_inode, i_ino);
	x->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	x->type = BPF_CORE_READ(sk, sk_type);
	x->queue = BPF_CORE_READ(sk, sk_ack_backlog);
	x->queue_max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (x->family == 2 || x->family == 10) {
		x->port = BPF_CORE_READ((struct inet_sock *)sk, inet_sport);
		x->peer_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	}
	if (x->family == 2) {
		u32 a = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr), p = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(x->addr, &a, 4);
		__builtin_memcpy(x->peer, &p, 4);
	} else if (x->family == 10) {
		bpf_core_read(x->addr, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(x->peer, 16, &sk->__sk_common.skc_v6_daddr);
	} else if (x->family == 1) {
		x->named = unix_name(sk, x->name);
		peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
		if (peer) {
			x->peer_named = unix_name(peer, x->peer_name);
			x->peer_port = 1; /* there is one */
		}
	}
	return at + sizeof(*x);
}

/* Where arguments come from. */
#define TS_COMPAT 2
#define TIF_32BIT (1ul << 22)

static __always_inline u32 abi_of(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	return (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT) != 0;
#else
	return (BPF_CORE_READ(task, thread_info.flags) & TIF_32BIT) != 0;
#endif
}

static __always_inline void arguments(u64 *to, struct pt_regs *r, u32 abi)
{
#if defined(__TARGET_ARCH_x86)
	if (abi) {
		to[0] = (u32)BPF_CORE_READ(r, bx);
		to[1] = (u32)BPF_CORE_READ(r, cx);
		to[2] = (u32)BPF_CORE_READ(r, dx);
		to[3] = (u32)BPF_CORE_READ(r, si);
		to[4] = (u32)BPF_CORE_READ(r, di);
		to[5] = (u32)BPF_CORE_READ(r, bp);
		return;
	}
	to[0] = BPF_CORE_READ(r, di);
	to[1] = BPF_CORE_READ(r, si);
	to[2] = BPF_CORE_READ(r, dx);
	to[3] = BPF_CORE_READ(r, r10);
	to[4] = BPF_CORE_READ(r, r8);
	to[5] = BPF_CORE_READ(r, r9);
#else
	to[0] = BPF_CORE_READ(r, orig_x0);
	to[1] = BPF_CORE_READ(r, regs[1]);
	to[2] = BPF_CORE_READ(r, regs[2]);
	to[3] = BPF_CORE_READ(r, regs[3]);
	to[4] = BPF_CORE_READ(r, regs[4]);
	to[5] = BPF_CORE_READ(r, regs[5]);
	if (abi)
		for (int i = 0; i < 6; i++)
			to[i] = (u32)to[i];
#endif
}

static __always_inline u64 number_of(struct pt_regs *r)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(r, orig_ax);
#else
	return (u32)BPF_CORE_READ(r, syscallno);
#endif
}

static __always_inline struct head *begin(struct scratch *s, u8 kind, u8 abi, u16 nr)
{
	struct head *h = (void *)s->data;
	u64 id = bpf_get_current_pid_tgid();

	h->ts = bpf_ktime_get_ns();
	h->kind = kind;
	h->abi = abi;
	h->nr = nr;
	h->tid = id;
	h->tgid = id >> 32;
	h->args[6] = 0;
	h->args[7] = bpf_get_smp_processor_id();
	return h;
}

static __always_inline void send(struct scratch *s, u32 len)
{
	u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&rings, &cpu);

	count(SEEN);
	if (!ring) {
		count(NO_RING);
		return;
	}
	if (full(len))
		count(TOO_LARGE); /* it goes out all the same, without what had no room */
	((struct head *)s->data)->len = len;
	BOUND(len, ROOM - 1); /* which it is by what full says */
	if (bpf_ringbuf_output(ring, s->data, len, BPF_RB_NO_WAKEUP))
		count(FULL);
}

/* The interpreter. */
static __always_inline u32 interpret(struct scratch *s, u32 slot, struct op *ops, u32 off)
{
	struct head *h = (void *)s->data;
	u32 tid = h->tid;
	int failed = (s64)h->args[6] < 0, again = 0, asked = 0;
	u32 compat = h->abi ? COMPAT : 0;

	for (int i = 0; i < MAXOPS; i++) {
		struct op op = ops[i];
		u64 v, l;

		if (!op.code)
			break;
		if (op.flags & FAILED_ONLY && !failed)
			continue;
		if (op.flags & LATE_ONLY) {
			if (!asked) {
				asked = 1;
				again = bpf_map_lookup_elem(&late, &tid) != 0;
				if (again)
					bpf_map_delete_elem(&late, &tid);
			}
			if (!again)
				continue;
		}
		v = h->args[op.arg & 7];
		l = h->args[op.larg & 7];
		if (op.flags & EIGHTFOLD)
			l = (u32)l * 8ull;
		switch (op.code) {
		case OP_STRING:
			off = put_string(slot, off, v);
			break;
		case OP_BYTES: /* of the length in larg; 7: as many as max */
			if (op.larg == 7 || l > op.max)
				l = op.larg == 6 && (s64)l < 0 ? 0 : op.max;
			if (v && l)
				off = put_bytes(slot, off, v, l);
			break;
		case OP_SIZED: { /* of the length behind larg */
			u32 n = 0;

			if (!v || !l)
				break;
			off = put_bytes(slot, off, l, 4);
			bpf_probe_read_user(&n, 4, (void *)l);
			if (n > op.max)
				n = op.max;
			if (n)
				off = put_bytes(slot, off, v, n);
			break;
		}
		case OP_IOV:
			off = put_iov(slot, off, v, l, op.max | compat);
			break;
		case OP_MESSAGE:
			if (v)
				off = put_message(slot, off, v, op.max | compat);
			break;
		case OP_MESSAGES:
			if (v && (s64)l > 0)
				off = put_messages(slot, off, v, l, op.max | compat);
			break;
		case OP_STRINGS:
			off = put_strings(slot, off, v, compat != 0);
			break;
		case OP_FILE:
			off = put_file(slot, off, v);
			break;
		case OP_SOCKET:
			off = put_socket(slot, off, v);
			break;
		case OP_FILES:
			if (v)
				off = put_files(slot, off, v);
			break;
		}
	}
	return off;
}

/* What is wanted of the call of regs: its bits of interest. */
static __always_inline u8 wanted(struct pt_regs *regs, u64 nr, u32 *abi)
{
	u8 bits;

	if (nr >= NCALLS)
		return 0;
	BOUND(nr, NCALLS - 1);
	if (!(interest[nr] | interest[NCALLS + nr]))
		return 0;
	*abi = abi_of();
	bits = interest[*abi ? NCALLS + nr : nr];
	if (!bits || !self || self == bpf_get_current_pid_tgid() >> 32)
		return 0;
	return bits;
}

#if defined(__TARGET_ARCH_x86)
#define GETPID 39
#define EXECVE 59
#else
#define GETPID 172
#define EXECVE 221
#endif

SEC("tp_btf/sys_enter")
int enter(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	u64 nr = ctx[1];
	u32 abi = 0, off = sizeof(struct head), key;
	struct scratch *s;
	struct head *h;
	struct desc *d;
	u8 bits;

	if (!self && nr == GETPID) {
		u64 args[6];

		arguments(args, regs, 0);
		if (args[0] == password)
			self = bpf_get_current_pid_tgid() >> 32;
		return 0;
	}
	bits = wanted(regs, nr, &abi);
	if (!(bits & 1))
		return 0;
	s = scratch(0);
	if (!s)
		return 0;
	h = begin(s, ENTER, abi, nr);
	arguments(h->args, regs, abi);
	key = (abi ? NCALLS : 0) + (nr & (NCALLS - 1));
	if (bits & 4 && (d = bpf_map_lookup_elem(&table, &key)))
		off = interpret(s, 0, d->enter, off);
	send(s, off);
	return 0;
}

SEC("tp_btf/sys_exit")
int leave(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	u64 nr = number_of(regs);
	u32 abi = 0, off = sizeof(struct head), key;
	struct scratch *s;
	struct head *h;
	struct desc *d;
	u8 bits = wanted(regs, nr, &abi);

	if (!(bits & 2))
		return 0;
	s = scratch(1);
	if (!s)
		return 0;
	h = begin(s, EXIT, abi, nr);
	arguments(h->args, regs, abi);
	h->args[6] = ctx[1];
	if (abi)
		h->args[6] = (s64)(s32)ctx[1];
	key = (abi ? NCALLS : 0) + (nr & (NCALLS - 1));
	if (bits & 8 && (d = bpf_map_lookup_elem(&table, &key)))
		off = interpret(s, 1, d->exit, off);
	send(s, off);
	return 0;
}

struct task_facts {
	u64 cap_inheritable, cap_permitted, cap_effective;
	u64 exe_ino, exe_ctime, exe_mtime, exe_sb_dev, exe_nlink;
	u64 fdlimit, vmsize, minflt, majflt, cgroup;
	u32 parent, pgid, vpgid, vpid, vtid, level;
	u32 tty, loginuid, uid, gid, exit_code, reaper;
	char comm[16];
};

static __always_inline u32 inner(struct pid *pid)
{
	u32 level = BPF_CORE_READ(pid, level);
	struct upid *at;
	u32 nr = 0;

	if (level > 32)
		return 0;
	at = (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(&nr, 4, (void *)at + bpf_core_field_offset(struct upid, nr));
	return nr;
}

static __always_inline u32 outer(struct pid *pid)
{
	u32 nr = 0;

	bpf_probe_read_kernel(&nr, 4, (void *)pid + bpf_core_field_offset(struct pid, numbers) + bpf_core_field_offset(struct upid, nr));
	return nr;
}

#define RLIMIT_NOFILE 7
#define PIDTYPE_PGID 2

static __always_inline u32 put_task(struct scratch *s, u32 off, struct task_struct *t)
{
	u32 at = put_head(s, off, 0, sizeof(struct task_facts), TASK_FACTS, 0);
	const struct cred *cred = BPF_CORE_READ(t, cred);
	struct task_facts *x;
	struct tty_struct *tty;
	struct inode *exe;
	struct pid *p;

	BOUND(at, ROOM - 1);
	x = (void *)(s->data + at);
	__builtin_memset(x, 0, sizeof(*x));
	bpf_core_read(&x->cap_inheritable, 8, &cred->cap_inheritable);
	bpf_core_read(&x->cap_permitted, 8, &cred->cap_permitted);
	bpf_core_read(&x->cap_effective, 8, &cred->cap_effective);
	exe = BPF_CORE_READ(t, mm, exe_file, f_inode);
	if (exe) {
		x->exe_ino = BPF_CORE_READ(exe, i_ino);
		x->exe_sb_dev = BPF_CORE_READ(exe, i_sb, s_dev);
		x->exe_nlink = BPF_CORE_READ(exe, i_nlink);
		times(exe, &x->exe_ctime, &x->exe_mtime);
	}
	x->fdlimit = BPF_CORE_READ(t, signal, rlim[RLIMIT_NOFILE].rlim_cur);
	x->vmsize = BPF_CORE_READ(t, mm, total_vm);
	x->minflt = BPF_CORE_READ(t, min_flt);
	x->majflt = BPF_CORE_READ(t, maj_flt);
	x->cgroup = BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
	x->parent = BPF_CORE_READ(t, real_parent, tgid);
	p = BPF_CORE_READ(t, signal, pids[PIDTYPE_PGID]);
	x->pgid = outer(p);
	x->vpgid = inner(p);
	p = BPF_CORE_READ(t, thread_pid);
	x->vtid = inner(p);
	x->level = BPF_CORE_READ(p, level);
	p = BPF_CORE_READ(t, group_leader, thread_pid);
	x->vpid = inner(p);
	tty = BPF_CORE_READ(t, signal, tty);
	if (tty) {
		u32 major = BPF_CORE_READ(tty, driver, major);
		u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);

		x->tty = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
	}
	x->loginuid = bpf_core_field_exists(t->loginuid) ? BPF_CORE_READ(t, loginuid.val) : ~0u;
	x->uid = BPF_CORE_READ(t, cred, euid.val);
	x->gid = BPF_CORE_READ(t, cred, egid.val);
	x->exit_code = BPF_CORE_READ(t, exit_code);
	bpf_core_read(x->comm, 16, &t->comm);
	return at + sizeof(*x);
}

/* The path of the executable, its last name first, each with a NUL: a path leads up to
 * the root of the mount, goes on where that is mounted, and ends at the root of all. */
__attribute__((noinline)) int put_exe(u32 slot, u32 off)
{
	struct scratch *s = scratch(slot);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *f = BPF_CORE_READ(task, mm, exe_file);
	struct dentry *d = BPF_CORE_READ(f, f_path.dentry), *root = BPF_CORE_READ(task, fs, root.dentry);
	struct vfsmount *v = BPF_CORE_READ(f, f_path.mnt), *root_mnt = BPF_CORE_READ(task, fs, root.mnt);
	u32 start = off + sizeof(struct area), at = start;

	if (!s || full(off) || !d)
		return off;
	for (int i = 0; i < 32; i++) {
		struct mount *m = (void *)v - bpf_core_field_offset(struct mount, mnt);
		struct dentry *parent = BPF_CORE_READ(d, d_parent);
		u32 o;
		long n;

		if (d == root && v == root_mnt)
			break;
		if (d == BPF_CORE_READ(v, mnt_root) || d == parent) {
			struct mount *up = BPF_CORE_READ(m, mnt_parent);

			if (up == m)
				break;
			d = BPF_CORE_READ(m, mnt_mountpoint);
			v = (void *)up + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		o = at;
		BOUND(o, ROOM - 1);
		n = bpf_probe_read_kernel_str(s->data + o, 256, BPF_CORE_READ(d, d_name.name));
		if (n <= 0)
			break;
		at += n & 511;
		if (at - start > COPY - 256)
			break;
		d = parent;
	}
	put_head(s, off, 0, at - start, EXE_PATH, 0);
	return pad(s, at);
}

static __always_inline int left_out(void)
{
	return !self || self == bpf_get_current_pid_tgid() >> 32;
}

SEC("tp_btf/sched_process_exec")
int executed(u64 *ctx)
{
	struct task_struct *t = (void *)ctx[0];
	u32 off = sizeof(struct head), n;
	struct scratch *s = scratch(2);
	struct head *h;
	u64 from;

	if (!s || left_out())
		return 0;
	h = begin(s, EXEC, abi_of(), EXECVE);
	h->args[0] = (u32)ctx[1]; /* the tid of the thread before */
	from = BPF_CORE_READ(t, mm, arg_start);
	h->args[1] = from;
	h->args[2] = BPF_CORE_READ(t, mm, arg_end);
	h->args[3] = BPF_CORE_READ(t, mm, env_start);
	h->args[4] = BPF_CORE_READ(t, mm, env_end);
	h->args[5] = 0;
	off = put_task(s, off, t);
	n = h->args[2] - h->args[1] > COPY ? COPY : h->args[2] - h->args[1];
	off = put_bytes(2, off, h->args[1], n);
	n = h->args[4] - h->args[3] > COPY ? COPY : h->args[4] - h->args[3];
	off = put_bytes(2, off, h->args[3], n);
	off = put_exe(2, off);
	send(s, off);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int forked(u64 *ctx)
{
	struct task_struct *child = (void *)ctx[1];
	struct scratch *s = scratch(2);
	struct head *h;

	if (!s || left_out())
		return 0;
	h = begin(s, FORK, 0, 0);
	h->args[0] = BPF_CORE_READ(child, pid);
	h->args[1] = BPF_CORE_READ(child, tgid);
	h->args[2] = h->args[3] = h->args[4] = h->args[5] = 0;
	send(s, put_task(s, sizeof(*h), child));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int ended(u64 *ctx)
{
	struct task_struct *t = (void *)ctx[0];
	struct scratch *s = scratch(2);
	struct head *h;

	if (!s || left_out())
		return 0;
	h = begin(s, END, 0, 0);
	h->args[0] = (u32)BPF_CORE_READ(t, exit_code);
	h->args[1] = h->args[2] = h->args[3] = h->args[4] = h->args[5] = 0;
	send(s, sizeof(*h));
	return 0;
}
