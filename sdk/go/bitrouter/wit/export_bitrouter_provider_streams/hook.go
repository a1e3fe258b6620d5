// Package export_bitrouter_provider_streams is what the bindings call for the rewriter.
package export_bitrouter_provider_streams

import (
	"runtime"

	"bitrouter"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

type result = wit.Result[[]bitrouter.Event, bitrouter_provider_types.Failure]

// Rewriter is one stream that is rewritten; the bindings know its first two members.
type Rewriter struct {
	pinner runtime.Pinner
	handle int32
	own    bitrouter.Rewriter
}

// MakeRewriter starts one.
func MakeRewriter(call bitrouter.Call, memo []uint8, head bitrouter.Head) *Rewriter {
	defer bitrouter.Told()
	return &Rewriter{own: bitrouter.Provided.Rewriter(call, memo, head)}
}

// Push rewrites some events.
func (r *Rewriter) Push(events []bitrouter.Event) result {
	defer bitrouter.Told()
	return of(r.own.Push(events))
}

// Finish answers what is left.
func (r *Rewriter) Finish() result {
	defer bitrouter.Told()
	return of(r.own.Finish())
}

// OnDrop has nothing to do: the instance ends with its stream.
func (r *Rewriter) OnDrop() {}

func of(events []bitrouter.Event, err error) result {
	if err != nil {
		return wit.Err[[]bitrouter.Event](bitrouter.Failed(err).Wit())
	}
	return wit.Ok[[]bitrouter.Event, bitrouter_provider_types.Failure](events)
}
