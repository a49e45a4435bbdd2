package fields

import (
	"fmt"
	"strings"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// typeNames are the names that evt.type can have, with the codes of the events
// that have them.
var typeNames = indexTypes()

func indexTypes() map[string]*filter.Codes {
	m := map[string]*filter.Codes{}
	add := func(name string, code uint16) {
		if m[name] == nil {
			m[name] = &filter.Codes{}
		}
		m[name].Add(code)
	}
	for code := range syscalls.Events {
		add(syscalls.Events[code].Name, uint16(code))
		add(event.Name(uint16(code)), uint16(code))
	}
	// Those that have no events of their own are recorded as generic ones.
	for id, name := range syscalls.SCNames {
		if m[name] == nil || m[name].Has(syscalls.GenericE) {
			add(name, syscalls.GenericE)
			add(name, syscalls.GenericX)
		}
		if shown := event.CallName(uint64(id)); m[shown] == nil || shown != name {
			add(shown, syscalls.GenericE)
			add(shown, syscalls.GenericX)
		}
	}
	return m
}

// checkType refuses what is no name of an event or system call.
func checkType(name string) error {
	if name == "" || typeNames[name] != nil {
		return nil
	}
	return fmt.Errorf("unknown event type %q", name)
}

// typeCodes adds the codes of the events of a name.
func typeCodes(name string, into *filter.Codes) {
	if codes := typeNames[name]; codes != nil {
		for i, w := range codes {
			into[i] |= w
		}
	}
}

// isCall are the events that are half of a system call.
var isCall = indexCalls()

func indexCalls() *[syscalls.NumEvents]bool {
	var calls [syscalls.NumEvents]bool
	for code := range syscalls.Events {
		enum := syscalls.Events[code].Enum
		calls[code] = strings.HasPrefix(enum, "SYSCALL_") || strings.HasPrefix(enum, "SOCKET_") || strings.HasPrefix(enum, "GENERIC_")
	}
	return &calls
}
