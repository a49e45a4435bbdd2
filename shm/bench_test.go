package shm

import (
	"errors"
	"os"
	"testing"
)

// Sizes of records: a call without parameters, one with a few, one with data.
var benchSizes = []struct {
	name string
	n    int
}{{"small", 34}, {"64", 64}, {"4096", 4096}}

// emptied makes room without a reader.
func emptied(p *Producer) { p.tail.Store(p.head.Load()) }

func BenchmarkActive(b *testing.B) {
	_, p := newPair(b, Config{Prefix: memoryRing(b)})
	for b.Loop() {
		if !p.Active() {
			b.Fatal("not active")
		}
	}
}

// BenchmarkInactive is what a traced program pays while nobody reads.
func BenchmarkInactive(b *testing.B) {
	p := newProducer(b, ProducerConfig{Config: Config{Prefix: memoryRing(b)}})
	for b.Loop() {
		if p.Active() {
			b.Fatal("active")
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			_, p := newPair(b, Config{Prefix: memoryRing(b)})
			rec := record(1, 1, size.n)
			b.ReportAllocs()
			b.SetBytes(int64(size.n))
			for b.Loop() {
				if !p.Write(rec, Normal) {
					emptied(p)
				}
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			c, p := newPair(b, Config{Prefix: memoryRing(b)})
			for p.Write(record(1, 1, size.n), Normal) {
			}
			head := p.head.Load()
			b.ReportAllocs()
			b.SetBytes(int64(size.n))
			for b.Loop() {
				if c.at == c.n && c.pos == head {
					c.pos, c.freed = 0, 0 // the same records again
					c.tail.Store(0)
				}
				if _, err := c.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkThrough has a producer and a reader side by side, the one waiting
// for the other.
func BenchmarkThrough(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			cfg := Config{Prefix: memoryRing(b)}
			c := newConsumer(b, cfg)
			p := newProducer(b, ProducerConfig{Config: cfg, Block: true})
			stop, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				rec := record(1, 1, size.n)
				for {
					select {
					case <-stop:
						return
					default:
					}
					for range 1000 {
						p.Write(rec, Normal)
					}
				}
			}()
			b.ReportAllocs()
			b.SetBytes(int64(size.n))
			for b.Loop() {
				if _, err := next(c); err != nil {
					b.Fatal(err)
				}
			}
			close(stop)
			p.Release()
			<-done
		})
	}
}

// BenchmarkRoundTrip sends one record at a time to a reader that sleeps, and
// waits until it has come back through another ring.
func BenchmarkRoundTrip(b *testing.B) {
	there, here := Config{Prefix: memoryRing(b)}, Config{Prefix: memoryRing(b)}
	c1, p1 := newPair(b, there)
	c2, p2 := newPair(b, here)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			rec, err := c1.Next()
			switch {
			case err == nil:
				p2.Write(rec, Normal)
			case !errors.Is(err, os.ErrDeadlineExceeded):
				b.Error(err)
				return
			}
		}
	}()
	rec := record(1, 1, 64)
	b.ReportAllocs()
	for b.Loop() {
		if !p1.Write(rec, Normal) {
			b.Fatal("not written")
		}
		if _, err := next(c2); err != nil {
			b.Fatal(err)
		}
	}
	close(stop)
	<-done
}
