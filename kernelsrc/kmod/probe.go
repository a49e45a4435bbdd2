package kmod

import "fmt"

// Found is a module that can be read.
type Found struct {
	Device      string
	API, Schema Version
}

// Probe finds out whether [Open] would work, by opening one device for a moment.
// It records nothing.
func Probe(cfg Config) (Found, error) { return probe(cfg, machine{}) }

func probe(cfg Config, k kernel) (Found, error) {
	d := &Driver{cfg: cfg, k: k, thread: newThread()}
	defer d.thread.end()
	err := d.find()
	if err != nil {
		return Found{}, err
	}
	d.thread.do(func() { err = d.openFirst() })
	for _, r := range d.rings {
		if closeErr := r.close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return Found{}, fmt.Errorf("kernel module %s: %w", d.name, err)
	}
	return Found{Device: d.path(d.rings[0].cpu), API: d.api, Schema: d.schema}, nil
}
