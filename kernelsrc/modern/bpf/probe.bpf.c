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
#define NPARTS 64 /* of calls that are many */
#define MAXOPS 8

/* The native ABI, that of 32-bit programs, and x32, whose numbers have a bit set. */
enum { NATIVE, NARROW, X32, NABIS };
#define X32_BIT 0x40000000
#define FIRST_X32 512 /* from here on the calls of x32 have pointers of 32 bits */

/* Kinds of records. */
enum { ENTER = 1, EXIT, FORK, EXEC, END, SIGNAL };

/* Kinds of areas: memory of the program, and what the kernel knows. */
enum { MEMORY = 1, FILE_FACTS, SOCKET_FACTS, TASK_FACTS, FILE_PATH, SIZES, CGROUP, PROGRAM };

/* What to copy: the operations of the table. */
enum { OP_STRING = 1, OP_BYTES, OP_SIZED, OP_IOV, OP_MESSAGE, OP_MESSAGES, OP_STRINGS, OP_FILE, OP_SOCKET, OP_FILES, OP_PATH, OP_TASK, OP_SIZES };

#define FAILED_ONLY 1 /* flag of an operation: only if the call has failed */
#define LATE_ONLY 2   /* only if the entry could not read all */
#define EIGHTFOLD 4   /* the length counts words of 8 bytes */

struct op { u8 code, arg, larg, flags; u32 max; };
struct desc {
	struct op enter[MAXOPS], exit[MAXOPS];
	/* Of a call of i386 that is many: where the table has what it does, by its first
	 * argument; and whether its arguments are in memory, where the second one leads. */
	u32 parts, in_memory;
};

struct head {
	u64 ts;
	u32 len;
	u8 kind, abi;
	u16 nr;
	u32 tid, tgid;
	u64 args[8]; /* six registers, the result, the CPU */
};

struct area { u64 addr; u32 len; u8 kind, failed; u16 pad; };

/* Where a record is made: each program has one on each CPU, as newer kernels may run
 * another thread, and with it another program, before one has ended. */
struct scratch { char data[ROOM + SLACK]; u64 number; };
enum { OF_ENTER, OF_LEAVE, OF_EXECUTED, OF_FORKED, OF_ENDED, OF_DELIVERED, SLOTS };

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, struct scratch); } scratches SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, NABIS * NCALLS + NPARTS); __type(key, u32); __type(value, struct desc); } table SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 4096); __type(key, u32); __type(value, u32); } late SEC(".maps");

struct ring { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); };
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, u32); __array(values, struct ring); } rings SEC(".maps");

/* Counters of each CPU: processes for which the family had no room, a full ring by the
 * class of the call. */
enum { TOO_LARGE, NO_RING, LEFT, FULL, NCOUNTERS = FULL + 8 };
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, NCOUNTERS); __type(key, u32); __type(value, u64); } counters SEC(".maps");

/* Which calls are wanted, by abi * NCALLS + number: 1 the entry, 2 the exit, 4 the entry
 * has operations, 8 the exit, 16 it is many; above that its class. */
#define CLASS_SHIFT 5
#define LIFE 1 /* the class of records without a call */
volatile u8 interest[NABIS * NCALLS] SEC(".data.interest");

/* The sensor makes itself known by a getpid with this argument: from then on its own
 * process is left out, and others are recorded. Its number in another pid namespace
 * than the first is not the kernel's. */
volatile const u64 password SEC(".rodata.password") = 0;
volatile u32 self SEC(".data.self") = 0;

/* How many CPUs there may be. */
volatile const u32 cpus SEC(".rodata.cpus") = 1;

/* Whether only those processes are recorded that this one has started, and what they
 * have: the family. Of each process there is how many of its threads have not been told
 * to have ended, so that the last one to be told takes it out. */
volatile const u8 family_only SEC(".rodata.family_only") = 0;
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 65536); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, u32); __type(value, u32); } family SEC(".maps");

/* Whether signals are recorded. */
volatile const u8 signals SEC(".rodata.signals") = 0;

#define BOUND(x, mask) do { asm volatile("" : "+r"(x)); x &= (mask); } while (0)

static __always_inline struct scratch *scratch(u32 slot)
{
	u32 key = bpf_get_smp_processor_id() * SLOTS + slot;

	return bpf_map_lookup_elem(&scratches, &key);
}

static __always_inline void count(u32 what)
{
	u64 *n = bpf_map_lookup_elem(&counters, &what);

	if (n)
		__sync_fetch_and_add(n, 1); /* another thread may count on this CPU meanwhile */
}

/* A program is not run for what a thread does while it runs for another one that
 * this CPU has left in its middle. Where kernels do that the probe is there more than
 * once, each time with its own memory and its place in the order in which they run:
 * what was not told by those before is told by the next. What has been told of is
 * marked for the thread, a bit for each program. A mark that is left behind as the
 * last one has not run either hides one thing at most, which the kernel has counted. */
