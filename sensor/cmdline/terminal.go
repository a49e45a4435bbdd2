package cmdline

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// terminal returns the terminal that w is, nil if it is none.
func terminal(w io.Writer) *os.File {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// sizeOf is the size of a terminal; one that does not tell is an old one.
func sizeOf(f *os.File) (lines, columns int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return 24, 80
	}
	return int(size.Row), int(size.Col)
}

// coloured reports whether lines to w are to have colours: a terminal that has
// them, and a user who has not declined them (no-color.org).
func coloured(w io.Writer) bool {
	return terminal(w) != nil && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
}
