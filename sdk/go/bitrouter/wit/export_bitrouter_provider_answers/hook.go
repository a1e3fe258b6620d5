// Package export_bitrouter_provider_answers is what the bindings call for shape.
package export_bitrouter_provider_answers

import (
	"bitrouter"
	"bitrouter/wit/bitrouter_host_document"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

// Shape edits a whole answer.
func Shape(call bitrouter.Call, memo []uint8, head bitrouter.Head, lent *bitrouter_host_document.Document) wit.Result[wit.Unit, bitrouter_provider_types.Failure] {
	defer bitrouter.Told()
	body := bitrouter.Lent(lent)
	defer body.Return()
	if err := bitrouter.Provided.Shape(call, memo, head, body); err != nil {
		return wit.Err[wit.Unit](bitrouter.Failed(err).Wit())
	}
	return wit.Ok[wit.Unit, bitrouter_provider_types.Failure](wit.Unit{})
}
