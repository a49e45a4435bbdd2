package kmod

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pdig/pdig/syscalls"
)

// What a module records is chosen in three ways: up to API 2 by types of events,
// and every device has a switch; in API 3 by calls, and a mask of tracepoints is the
// switch; later by calls and single tracepoints, all of which begin switched off.
// Settings belong to the consumer, so any device will do, and an open resets them.

// start lets the module record what is wanted.
func (d *Driver) start() error {
	if n := d.cfg.Snaplen; n > 0 {
		if err := d.ask("snaplen", reqSnaplen, uint(min(n, maxSnaplen))); err != nil {
			return err
		}
	}
	if n := d.cfg.DropRatio; n > 0 {
		if err := d.ask("dropping mode", reqDropOn, uint(n)); err != nil {
			return err
		}
	}
	switch major := d.api.Major(); {
	case major < 3:
		return d.startByEvents(major == 2)
	case major == 3:
		return d.startByMask()
	}
	return d.startByCalls()
}

func (d *Driver) startByEvents(tracepoints bool) error {
	for typ := range uint16(syscalls.CeilingA) {
		if !d.cfg.wantsEvent(typ) {
			if err := d.ask("event", reqUnsetEvent, uint(typ)); err != nil {
				return err
			}
		}
	}
	if tracepoints {
		if err := d.ask("tracepoints", reqTracepoints, d.tracepoints()); err != nil {
			return err
		}
	}
	for _, r := range d.rings {
		if _, err := r.dev.ioctl(reqStart, 0); err != nil {
			return fmt.Errorf("start of CPU %d: %w", r.cpu, err)
		}
	}
	return nil
}

func (d *Driver) startByMask() error {
	if err := d.chooseCalls(false); err != nil {
		return err
	}
	return d.ask("tracepoints", reqTracepoints, d.tracepoints())
}

func (d *Driver) startByCalls() error {
	if err := d.chooseCalls(true); err != nil {
		return err
	}
	for tp := range uint(numTracepoints) {
		if d.tracepoints()>>tp&1 != 0 {
			if err := d.ask("tracepoint", reqTracepointOn, tp); err != nil {
				return err
			}
		}
	}
	return nil
}

// chooseCalls selects the calls that are wanted. Without all of them given up
// first a module would keep what it begins with.
func (d *Driver) chooseCalls(onlyOn bool) error {
	for nr := range maxCall {
		req := uint(reqNoCall)
		if d.cfg.Wants.Number(nr) {
			req = reqCall
		} else if onlyOn {
			continue
		}
		if err := d.ask("call", req, uint(nr)); err != nil {
			return err
		}
	}
	return nil
}

// tracepoints is the mask of those that are wanted. A tracepoint that the module
// was built without is taken and does nothing.
func (d *Driver) tracepoints() uint {
	mask := uint(1<<tpSysEnter | 1<<tpSysExit | 1<<tpProcExit | 1<<tpFork | 1<<tpExec)
	if d.api.Major() < 4 {
		mask &^= 1<<tpFork | 1<<tpExec
		if syscalls.Native == syscalls.ARM64 && d.api.Major() == 3 {
			mask |= 1<<tpFork | 1<<tpExec
		}
	}
	if d.cfg.Switches {
		mask |= 1 << tpSwitch
	}
	if d.cfg.Signals {
		mask |= 1 << tpSignal
	}
	return mask
}

// stop ends the recording: rings that are still open are not written to any more.
func (d *Driver) stop() error {
	var errs []error
	switch major := d.api.Major(); {
	case major < 3:
		for _, r := range d.rings {
			_, err := r.dev.ioctl(reqStop, 0)
			errs = append(errs, err)
		}
	case major == 3:
		errs = append(errs, d.ask("tracepoints", reqTracepoints, 0))
	default:
		for tp := range uint(numTracepoints) {
			errs = append(errs, d.ask("tracepoint", reqTracepoint0, tp))
		}
	}
	return errors.Join(errs...)
}

// ask makes a request of the consumer. What the module does not know it says with
// ENOTTY.
func (d *Driver) ask(what string, request, arg uint) error {
	_, err := d.rings[0].dev.ioctl(request, arg)
	if errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("%s %d: API %s lacks this request: %w", what, arg, d.api, err)
	}
	if err != nil {
		return fmt.Errorf("%s %d: %w", what, arg, err)
	}
	return nil
}