volatile const u32 place SEC(".rodata.place") = 0;
volatile const u32 copies SEC(".rodata.copies") = 1;
struct marks { u8 of[64]; }; /* of as many threads */
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, struct marks); } told SEC(".maps");

static __always_inline int already_told(u32 slot)
{
	u32 tid, key;
	struct marks *m;
	u8 *mark, bit = 1 << slot;
	int known;

	if (copies == 1)
		return 0;
	tid = bpf_get_current_pid_tgid();
	key = tid / sizeof(m->of);
	m = bpf_map_lookup_elem(&told, &key);
	if (!m)
		return place != 0;
	mark = &m->of[tid % sizeof(m->of)];
	known = place && *mark & bit;
	if (slot == OF_ENTER || slot == OF_LEAVE)
		*mark = 0; /* no other mark is of now */
	*mark = place == copies - 1 ? *mark & ~bit : *mark | bit;
	return known;
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

	if (slot == OF_ENTER)
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

/* What is longer than one copy may be: more of them. */
#define MANY 14

__attribute__((noinline)) int put_data(u32 slot, u32 off, u64 addr, u32 len)
{
	for (int i = 0; i < MANY; i++) {
		u32 n = len > COPY ? COPY : len;

		off = put_bytes(slot, off, addr, n);
		if (len <= COPY)
			break;
		addr += COPY;
		len -= COPY;
	}
	return off;
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
	if (n < 0) { /* it has no end before the next page, or cannot be read at all */
		missing(slot);
		return put_bytes(slot, off, addr, 4096 - (addr & 4095));
	}
	put_head(s, off, addr, n, MEMORY, 0);
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
			off = put_data(slot, off, base, size);
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

/* Whether the verifier knows what the current task is: what that leads to is read
 * without a helper then (Linux 5.11). */
#define KNOWN_TASK bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

static __always_inline struct file *file_of(int fd)
{
	struct file **fds, *f = 0;
	u32 max;

	if (KNOWN_TASK) {
		struct fdtable *fdt = bpf_get_current_task_btf()->files->fdt;

		max = fdt->max_fds;
		fds = fdt->fd;
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();
		struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);

		max = BPF_CORE_READ(fdt, max_fds);
		fds = BPF_CORE_READ(fdt, fd);
	}
	if (fd < 0 || (u32)fd >= max)
		return 0;
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

#define OVERLAYFS_MAGIC 0x794c7630
#define IN_UPPER 2
#define IN_LOWER 4

/* An inode of an overlay file system stands right before the dentry that it has in the
 * upper layer, if it is there (fs/overlayfs/ovl_entry.h, struct ovl_inode). */
static __always_inline u32 layer(struct inode *i)
{
	struct dentry *upper = 0;

	if (BPF_CORE_READ(i, i_sb, s_magic) != OVERLAYFS_MAGIC)
		return 0;
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)i + bpf_core_type_size(struct inode));
	return upper && BPF_CORE_READ(upper, d_inode) ? IN_UPPER : IN_LOWER;
}

struct file_facts { u64 ino; u32 dev, mode, layer, pad; };

__attribute__((noinline)) int put_file(u32 slot, u32 off, int fd)
{
	struct scratch *s = scratch(slot);
	struct file_facts x = {};
	struct file *f = file_of(fd);
	struct inode *i;
	u32 at;

	if (!s || full(off) || !f)
		return off;
	i = BPF_CORE_READ(f, f_inode);
	x.ino = BPF_CORE_READ(i, i_ino);
	x.dev = BPF_CORE_READ(i, i_sb, s_dev);
	x.mode = BPF_CORE_READ(f, f_mode);
	x.layer = layer(i);
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

/* The kernel's address of a unix socket has a NUL behind the longest path there is too. */
#define UNIX_ADDRESS (2 + 108 + 1)

#define SOCKFS_MAGIC 0x534F434B

static __always_inline u32 unix_name(struct sock *sk, u8 *dst)
{
	struct unix_address *a = BPF_CORE_READ((struct unix_sock *)sk, addr);
	u32 n = a ? BPF_CORE_READ(a, len) : 0;

	if (!n || n > UNIX_ADDRESS)
		return 0;
	BOUND(n, 127);
	if (n > UNIX_ADDRESS)
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
	struct inode *i;
	u32 at;

	if (!s || full(off) || !f)
		return off;
	i = BPF_CORE_READ(f, f_inode);
	if (BPF_CORE_READ(i, i_sb, s_magic) != SOCKFS_MAGIC)
		return off;
	sock = BPF_CORE_READ(f, private_data);
	sk = BPF_CORE_READ(sock, sk);
	if (!sk)
		return off;
	at = put_head(s, off, (u32)fd, sizeof(*x), SOCKET_FACTS, 0);
	BOUND(at, ROOM - 1);
	x = (void *)(s->data + at);
	__builtin_memset(x, 0, sizeof(*x));
	x->ino = BPF_CORE_READ(i, i_ino);
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
		x->queue = BPF_CORE_READ(sk, sk_receive_queue.qlen);
		x->named = unix_name(sk, x->name);
		peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
		if (peer) {
			x->peer_named = unix_name(peer, x->peer_name);
			x->peer_port = 1; /* there is one */
		}
	}
	return at + sizeof(*x);
}

