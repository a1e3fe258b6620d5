// Package export_bitrouter_provider_failures is what the bindings call for explain.
package export_bitrouter_provider_failures

import (
	"bitrouter"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

// Explain says what a failure means.
func Explain(trouble bitrouter_provider_types.Trouble, memo []uint8) wit.Option[bitrouter_provider_types.Failure] {
	defer bitrouter.Told()
	var answer *bitrouter.Answer
	var event *bitrouter.Event
	if trouble.Tag() == bitrouter_provider_types.TroubleAnswer {
		answer = bitrouter.Known(trouble.Answer())
	} else {
		event = bitrouter.Known(trouble.Event())
	}
	failure := bitrouter.Provided.Explain(answer, event, memo)
	if failure == nil {
		return wit.None[bitrouter_provider_types.Failure]()
	}
	return wit.Some(failure.Wit())
}
