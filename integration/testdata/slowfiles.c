// Works with files that another process of the same trace serves, and with
// memory that another thread fills: a tracer that waits for either stops all.
//
//   slowfiles fuse DIRECTORY   mounts a file system there, in a mount namespace
//                              of its own, and serves it with calls that are traced
//   slowfiles userfaultfd      fills memory when it is touched
//   slowfiles forked           the same, in a process that has done nothing else
//   slowfiles device           the same, by /dev/userfaultfd
//   slowfiles forked-device    both
//   slowfiles locked           keeps a socket locked while it waits for such memory
//   slowfiles rewritten DIRECTORY  opens a file there by a name that is another
//                              one when the call ends
//
// It prints what the calls gave. It exits with 77 if the kernel does not let it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, SLOW_US = 20000 };

static void need(int ok, const char *what)
{
	if (ok)
		return;
	int status = errno == EPERM || errno == ENOSYS || errno == ENODEV || errno == EACCES || errno == ENOENT ? 77 : 99;
	dprintf(2, "slowfiles: %s: %s\n", what, strerror(errno));
	_exit(status);
}

// The file system: a directory with the program, "x", and with "page", whose
// every page holds the name of a file that there is.

enum { ROOT = FUSE_ROOT_ID, PROGRAM, PAGE_FILE, CREATED };

static int program, served;
static off_t program_size;

static void reply(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header head = {.len = sizeof head + size, .error = error, .unique = unique};
	struct iovec v[] = {{&head, sizeof head}, {(void *)data, size}};
	writev(fuse, v, 2);
}

static struct fuse_attr attributes(uint64_t node)
{
	struct fuse_attr a = {.ino = node, .mode = S_IFREG | 0755, .nlink = 1, .size = PAGES * PAGE, .blksize = PAGE};
	if (node == ROOT)
		a.mode = S_IFDIR | 0755;
	else if (node == PROGRAM)
		a.size = program_size;
	return a;
}

static void serve(int fuse)
{
	static char buf[1 << 18], data[1 << 17];
	for (;;) {
		ssize_t n = read(fuse, buf, sizeof buf);
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n <= 0)
			_exit(0); // unmounted
		struct fuse_in_header *in = (void *)buf;
		void *arg = in + 1;
		usleep(SLOW_US / 20);
		switch (in->opcode) {
		case FUSE_INIT: {
			struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = PAGE, .max_write = 4096};
			reply(fuse, in->unique, 0, &out, sizeof out);
			break;
		}
		case FUSE_LOOKUP:
		case FUSE_CREATE: {
			int create = in->opcode == FUSE_CREATE;
			const char *name = create ? (char *)arg + sizeof(struct fuse_create_in) : arg;
			struct {
				struct fuse_entry_out entry;
				struct fuse_open_out open;
			} out = {.entry.nodeid = create ? CREATED : !strcmp(name, "x") ? PROGRAM : !strcmp(name, "page") ? PAGE_FILE : 0};
			out.entry.attr = attributes(out.entry.nodeid); // valid for no time at all
			reply(fuse, in->unique, out.entry.nodeid ? 0 : -ENOENT, &out, !out.entry.nodeid ? 0 : create ? sizeof out : sizeof out.entry);
			break;
		}
		case FUSE_GETATTR: {
			struct fuse_attr_out out = {.attr = attributes(in->nodeid)};
			reply(fuse, in->unique, 0, &out, sizeof out);
			break;
		}
		case FUSE_OPEN: {
			struct fuse_open_out out = {.fh = in->nodeid};
			reply(fuse, in->unique, 0, &out, sizeof out);
			break;
		}
		case FUSE_READ: {
			struct fuse_read_in *r = arg;
			size_t size = r->size < sizeof data ? r->size : sizeof data;
			if (in->nodeid == PROGRAM) {
				ssize_t got = pread(program, data, size, r->offset);
				size = got < 0 ? 0 : got;
			} else {
				memset(data, 0, size);
				for (size_t at = 0; at + PAGE <= size; at += PAGE)
					strcpy(data + at, "/dev/null");
			}
			reply(fuse, in->unique, 0, data, size);
			break;
		}
		case FUSE_STATFS: {
			struct fuse_statfs_out out = {.st = {.bsize = PAGE, .namelen = 255}};
			reply(fuse, in->unique, 0, &out, sizeof out);
			break;
		}
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break; // have no answer
		case FUSE_RELEASE:
		case FUSE_FLUSH:
			reply(fuse, in->unique, 0, NULL, 0);
			break;
		default:
			reply(fuse, in->unique, -ENOSYS, NULL, 0);
		}
	}
}

// mount_served mounts the file system at dir and starts its server.
static void mount_served(const char *dir)
{
	program = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	need(program >= 0 && fstat(program, &st) == 0, "open itself");
	program_size = st.st_size;
	need(unshare(CLONE_NEWNS) == 0, "unshare");
	need(mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0, "private mounts");
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	need(fuse >= 0, "/dev/fuse");
	char options[100];
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions", fuse);
	need(mount("slowfiles", dir, "fuse.slowfiles", MS_NODEV | MS_NOSUID, options) == 0, "mount");
	served = fork();
	need(served >= 0, "fork");
	if (served == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fuse);
	}
	close(fuse);
	close(program);
}

// The memory

static volatile int faults;

static char page[PAGE] __attribute__((aligned(4096))) = "/dev/null";