/* When a task was started: ns since boot. */
static __always_inline u64 started(struct task_struct *t)
{
	struct task_struct___5_4 *old = (void *)t;

	if (bpf_core_field_exists(t->start_boottime))
		return BPF_CORE_READ(t, start_boottime);
	return BPF_CORE_READ(old, real_start_time);
}

struct sizes { u64 vm, rss, swap; }; /* pages */

/* A counter of pages is a number and, since 6.2, what each CPU has counted and not
 * added to it yet: of a young process all. Of very many CPUs that is left out. */
#define MAX_CPUS 32

/* A pointer of the verifier's as a number. */
static __always_inline u64 number(struct scratch *s, const void *p)
{
	*(volatile u64 *)&s->number = (u64)p;
	return *(volatile u64 *)&s->number;
}

/* How far the memory of a CPU is from where an address of such memory points to: as
 * far as its counters are from what their map has of them. */
static __always_inline u64 offset_of(struct scratch *s, u32 cpu)
{
	u32 key = 0;
	void *there = bpf_map_lookup_percpu_elem(&counters, &key, cpu);
	u64 map = number(s, &counters), base = 0;

	if (!there || bpf_probe_read_kernel(&base, 8, (void *)map + bpf_core_field_offset(struct bpf_array, pptrs)))
		return 0;
	return number(s, there) - base;
}

static __always_inline u64 pages(struct scratch *s, struct mm_struct *mm, u32 which)
{
	struct mm_struct___percpu *new = (void *)mm;
	s64 n;

	if (bpf_core_type_exists(struct mm_rss_stat)) {
		bpf_core_read(&n, 8, &((struct mm_struct___plain *)mm)->rss_stat.count[which & 3]);
	} else {
		struct percpu_counter *c = &new->rss_stat[0];
		s32 *each;

		c = (void *)c + (which & 3) * bpf_core_type_size(struct percpu_counter);
		n = BPF_CORE_READ(c, count);
		each = BPF_CORE_READ(c, counters);
		for (u32 cpu = 0; cpu < MAX_CPUS && cpu < cpus; cpu++) {
			u64 offset = offset_of(s, cpu);
			s32 v = 0;

			if (offset && !bpf_probe_read_kernel(&v, 4, (void *)each + offset))
				n += v;
		}
	}
	return n < 0 ? 0 : n;
}

enum { MM_FILE, MM_ANON, MM_SWAP, MM_SHMEM };

static __always_inline void sizes_of(struct scratch *s, struct sizes *x, struct task_struct *t)
{
	struct mm_struct *mm = BPF_CORE_READ(t, mm);

	if (!mm)
		return;
	x->vm = BPF_CORE_READ(mm, total_vm);
	x->rss = pages(s, mm, MM_FILE) + pages(s, mm, MM_ANON) + pages(s, mm, MM_SHMEM);
	x->swap = pages(s, mm, MM_SWAP);
}

__attribute__((noinline)) int put_sizes(u32 slot, u32 off)
{
	struct scratch *s = scratch(slot);
	struct sizes x = {};
	u32 at;

	if (!s || full(off))
		return off;
	sizes_of(s, &x, (void *)bpf_get_current_task());
	at = put_head(s, off, 0, sizeof(x), SIZES, 0);
	BOUND(at, ROOM - 1);
	*(struct sizes *)(s->data + at) = x;
	return at + sizeof(x);
}

#define EXE_READONLY 1 /* its mount, or it cannot be changed; beside IN_UPPER, IN_LOWER */

struct task_facts {
	u64 cap_inheritable, cap_permitted, cap_effective;
	u64 exe_ino, exe_ctime, exe_mtime;
	u64 fdlimit, minflt, majflt, ns_start;
	struct sizes sizes;
	u32 exe_dev, exe_nlink, exe_uid, exe_gid, exe_mode, exe_flags;
	u32 parent, pgid, vpgid, vpid, vtid, level, apart;
	u32 tty, loginuid, uid, gid, pad;
	char comm[16];
};

