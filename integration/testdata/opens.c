// Opens files by names that are not theirs, in the current directory, and prints
// device (as the kernel encodes it in 32 bits) and inode of what it has opened.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// Within the first 4 GB.
static char secret[] = "secret";

static int told(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		st.st_ino = st.st_dev = 0;
	unsigned device = (minor(st.st_dev) & 0xff) | major(st.st_dev) << 8 | (minor(st.st_dev) & ~0xff) << 12;
	printf("%u %lu\n", device, (unsigned long)st.st_ino);
	return fd;
}

static int made(const char *path)
{
	return told(open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
}

static int opened2(int directory, const char *path, unsigned long long resolve)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = resolve};
	return told(syscall(SYS_openat2, directory, path, &how, sizeof how));
}

static void *exchange(void *unused)
{
	for (;;)
		syscall(SYS_renameat2, AT_FDCWD, "secret", AT_FDCWD, "harmless", RENAME_EXCHANGE);
	return unused;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 0;
	char path[64];
	int fd = made("secret");
	made("harmless");
	mkdir("a", 0700);
	mkdir("a/b", 0700);
	made("a/secret");
	symlink("a/b", "b");
	symlink("secret", "link");
	symlink("new", "dangling");
	link("secret", "hard");
	told(open("b/../secret", O_RDONLY)); // to the letter it is ./secret
	told(open("link", O_RDONLY));
	told(open("hard", O_RDONLY));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	told(open(path, O_RDONLY));
	told(open("/proc/self/cwd/secret", O_RDONLY));
	told(creat("dangling", 0600));
	int directory = told(open("a", O_PATH));
	told(openat(directory, "secret", O_RDONLY));
	told(openat(directory, "../secret", O_RDONLY));
	opened2(directory, "/secret", RESOLVE_IN_ROOT);
	opened2(directory, "../secret", 0);
	opened2(directory, "../../secret", RESOLVE_IN_ROOT);
	told(open(".", O_TMPFILE | O_RDWR, 0600));
#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(fd) : "a"(5), "b"(secret), "c"(O_RDONLY), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	told(fd);
#endif
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("secret", "harmless", NULL, MS_BIND, NULL) == 0) {
		close(told(open("harmless", O_RDONLY)));
		umount("harmless");
	}
	pthread_t thread;
	if (rounds > 0)
		pthread_create(&thread, NULL, exchange, NULL);
	for (int i = 0; i < rounds; i++)
		close(told(open("secret", O_RDONLY)));
	return 0;
}
