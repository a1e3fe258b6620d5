// Package export_bitrouter_provider_provider is what the bindings call for describe.
package export_bitrouter_provider_provider

import "bitrouter"

// Describe answers the description.
func Describe() string { return bitrouter.Description }
