// Births and deaths: clone, clone3, fork, vfork, threads, exits and signals, in
// the pid namespace of the tracer and in others.
#include "oracle.h"
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>

enum {
	PPM_CL_FILES = 1, PPM_CL_FS = 2, PPM_CL_NEWPID = 0x40, PPM_CL_PARENT = 0x100, PPM_CL_PARENT_SETTID = 0x200,
	PPM_CL_SIGHAND = 0x800, PPM_CL_SYSVSEM = 0x1000, PPM_CL_THREAD = 0x2000, PPM_CL_UNTRACED = 0x4000, PPM_CL_VM = 0x8000,
	PPM_CL_CHILD_CLEARTID = 0x800000, PPM_CL_SETTLS = 0x2000000, PPM_CL_CHILD_IN_PIDNS = 1 << 29,
	THREAD_FLAGS = PPM_CL_VM | PPM_CL_FS | PPM_CL_FILES | PPM_CL_SIGHAND | PPM_CL_THREAD | PPM_CL_SYSVSEM | PPM_CL_SETTLS |
		       PPM_CL_PARENT_SETTID | PPM_CL_CHILD_CLEARTID,
};

// The library makes threads by clone3 where it knows how to, which glibc 2.36 does not
// on arm and arm64, else by clone.
extern int __clone3(struct clone_args *, size_t, int (*)(void *), void *) __attribute__((weak));
#define THREADS (__clone3 ? 335 : 223)

// ids are those of a thread: as the tracer sees them, and as itself does.
struct ids { int tid, pid, ptid, vtid, vpid; };

static struct ids self;

// expect_born expects the exit half of a clone in one of the two who see it.
static void expect_born(int code, long res, struct ids id, unsigned flags, const char *start)
{
	const char *exe, *args;
	arguments(&exe, &args);
	expect_of(id.tid, "%d res=%ld exe=%s args=%s tid=%d pid=%d ptid=%d %s flags=%u uid=%d gid=%d vtid=%d vpid=%d pidns_init_start_ts=%s",
		  code, res, exe, args, id.tid, id.pid, id.ptid, image(), flags, geteuid(), getegid(), id.vtid, id.vpid, start);
}

static void expect_end_of_maker(int tid, int status, int reaper)
{
	expect_of(tid, "186 status=%d ret=%d sig=%d core=%d reaper_tid=%d", status, status >> 8 & 0xff, status & 0x7f, status >> 7 & 1, reaper);
}

static void expect_end(int tid, int status) { expect_end_of_maker(tid, status, 0); }

// parent expects the events of the one who has made a process or a thread.
static void parent(int code, long res, unsigned flags)
{
	expect_of(self.tid, "%d", code - 1);
	expect_born(code, res, self, flags, "0");
}

// child expects the first event of a process whose parent is now self.
static void child(int code, unsigned flags)
{
	self.ptid = self.pid;
	self.tid = self.pid = self.vtid = self.vpid = outer_tid();
	expect_born(code, 0, self, flags, "*");
}

static void ends(int status)
{
	expect_end(self.tid, status << 8);
	_exit(status);
}

static void reap(pid_t pid)
{
	int status;
	need(waitpid(pid, &status, __WALL) == pid, "waitpid");
}

static pid_t raw_clone(unsigned long flags) { return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0); }

