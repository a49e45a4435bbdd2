//go:build cgo

package main

// #cgo CFLAGS: -O2 -Wall -Wextra -Werror
// #include "plugin.h"
import "C"

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"github.com/pdig/pdig/shm/falcoplugin"
)

// Texts of the library; they stay as long as it does.
var (
	apiVersion  = C.CString("3.0.0")
	name        = C.CString("pdig")
	description = C.CString("System calls that pdig traces where the kernel is closed to Falco's drivers")
	contact     = C.CString("github.com/pdig/pdig")
	release     = C.CString(version)
	sources     = C.CString(`["syscall"]`)
	schema      = C.CString(falcoplugin.ConfigSchema)
	fields      = C.CString(falcoplugin.Fields())
	ownEvents   = C.CString(`["pdig_tracer"]`)
)

// version is that of the plugin: a host takes three numbers only.
const version = "0.1.0"

//export plugin_get_required_api_version
func plugin_get_required_api_version() C.text { return apiVersion }

//export plugin_get_name
func plugin_get_name() C.text { return name }

//export plugin_get_description
func plugin_get_description() C.text { return description }

//export plugin_get_contact
func plugin_get_contact() C.text { return contact }

//export plugin_get_version
func plugin_get_version() C.text { return release }

//export plugin_get_extract_event_sources
func plugin_get_extract_event_sources() C.text { return sources }

//export plugin_get_fields
func plugin_get_fields() C.text { return fields }

//export plugin_get_init_schema
func plugin_get_init_schema(kind *C.int32_t) C.text {
	*kind = C.JSON_SCHEMA
	return schema
}

//export plugin_init
func plugin_init(in *C.init_input, rc *C.int32_t) C.uintptr_t {
	*rc = C.SUCCESS
	s := &state{}
	p, err := falcoplugin.New(C.GoString(in.config), C.host_has_schemas() != 0, logger())
	if err != nil {
		*rc = C.FAILURE
		s.fail(err) // the host asks for it
	}
	s.plugin = p
	return handles.add(s)
}

//export plugin_destroy
func plugin_destroy(h C.uintptr_t) {
	s := handles.state(h)
	if s == nil {
		return
	}
	handles.removeAll(s)
	if s.plugin != nil {
		_ = s.plugin.Close() // nobody is left to hear of it
	}
	s.free()
}

//export plugin_get_last_error
func plugin_get_last_error(h C.uintptr_t) C.text {
	if s := handles.state(h); s != nil {
		return s.last()
	}
	return noState
}

//export plugin_open
func plugin_open(h C.uintptr_t, params C.text, rc *C.int32_t) C.uintptr_t {
	*rc = C.FAILURE
	s := handles.state(h)
	if s == nil || s.plugin == nil {
		return 0
	}
	i, err := s.plugin.Open(C.GoString(params))
	if err != nil {
		s.fail(err)
		return 0
	}
	*rc = C.SUCCESS
	return handles.add(&capture{s, i})
}

//export plugin_close
func plugin_close(h, open C.uintptr_t) {
	c := handles.capture(open)
	if c == nil {
		return
	}
	handles.remove(open)
	if err := c.instance.Close(); err != nil {
		c.of.fail(err)
	}
}

//export plugin_next_batch
func plugin_next_batch(h, open C.uintptr_t, n *C.uint32_t, events *C.uintptr_t) C.int32_t {
	*n = 0
	c := handles.capture(open)
	if c == nil {
		if s := handles.state(h); s != nil {
			s.fail(errClosed)
		}
		return C.FAILURE
	}
	table, count, err := c.instance.Next()
	switch {
	case err == nil:
		*n, *events = C.uint32_t(count), C.uintptr_t(table)
		return C.SUCCESS
	case errors.Is(err, os.ErrDeadlineExceeded):
		return C.TIMEOUT
	case errors.Is(err, io.EOF):
		return C.END
	}
	c.of.fail(err)
	return C.FAILURE
}

//export plugin_list_open_params
func plugin_list_open_params(h C.uintptr_t, rc *C.int32_t) C.text {
	*rc = C.FAILURE
	s := handles.state(h)
	if s == nil || s.plugin == nil {
		return nil
	}
	list, err := s.plugin.Rings()
	if err != nil {
		s.fail(err)
		return nil
	}
	*rc = C.SUCCESS
	return s.keep(list)
}

//export plugin_get_metrics
func plugin_get_metrics(h C.uintptr_t, n *C.uint32_t) *C.metric {
	*n = 0
	s := handles.state(h)
	if s == nil || s.plugin == nil {
		return nil
	}
	list := s.plugin.Metrics()
	metrics := s.metricsOf(len(list))
	for i, m := range list {
		metrics[i].value = C.uint64_t(m.Value)
		if metrics[i].name == nil {
			metrics[i].name, metrics[i]._type = C.CString(m.Name), 2
			if !m.Grows {
				metrics[i].kind = 1
			}
		}
	}
	*n = C.uint32_t(len(list))
	return &metrics[0]
}

// A host takes the name of an event in a rule for a mistake unless a plugin says that it
// has events of that name. Ours come in batches, in their order; the handler by which
// others are sent meanwhile is not needed.
//
//export plugin_get_async_events
func plugin_get_async_events() C.text { return ownEvents }

//export plugin_get_async_event_sources
func plugin_get_async_event_sources() C.text { return sources }

//export plugin_set_async_event_handler
func plugin_set_async_event_handler(s, owner, handler C.uintptr_t) C.int32_t { return C.SUCCESS }

//export plugin_extract_fields
func plugin_extract_fields(h C.uintptr_t, event *C.event_input, in *C.extract_input) C.int32_t {
	s := handles.state(h)
	if s == nil || s.plugin == nil {
		return C.FAILURE
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
	asked := unsafe.Slice(in.fields, in.n)
	for i := range asked {
		f := &asked[i]
		f.results = 0
		v := s.plugin.Field(uintptr(event.event), int(f.id))
		if !v.Known {
			continue
		}
		f.results, f.result = 1, s.value(&v, falcoplugin.NumberField(int(f.id)))
	}
	return C.SUCCESS
}
