// Memory: mmap, munmap, brk, mprotect, mlock. Descriptors: fcntl, ioctl, flock,
// eventfd, signalfd, timerfd_create, inotify_init, epoll_create, memfd_create,
// pidfd_open, pidfd_getfd, userfaultfd, io_uring, bpf, open_by_handle_at,
// close_range.
#include "oracle-calls.h"
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <sys/file.h>
#include <sys/ioctl.h>

static const char sizes[] = "vm_size=+ vm_rss=+ vm_swap=*";

static void test_mmap(unsigned long addr, unsigned long len, unsigned prot, unsigned ppm_prot, unsigned flags, unsigned ppm_flags, int fd, unsigned long at)
{
	char both[300];
#ifdef SYS_mmap2 // the offset is in units of 4096 bytes
	long r = traced(SYS_mmap2, addr, len, prot, flags, fd, at / 4096);
	at &= ~4095ul;
#else
	long r = traced(SYS_mmap, addr, len, prot, flags, fd, at);
#endif
	sprintf(both, "addr=%lu length=%lu prot=%u flags=%u fd=%d offset=%lu", addr, len, ppm_prot, ppm_flags, fd, at);
	expect("160 %s", both);
	expect("161 res=%ld %s %s", r, sizes, both);
	if (r > 0)
		munmap((void *)r, len);
}

static void memory(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && ftruncate(fd, 8192) == 0, "a file");
	test_mmap(0, 8192, PROT_READ | PROT_WRITE, 3, MAP_PRIVATE | MAP_ANONYMOUS, 2 | 8, -1, 0);
	test_mmap(0, 4096, PROT_READ, 1, MAP_SHARED | MAP_POPULATE, 1 | 0x80, fd, 4096);
	test_mmap(0, 4096, PROT_EXEC | PROT_READ, 5, MAP_SHARED, 1, -1, 1023);
	test_mmap(4096, BIT(50), PROT_NONE, 0, 0x1f0b2, 0x59ce, -7, BIT(62));
	test_mmap(0, 0, 0x0300001b, 0x73 | 8, MAP_SHARED, 1, -1, 0);

	long page = 4096;
	char *m = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long areas[][2] = {{P(m), page}, {1, 1024}, {P(m), 0}, {-4096, BIT(40)}};
	long r;
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_munmap, areas[i][0], areas[i][1], 1234);
		expect("164 addr=%lu length=%lu", areas[i][0], areas[i][1]);
		expect("165 res=%ld %s addr=%lu length=%lu", r, sizes, areas[i][0], areas[i][1]);
	}
	m += page;
	static const int prots[][2] = {{PROT_READ | PROT_EXEC, 5}, {PROT_READ | PROT_WRITE, 3}, {0x10 | 8, 0x48}, {0x01000000, 0x10}};
	unsigned long bases[] = {P(m), 1};
	for (int i = 0; i < 8; i++) {
		r = traced(SYS_mprotect, bases[i % 2], page, prots[i / 2][0]);
		expect("328 addr=%lu length=4096 prot=%d", bases[i % 2], prots[i / 2][1]);
		expect("329 res=%ld addr=%lu length=4096 prot=%d", r, bases[i % 2], prots[i / 2][1]);
	}
	r = traced(SYS_brk, 0);
	expect("158 addr=0");
	expect("159 res=%ld %s addr=0", r, sizes);
	unsigned long top = r + 4096;
	r = traced(SYS_brk, top);
	expect("158 addr=%lu", top);
	expect("159 res=%ld %s addr=%lu", r, sizes, top);

	unsigned long locks[][2] = {{P(m), 4096}, {0, 4096}, {0, 37}, {-1, -1}};
	for (int i = 0; i < 4; i++) {
		unsigned long *l = locks[i];
		r = traced(SYS_mlock, l[0], l[1]);
		if (new_event(SYS_mlock, 91)) {
			expect("344");
			expect("345 res=%ld addr=%lu len=%lu", r, l[0], l[1]);
		}
		r = traced(SYS_munlock, l[0], l[1]);
		if (new_event(SYS_munlock, 92)) {
			expect("346");
			expect("347 res=%ld addr=%lu len=%lu", r, l[0], l[1]);
		}
		for (int flags = 0; flags < 3; flags++) {
			r = traced(SYS_mlock2, l[0], l[1], flags);
			if (new_event(SYS_mlock2, 333)) {
				expect("370");
				expect("371 res=%ld addr=%lu len=%lu flags=%d", r, l[0], l[1], flags & 1);
			}
		}
	}
	static const int all[][2] = {{2 | 4, 6}, {1 | 4, 5}, {0, 0}, {0x108, 0}};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_mlockall, all[i][0]);
		if (new_event(SYS_mlockall, 93)) {
			expect("348");
			expect("349 res=%ld flags=%d", r, all[i][1]);
		}
		r = traced(SYS_munlockall);
		if (new_event(SYS_munlockall, 94)) {
			expect("350");
			expect("351 res=%ld", r);
		}
	}
	close(fd);
}

