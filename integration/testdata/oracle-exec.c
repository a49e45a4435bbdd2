// Programs: execve and execveat, from the caller's side when they fail, and
// from that of the new program, which is this one again.
#include "oracle.h"
#include <pthread.h>
#include <sys/statvfs.h>

static char self[1000]; // the path of this program
static char dir[1000];  // of the test
static char *schema;
static unsigned char big[4097];

// status_number is a number of /proc/self/status.
static unsigned long long status_number(const char *key, int base)
{
	static char text[1 << 14];
	contents("/proc/self/status", text, sizeof text);
	char *at = strstr(text, key);
	need(at != NULL, key);
	return strtoull(at + strlen(key), NULL, base);
}

static int terminal(void)
{
	char text[2000];
	int number;
	contents("/proc/self/stat", text, sizeof text);
	need(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %d", &number) == 1, "stat");
	return number;
}

// expect_exec expects the exit half of an exec of the caller: with the file
// that it runs, as it is after the call.
static void expect_exec(int code, long res, const char *exe, const char *args, const char *env, const char *filename)
{
	char login[20], path[4096] = "", rest[5000] = "";
	struct stat st;
	struct statvfs fs;
	contents("/proc/self/loginuid", login, sizeof login);
	need(stat("/proc/self/exe", &st) == 0, "exe");
	need(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "exe");
	need(statvfs("/proc/self/exe", &fs) == 0, "exe");
	unsigned flags = !(fs.f_flag & ST_RDONLY) && (geteuid() == 0 || st.st_uid == geteuid() || st.st_mode & S_IWOTH);
	if (!strncmp(path, "/memfd:", 7))
		flags |= 4;
	if (filename)
		sprintf(rest, " filename=%s", filename);
	expect("%d res=%ld exe=%s args=%s tid=%d pid=%d ptid=%d %s env=%s tty=%u vpgid=%d loginuid=%u flags=%u "
	       "cap_inheritable=%llu cap_permitted=%llu cap_effective=%llu exe_ino=%lu exe_ino_ctime=%llu exe_ino_mtime=%llu "
	       "uid=%u trusted_exepath=%s pgid=%d gid=%u%s",
	       code, res, exe, args, outer_tid(), getpid(), getppid(), image(), env, terminal(), getpgrp(), (unsigned)strtoul(login, NULL, 10),
	       flags, status_number("CapInh:", 16), status_number("CapPrm:", 16), status_number("CapEff:", 16), st.st_ino,
	       st.st_ctim.tv_sec * 1000000000ULL + st.st_ctim.tv_nsec, st.st_mtim.tv_sec * 1000000000ULL + st.st_mtim.tv_nsec,
	       geteuid(), quote(path), getpgrp(), getegid(), rest);
}

// become is the part of the program that was executed, with FILENAME in the
// environment: the path argument of the call.
static int become(void)
{
	static char env[1 << 16];
	const char *exe, *args;
	arguments(&exe, &args);
	size_t n = contents("/proc/self/environ", env, sizeof env);
	expect_exec(293, 0, exe, args, list_value(env, n, 4096), quote(getenv("FILENAME")));
	expect("186 status=0 ret=0 sig=0 core=0 reaper_tid=0");
	return 0;
}

// child runs f in a child, of whose birth only that it was is told.
static void child(void (*f)(void))
{
	pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		f();
		need(0, "a program that was not executed");
	}
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static char *filename(const char *path)
{
	static char text[5000];
	sprintf(text, "FILENAME=%s", path);
	return text;
}

// enter expects the first half of an execve.
static void enter(const char *path) { expect("292 filename=%s", path ? quote(path) : no_string()); }

static void enter_at(int dirfd, const char *path, unsigned flags)
{
	expect("330 dirfd=%d pathname=%s flags=%u", dirfd, path ? quote(path) : no_string(), flags);
}

static void execute(const char *path)
{
	char *argv[] = {(char *)path, schema, "", "third argument", NULL};
	char *envp[] = {filename(path), "A=1", "EMPTY=", "\tODD\xff", NULL};
	enter(path);
	execve(path, argv, envp);
}

static void plain(void) { execute(self); }

static void unresolved(void)
{
	char path[1100];
	sprintf(path, "/proc/..//.%s", self);
	execute(path);
}

static void through_link(void)
{
	need(symlink(self, "link") == 0, "symlink");
	execute("./link");
}

static void script(void)
{
	FILE *f = fopen("/proc/self/cwd/script", "w");
	fprintf(f, "#!%s %s\n", self, schema);
	fclose(f);
	need(chmod("script", 0755) == 0, "chmod");
	execute("script");
}

static void copy_into(int to)
{
	FILE *from = fopen("/proc/self/exe", "r");
	char buf[1 << 14];
	size_t n;
	while ((n = fread(buf, 1, sizeof buf, from)) > 0)
		need(write(to, buf, n) == (ssize_t)n, "write");
	fclose(from);
}

static void from_memory(void)
{
	char path[40];
	int fd = syscall(SYS_memfd_create, "malware", 0);
	copy_into(fd);
	sprintf(path, "/proc/self/fd/%d", fd);
	execute(path);
}

static void much(void)
{
	char *argv[] = {self, schema, "", (char *)big, "last", NULL};
	char *envp[] = {filename(self), "A=1", (char *)big, "C=3", NULL};
	enter(self);
	execve(self, argv, envp);
}

// program opens this one, without an event: /proc is not judged.
static int program(void) { return open("/proc/self/exe", O_RDONLY); }

static void by_descriptor(void)
{
	char name[40];
	int fd = program();
	sprintf(name, "/dev/fd/%d", fd);
	char *argv[] = {"", schema, NULL};
	char *envp[] = {filename(name), NULL};
	enter_at(fd, "", 1);
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

static void in_directory(void)
{
	char name[1100];
	int fd = open("/proc/self/cwd", O_RDONLY | O_DIRECTORY);
	need(symlink(self, "link2") == 0, "symlink");
	sprintf(name, "/dev/fd/%d/link2", fd);
	char *argv[] = {"x", schema, NULL};
	char *envp[] = {filename(name), NULL};
	enter_at(fd, "link2", 0);
	syscall(SYS_execveat, fd, "link2", argv, envp, 0);
}

static void absolute(void)
{
	char *argv[] = {"y", schema, NULL};
	char *envp[] = {filename(self), NULL};
	enter_at(-1, self, 2);
	syscall(SYS_execveat, -1, self, argv, envp, AT_SYMLINK_NOFOLLOW);
}

static void relative(void)
{
	char *argv[] = {"z", schema, NULL};
	char *envp[] = {filename("link"), NULL};
	enter_at(AT_FDCWD, "link", 0);
	syscall(SYS_execveat, AT_FDCWD, "link", argv, envp, 0);
}

// unprivileged is nobody, who may not write to the file.
static void unprivileged(void)
{
	int fd = program();
	need(setgid(65534) == 0 && setuid(65534) == 0, "setuid");
	char name[40];
	sprintf(name, "/dev/fd/%d", fd);
	char *argv[] = {"nobody", schema, NULL};
	char *envp[] = {filename(name), NULL};
	enter_at(fd, "", 1);
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

static void *execute_plain(void *arg)
{
	char *argv[] = {"thread", schema, NULL};
	char *envp[] = {filename(self), NULL};
	int tid = outer_tid();
	(void)arg;
	enter(self);
	// It gets the tid of its process, and the one that it had is gone.
	expect_of(tid, "186 status=0 ret=0 sig=0 core=0 reaper_tid=0");
	execve(self, argv, envp);
	return NULL;
}

static void from_a_thread(void)
{
	pthread_t t;
	need(pthread_create(&t, NULL, execute_plain, NULL) == 0, "pthread_create");
	for (;;)
		pause();
}

// fails tries a program of which the caller knows that it is none.
static void fails(const char *path, char **argv, char **envp, const char *exe, const char *args, const char *env)
{
	enter(path);
	long res = result(syscall(SYS_execve, path, argv, envp));
	expect_exec(293, res, exe, args, env, path ? quote(path) : no_string());
}

static void fails_at(int dirfd, const char *path, int flags, unsigned ppm)
{
	char *argv[] = {"argv0", "argv1", NULL}, *envp[] = {"A=1", NULL};
	enter_at(dirfd, path, ppm);
	long res = result(syscall(SYS_execveat, dirfd, path, argv, envp, flags));
	expect_exec(331, res, "\"argv0\"", "\"argv1\\x00\"", "\"A=1\\x00\"", NULL);
}

static void failures(void)
{
	static char list[1 << 14];
	char *empty[] = {"", NULL};
	char *argv[] = {"none", "", "first argument", "", (char *)big, "second", NULL};
	char *envp[] = {"A=1", "B=2", (char *)big, "C=3", NULL};
	const char *args, *env;
	size_t n = sprintf(list, "%c%s%c%c%s%cs", 0, "first argument", 0, 0, big, 0);
	args = list_value(list, n, 4096 - sizeof "none");
	n = sprintf(list, "A=1%cB=2%c%s", 0, 0, big);
	env = list_value(list, n, 4096);

	fails("none", argv, envp, "\"none\"", args, env);
	fails("none", NULL, NULL, "\"\"", "-", "-");
	fails("none", empty, empty, "\"\"", "-", "\"\\x00\"");
	fails(NULL, empty, empty, "\"\"", "-", "\"\\x00\"");
	fails("", empty, NULL, "\"\"", "-", "-");
	fails(".", empty, NULL, "\"\"", "-", "-");
	need(mknod("plain", S_IFREG | 0644, 0) == 0 && mknod("nothing", S_IFREG | 0755, 0) == 0, "mknod");
	fails("plain", empty, NULL, "\"\"", "-", "-");
	fails("nothing", empty, NULL, "\"\"", "-", "-"); // ENOEXEC
	fails("none", (char **)8, (char **)8, "\"\"", "-", "-");
	fails_at(AT_FDCWD, "none", AT_SYMLINK_NOFOLLOW, 2);
	fails_at(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, 2); // ELOOP
	fails_at(-5, "", AT_EMPTY_PATH, 1);
	fails_at(-5, "none", 0, 0);
	fails_at(AT_FDCWD, NULL, 0, 0);
}

// elsewhere is what may have changed since the last exec when one fails: group,
// session, terminal, and who has logged in.
static void elsewhere(void)
{
	char *argv[] = {"argv0", NULL}, *envp[] = {NULL};
	int master = posix_openpt(O_RDWR | O_NOCTTY), login = open("/proc/self/loginuid", O_WRONLY);
	need(setpgid(0, 0) == 0, "setpgid");
	fails("none", argv, envp, "\"argv0\"", "-", "-");
	pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid > 0) { // so that it leads no group
		need(waitpid(pid, NULL, 0) == pid, "waitpid");
		expect("186 status=0 ret=0 sig=0 core=0 reaper_tid=0");
		_exit(0);
	}
	need(setsid() == getpid(), "setsid");
	need(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "a terminal");
	need(open(ptsname(master), O_RDWR) >= 0 && terminal() != 0, "a controlling terminal");
	if (login >= 0)
		write(login, "4711", 4); // may not be allowed
	fails("none", argv, envp, "\"argv0\"", "-", "-");
	execute(self);
}

int main(int argc, char **argv)
{
	memset(big, 'x', sizeof big - 1);
	begin(argc, argv);
	if (getenv("FILENAME"))
		return become();
	schema = argv[1];
	strcpy(dir, argv[2]);
	need(chdir(dir) == 0, "chdir");
	need(readlink("/proc/self/exe", self, sizeof self - 1) > 0, "exe");
	child(plain);
	child(unresolved);
	child(through_link);
	child(script);
	child(from_memory);
	child(much);
	child(by_descriptor);
	child(in_directory);
	child(absolute);
	child(relative);
	child(unprivileged);
	child(from_a_thread);
	child(elsewhere);
	failures();
	expect("186 status=0 ret=0 sig=0 core=0 reaper_tid=0");
	return 0;
}
