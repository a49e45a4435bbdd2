// late DIRECTORY: opens by a struct open_how that is in memory only once the kernel looks
// at it.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 1 << 16 }; // the largest there are

static int faults;
static struct open_how how;

static void *serve(void *unused)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));
	struct uffd_msg m;
	while (read(faults, &m, sizeof m) == sizeof m) {
		memcpy(page, &how, sizeof how);
		struct uffdio_copy c = {.dst = m.arg.pagefault.address & ~(PAGE - 1ULL), .src = (unsigned long)page, .len = PAGE};
		if (ioctl(faults, UFFDIO_COPY, &c) < 0)
			err(1, "UFFDIO_COPY");
	}
	return unused;
}

static void try(int dir, const char *name, unsigned long flags, unsigned long resolve, char *late)
{
	how = (struct open_how){.flags = flags, .resolve = resolve};
	if (syscall(SYS_openat2, dir, name, late, sizeof how) < 0)
		err(1, "%s", name);
}

int main(int argc, char **argv)
{
	struct uffdio_api api = {.api = UFFD_API};
	pthread_t t;
	if (argc != 2 || chdir(argv[1]) < 0)
		errx(1, "usage: late DIRECTORY");
	faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) < 0)
		return 77;
	char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *first = (char *)(((unsigned long)pages + PAGE - 1) & ~(PAGE - 1UL));
	struct uffdio_register r = {.range = {(unsigned long)first, 2 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	if (ioctl(faults, UFFDIO_REGISTER, &r) < 0 || pthread_create(&t, NULL, serve, NULL) != 0)
		err(1, "UFFDIO_REGISTER");
	mkdir("d", 0700);
	close(creat("d/file", 0600));
	if (symlink("d/file", "link") < 0)
		err(1, "link");
	try(open("d", O_RDONLY | O_DIRECTORY), "/file", O_RDONLY, RESOLVE_IN_ROOT, first);
	try(AT_FDCWD, "link", O_PATH | O_NOFOLLOW, 0, first + PAGE);
	_exit(0);
}
