package kmod

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fixedSize is that of the rings of modules that cannot be asked for another one.
const fixedSize = 8 << 20

// sizeParam is the file with the size that the rings of the next consumer get.
func (d *Driver) sizeParam() string {
	return filepath.Join(d.cfg.Root, "/sys/module", d.name, "parameters/g_buffer_bytes_dim")
}

// ringSize is the size that rings have which are opened now.
func (d *Driver) ringSize() int {
	text, err := os.ReadFile(d.sizeParam())
	if err != nil {
		return fixedSize
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n <= 0 {
		return fixedSize
	}
	return n
}

// setRingSize asks for the size that is wanted. A module that does not give it is
// read all the same.
func (d *Driver) setRingSize() {
	want := d.cfg.RingSize
	if want == 0 || want == d.ringSize() {
		return
	}
	err := os.WriteFile(d.sizeParam(), fmt.Append(nil, want), 0)
	if err != nil {
		d.cfg.Log.Warn().Err(err).Int("wanted", want).Int("size", d.ringSize()).Msg("the rings of the kernel module keep their size")
	}
}