static __always_inline struct upid *innermost(struct pid *pid)
{
	u32 level = BPF_CORE_READ(pid, level);

	if (level > 32)
		level = 32; /* MAX_PID_NS_LEVEL */
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid);
}

static __always_inline u32 inner(struct pid *pid) { return BPF_CORE_READ(innermost(pid), nr); }

static __always_inline u32 outer(struct pid *pid)
{
	struct upid *first = (void *)pid + bpf_core_field_offset(struct pid, numbers);

	return BPF_CORE_READ(first, nr);
}

#define SB_RDONLY 1
#define MNT_READONLY 0x40
#define S_IMMUTABLE 8

#define RLIMIT_NOFILE 7
#define PIDTYPE_PGID 2

static __always_inline u32 put_task(struct scratch *s, u32 off, struct task_struct *t)
{
	u32 at = put_head(s, off, 0, sizeof(struct task_facts), TASK_FACTS, 0);
	const struct cred *cred = BPF_CORE_READ(t, cred);
	struct pid_namespace *ns;
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
		x->exe_dev = BPF_CORE_READ(exe, i_sb, s_dev);
		x->exe_nlink = BPF_CORE_READ(exe, i_nlink);
		x->exe_uid = BPF_CORE_READ(exe, i_uid.val);
		x->exe_gid = BPF_CORE_READ(exe, i_gid.val);
		x->exe_mode = BPF_CORE_READ(exe, i_mode);
		times(exe, &x->exe_ctime, &x->exe_mtime);
		x->exe_flags = layer(exe);
		if (BPF_CORE_READ(exe, i_sb, s_flags) & SB_RDONLY || BPF_CORE_READ(exe, i_flags) & S_IMMUTABLE ||
		    BPF_CORE_READ(t, mm, exe_file, f_path.mnt, mnt_flags) & MNT_READONLY)
			x->exe_flags |= EXE_READONLY;
	}
	sizes_of(s, &x->sizes, t);
	x->fdlimit = BPF_CORE_READ(t, signal, rlim[RLIMIT_NOFILE].rlim_cur);
	x->minflt = BPF_CORE_READ(t, min_flt);
	x->majflt = BPF_CORE_READ(t, maj_flt);
	x->parent = BPF_CORE_READ(t, real_parent, tgid);
	p = BPF_CORE_READ(t, signal, pids[PIDTYPE_PGID]);
	x->pgid = outer(p);
	x->vpgid = inner(p);
	p = BPF_CORE_READ(t, thread_pid);
	x->vtid = inner(p);
	x->level = BPF_CORE_READ(p, level);
	ns = BPF_CORE_READ(innermost(p), ns);
	x->apart = BPF_CORE_READ(t, nsproxy, pid_ns_for_children) != ns;
	x->ns_start = started(BPF_CORE_READ(ns, child_reaper));
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
	bpf_core_read(x->comm, 16, &t->comm);
	return at + sizeof(*x);
}

__attribute__((noinline)) int put_current(u32 slot, u32 off)
{
	struct scratch *s = scratch(slot);

	if (!s || full(off))
		return off;
	return put_task(s, off, (void *)bpf_get_current_task());
}

/* Marks of a path. */
#define PATH_DELETED 1
#define PATH_PSEUDO 2 /* of a file that is in no directory: its name */
#define PATH_CUT 4

/* The name of a directory or file, and the directory that it is in, which most kernels
 * have right before it: read at once. */
static __always_inline struct dentry *parent_of(struct dentry *d, const unsigned char **name)
{
	u32 at = bpf_core_field_offset(struct dentry, d_parent);

	if (bpf_core_field_offset(struct dentry, d_name.name) == at + 16) {
		u64 x[3] = {};

		bpf_probe_read_kernel(x, sizeof(x), (void *)d + at);
		*name = (void *)x[2];
		return (void *)x[0];
	}
	*name = BPF_CORE_READ(d, d_name.name);
	return BPF_CORE_READ(d, d_parent);
}

#define AT_FDCWD -100

/* The path of a descriptor, of the working directory, or of the executable (-1): its last name first,
 * each with a NUL. A path leads up to the root of the mount, goes on where that is mounted, and ends
 * at the root of all. */
