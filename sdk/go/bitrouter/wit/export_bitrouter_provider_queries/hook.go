// Package export_bitrouter_provider_queries is what the bindings call for interpret.
package export_bitrouter_provider_queries

import (
	"bitrouter"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

// Interpret reads one answer of a side request.
func Interpret(side string, page bitrouter.Answer) wit.Result[wit.Option[string], bitrouter_provider_types.Failure] {
	defer bitrouter.Told()
	json, err := bitrouter.Provided.Interpret(side, page)
	if err != nil {
		return wit.Err[wit.Option[string]](bitrouter.Failed(err).Wit())
	}
	read := wit.None[string]()
	if json != "" {
		read = wit.Some(json)
	}
	return wit.Ok[wit.Option[string], bitrouter_provider_types.Failure](read)
}
