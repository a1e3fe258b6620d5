package bitrouter

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Told is deferred by each exported hook: a panic is written to the gateway's log with its place, and ends the call.
func Told() {
	why := recover()
	if why == nil {
		return
	}
	place := ""
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if !strings.HasPrefix(frame.Function, "runtime.") {
			place = fmt.Sprintf(" at %s:%d", frame.File, frame.Line)
			break
		}
	}
	Log(LevelError, fmt.Sprintf("panic%s: %v", place, why))
	os.Exit(2)
}

// Failed is the failure that an error is; any other error is a mistake of the provider's, and panics.
func Failed(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	panic(err)
}