__attribute__((noinline)) int put_path(u32 slot, u32 off, int fd)
{
	struct scratch *s = scratch(slot);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *f = 0;
	struct dentry *d, *root;
	struct vfsmount *v;
	u32 start = off + sizeof(struct area), at = start;
	u8 marks = PATH_CUT;

	if (!s || full(off))
		return off;
	if (fd == AT_FDCWD) {
		d = BPF_CORE_READ(task, fs, pwd.dentry);
		v = BPF_CORE_READ(task, fs, pwd.mnt);
	} else {
		f = fd < 0 ? BPF_CORE_READ(task, mm, exe_file) : file_of(fd);
		if (!f)
			return off;
		d = BPF_CORE_READ(f, f_path.dentry);
		v = BPF_CORE_READ(f, f_path.mnt);
	}
	root = BPF_CORE_READ(v, mnt_root);
	for (int i = 0; i < 32; i++) {
		const unsigned char *name;
		struct dentry *parent;
		u32 o;
		long n;

		if (d == root) {
			struct mount *m = (void *)v - bpf_core_field_offset(struct mount, mnt);
			struct mount *up = BPF_CORE_READ(m, mnt_parent);

			if (up == m) {
				marks &= ~PATH_CUT;
				break;
			}
			d = BPF_CORE_READ(m, mnt_mountpoint);
			v = (void *)up + bpf_core_field_offset(struct mount, mnt);
			root = BPF_CORE_READ(v, mnt_root);
			continue;
		}
		parent = parent_of(d, &name);
		o = at;
		BOUND(o, ROOM - 1);
		n = bpf_probe_read_kernel_str(s->data + o, 256, name);
		if (n <= 0)
			break;
		at += n & 511;
		if (at - start > COPY - 256)
			break;
		if (!i && d != parent && !BPF_CORE_READ(d, d_hash.pprev))
			marks |= PATH_DELETED;
		if (d == parent) {
			marks = PATH_PSEUDO;
			break;
		}
		d = parent;
	}
	put_head(s, off, (s64)fd, at - start, FILE_PATH, marks);
	return pad(s, at);
}

static __always_inline struct kernfs_node *above(struct kernfs_node *n)
{
	struct kernfs_node___6_15 *new = (void *)n;
	struct kernfs_node___old *old = (void *)n;

	return bpf_core_field_exists(new->__parent) ? BPF_CORE_READ(new, __parent) : BPF_CORE_READ(old, parent);
}

/* The controllers of cgroups that are told of, as tracer/cgroup.go has them. The first
 * few are where those of version 2 are if they have no hierarchy of their own. */
#define CONTROLLERS 14
#define FEW 5

static __always_inline int controller(u32 n)
{
#define ID(name) (bpf_core_enum_value_exists(enum cgroup_subsys_id, name) ? (int)bpf_core_enum_value(enum cgroup_subsys_id, name) : -1)
	switch (n) {
	case 0: return ID(cpuset_cgrp_id);
	case 1: return ID(cpu_cgrp_id);
	case 2: return ID(cpuacct_cgrp_id);
	case 3: return ID(io_cgrp_id);
	case 4: return ID(memory_cgrp_id);
	case 5: return ID(devices_cgrp_id);
	case 6: return ID(freezer_cgrp_id);
	case 7: return ID(net_cls_cgrp_id);
	case 8: return ID(perf_event_cgrp_id);
	case 9: return ID(net_prio_cgrp_id);
	case 10: return ID(hugetlb_cgrp_id);
	case 11: return ID(pids_cgrp_id);
	case 12: return ID(rdma_cgrp_id);
	default: return ID(misc_cgrp_id);
	}
}

/* The path of a cgroup, its last name first. In version 2 it is that of the process,
 * whether the controller reaches down there or not. */
__attribute__((noinline)) int put_cgroup(u32 slot, u32 off, u32 n)
{
	struct scratch *s = scratch(slot);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct cgroup *g = BPF_CORE_READ(task, cgroups, dfl_cgrp), *other = 0;
	u32 start = off + sizeof(struct area), at = start;
	struct cgroup_subsys_state **all, *css = 0;
	struct kernfs_node *kn, *up;
	int id = controller(n);
	u8 marks = PATH_CUT;

	if (!s || full(off))
		return off;
	if (id >= 0) {
		all = (void *)BPF_CORE_READ(task, cgroups) + bpf_core_field_offset(struct css_set, subsys);
		bpf_probe_read_kernel(&css, sizeof(css), all + (id & 15));
		other = BPF_CORE_READ(css, cgroup);
	}
	if (other && BPF_CORE_READ(other, root) != BPF_CORE_READ(g, root))
		g = other;
	else if (n >= FEW)
		return off;
	kn = BPF_CORE_READ(g, kn);
	for (int i = 0; i < 32; i++) {
		u32 o = at;
		long len;

		up = above(kn);
		if (!kn || !up) {
			marks = 0;
			break;
		}
		BOUND(o, ROOM - 1);
		len = bpf_probe_read_kernel_str(s->data + o, 256, BPF_CORE_READ(kn, name));
		if (len <= 0)
			break;
		at += len & 511;
		if (at - start > COPY - 256)
			break;
		kn = up;
	}
	put_head(s, off, n, at - start, CGROUP, marks);
	return pad(s, at);
}

/* Who gets the children of the last thread of a process: the next ancestor that has
 * asked for it, in the same pid namespace, else the first process there. 0: there are none,
 * or they end too. */
