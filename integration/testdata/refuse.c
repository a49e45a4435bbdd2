// Executes the command from argument 2 on where something is refused: argument
// 1 is ptrace (by a filter), seccomp (likewise) or traced (by this program).
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int refuse(int nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// trace is the parent of a traced command: it lets everything happen.
static int trace(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		int sig = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		ptrace(PTRACE_CONT, pid, 0, sig);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 98;
	if (!strcmp(argv[1], "traced")) {
		pid_t pid = fork();
		if (pid > 0)
			return trace(pid);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
	} else if (refuse(!strcmp(argv[1], "ptrace") ? SYS_ptrace : SYS_seccomp)) {
		perror("seccomp");
		return 97;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 96;
}