// rewrite writes another name where an open has its own, when the kernel has
// got that and waits until the file is not leased any more.
static void rewrite(int fd, struct uffdio_copy *copy)
{
	int file = open(page, O_RDWR);
	need(file >= 0 && fcntl(file, F_SETLEASE, F_WRLCK) == 0, "F_SETLEASE");
	fcntl(file, F_SETOWN, 0); // no signal, which would make the open begin again
	ioctl(fd, UFFDIO_COPY, copy);
	while (fcntl(file, F_GETLEASE) == F_WRLCK)
		usleep(1000);
	strcpy((char *)(uintptr_t)copy->dst, "harmless");
	fcntl(file, F_SETLEASE, F_UNLCK);
}

static void *fill(void *arg)
{
	int fd = (int)(intptr_t)arg;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		struct uffd_msg m;
		if (poll(&p, 1, -1) != 1 || read(fd, &m, sizeof m) != sizeof m)
			continue;
		faults++;
		usleep(SLOW_US);
		struct uffdio_copy copy = {.dst = m.arg.pagefault.address & -PAGE, .src = (uintptr_t)page, .len = PAGE};
		if (!strcmp(page, "secret"))
			rewrite(fd, &copy);
		else
			ioctl(fd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

static void *send_slowly(void *memory)
{
	printf("slow %zd\n", send(*(int *)page, memory, 9, 0));
	return NULL;
}

static char *filled_memory(int device)
{
	int fd = device ? open("/dev/userfaultfd", O_RDWR | O_CLOEXEC) : syscall(SYS_userfaultfd, O_CLOEXEC);
	need(fd >= 0, "userfaultfd");
	if (device) {
		fd = ioctl(fd, USERFAULTFD_IOC_NEW, O_CLOEXEC);
		need(fd >= 0, "/dev/userfaultfd");
	}
	struct uffdio_api api = {.api = UFFD_API};
	need(ioctl(fd, UFFDIO_API, &api) == 0, "UFFDIO_API");
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(memory != MAP_FAILED, "mmap");
	struct uffdio_register reg = {.range = {(uintptr_t)memory, PAGES * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	need(ioctl(fd, UFFDIO_REGISTER, &reg) == 0, "UFFDIO_REGISTER");
	pthread_t thread;
	need(pthread_create(&thread, NULL, fill, (void *)(intptr_t)fd) == 0, "pthread_create");
	return memory;
}

// use makes calls with strings and data in memory that is not there yet.
static void use(char *memory)
{
	for (int i = 0; i < 3; i++, memory += PAGE)
		printf("open %s\n", open(memory, O_RDONLY) >= 0 ? "ok" : strerror(errno));
	printf("create %s\n", open(memory, O_WRONLY | O_CREAT, 0600) >= 0 ? "ok" : strerror(errno));
	memory += PAGE;
	int null = open("/dev/null", O_WRONLY), pair[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	printf("write %zd\n", write(pair[0], memory, 9));
	memory += PAGE;
	struct iovec v = {memory, 9};
	printf("writev %zd\n", writev(pair[0], &v, 1));
	memory += PAGE;
	printf("connect %s\n", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)memory, 10) == 0 ? "ok" : strerror(errno));
	memory += PAGE;
	char *argv[] = {memory, NULL};
	printf("execve %s\n", execve(memory, argv, NULL) == 0 ? "ok" : strerror(errno));
	close(null);
}

// locked has two threads send over a socket. One waits for memory meanwhile, the
// other for it: whoever asks for the address of the socket too.
static void locked(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof in;
	int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0);
	need(bind(l, (void *)&in, n) == 0 && listen(l, 1) == 0 && getsockname(l, (void *)&in, &n) == 0, "listen");
	need(connect(s, (void *)&in, n) == 0, "connect");
	char *memory = filled_memory(0), got[20];
	int a = accept(l, NULL, NULL);
	memcpy(page, &s, sizeof s);
	pthread_t thread;
	need(pthread_create(&thread, NULL, send_slowly, memory) == 0, "pthread_create");
	while (!faults)
		usleep(1000);
	ssize_t sent = send(s, "fast", 4, 0);
	pthread_join(thread, NULL);
	printf("fast %zd, got %zd\n", sent, recv(a, got, 13, MSG_WAITALL));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "fuse")) {
		mount_served(argv[2]);
		need(chdir(argv[2]) == 0, "chdir");
		printf("create %s\n", open("new", O_WRONLY | O_CREAT, 0600) >= 0 ? "ok" : strerror(errno));
		int fd = open("page", O_RDONLY | O_CREAT, 0600);
		printf("open %s\n", fd >= 0 ? "ok" : strerror(errno));
		char *memory = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
		need(memory != MAP_FAILED, "mmap");
		use(memory);
		pid_t pid = fork();
		if (pid == 0) {
			execl("x", "x", "hello", NULL);
			_exit(99);
		}
		int status;
		waitpid(pid, &status, 0);
		printf("program %#x\n", status);
		chdir("/");
		umount2(argv[2], MNT_DETACH);
		kill(served, SIGKILL);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "rewritten")) {
		need(chdir(argv[2]) == 0 && mknod("secret", S_IFREG | 0600, 0) == 0 && mknod("harmless", S_IFREG | 0600, 0) == 0, "mknod");
		strcpy(page, "secret");
		printf("open %s\n", open(filled_memory(0), O_RDONLY) >= 0 ? "ok" : strerror(errno));
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "hello"))
		return 42;
	need(argc == 2, "usage");
	if (!strcmp(argv[1], "locked")) {
		locked();
		return 0;
	}
	if (!strncmp(argv[1], "forked", 6)) { // a process of which little has been read yet
		pid_t pid = fork();
		need(pid >= 0, "fork");
		if (pid > 0) {
			int status;
			waitpid(pid, &status, 0);
			printf("process %#x\n", status);
			return 0;
		}
	}
	use(filled_memory(strstr(argv[1], "device") != NULL));
	printf("faults %d\n", faults);
	return 0;
}
