package fields

import (
	"bytes"

	"github.com/pdig/pdig/sensor/filter"
	"github.com/pdig/pdig/syscalls"
)

// syslogFields are what a call has written to the system log: <PRIORITY>MESSAGE.
var syslogFields = []Field{
	{Name: "syslog.facility", Type: filter.Uint, Desc: "number of the facility", get: logged(func(m logMessage, v *filter.Values) bool { v.Uint(m.facility()); return true })},
	{Name: "syslog.facility.str", Type: filter.String, Desc: "its name: auth, daemon; missing of numbers above 23", get: logged(facilityName)},
	{Name: "syslog.severity", Type: filter.Uint, Desc: "number of the severity", get: logged(func(m logMessage, v *filter.Values) bool { v.Uint(m.severity()); return true })},
	{Name: "syslog.severity.str", Type: filter.String, Desc: "its name: emerg, alert, crit, err, warn, notice, info, debug", get: logged(severityName)},
	{Name: "syslog.message", Type: filter.String, Desc: "the text", get: logged(func(m logMessage, v *filter.Values) bool { v.Borrow(m.text); return true })},
}

// logMessage is one message as programs send it to the system log.
type logMessage struct {
	priority uint64
	text     []byte
}

func (m logMessage) facility() uint64 { return m.priority >> 3 }
func (m logMessage) severity() uint64 { return m.priority & 7 }

// maxPriorityDigits bounds a priority. libsinsp takes more than the three digits of
// those that there are.
const maxPriorityDigits = 9

// parseLog reads a message.
func parseLog(data []byte) (m logMessage, ok bool) {
	if len(data) == 0 || data[0] != '<' {
		return m, false
	}
	digits := 1
	for ; digits < len(data) && data[digits] != '>'; digits++ {
		c := data[digits]
		if c < '0' || c > '9' || digits > maxPriorityDigits {
			return m, false
		}
		m.priority = 10*m.priority + uint64(c-'0')
	}
	if digits == 1 || digits == len(data) {
		return m, false
	}
	m.text, _, _ = bytes.Cut(data[digits+1:], []byte{0})
	return m, true
}

// logged is something of the message that the event has written.
func logged(of func(logMessage, *filter.Values) bool) getter {
	return func(e *Event, _ *argument, v *filter.Values) bool {
		m, ok := e.logMessage()
		return ok && of(m, v)
	}
}

// logMessage is what the event has written to the system log: nothing if the call has
// failed.
func (e *Event) logMessage() (m logMessage, ok bool) {
	if !e.exit() || e.View.Info().Flags&syscalls.WritesToFD == 0 {
		return m, false
	}
	if m, ok = parseLog(e.View.Param(e.paramNamed("data"))); !ok {
		return m, false
	}
	res, known := e.result()
	return m, known && res >= 0 && isSyslog(e)
}

// LogLine is what sysdig 0.29.3 has in the place of the parameters where a message was
// written to the system log, as it was written; nil for other events. It is valid until
// a field is asked for.
func (e *Event) LogLine() []byte {
	if e.newest() {
		return nil
	}
	m, ok := e.logMessage()
	if !ok {
		return nil
	}
	e.buf = append(append(e.buf[:0], "syslog sev="...), severities[m.severity()]...)
	e.buf = append(append(e.buf, " msg="...), m.text...)
	return e.buf
}

func facilityName(m logMessage, v *filter.Values) bool {
	n := m.facility()
	if n >= uint64(len(facilities)) {
		return false
	}
	v.Str(facilities[n])
	return true
}

func severityName(m logMessage, v *filter.Values) bool {
	v.Str(severities[m.severity()])
	return true
}

var severities = [8]string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"}

var facilities = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp",
	"logaudit", "logalert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}
