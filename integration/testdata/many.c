// Sends and gets as many messages as one call takes, each by another port.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <sys/socket.h>

enum { MANY = 1024, PORT = 20000 }; // UIO_MAXIOV

int main(void)
{
	static struct sockaddr_in to[MANY], from[MANY];
	static struct mmsghdr list[MANY];
	struct iovec none = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 1 << 24;
	for (int i = 0; i < MANY; i++) {
		to[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT + i), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		list[i].msg_hdr = (struct msghdr){.msg_name = &to[i], .msg_namelen = sizeof to[i], .msg_iov = &none, .msg_iovlen = 1};
	}
	if (sendmmsg(fd, list, MANY, 0) != MANY)
		err(1, "sendmmsg");

	int here = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof to[0];
	to[0].sin_port = 0;
	setsockopt(here, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(here, (struct sockaddr *)&to[0], n) < 0 || getsockname(here, (struct sockaddr *)&to[0], &n) < 0)
		err(1, "bind");
	int got;
	for (int i = 0; i < MANY; i++) {
		list[i].msg_hdr.msg_name = &from[i];
		if (sendto(fd, "", 0, 0, (struct sockaddr *)&to[0], sizeof to[0]) < 0)
			err(1, "sendto");
	}
	got = recvmmsg(here, list, MANY, MSG_DONTWAIT, NULL);
	if (got <= 0)
		err(1, "recvmmsg");
	printf("%d %d\n", MANY, got); // the buffer may be too small for all
	return 0;
}
