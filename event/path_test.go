package event

import "testing"

func TestJoinPath(t *testing.T) {
	for _, c := range []struct{ dir, path, want string }{
		{"/srv/", "r", "/srv/r"},
		{"/srv/", "", "/srv"},
		{"/srv/", ".", "/srv"},
		{"/srv/", "./", "/srv"},
		{"/srv/", "..", "/"},
		{"/srv/", "../../../rel", "/rel"},
		{"/srv/", "a/../b", "/srv/b"},
		{"/srv/", "a//b/", "/srv/a/b"},
		{"/srv/", "...", "/srv/.."},
		{"/srv/", "....", "/srv"},
		{"/srv/", "a/.../b", "/srv/a/..b"},
		{"/srv/", "a./b", "/srv/ab"},
		{"/srv/", "a../b", "/srv/b"},
		{"/srv/", "..hid", "/srv/..hid"},
		{"/srv/", "a\tb", "/srv/a.b"},
		{"/srv/", "\xc3\xa9", "/srv/.."},
		{"/", "..", "/"},
		{"/", "a", "/a"},
		{"//", "q", "//q"}, // a descriptor of the root, and its slash
		{"", "r", "r"},
		{"", "..", ""},
		{"", "a/..", ""},
		{"", "a../b", "ab"},
		{"", ".//.", "/"},
		{"", "..//..//x", "/x"},
		{"", "/abs/../x", "/x"},
		{"10.1.2.3:1->10.1.2.4:80/", "..", ""},
	} {
		before := "../before/"
		got := string(JoinPath([]byte(before+c.dir), len(before), []byte(c.path), Sysdig))
		if got != before+c.want {
			t.Errorf("%q at %q: got %q, want %q", c.path, c.dir, got, before+c.want)
		}
	}
}
