// Opens a file that is not there, COUNT times: flood COUNT.
#include <fcntl.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	for (long n = argc > 1 ? atol(argv[1]) : 1; n > 0; n--)
		open("/nowhere/flood", O_RDONLY);
	return 0;
}
