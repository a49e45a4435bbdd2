//go:build race

package filter

// raceDetector makes a sync.Pool, of which package regexp has its machines,
// forget some of what it is given.
const raceDetector = true
