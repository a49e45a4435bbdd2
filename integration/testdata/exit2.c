// exit2 ends with 2: it is one of the programs of a racer.
int main(void) { return 2; }