static void test_fcntl(int fd, int cmd, int ppm, unsigned long arg)
{
	long r = traced(SYS_fcntl, fd, cmd, arg);
	expect("150 fd=%d cmd=%d", fd, ppm);
	expect("151 res=%ld fd=%d cmd=%d arg=%lu", r, fd, ppm, arg);
}

static void controls(void)
{
	static const int cmds[][2] = {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 8}, {7, 9}, {8, 10}, {9, 12}, {10, 13}, {11, 15}, {15, 0x15},
				      {16, 0x16}, {36, 0x1e}, {37, 0x1f}, {38, 0x20}, {1024, 0x17}, {1025, 0x18}, {1026, 0x1b}, {1029, 0x19}, {1030, 0x1a},
				      {1031, 0x1c}, {1032, 0x1d}, {1033, 0}, {99, 0}};
	for (size_t i = 0; i < sizeof cmds / sizeof *cmds; i++)
		test_fcntl(-1, cmds[i][0], cmds[i][1], 123);
	int fd = open("file", O_RDWR);
	test_fcntl(fd, F_DUPFD, 1, 100);
	test_fcntl(fd, F_DUPFD_CLOEXEC, 0x1a, 100);
	test_fcntl(fd, F_GETFL, 4, 0);
	test_fcntl(fd, F_SETFD, 3, FD_CLOEXEC);
	test_fcntl(fd, F_GETLK, 6, P(gap));
	test_fcntl(fd, F_SETLK, 8, -1ul);

	unsigned long ioctls[][3] = {{-1, 0x8938, 0}, {fd, FIONREAD, P(gap - 4)}, {fd, FIONREAD, P(gap)}, {fd, 0xffffffff, -1}, {fd, FIOCLEX, 7},
				     {fd, (unsigned long)0xdead00000000ull | FIOCLEX, 7}}; // of which the kernel takes the lower half
	for (int i = 0; i < 6; i++) {
		unsigned long *a = ioctls[i];
		long r = traced(SYS_ioctl, a[0], a[1], a[2]);
		expect("170 fd=%d request=%u argument=%lu", (int)a[0], (unsigned)a[1], a[2]);
		expect("171 res=%ld fd=%d request=%u argument=%lu", r, (int)a[0], (unsigned)a[1], a[2]);
	}
	static const int locks[] = {LOCK_EX, LOCK_SH | LOCK_NB, LOCK_UN, LOCK_EX | LOCK_NB, 0x50};
	for (int i = 0; i < 10; i++) {
		int on = i % 2 ? -1 : fd;
		long r = traced(SYS_flock, on, locks[i / 2]);
		expect("242 fd=%d operation=%d", on, locks[i / 2] & 15);
		expect("243 res=%ld fd=%d operation=%d", r, on, locks[i / 2] & 15);
	}
	long r;
	static const unsigned ranges[][4] = {{500, 600, 4, 4}, {500, 400, 2, 2}, {3000000000, 4294967295, 0, 0}, {500, 600, 9, 0}};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_close_range, ranges[i][0], ranges[i][1], ranges[i][2]);
		if (new_event(SYS_close_range, 392))
			expect("451 res=%ld first=%u last=%u flags=%u", r, ranges[i][0], ranges[i][1], ranges[i][3]);
	}
	close(fd);
}

// drop closes what a test has opened.
static void drop(long fd)
{
	if (fd >= 0)
		close(fd);
}

