package falcoplugin

import (
	"strings"

	"github.com/pdig/pdig/event"
)

// Metric is a number of the plugin.
type Metric struct {
	Name  string
	Value uint64
	Grows bool // it never gets smaller
}

// Metrics are those of all captures of the plugin, always the same and in the same
// order.
func (p *Plugin) Metrics() []Metric {
	p.mu.Lock()
	open := append([]*Instance(nil), p.instances...)
	sum := p.gone
	p.mu.Unlock()
	var lag uint64
	for _, i := range open {
		i.mu.Lock()
		if !i.closed {
			s := i.stats()
			add(&sum, &s)
			lag = max(lag, uint64(max(0, i.lag)))
		}
		i.mu.Unlock()
	}
	list := []Metric{
		{"seen", sum.Seen, true},
		{"delivered", sum.Delivered, true},
		{"lost", sum.LostTotal(), true},
		{"lag_ns", lag, false},
	}
	for cause := range event.NumCauses {
		list = append(list, Metric{"lost_" + strings.ReplaceAll(cause.String(), " ", "_"), sum.Lost[cause], true})
	}
	return list
}