static void forks(void)
{
	pid_t pid;
#ifdef SYS_fork
	if ((pid = syscall(SYS_fork)) == 0) {
		child(225, 0);
		ends(5);
	}
	parent(225, pid, 0);
	reap(pid);
	if ((pid = vfork()) == 0)
		_exit(3);
	parent(227, pid, 0);
	struct ids id = {pid, pid, self.pid, pid, pid};
	expect_born(227, 0, id, 0, "*");
	expect_end(pid, 3 << 8);
	reap(pid);
#endif
	if ((pid = raw_clone(CLONE_FILES)) == 0) {
		child(223, PPM_CL_FILES);
		ends(0);
	}
	reap(pid); // first: it opens files in the same table
	parent(223, pid, PPM_CL_FILES);
	if ((pid = raw_clone(CLONE_UNTRACED)) == 0) { // traced all the same
		child(223, PPM_CL_UNTRACED);
		ends(0);
	}
	parent(223, pid, PPM_CL_UNTRACED);
	reap(pid);
	struct clone_args args = {.flags = CLONE_FILES | CLONE_FS, .exit_signal = SIGCHLD};
	if ((pid = syscall(SYS_clone3, &args, sizeof args)) == 0) {
		child(335, PPM_CL_FILES | PPM_CL_FS);
		ends(255);
	}
	reap(pid);
	parent(335, pid, PPM_CL_FILES | PPM_CL_FS);

	// A child of the child, and its sibling.
	if ((pid = raw_clone(0)) == 0) {
		child(223, 0);
		if ((pid = raw_clone(CLONE_PARENT)) == 0) {
			self.pid = self.ptid; // so that the grandparent is the parent
			child(223, PPM_CL_PARENT);
			ends(1);
		}
		parent(223, pid, PPM_CL_PARENT);
		if ((pid = raw_clone(0)) == 0) {
			child(223, 0);
			ends(2);
		}
		parent(223, pid, 0);
		reap(pid);
		ends(0);
	}
	parent(223, pid, 0);
	while (wait(NULL) > 0)
		;
}

static void failures(void)
{
	struct clone_args args = {.flags = CLONE_FILES | 0xffULL << 40};
	parent(223, result(raw_clone(CLONE_THREAD)), PPM_CL_THREAD); // without SIGHAND
	parent(335, result(syscall(SYS_clone3, &args, sizeof args)), PPM_CL_FILES);
	parent(335, result(syscall(SYS_clone3, NULL, sizeof args)), 0);
}

static volatile int thread_tid;

// thread expects the two halves of its birth, for the caller too, which waits.
static void *thread(void *ends_all)
{
	struct ids id = self;
	unsigned flags = THREAD_FLAGS | (self.vpid == self.pid ? 0 : PPM_CL_CHILD_IN_PIDNS);
	id.tid = outer_tid();
	id.vtid = thread_tid = syscall(SYS_gettid);
	parent(THREADS, id.vtid, flags);
	expect_born(THREADS, 0, id, flags, "*");
	if (ends_all) {
		expect_end(id.tid, 9 << 8);
		expect_end(self.tid, 9 << 8);
		_exit(9);
	}
	expect_end(id.tid, 3 << 8);
	syscall(SYS_exit, 3);
	return NULL;
}

static void start_thread(void *ends_all)
{
	pthread_t t;
	need(pthread_create(&t, NULL, thread, ends_all) == 0, "pthread_create");
	pthread_join(t, NULL);
	while (syscall(SYS_sched_getscheduler, thread_tid) >= 0) // else its status is that of a process that ends
		usleep(1000);
}

// named is a thread with a name of its own, which its children get.
static void *named(void *unused)
{
	struct ids id = self;
	id.tid = outer_tid();
	id.vtid = syscall(SYS_gettid);
	parent(THREADS, id.vtid, THREAD_FLAGS);
	expect_born(THREADS, 0, id, THREAD_FLAGS, "*");
	need(prctl(PR_SET_NAME, "a worker") == 0, "PR_SET_NAME");
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		ends(0);
	}
	expect_of(id.tid, "222");
	expect_born(223, pid, id, 0, "0");
	reap(pid);
	expect_end(id.tid, 0);
	syscall(SYS_exit, 0);
	return unused;
}

static void names(void)
{
	pthread_t t;
	need(pthread_create(&t, NULL, named, NULL) == 0, "pthread_create");
	pthread_join(t, NULL);
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);
}

static void signals(void)
{
	// The first leaves a core, where that is allowed; the wait status tells.
	static const int sigs[] = {SIGABRT, SIGKILL, SIGSEGV, SIGTERM, SIGQUIT, 40};
	struct rlimit core;
	need(getrlimit(RLIMIT_CORE, &core) == 0, "getrlimit");
	core.rlim_cur = core.rlim_max;
	need(setrlimit(RLIMIT_CORE, &core) == 0, "setrlimit");
	for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
		int status;
		pid_t pid = raw_clone(0);
		if (pid == 0) {
			child(223, 0);
			kill(getpid(), sigs[i]);
		}
		parent(223, pid, 0);
		need(waitpid(pid, &status, 0) == pid, "waitpid");
		expect_end(pid, status);
		core.rlim_cur = 0;
		need(setrlimit(RLIMIT_CORE, &core) == 0, "setrlimit");
	}
}