static void makers(void)
{
	static const int flags[][2] = {{0, 0}, {O_NONBLOCK | O_CLOEXEC, PPM_NONBLOCK | PPM_CLOEXEC}, {15, 0}, {-1, 0}};
	uint64_t mask = 0;
	long r;
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_eventfd2, 0xfffffff0, flags[i][0]);
		expect(newest ? "396 initval=4294967280" : "62 initval=4294967280 flags=0");
		expect(newest ? "397 res=%ld flags=%d initval=4294967280" : "63 res=%ld initval=4294967280 flags=0", r, flags[i][1]);
		drop(r);
		void *masks[] = {&mask, &mask, NULL, gap};
		r = traced(SYS_signalfd4, -1, P(masks[i]), i ? 8 : 0, flags[i][0]);
		expect(newest ? "398 fd=-1 mask=0" : "126 fd=-1 mask=0 flags=0");
		if (newest)
			expect("399 res=%ld flags=%d fd=-1 mask=0", r, flags[i][1]);
		else
			expect("127 res=%ld fd=-1 mask=0 flags=0", r);
		drop(r);
		r = traced(SYS_inotify_init1, flags[i][0]);
		expect(newest ? "394" : "138 flags=0");
		expect(newest ? "395 res=%ld flags=%d" : "139 res=%ld flags=0", r, flags[i][1]);
		drop(r);
	}
#ifdef SYS_eventfd
	r = traced(SYS_eventfd, 3, 1234);
	expect("62 initval=3 flags=0");
	expect("63 res=%ld initval=3 flags=0", r);
	drop(r);
	r = traced(SYS_signalfd, -1, P(&mask), 0);
	expect("126 fd=-1 mask=0 flags=0");
	expect("127 res=%ld fd=-1 mask=0 flags=0", r);
	mask = 1 << 9;
	r = traced(SYS_signalfd, -1, P(&mask), 8);
	expect("126 fd=-1 mask=0 flags=0");
	expect("127 res=%ld fd=-1 mask=0 flags=0", r);
	drop(r);
	r = traced(SYS_inotify_init, 1234);
	expect("138 flags=0");
	expect("139 res=%ld flags=0", r);
	drop(r);
	static const int counts[] = {1024, 0, -5};
	for (int i = 0; i < 3; i++) {
		r = traced(SYS_epoll_create, counts[i]);
		if (new_event(SYS_epoll_create, 165)) {
			expect("374 size=%d", counts[i]);
			expect("375 res=%ld size=%d", r, counts[i]);
		}
		drop(r);
	}
#endif
	static const int epolls[][2] = {{0, 0}, {O_CLOEXEC, 1}, {-1, 1}, {5, 0}};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_epoll_create1, epolls[i][0]);
		if (new_event(SYS_epoll_create1, 227)) {
			expect("376 flags=%d", epolls[i][1]);
			expect("377 res=%ld flags=%d", r, epolls[i][1]);
		}
		drop(r);
	}
	// Of the flags only what fits 8 bits is told.
	static const int timers[][4] = {{1, 0, 0, 1}, {0, O_NONBLOCK | O_CLOEXEC, PPM_NONBLOCK, 0}, {-1, -1, 0, 255}, {7, 5, 0, 7}};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_timerfd_create, timers[i][0], timers[i][1]);
		expect("136 clockid=0 flags=0");
		expect("137 res=%ld clockid=%d flags=%d", r, timers[i][3], timers[i][2]);
		drop(r);
	}

	char name[300];
	memset(name, 'm', sizeof name);
	name[249] = 0;
	struct {
		const char *name, *quoted;
		int flags, ppm;
	} memfds[] = {{"test", "\"test\"", 3, 3}, {"", "\"\"", 0, 0}, {"test", "\"test\"", -1, 7}, {NULL, no_string(), 4, 4}, {gap, no_string(), 1, 1},
		      {name, strdup(quote(name)), 1, 1}, {tail("end", 4), "\"end\"", 0x10, 0}, {name + 250, NULL, 0, 0}};
	for (int i = 0; i < 7; i++) {
		r = traced(SYS_memfd_create, P(memfds[i].name), memfds[i].flags);
		if (new_event(SYS_memfd_create, 342)) {
			expect("404");
			expect("405 fd=%ld name=%s flags=%d", r, memfds[i].quoted, memfds[i].ppm);
		}
		drop(r);
	}
	static const int uffds[] = {3, 0, O_CLOEXEC | O_NONBLOCK | 1};
	for (int i = 0; i < 3; i++) {
		r = traced(SYS_userfaultfd, uffds[i]);
		expect("320");
		expect("321 res=%ld flags=%d", r, uffds[i]);
		drop(r);
	}
}

