// Package export_bitrouter_provider_limits is what the bindings call for quota.
package export_bitrouter_provider_limits

import (
	"bitrouter"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

// Quota reads limits out of headers, or of an event.
func Quota(headers []bitrouter.Field, event wit.Option[string]) wit.Option[[]bitrouter_provider_types.Window] {
	defer bitrouter.Told()
	windows := bitrouter.Provided.Quota(headers, event.SomeOr(""))
	if windows == nil {
		return wit.None[[]bitrouter_provider_types.Window]()
	}
	all := make([]bitrouter_provider_types.Window, len(windows))
	for index, window := range windows {
		all[index] = window.Wit()
	}
	return wit.Some(all)
}
