// Whether the kernel tells of unix sockets: that may be a module that is not there
// (CONFIG_UNIX_DIAG).
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <unistd.h>

// unix_diag asks by a socket of NETLINK_SOCK_DIAG.
static int unix_diag(int fd)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req about;
	} request = {
		{.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		{.sdiag_family = AF_UNIX},
	};
	struct nlmsghdr answer[512] = {{0}};
	return write(fd, &request, sizeof request) > 0 && read(fd, answer, sizeof answer) > 0 && answer->nlmsg_type != NLMSG_ERROR;
}
