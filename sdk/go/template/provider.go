// {{Name}} for BitRouter. Most of a provider is description.json; what it cannot say is code, and stands here.
package main

import (
	_ "embed"

	"bitrouter"
	_ "bitrouter/wit/wit_exports"
)

//go:embed description.json
var description string

func init() {
	// Each hook that wit/world.wit exports is named here.
	bitrouter.Provide(description, bitrouter.Hooks{Prepare: prepare})
}

func main() {}

// prepare takes a member out that the API refuses; all else of the request is as described.
func prepare(_ bitrouter.Call, body *bitrouter.Document) (bitrouter.Step, error) {
	if body == nil {
		return bitrouter.Described(), nil
	}
	kind, err := body.Kind("/user")
	if err == nil && kind != bitrouter.Absent {
		err = body.Patch(bitrouter.Remove("/user"))
	}
	return bitrouter.Described(), err
}
