package capture

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// behind is the number of the first file of a run: behind those of the runs before it, so
// that none of these is lost. Of as many as keep the oldest comes behind the newest; 0
// is no limit.
func behind(path string, keep int) (int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return 0, err
	}
	next := 0
	var newest time.Time
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), filepath.Base(path))
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 0 || strconv.Itoa(n) != digits || keep > 0 && n >= keep {
			continue // of somebody else, or of a run that kept more
		}
		if keep == 0 {
			next = max(next, n+1)
			continue
		}
		st, err := e.Info()
		if err != nil {
			continue // gone
		}
		if t := st.ModTime(); t.After(newest) || t.Equal(newest) && n >= next {
			next, newest = n+1, t
		}
	}
	return next, nil
}
