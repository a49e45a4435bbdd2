package beside

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Copy puts a program into a directory, which is made if it is missing, under the given
// name. It appears there complete or not at all: who waits for it may start it at once.
func Copy(program, directory, name string) error {
	from, err := os.Open(program)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	to, err := os.CreateTemp(directory, "."+name+".*")
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err != nil {
		err = fmt.Errorf("write %s: %w", to.Name(), err)
	}
	err = errors.Join(err, to.Chmod(0o755), to.Close())
	if err == nil {
		err = os.Rename(to.Name(), filepath.Join(directory, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(to.Name()))
	}
	return nil
}
