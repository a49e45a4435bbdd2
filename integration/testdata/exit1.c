// exit1 ends with 1: it is one of the programs of a racer.
int main(void) { return 1; }
