// Tries to do something unseen, in the way that the first argument names: it opens
// /evaded/WAY, which does not exist, where a tracer might not look, and prints what
// it was refused on the way.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Within the first 4 GB, as all of a static program that is not PIE.
static char name[64];

static void tell(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
	fflush(stdout);
}

static void hide(void)
{
	syscall(SYS_openat, AT_FDCWD, name, O_RDONLY);
}

static int await(pid_t pid)
{
	int status;
	return waitpid(pid, &status, __WALL) == pid && status == 0 ? 0 : 1;
}

static int orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			raise(SIGSTOP); // until it is an orphan
			hide();
			_exit(0);
		}
		_exit(0);
	}
	int status;
	wait(&status);
	pid_t pid = waitpid(-1, &status, WUNTRACED);
	if (pid < 0 || kill(pid, SIGCONT) < 0)
		return 1;
	return await(pid);
}

static int cloned(unsigned long flags, int by3)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	pid_t pid = by3 ? syscall(SYS_clone3, &args, sizeof args) : syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		hide();
		_exit(0);
	}
	return pid < 0 ? 1 : await(pid);
}

static int traceme(void)
{
	tell("PTRACE_TRACEME", ptrace(PTRACE_TRACEME, 0, 0, 0));
	hide();
	return 0;
}

static int traced(void)
{
	int go[2];
	pipe(go);
	pid_t target = getpid(), pid = fork();
	if (pid == 0) {
		tell("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, target, 0, 0));
		tell("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, target, 0, 0));
		_exit(0);
	}
	int failed = await(pid);
	hide();
	return failed;
}

static int spaces(void)
{
	tell("unshare", unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS));
	return cloned(0, 0);
}

// The child of a child in a pid namespace of its own, and one that enters that.
static int entered(void)
{
	pid_t inner = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (inner == 0) {
		pause();
		_exit(0);
	}
	int failed = 1;
	int fd = syscall(SYS_pidfd_open, inner, 0);
	if (fork() == 0) {
		tell("setns", setns(fd, CLONE_NEWUSER | CLONE_NEWPID));
		_exit(cloned(0, 0));
	}
	int status;
	if (wait(&status) > 0)
		failed = status != 0;
	kill(inner, SIGKILL);
	return failed | !await(inner);
}

// A new process, of which the tracer has read nothing yet.
static int dumpable(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		long result = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		hide();
		tell("PR_SET_DUMPABLE", result);
		_exit(0);
	}
	return await(pid);
}

// A filter of its own that has the thread of a supervisor let the call go on.
static int answered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	int error = fd < 0 ? errno : 0;
	pid_t pid = 0;
	if (fd >= 0 && (pid = fork()) == 0) {
		struct seccomp_notif request = {0};
		ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request);
		struct seccomp_notif_resp answer = {.id = request.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
		_exit(0);
	}
	hide();
	if (pid > 0)
		await(pid);
	errno = error;
	tell("a listener", error ? -1 : 0);
	return 0;
}

#ifdef __x86_64__
// The kernel takes the lower halves of registers; upper is what stands in the others.
static int by80(unsigned long upper)
{
	long result;
	upper <<= 32;
	__asm__ volatile("int $0x80" : "=a"(result)
			 : "a"(5), "b"((long)name | upper), "c"(O_RDONLY | upper), "d"(upper) : "memory", "r8", "r9", "r10", "r11");
	return (int)result != -ENOENT;
}

// connect80 connects a socket by socketcall, whose number says which call it is.
static int connect80(unsigned long upper)
{
	static unsigned args[3];
	static struct sockaddr_un address = {.sun_family = AF_UNIX};
	long result;
	upper <<= 32;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
	args[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	args[1] = (long)&address;
	args[2] = sizeof address;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(3 | upper), "c"((long)args | upper) : "memory", "r8", "r9", "r10", "r11");
	return (int)result != -ENOENT;
}

static int cloned80(void)
{
	int pid;
	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(120), "b"(CLONE_UNTRACED | SIGCHLD), "c"(0), "d"(0), "S"(0), "D"(0) : "memory", "r8", "r9", "r10", "r11");
	if (pid == 0) {
		hide();
		_exit(0);
	}
	return pid < 0 ? 1 : await(pid);
}

static int x32(void)
{
	tell("x32", syscall(0x40000000 | SYS_open, name, O_RDONLY));
	return 0;
}

// The page of calls without an instruction for calls, where the kernel has one.
static int vsyscall(void)
{
	static char maps[1 << 16];
	time_t (*now)(time_t *) = (void *)0xffffffffff600400;
	FILE *f = fopen("/proc/self/maps", "r");
	fread(maps, 1, sizeof maps - 1, f);
	fclose(f);
	if (!strstr(maps, "[vsyscall]")) {
		errno = ENOSYS;
		tell("vsyscall", -1);
		return 0;
	}
	time_t before = now(NULL);
	hide();
	tell("vsyscall", now(NULL) - before);
	return 0;
}
#endif

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	snprintf(name, sizeof name, "/evaded/%s", way);
	if (!strcmp(way, "orphan"))
		return orphans();
	if (!strcmp(way, "untraced"))
		return cloned(CLONE_UNTRACED, 0);
	if (!strcmp(way, "untraced3"))
		return cloned(CLONE_UNTRACED, 1);
	if (!strcmp(way, "vfork"))
		return cloned(CLONE_UNTRACED | CLONE_VFORK, 0);
	if (!strcmp(way, "traceme"))
		return traceme();
	if (!strcmp(way, "traced"))
		return traced();
	if (!strcmp(way, "unshare"))
		return spaces();
	if (!strcmp(way, "setns"))
		return entered();
	if (!strcmp(way, "dumpable"))
		return dumpable();
	if (!strcmp(way, "listener"))
		return answered();
#ifdef __x86_64__
	if (!strcmp(way, "int80"))
		return by80(0);
	if (!strcmp(way, "upper80"))
		return by80(0xdead);
	if (!strcmp(way, "connect80"))
		return connect80(0xdead);
	if (!strcmp(way, "untraced80"))
		return cloned80();
	if (!strcmp(way, "x32"))
		return x32();
	if (!strcmp(way, "vsyscall"))
		return vsyscall();
#endif
	return 2;
}
