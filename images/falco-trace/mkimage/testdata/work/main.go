// Command work says who it is, does something to be seen, and ends with status 7.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	_, err := os.Open("/etc/nothing")
	fmt.Printf("pid %d, uid %d, %s, %v\n", os.Getpid(), os.Getuid(), strings.Join(os.Args, " "), err)
	os.Exit(7)
}