static void pidfds(void)
{
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	static const int flags[][2] = {{0, 0}, {O_NONBLOCK, 1}, {-1, 1}};
	long r, pidfd = -1;
	for (int i = 0; i < 6; i++) {
		int pid = i < 3 ? child : i == 3 ? 0 : -i;
		r = traced(SYS_pidfd_open, pid, flags[i % 3][0]);
		if (new_event(SYS_pidfd_open, 347)) {
			expect("408");
			expect("409 fd=%ld pid=%d flags=%d", r, pid, flags[i % 3][1]);
		}
		if (i == 0)
			pidfd = r;
		else
			drop(r);
	}
	long gets[][3] = {{pidfd, 1, 0}, {-1, -1, 1}, {pidfd, 777, 0}, {1, 2, 0xffffffff}};
	for (int i = 0; i < 4; i++) {
		r = traced(SYS_pidfd_getfd, gets[i][0], gets[i][1], gets[i][2]);
		if (new_event(SYS_pidfd_getfd, 346)) {
			expect("406");
			expect("407 fd=%ld pid_fd=%ld target_fd=%ld flags=%lu", r, gets[i][0], gets[i][1], gets[i][2]);
		}
		drop(r);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(pidfd);
}

static void test_setup(unsigned entries, struct io_uring_params *p, unsigned ppm)
{
	struct io_uring_params none = {0};
	unsigned features = 0;
	long r = traced(SYS_io_uring_setup, entries, P(p));
	if (!p || (char *)p == gap)
		p = &none;
	for (int bit = 0; bit < 11; bit++)
		if (bit != 8) // Falco's table lacks this one
			features |= p->features & 1u << bit;
	if (new_event(SYS_io_uring_setup, 330)) {
		expect("338");
		expect("339 res=%ld entries=%u sq_entries=%u cq_entries=%u flags=%u sq_thread_cpu=%u sq_thread_idle=%u features=%u", r, entries,
		       p->sq_entries, p->cq_entries, ppm, p->sq_thread_cpu, p->sq_thread_idle, features);
	}
	drop(r);
}

static void rings(void)
{
	struct io_uring_params p = {0};
	test_setup(4, &p, 0);
	if (p.sq_entries != 4)
		missing("io_uring, which kernel.io_uring_disabled may turn off");
	p = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED, .cq_entries = 64};
	test_setup(8, &p, 0x10 | 0x20 | 0x80);
	// IOPOLL raises two of Falco's bits.
	p = (struct io_uring_params){.flags = IORING_SETUP_IOPOLL | IORING_SETUP_SQ_AFF, .sq_thread_cpu = 7, .sq_thread_idle = 9};
	test_setup(4, &p, 1 | 4 | 8);
	p = (struct io_uring_params){.flags = 0x7fffff80, .cq_entries = 3, .features = 0xffffffff};
	test_setup(-1, &p, 0);
	test_setup(4, NULL, 0);
	test_setup(4, (void *)gap, 0);

	p = (struct io_uring_params){0};
	int fd = syscall(SYS_io_uring_setup, 4, &p);
	int fds[] = {-1, 1, fd};
	uint64_t set = 0;
	for (int i = 0; i < (fd >= 0 ? 3 : 2); i++) {
		long r = traced(SYS_io_uring_enter, fds[i], i ? 0 : 10, i ? 0 : 20, i ? 0 : 0x10 | 1 | 2 | 4 | 8, i ? P(&set) : 0, i ? 8 : 0);
		if (new_event(SYS_io_uring_enter, 331)) {
			expect("340");
			expect("341 res=%ld fd=%d to_submit=%d min_complete=%d flags=%d sig=%u", r, fds[i], i ? 0 : 10, i ? 0 : 20, i ? 0 : 15,
			       (unsigned)(i ? P(&set) : 0));
		}
		char probe[4096] = {0};
		r = traced(SYS_io_uring_register, fds[i], i == 2 ? 8 : 11, P(probe), i == 2 ? 100 : 34);
		if (new_event(SYS_io_uring_register, 332)) {
			expect("342");
			expect("343 res=%ld fd=%d opcode=%d arg=%lu nr_args=%d", r, fds[i], i == 2 ? 8 : 11, P(probe), i == 2 ? 100 : 34);
		}
	}
	drop(fd);
}

