// Executes the command from argument 2 on where something is refused: argument
// 1 is ptrace (by a filter), seccomp (likewise), rules for a filter (see refuse) or
// traced (by this program).
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

enum { MAX_RULES = 8 };

// refuse installs a filter for rules CALL,ARGUMENT,VALUE,ERRNO with a / between
// them: the call with this number fails if the argument has the value, or always
// if ARGUMENT is -1.
static int refuse(const char *rules)
{
	struct sock_filter code[MAX_RULES * 6 + 1], *p = code;
	int nr, arg, error, n;
	unsigned value;
	for (int i = 0; i < MAX_RULES && sscanf(rules, "%d,%d,%u,%d%n", &nr, &arg, &value, &error, &n) == 4; i++) {
		struct sock_filter rule[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[arg < 0 ? 0 : arg])),
			BPF_JUMP(BPF_JMP | (arg < 0 ? BPF_JGE : BPF_JEQ) | BPF_K, arg < 0 ? 0 : value, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		};
		memcpy(p, rule, sizeof rule);
		p += sizeof rule / sizeof *rule;
		rules += n + (rules[n] == '/');
	}
	*p++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {p - code, code};
	if (*rules)
		return errno = EINVAL;
	// Only where privilege is missing does it take no_new_privs.
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) &&
	       (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
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

static const char *rules(const char *word)
{
	static char all[32];
	int nr = !strcmp(word, "ptrace") ? SYS_ptrace : SYS_seccomp;
	if (strcmp(word, "ptrace") && strcmp(word, "seccomp"))
		return word;
	snprintf(all, sizeof all, "%d,-1,0,%d", nr, EPERM);
	return all;
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
	} else if (refuse(rules(argv[1]))) {
		perror("seccomp");
		return 97;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 96;
}