static __always_inline u32 heir(struct task_struct *t)
{
	struct pid *p = BPF_CORE_READ(t, thread_pid);
	u32 level = BPF_CORE_READ(p, level), pid = BPF_CORE_READ(t, tgid);
	struct pid_namespace *ns = BPF_CORE_READ(innermost(p), ns);
	struct task_struct *at = t, *first = BPF_CORE_READ(ns, child_reaper);

	if (BPF_CORE_READ(t, signal, live.counter) || BPF_CORE_READ(t, children.next) == (void *)t + bpf_core_field_offset(struct task_struct, children))
		return 0;
	if (BPF_CORE_READ(first, tgid) == pid)
		return 0;
	for (int i = 0; i < 32; i++) {
		struct signal_struct *signal;

		at = BPF_CORE_READ(at, real_parent);
		if (!at || at == first || BPF_CORE_READ(at, thread_pid, level) != level)
			break;
		signal = BPF_CORE_READ(at, signal);
		if (BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper) && BPF_CORE_READ(signal, live.counter))
			return BPF_CORE_READ(at, tgid);
	}
	return BPF_CORE_READ(first, tgid);
}

#if defined(__TARGET_ARCH_x86)
#define GETPID 39
#define EXECVE 59
#else
#define GETPID 172
#define EXECVE 221
#define NARROW_EXECVE 11
#endif

/* Where arguments come from. */
#define TS_COMPAT 2
#define TIF_32BIT (1ul << 22)

#if defined(__TARGET_ARCH_x86)
#define MARK status
#define MARKED TS_COMPAT
#else
#define MARK flags
#define MARKED TIF_32BIT
#endif

static __always_inline u32 narrow(void)
{
	struct task_struct *task;

	if (KNOWN_TASK) {
		task = bpf_get_current_task_btf();
		return (task->thread_info.MARK & MARKED) != 0;
	}
	task = (void *)bpf_get_current_task();
	return (BPF_CORE_READ(task, thread_info.MARK) & MARKED) != 0;
}

/* The registers are an argument of the tracepoint, which the verifier lets read without
 * a helper. */
static __always_inline void arguments(u64 *to, struct pt_regs *r, u32 abi)
{
#if defined(__TARGET_ARCH_x86)
	if (abi == NARROW) {
		to[0] = (u32)r->bx;
		to[1] = (u32)r->cx;
		to[2] = (u32)r->dx;
		to[3] = (u32)r->si;
		to[4] = (u32)r->di;
		to[5] = (u32)r->bp;
		return;
	}
	to[0] = r->di;
	to[1] = r->si;
	to[2] = r->dx;
	to[3] = r->r10;
	to[4] = r->r8;
	to[5] = r->r9;
#else
	to[0] = r->orig_x0;
	to[1] = r->regs[1];
	to[2] = r->regs[2];
	to[3] = r->regs[3];
	to[4] = r->regs[4];
	to[5] = r->regs[5];
	if (abi)
		for (int i = 0; i < 6; i++)
			to[i] = (u32)to[i];
#endif
}

/* The number of a call that returns. One that has executed a program has the number
 * that it has in the ABI of that: x86 sees to it, arm64 leaves that of the caller, and
 * registers without anything in them. */
static __always_inline u64 number_of(struct pt_regs *r, u64 result)
{
#if defined(__TARGET_ARCH_x86)
	return r->orig_ax;
#else
	u32 nr = r->syscallno;

	if (!result && (nr == EXECVE || nr == NARROW_EXECVE) && !(r->orig_x0 | r->regs[1] | r->regs[2]))
		nr = narrow() ? NARROW_EXECVE : EXECVE;
	return nr;
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

static __always_inline void send(struct scratch *s, u32 len, u32 class)
{
	u32 cpu = ((struct head *)s->data)->args[7];
	void *ring = bpf_map_lookup_elem(&rings, &cpu);

	if (!ring) {
		count(NO_RING);
		return;
	}
	if (full(len))
		count(TOO_LARGE); /* it goes out all the same, without what had no room */
	((struct head *)s->data)->len = len;
	BOUND(len, ROOM - 1); /* which it is by what full says */
	if (bpf_ringbuf_output(ring, s->data, len, BPF_RB_NO_WAKEUP))
		count(FULL + (class & 7));
}

/* The interpreter. */
static __always_inline u32 interpret(struct scratch *s, u32 slot, struct op *ops, u32 off)
{
	struct head *h = (void *)s->data;
	u32 tid = h->tid;
	int failed = (s64)h->args[6] < 0, again = 0, asked = 0;
	u32 compat = h->abi == NARROW || (h->abi == X32 && h->nr >= FIRST_X32) ? COMPAT : 0;

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
				off = put_data(slot, off, v, l);
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
				off = put_data(slot, off, v, n);
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
		case OP_PATH:
			if (op.arg == 7)
				v = AT_FDCWD;
			if ((s32)v >= 0 || (s32)v == AT_FDCWD)
				off = put_path(slot, off, v);
			break;
		case OP_TASK:
			off = put_current(slot, off);
			break;
		case OP_SIZES:
			off = put_sizes(slot, off);
			break;
		}
	}
	return off;
}

