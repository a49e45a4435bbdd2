package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// loaded is the name of the module that is loaded, "" if there is none.
func (c *Config) loaded() string {
	for _, name := range names {
		if _, err := os.Stat(c.sys(name, "")); err == nil {
			return name
		}
	}
	return ""
}

func (c *Config) sys(name, file string) string {
	return filepath.Join(c.Root, "/sys/module", name, file)
}

// fact is what the kernel says of a loaded module.
func (c *Config) fact(name, file string) string {
	text, err := os.ReadFile(c.sys(name, file))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// insert gives a module to the kernel, which unpacks those that are packed.
func (c *Config) insert(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err = unix.FinitModule(int(f.Fd()), "", flags)
	for _, row := range reasons {
		if errors.Is(err, row.errno) {
			return fmt.Errorf("finit_module: %w: %s", err, row.why)
		}
	}
	if err != nil {
		return fmt.Errorf("finit_module: %w", err)
	}
	return nil
}

// reasons are why a kernel refuses a module.
var reasons = []struct {
	errno unix.Errno
	why   string
}{
	{unix.EPERM, "it needs CAP_SYS_MODULE, and a kernel that is not locked down"},
	{unix.ENOSYS, "this kernel has no modules"},
	{unix.ENOEXEC, "it was built for another kernel or configuration (see dmesg)"},
	{unix.ENOENT, "it needs a symbol that this kernel does not have (see dmesg)"},
	{unix.EINVAL, "it does not fit this kernel (see dmesg)"},
	{unix.EOPNOTSUPP, "this kernel does not unpack modules"},
	{unix.ENOKEY, "this kernel wants signed modules"},
	{unix.EKEYREJECTED, "this kernel wants modules that are signed with a key that it knows"},
}

// remove takes a module out of the kernel.
func remove(name string) error {
	err := unix.DeleteModule(name, unix.O_NONBLOCK)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("delete_module: %w: somebody reads it", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("delete_module: %w: it needs CAP_SYS_MODULE", err)
	case err != nil:
		return fmt.Errorf("delete_module: %w", err)
	}
	return nil
}
