// layers HOW FILE...: opens each of the files, to be read from (r) or written to (w), or
// by creat (c).
#include <err.h>
#include <fcntl.h>

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		int fd = -1;
		switch (argv[1][0]) {
		case 'r':
			fd = open(argv[i], O_RDONLY);
			break;
		case 'w':
			fd = open(argv[i], O_WRONLY | O_APPEND);
			break;
		case 'c':
			fd = creat(argv[i], 0644);
			break;
		}
		if (fd < 0)
			err(1, "%s", argv[i]);
	}
	return 0;
}
