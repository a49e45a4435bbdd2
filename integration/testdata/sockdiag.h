// Whether the kernel tells of the sockets of others: that may be modules that are not
// there (CONFIG_UNIX_DIAG, CONFIG_INET_DIAG).
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

// sock_diag asks, by a socket of NETLINK_SOCK_DIAG, about those of AF_UNIX, or of TCP.
static int sock_diag(int fd, int family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 about; // which is larger than one about unix sockets, and begins as that
	} request = {
		{.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		{.sdiag_family = family, .sdiag_protocol = family == AF_UNIX ? 0 : IPPROTO_TCP},
	};
	struct nlmsghdr answer[512] = {{0}};
	return write(fd, &request, sizeof request) > 0 && read(fd, answer, sizeof answer) > 0 && answer->nlmsg_type != NLMSG_ERROR;
}