static __always_inline int left_out(void)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;

	return !self || self == pid || (family_only && !bpf_map_lookup_elem(&family, &pid));
}

/* What is wanted of a call: its bits of interest. */
static __always_inline u8 wanted(u64 *nr, u32 *abi)
{
	u64 n = (u32)*nr;
	u8 bits;

	if (n & X32_BIT) {
		*abi = X32;
		n &= ~X32_BIT;
	}
	if (n >= NCALLS)
		return 0;
	BOUND(n, NCALLS - 1);
	*nr = n;
	if (*abi == X32) {
		bits = interest[X32 * NCALLS + n];
	} else {
		if (!(interest[n] | interest[NARROW * NCALLS + n]))
			return 0;
		*abi = narrow();
		bits = interest[*abi ? NARROW * NCALLS + n : n];
	}
	return !bits || left_out() ? 0 : bits;
}

/* The description of a call. Of one that is many it is that of the one which it
 * carries out, and args become the arguments of that. */
static __always_inline struct desc *describe(struct scratch *s, u32 slot, u32 *off)
{
	struct head *h = (void *)s->data;
	u32 abi = h->abi, key = h->nr & (NCALLS - 1), which;
	struct desc *d;

	if (abi == NARROW)
		key += NARROW * NCALLS;
	else if (abi == X32)
		key += X32 * NCALLS;
	d = bpf_map_lookup_elem(&table, &key);
	if (!d || !d->parts)
		return d;
	which = h->args[0] & 0xffff;
	if (which > 31)
		return d;
	key = d->parts + which;
	if (d->in_memory) {
		u64 from = h->args[1];

		*off = put_bytes(slot, *off, from, 6 * 4);
		for (int i = 0; i < 6; i++)
			h->args[i] = word((void *)from + 4 * i, 1);
	}
	return bpf_map_lookup_elem(&table, &key);
}

SEC("tp_btf/sys_enter")
int enter(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	u64 nr = ctx[1];
	u32 abi = 0, off = sizeof(struct head);
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
	bits = wanted(&nr, &abi);
	if (!(bits & 1) || already_told(OF_ENTER))
		return 0;
	s = scratch(OF_ENTER);
	if (!s)
		return 0;
	h = begin(s, ENTER, abi, nr);
	arguments(h->args, regs, abi);
	if (bits & 4 && (d = describe(s, OF_ENTER, &off))) {
		off = interpret(s, OF_ENTER, d->enter, off);
		if (bits & 16)
			arguments(h->args, regs, abi); /* as they were */
	}
	send(s, off, bits >> CLASS_SHIFT);
	return 0;
}

SEC("tp_btf/sys_exit")
int leave(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	u64 nr = number_of(regs, ctx[1]);
	u32 abi = 0, off = sizeof(struct head);
	struct scratch *s;
	struct head *h;
	struct desc *d;
	u8 bits = wanted(&nr, &abi);

	if (!(bits & 2) || already_told(OF_LEAVE))
		return 0;
	s = scratch(OF_LEAVE);
	if (!s)
		return 0;
	h = begin(s, EXIT, abi, nr);
	arguments(h->args, regs, abi);
	h->args[6] = ctx[1];
	if (abi == NARROW)
		h->args[6] = (s64)(s32)ctx[1];
	if (bits & 8 && (d = describe(s, OF_LEAVE, &off))) {
		off = interpret(s, OF_LEAVE, d->exit, off);
		if (bits & 16)
			arguments(h->args, regs, abi);
	}
	send(s, off, bits >> CLASS_SHIFT);
	return 0;
}

/* The path that an exec has named, as the kernel has taken it: what the program has in its
 * memory it may have changed since, and a page that it has not touched cannot be read at the entry,
 * and is gone at the exit. */
__attribute__((noinline)) int put_program(u32 slot, u32 off, u64 name)
{
	struct scratch *s = scratch(slot);
	u32 at = off + sizeof(struct area);
	long n;

	if (!s || full(off))
		return off;
	BOUND(at, ROOM - 1);
	n = bpf_probe_read_kernel_str(s->data + at, COPY, (void *)name);
	if (n <= 0)
		return off;
	put_head(s, off, 0, n, PROGRAM, 0);
	return pad(s, off + sizeof(struct area) + (n & (SLACK - 1)));
}

