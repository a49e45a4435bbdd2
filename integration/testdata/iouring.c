// Tells the errors of the calls of io_uring, 0 for none.
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *name, long result, int error)
{
	printf("%s: %d\n", name, result < 0 ? error : 0);
}

int main(void)
{
	struct io_uring_params p;
	memset(&p, 0, sizeof p);
	long fd = syscall(SYS_io_uring_setup, 4, &p);
	tell("io_uring_setup", fd, errno);
	tell("io_uring_enter", syscall(SYS_io_uring_enter, fd, 0, 0, 0, 0, 0), errno);
	tell("io_uring_register", syscall(SYS_io_uring_register, fd, IORING_UNREGISTER_BUFFERS, 0, 0), errno);
	int result = -ENOSYS;
#ifdef __x86_64__
	// The address is out of its reach.
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(SYS_io_uring_setup), "b"(4), "c"(0) : "memory", "r8", "r9", "r10", "r11");
#endif
	tell("by int 0x80", result, -result);
	return 0;
}
