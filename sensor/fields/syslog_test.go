package fields

import "testing"

// TestSyslog wants what sysdig 0.29.3 makes of messages.
func TestSyslog(t *testing.T) {
	for data, want := range map[string]string{
		"<38>Nov 26 su: hello":   "4 auth 6 info Nov 26 su: hello",
		"<0>zero":                "0 kern 0 emerg zero",
		"<191>":                  "23 local7 7 debug ",
		"<192>x":                 "24 <NA> 0 emerg x",
		"<00038>five":            "4 auth 6 info five",
		"<7>a\x00b":              "0 kern 7 debug a",
		"no priority":            "<NA> <NA> <NA> <NA> <NA>",
		"<>e":                    "<NA> <NA> <NA> <NA> <NA>",
		"<12":                    "<NA> <NA> <NA> <NA> <NA>",
		"<1a>z":                  "<NA> <NA> <NA> <NA> <NA>",
		"<18446744073709551617>": "<NA> <NA> <NA> <NA> <NA>",
		"":                       "<NA> <NA> <NA> <NA> <NA>",
	} {
		e, play := player(t)
		f, err := NewFormat("*%syslog.facility %syslog.facility.str %syslog.severity %syslog.severity.str %syslog.message", NewSet(e))
		if err != nil {
			t.Fatal(err)
		}
		play(rec(t, now, openatX, 3, -100, "/dev/log", 2, 0, 0, 0))
		play(rec(t, now, writeE, 3, len(data)))
		if got, _ := f.Append(nil); string(got) != "<NA> <NA> <NA> <NA> <NA>" {
			t.Errorf("%q has %q where the call begins", data, got)
		}
		play(rec(t, now, writeX, len(data), []byte(data)))
		if got, _ := f.Append(nil); string(got) != want {
			t.Errorf("%q has %q, want %q", data, got, want)
		}
	}
}
