package cli

// Version is what --version prints. It is set by the linker.
var Version = "unknown"
