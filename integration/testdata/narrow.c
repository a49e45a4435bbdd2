// The least program, for asking whether one of 32 bits can be made.
#include <stdio.h>

int main(void) { return puts("") < 0; }
