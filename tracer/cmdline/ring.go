package cmdline

import (
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/pdig/pdig/internal/beside"
	"github.com/pdig/pdig/shm"
)

// ring is where the records go, and the sensor that was started to read it, if any.
type ring struct {
	*shm.Producer
	log    zerolog.Logger
	sensor *beside.Sensor
}

// openRing opens the ring that the options name, or starts a sensor with one.
func (o *Options) openRing(log zerolog.Logger) (*ring, error) {
	cfg := shm.ProducerConfig{
		Config: shm.Config{Prefix: o.ring, Mode: o.mode},
		Block:  o.onFull == "block", Await: o.secure(), Ceiling: o.ceiling, Tracer: o.self(), Log: log,
	}
	r := &ring{log: log}
	var err error
	if o.Beside == nil {
		r.Producer, err = shm.NewProducer(cfg)
		return r, err
	}
	if r.sensor, err = o.Beside(log); err != nil {
		return nil, err
	}
	if r.Producer, err = r.sensor.Producer(cfg); err != nil {
		r.sensor.End()
		return nil, err
	}
	return r, nil
}

// besideWait is how long a command waits for a sensor that is started with it. It
// takes milliseconds, if the machine has them.
const besideWait = 10 * time.Second

// await waits for a reader as the options say, or until over says that nobody waits
// any more. The error says that there is none.
func (r *ring) await(o *Options, over func() bool) error {
	switch {
	case r.sensor == nil:
		if !awaitSensor(r.Producer, o.waitSensor, over) {
			return fmt.Errorf("no sensor reads the ring after %v (--wait-sensor)", o.waitSensor)
		}
	case o.secure(), o.waitSensor < 0:
		r.sensor.Await(-1, over)
	case !o.flags.Changed("wait-sensor"):
		if !r.sensor.Await(besideWait, over) && !over() {
			r.log.Error().Msg("started without a sensor, which may come later")
		}
	case !r.sensor.Await(o.waitSensor, over) && o.waitSensor > 0 && !over():
		return fmt.Errorf("the sensor does not read after %v (--wait-sensor)", o.waitSensor)
	}
	return nil
}

// awaitSensor waits for a reader of the ring, at most for the given time; a
// negative one is for ever. It reports whether there is one, or over tells that
// nobody waits any more.
func awaitSensor(p *shm.Producer, wait time.Duration, over func() bool) bool {
	if wait == 0 {
		return true
	}
	const pause = 5 * time.Millisecond
	for start := time.Now(); wait < 0 || time.Since(start) < wait; {
		if p.Active() || over() {
			return true
		}
		time.Sleep(pause)
	}
	return p.Active()
}

// commandEnded has the sensor show what it has. Whoever waits for the end of the
// command may end all that is in a container then; the kernel does when it was PID 1.
func (r *ring) commandEnded(last bool) {
	if r.sensor == nil {
		return
	}
	shown := false
	if last {
		shown = r.sensor.End()
	} else {
		shown = r.sensor.Flush()
	}
	if !shown {
		r.log.Error().Msg("the sensor has not shown all events in time")
	}
}

// close lets go of the ring, and ends the sensor.
func (r *ring) close() {
	err := r.Producer.Close()
	if r.sensor != nil && !r.sensor.End() {
		err = errors.Join(err, errors.New("the sensor has not ended in time"))
	}
	if err != nil {
		r.log.Error().Err(err).Msg("ring not closed")
	}
}
