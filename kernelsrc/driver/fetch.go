package driver

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// fetch asks the repository for drivers by Falco's names, and returns where the first
// that it has is now, "" if it has none.
func (c *Config) fetch() string {
	repo := strings.TrimRight(c.Repo, "/")
	for _, name := range names {
		file := strings.ReplaceAll(url.PathEscape(c.file(name, c.target())), "+", "%2B") // which some take for a blank
		from := repo + "/" + c.Kernel.Machine + "/" + file
		got, err := c.download(from, name)
		if err == nil {
			c.say("%s: is now %s", from, got)
			return got
		}
		c.say("%s: %v", from, err)
	}
	return ""
}

// target is what the repository calls the distribution: of Ubuntu it has several.
func (c *Config) target() string {
	if c.Kernel.Target == "ubuntu" {
		return "ubuntu-" + c.Kernel.Release[strings.LastIndexByte(c.Kernel.Release, '-')+1:]
	}
	return c.Kernel.Target
}

// download leaves what is at an address where find looks. It is curl that knows how to
// get there: proxies, certificates.
func (c *Config) download(from, name string) (string, error) {
	work, err := os.MkdirTemp("", "driver-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, name+c.suffix())
	cmd := exec.Command("curl", "--fail", "--silent", "--show-error", "--location", "--proto", "=http,https",
		"--connect-timeout", "20", "--max-time", "300", "--max-filesize", "67108864", "--output", made, "--", from)
	switch out, err := cmd.CombinedOutput(); {
	case err != nil && len(out) > 0:
		return "", fmt.Errorf("%s", lastWords(out))
	case err != nil:
		return "", err
	}
	if err := c.check(made); err != nil {
		return "", err
	}
	version, err := url.PathUnescape(path.Base(strings.TrimRight(c.Repo, "/")))
	if err != nil || strings.Contains(version, "/") || strings.Trim(version, ".") == "" {
		version = "downloaded"
	}
	return c.keep(made, name, version)
}