SEC("tp_btf/sched_process_exec")
int executed(u64 *ctx)
{
	struct task_struct *t = (void *)ctx[0];
	struct linux_binprm *program = (void *)ctx[2];
	u32 off = sizeof(struct head), n;
	struct scratch *s = scratch(OF_EXECUTED);
	struct head *h;
	u64 from;

	if (!s || left_out() || already_told(OF_EXECUTED))
		return 0;
	h = begin(s, EXEC, narrow(), EXECVE);
	h->args[0] = (u32)ctx[1]; /* the tid of the thread before */
	from = BPF_CORE_READ(t, mm, arg_start);
	h->args[1] = from;
	h->args[2] = BPF_CORE_READ(t, mm, arg_end);
	h->args[3] = BPF_CORE_READ(t, mm, env_start);
	h->args[4] = BPF_CORE_READ(t, mm, env_end);
	h->args[5] = 0;
	off = put_current(OF_EXECUTED, off);
	n = h->args[2] - h->args[1] > COPY ? COPY : h->args[2] - h->args[1];
	off = put_bytes(OF_EXECUTED, off, h->args[1], n);
	n = h->args[4] - h->args[3] > COPY ? COPY : h->args[4] - h->args[3];
	off = put_bytes(OF_EXECUTED, off, h->args[3], n);
	off = put_path(OF_EXECUTED, off, -1);
	off = put_program(OF_EXECUTED, off, (u64)BPF_CORE_READ(program, filename));
	for (u32 n = 0; n < CONTROLLERS; n++)
		off = put_cgroup(OF_EXECUTED, off, n);
	send(s, off, LIFE);
	return 0;
}

/* A thread that was made becomes one of the family. */
static __always_inline void adopt(u32 pid)
{
	u32 one = 1, *threads = bpf_map_lookup_elem(&family, &pid);

	if (threads)
		__sync_fetch_and_add(threads, 1);
	else if (bpf_map_update_elem(&family, &pid, &one, BPF_ANY))
		count(LEFT);
}

SEC("tp_btf/sched_process_fork")
int forked(u64 *ctx)
{
	struct task_struct *child = (void *)ctx[1];
	struct scratch *s = scratch(OF_FORKED);
	struct head *h;
	int out = left_out();

	if (already_told(OF_FORKED))
		return 0;
	if (family_only && (!out || self == bpf_get_current_pid_tgid() >> 32)) {
		u32 pid = BPF_CORE_READ(child, tgid);

		if (pid != self)
			adopt(pid);
	}
	if (!s || out)
		return 0;
	h = begin(s, FORK, 0, 0);
	h->args[0] = BPF_CORE_READ(child, pid);
	h->args[1] = BPF_CORE_READ(child, tgid);
	h->args[2] = h->args[3] = h->args[4] = h->args[5] = 0;
	send(s, put_task(s, sizeof(*h), child), LIFE);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int ended(u64 *ctx)
{
	struct task_struct *t = (void *)ctx[0];
	struct scratch *s = scratch(OF_ENDED);
	struct head *h;

	if (!s || left_out() || already_told(OF_ENDED))
		return 0;
	h = begin(s, END, 0, 0);
	h->args[0] = (u32)BPF_CORE_READ(t, exit_code);
	h->args[1] = heir(t);
	h->args[2] = h->args[3] = h->args[4] = h->args[5] = 0;
	send(s, sizeof(*h), LIFE);
	if (family_only) {
		u32 pid = BPF_CORE_READ(t, tgid), *threads = bpf_map_lookup_elem(&family, &pid);

		if (threads) {
			__sync_fetch_and_add(threads, -1);
			if (!*(volatile u32 *)threads)
				bpf_map_delete_elem(&family, &pid);
		}
	}
	return 0;
}

/* Codes of signals that a process has sent: SI_USER and below; and the children. */
#define SIGCHLD 17

SEC("tp_btf/signal_deliver")
int delivered(u64 *ctx)
{
	struct kernel_siginfo *info = (void *)ctx[1];
	struct scratch *s;
	struct head *h;

	if (!signals || left_out() || already_told(OF_DELIVERED) || !(s = scratch(OF_DELIVERED)))
		return 0;
	h = begin(s, SIGNAL, 0, 0);
	h->args[0] = (u32)ctx[0];
	h->args[1] = h->args[2] = h->args[3] = h->args[4] = h->args[5] = 0;
	/* SEND_SIG_NOINFO and SEND_SIG_PRIV are no addresses. */
	if ((u64)info > 1 && (BPF_CORE_READ(info, si_code) <= 0 || ctx[0] == SIGCHLD))
		h->args[1] = (u32)BPF_CORE_READ(info, _sifields._kill._pid);
	send(s, sizeof(*h), LIFE);
	return 0;
}
