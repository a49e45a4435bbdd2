package cmdline

import (
	"fmt"
	"net/url"
	"os"

	"github.com/pdig/pdig/internal/cli"
	"github.com/pdig/pdig/kernelsrc/driver"
)

// driverActions are the words of --driver.
var driverActions = map[string]func(driver.Config) error{
	"load": driver.Load, "unload": driver.Unload, "status": driver.Status,
	"build": func(c driver.Config) error { _, err := driver.Build(c); return err },
}

func (o *options) checkDriver() error {
	if !o.flags.Changed("driver") {
		for _, name := range []string{"driver-type", "driver-dir", "driver-repo"} {
			if o.flags.Changed(name) {
				return fmt.Errorf("--%s: there is no --driver", name)
			}
		}
		return nil
	}
	if driverActions[o.driver] == nil {
		return cli.ValueError("driver", o.driver, "load, unload, status or build")
	}
	if k := driver.Kind(o.driverType); k != driver.Module && k != driver.Probe {
		return cli.ValueError("driver-type", o.driverType, "kmod or ebpf")
	}
	if o.flags.Changed("driver-repo") {
		if o.driver != "load" {
			return fmt.Errorf("--driver-repo: only --driver load downloads")
		}
		if u, err := url.Parse(o.driverRepo); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return cli.ValueError("driver-repo", o.driverRepo, "an address that begins with https:// or http://")
		}
	}
	for _, name := range []string{"read", "write", "engines"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--driver and --%s exclude each other", name)
		}
	}
	if len(o.command) > 0 {
		return fmt.Errorf("--driver: a command is given")
	}
	return nil
}

// drive does with the driver what was asked for, and prints each step.
func (p *program) drive() error {
	root := os.Getenv("HOST_ROOT")
	kernel, err := driver.Running(root)
	if err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/root"
	}
	err = driverActions[p.driver](driver.Config{
		Kind: driver.Kind(p.driverType), Root: root, Dirs: p.driverDirs, Repo: p.driverRepo, Home: home, Kernel: kernel,
		Say: func(text string) { fmt.Fprintln(p.stdout, text) },
	})
	if err != nil {
		return fmt.Errorf("--driver %s: %w", p.driver, err)
	}
	return nil
}
