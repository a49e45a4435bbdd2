package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pdig/pdig/event"
	"github.com/pdig/pdig/sensor/capture"
	"github.com/pdig/pdig/syscalls"
)

// The header of a record begins with its time and its thread.
const offThread = 8

// round is what every repetition of a capture comes after the one before.
type round struct {
	ns    uint64
	tids  int64
	begun map[int64]bool // threads that began within the capture: each time they are others
}

// grow writes the events of the capture base over and over into another one, until
// it has at least n of them, and returns how many it has. Times and threads go on;
// who was there before the capture stays.
func grow(base, to string, n int) (events int, err error) {
	r, err := measureRound(base)
	if err != nil {
		return 0, err
	}
	f, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	w := capture.NewWriter(f, false)
	for i := 0; events < n && err == nil; i++ {
		add := w.Add
		if i > 0 {
			add = nil // all is known
		}
		err = eachEvent(base, add, func(v *event.View) error {
			if r.ends(v) {
				return nil
			}
			events++
			r.shift(v, i)
			return w.Event(0, false, v.Bytes())
		})
	}
	return events, errors.Join(err, w.Close(), f.Close())
}

// eachEvent calls do with each event of a capture. It may change the bytes.
func eachEvent(path string, entries func(capture.Entry), do func(*event.View) error) error {
	r, err := capture.Open(path, nil, entries)
	if err != nil {
		return err
	}
	defer r.Close()
	var v event.View
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = v.Parse(rec)
		}
		if err == nil {
			err = do(&v)
		}
		if err != nil {
			return fmt.Errorf("grow: %w", err)
		}
	}
}

func measureRound(base string) (round, error) {
	r := round{begun: map[int64]bool{}}
	var first, last uint64
	var highest int64
	err := eachEvent(base, nil, func(v *event.View) error {
		if first == 0 {
			first = v.Time()
		}
		last, highest = max(last, v.Time()), max(highest, v.TID())
		switch v.Info().Name {
		case "clone", "clone3", "fork", "vfork":
			if child, ok := v.Int(0); ok && child > 0 && !syscalls.IsEnter(v.Type()) {
				r.begun[child] = true
			}
		}
		return nil
	})
	r.ns, r.tids = last-first+1e6, highest+1
	return r, err
}

// ends reports whether a thread ends that has to be there in the next repetition.
func (r *round) ends(v *event.View) bool { return v.Info().Name == "procexit" && !r.begun[v.TID()] }

// shift makes an event one of repetition i.
func (r *round) shift(v *event.View, i int) {
	rec := v.Bytes()
	binary.NativeEndian.PutUint64(rec, v.Time()+uint64(i)*r.ns)
	r.thread(rec[offThread:offThread+8], i)
	for k := range v.Info().Params {
		if b := v.Param(k); v.Info().Params[k].Type == syscalls.PID && len(b) == 8 {
			r.thread(b, i)
		}
	}
}

func (r *round) thread(b []byte, i int) {
	if tid := int64(binary.NativeEndian.Uint64(b)); r.begun[tid] {
		binary.NativeEndian.PutUint64(b, uint64(tid+int64(i)*r.tids))
	}
}