static void changes(void)
{
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		struct rlimit files = {100, 200};
		need(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
		if (geteuid() == 0)
			need(syscall(SYS_setresgid, 4711, 4712, 4713) == 0 && syscall(SYS_setresuid, 1000, 1001, 1002) == 0, "setresuid");
		if ((pid = raw_clone(0)) == 0) {
			child(223, 0);
			ends(0);
		}
		parent(223, pid, 0);
		reap(pid);
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);
}

static int other_tid;

// other is a thread of another user than the rest of its process.
static void *other(void *unused)
{
	struct ids id = self;
	id.tid = outer_tid();
	id.vtid = other_tid = syscall(SYS_gettid);
	parent(THREADS, id.vtid, THREAD_FLAGS);
	expect_born(THREADS, 0, id, THREAD_FLAGS, "*");
	if (geteuid() == 0)
		need(syscall(SYS_setresgid, 4711, 4712, 4713) == 0 && syscall(SYS_setresuid, 1000, 1001, 1002) == 0, "setresuid");
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		ends(0);
	}
	expect_of(id.tid, "222");
	expect_born(223, pid, id, 0, "0");
	reap(pid);
	expect_end(id.tid, 0);
	syscall(SYS_exit, 0);
	return unused;
}

// others are threads of one process with users of their own.
static void others(void)
{
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		pthread_t t;
		need(pthread_create(&t, NULL, other, NULL) == 0, "pthread_create");
		pthread_join(t, NULL);
		while (syscall(SYS_tgkill, getpid(), other_tid, 0) == 0)
			usleep(1000);
		if ((pid = raw_clone(0)) == 0) {
			child(223, 0);
			ends(0);
		}
		parent(223, pid, 0);
		reap(pid);
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);
}

static volatile int *may_end;

static void outlive(void)
{
	while (!*may_end)
		usleep(1000);
}

static int maker_tid;

// maker leaves a child to the rest of its process.
static void *maker(void *unused)
{
	struct ids id = self;
	id.tid = outer_tid();
	id.vtid = maker_tid = syscall(SYS_gettid);
	parent(THREADS, id.vtid, THREAD_FLAGS);
	expect_born(THREADS, 0, id, THREAD_FLAGS, "*");
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		outlive();
		ends(0);
	}
	expect_of(id.tid, "222");
	expect_born(223, pid, id, 0, "0");
	expect_end_of_maker(id.tid, 0, self.tid);
	syscall(SYS_exit, 0);
	return unused;
}

// orphans are the children of processes and threads that end before them.
static void orphans(void)
{
	may_end = mmap(NULL, sizeof *may_end, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(may_end != MAP_FAILED, "mmap");
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "PR_SET_CHILD_SUBREAPER");
		int reaper = self.pid;
		if ((pid = raw_clone(0)) == 0) {
			child(223, 0);
			if ((pid = raw_clone(0)) == 0) {
				child(223, 0);
				outlive();
				self.ptid = reaper;
				if ((pid = raw_clone(0)) == 0) {
					child(223, 0);
					ends(0);
				}
				parent(223, pid, 0);
				reap(pid);
				ends(0);
			}
			parent(223, pid, 0);
			expect_end_of_maker(self.tid, 1 << 8, reaper);
			_exit(1);
		}
		parent(223, pid, 0);
		reap(pid); // the tracer knows of its end
		*may_end = 1;
		while (wait(NULL) > 0)
			;
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);

	*may_end = 0;
	if ((pid = raw_clone(0)) == 0) {
		child(223, 0);
		pthread_t t;
		need(pthread_create(&t, NULL, maker, NULL) == 0, "pthread_create");
		pthread_join(t, NULL);
		while (syscall(SYS_tgkill, getpid(), maker_tid, 0) == 0) // until the tracer knows of its end
			usleep(1000);
		*may_end = 1;
		while (wait(NULL) > 0)
			;
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);
}