static void test_bpf(unsigned cmd, void *attr, unsigned size, int opens)
{
	long r = traced(SYS_bpf, cmd, P(attr), size);
	expect(newest ? "368 cmd=%d" : "296 cmd=%d", (int)cmd);
	if (newest)
		expect("369 fd=%ld cmd=%u", r, cmd);
	else
		expect("297 res_or_fd=%d:%ld", opens && r >= 0 ? 0 : 1, r);
	drop(opens ? r : -1);
}

static void bpfs(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	test_bpf(-1, NULL, 0, 0);
	test_bpf(BPF_MAP_CREATE, NULL, 0, 1);
	test_bpf(BPF_MAP_CREATE, gap, 40, 1);
	test_bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof attr, 0);
	test_bpf(BPF_MAP_CREATE, &attr, sizeof attr, 1);
	int map = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
	if (map < 0) {
		missing("the privilege of making BPF maps");
		return;
	}
	int key = 0, val = 7;
	union bpf_attr set = {.map_fd = map, .key = P(&key), .value = P(&val)};
	test_bpf(BPF_MAP_UPDATE_ELEM, &set, sizeof set, 0);
	close(map);
}

static void by_handle(const char *path)
{
	struct {
		struct file_handle h;
		char room[128];
	} handle = {.h.handle_bytes = 128};
	int mount_id;
	struct stat st;
	long r;
	if (name_to_handle_at(AT_FDCWD, path, &handle.h, &mount_id, 0) != 0) {
		missing("a file system with file handles");
		return;
	}
	int mount = open(path, O_RDONLY);
	r = traced(SYS_open_by_handle_at, mount, P(&handle), O_RDONLY);
	if (r < 0)
		missing("CAP_DAC_READ_SEARCH, which opening by handle wants");
	else
		need(fstat(r, &st) == 0, "fstat");
	if (new_event(SYS_open_by_handle_at, 329)) {
		expect("336");
		if (r >= 0)
			expect("337 fd=%ld mountfd=%d flags=1 path=%s dev=%u ino=%lu", r, mount, quote(path), device(st.st_dev), st.st_ino);
		else
			expect("337 fd=%ld mountfd=%d flags=1 path=- dev=0 ino=0", r, mount);
	}
	drop(r);
	close(mount);
}

static void handles(void)
{
	char here[4096], path[4200];
	need(getcwd(here, sizeof here) != NULL, "getcwd");
	sprintf(path, "%s/file", here);
	by_handle(path);
	by_handle("/");		/* the root of all */
	by_handle("/dev/shm");	/* the root of a mount */
	long r;
	struct {
		int fd;
		void *handle;
		int flags, ppm;
	} bad[] = {{-1, NULL, O_RDWR, PPM_RDWR}, {AT_FDCWD, gap, O_WRONLY | O_TRUNC | O_CLOEXEC, PPM_WRONLY | PPM_TRUNC | PPM_CLOEXEC}};
	for (int i = 0; i < 2; i++) {
		r = traced(SYS_open_by_handle_at, bad[i].fd, P(bad[i].handle), bad[i].flags);
		if (new_event(SYS_open_by_handle_at, 329)) {
			expect("336");
			expect("337 fd=%ld mountfd=%d flags=%d path=- dev=0 ino=0", r, bad[i].fd, bad[i].ppm);
		}
	}
}

int main(int argc, char **argv)
{
	begin_calls(argc, argv);
	memory();
	controls();
	makers();
	pidfds();
	rings();
	bpfs();
	handles();
	return 0;
}
