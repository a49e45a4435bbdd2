//go:build cgo

package main

// #include "plugin.h"
import "C"

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/shm/falcoplugin"
)

var (
	errClosed = errors.New("the capture is not open: open it again")
	noState   = C.CString("the plugin is not initialized")
)

// state is what a host calls the state of a plugin. Texts that it was given are
// C's and freed when the next of their kind is made.
type state struct {
	plugin *falcoplugin.Plugin // nil: its configuration was refused

	mu       sync.Mutex
	problem  *C.char
	list     *C.char
	metrics  *C.metric
	nmetrics int
	values   []unsafe.Pointer // of the last extraction
}

// capture is an open instance.
type capture struct {
	of       *state
	instance *falcoplugin.Instance
}

// longest is how much of an error hosts keep, with its NUL.
const longest = 1024

func (s *state) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	C.free(unsafe.Pointer(s.problem))
	text := err.Error()
	s.problem = C.CString(text[:min(len(text), longest-1)])
}

func (s *state) last() C.text {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem == nil {
		s.problem = C.CString("no error")
	}
	return s.problem
}

func (s *state) keep(list string) C.text {
	s.mu.Lock()
	defer s.mu.Unlock()
	C.free(unsafe.Pointer(s.list))
	s.list = C.CString(list)
	return s.list
}

// metricsOf is room for n metrics, which are always as many.
func (s *state) metricsOf(n int) []C.metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.metrics == nil {
		s.metrics = (*C.metric)(C.calloc(C.size_t(n), C.sizeof_metric))
		s.nmetrics = n
	}
	return unsafe.Slice(s.metrics, n)
}

// begin frees the values of the extraction before.
func (s *state) begin() {
	for _, p := range s.values {
		C.free(p)
	}
	s.values = s.values[:0]
}

// value is a value of a field in memory that C may keep: a number, or the address
// of a text and behind it the text.
func (s *state) value(v *falcoplugin.Value, number bool) unsafe.Pointer {
	if number {
		p := C.malloc(C.sizeof_uint64_t)
		*(*uint64)(p) = v.Number
		s.values = append(s.values, p)
		return p
	}
	p := C.malloc(C.size_t(unsafe.Sizeof(uintptr(0))) + C.size_t(len(v.Text)) + 1)
	text := unsafe.Add(p, unsafe.Sizeof(uintptr(0)))
	*(*unsafe.Pointer)(p) = text
	b := unsafe.Slice((*byte)(text), len(v.Text)+1)
	b[copy(b, v.Text)] = 0
	s.values = append(s.values, p)
	return p
}

func (s *state) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	C.free(unsafe.Pointer(s.problem))
	C.free(unsafe.Pointer(s.list))
	if s.metrics != nil {
		for _, m := range unsafe.Slice(s.metrics, s.nmetrics) {
			C.free(unsafe.Pointer(m.name))
		}
		C.free(unsafe.Pointer(s.metrics))
	}
	s.problem, s.list, s.metrics = nil, nil, nil
}

// handles are what hosts hold of us.
var handles = table{held: map[C.uintptr_t]any{}}

type table struct {
	mu   sync.RWMutex
	last C.uintptr_t
	held map[C.uintptr_t]any // *state or *capture
}

func (t *table) add(v any) C.uintptr_t {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.held[t.last] = v
	return t.last
}

func (t *table) state(h C.uintptr_t) *state {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s, _ := t.held[h].(*state)
	return s
}

func (t *table) capture(h C.uintptr_t) *capture {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c, _ := t.held[h].(*capture)
	return c
}

func (t *table) remove(h C.uintptr_t) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, h)
}

// removeAll removes a state and the captures that the host has left open.
func (t *table) removeAll(s *state) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for h, v := range t.held {
		if c, ok := v.(*capture); v == any(s) || ok && c.of == s {
			delete(t.held, h)
		}
	}
}

// logger writes what is odd to where Falco's own words go.
func logger() zerolog.Logger {
	return zerolog.New(os.Stderr).Level(zerolog.WarnLevel).With().Timestamp().Str("program", "libpdig").Logger()
}