// reuse makes a process with the number of one that was called otherwise.
static void reuse(void)
{
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		need(prctl(PR_SET_NAME, "another") == 0, "PR_SET_NAME");
		ends(7);
	}
	parent(223, pid, 0);
	reap(pid);
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	pid_t again = syscall(SYS_clone3, &args, sizeof args);
	if (again == 0) {
		child(335, 0);
		ends(8);
	}
	parent(335, result(again), 0); // where that is not allowed too
	if (again > 0)
		reap(again);
}

// inside is PID 1 of a namespace.
static void inside(int code, unsigned flags)
{
	self.ptid = self.pid;
	self.tid = self.pid = outer_tid();
	self.vtid = self.vpid = 1;
	need(getpid() == 1, "PID 1");
	expect_born(code, 0, self, flags | PPM_CL_CHILD_IN_PIDNS, "+");
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		self.ptid = self.pid;
		self.tid = self.pid = outer_tid();
		self.vtid = self.vpid = getpid();
		expect_born(223, 0, self, PPM_CL_CHILD_IN_PIDNS, "+");
		ends(4);
	}
	parent(223, pid, PPM_CL_CHILD_IN_PIDNS); // its number here
	reap(pid);
	start_thread(NULL);
	ends(6);
}

static void namespaces(void)
{
	pid_t pid = raw_clone(CLONE_NEWPID);
	if (pid < 0 && errno == EPERM) {
		parent(223, -EPERM, PPM_CL_NEWPID);
		return;
	}
	if (pid == 0)
		inside(223, PPM_CL_NEWPID);
	parent(223, pid, PPM_CL_NEWPID);
	reap(pid);

	if ((pid = raw_clone(0)) == 0) {
		child(223, 0);
		need(unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0, "unshare"); // children stay where they are
		if ((pid = raw_clone(0)) == 0) {
			child(223, 0);
			ends(0);
		}
		parent(223, pid, 0);
		reap(pid);
		need(unshare(CLONE_NEWPID) == 0, "unshare");
		if ((pid = raw_clone(0)) == 0)
			inside(223, 0);
		parent(223, pid, PPM_CL_CHILD_IN_PIDNS);
		reap(pid);
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);
}

// elsewhere has a child begin in another cgroup than its parent, where that may be. The
// list has the cgroup of version 2 where no hierarchy of version 1 stands for it. All
// programs share that of version 2: the cgroup is called as the directory of this one.
static void elsewhere(const char *dir)
{
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		char group[300], *name = group + sprintf(group, "/proc/self/cwd/cgroup/"); // what is opened in /proc is not compared
		snprintf(name, group + sizeof group - name, "oracle%s", dir);
		for (; *name; name++)
			if (*name == '/')
				*name = '-';
		int fd = -1;
		mkdir("cgroup", 0700);
		if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    mount("none", "cgroup", "cgroup2", 0, NULL) == 0 && mkdir(group, 0700) == 0)
			fd = open(group, O_RDONLY);
		struct clone_args args = {.flags = fd < 0 ? 0 : CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = fd < 0 ? 0 : fd};
		if ((pid = syscall(SYS_clone3, &args, sizeof args)) == 0) {
			child(335, 0);
			if (getenv("ORACLE_QUEUES")) // a probe's reader finds it in /proc only while it lives
				sleep(1);
			ends(0);
		}
		parent(335, result(pid), 0);
		if (pid > 0)
			reap(pid);
		rmdir(group);
		ends(0);
	}
	parent(223, pid, 0);
	reap(pid);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	need(chdir(argv[2]) == 0, "chdir"); // where a core may be left
	expect("94");
	expect("95 res=0 path=%s", quote(argv[2]));
	self = (struct ids){getpid(), getpid(), getppid(), getpid(), getpid()};
	forks();
	failures();
	signals();
	changes();
	others();
	names();
	namespaces();
	orphans();
	reuse();
	elsewhere(argv[2]);
	start_thread(NULL);
	pid_t pid = raw_clone(0);
	if (pid == 0) {
		child(223, 0);
		start_thread("end");
	}
	parent(223, pid, 0);
	reap(pid);
	expect_end(self.tid, 0);
	return 0;
}
