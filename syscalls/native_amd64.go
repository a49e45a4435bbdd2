package syscalls

// Native is the numbering of 64-bit programs on this machine.
const Native = AMD64
