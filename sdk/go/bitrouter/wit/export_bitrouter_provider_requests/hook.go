// Package export_bitrouter_provider_requests is what the bindings call for prepare and resume.
package export_bitrouter_provider_requests

import (
	"bitrouter"
	"bitrouter/wit/bitrouter_provider_requests"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

type result = wit.Result[bitrouter_provider_types.Step, bitrouter_provider_types.Failure]

// Prepare makes a call into a request.
func Prepare(call bitrouter.Call, payload bitrouter_provider_requests.Payload) result {
	defer bitrouter.Told()
	body := document(payload)
	defer body.Return()
	return of(bitrouter.Provided.Prepare(call, body))
}

// Resume goes on after an exchange.
func Resume(call bitrouter.Call, payload bitrouter_provider_requests.Payload, memo []uint8, answer bitrouter.Answer) result {
	defer bitrouter.Told()
	body := document(payload)
	defer body.Return()
	return of(bitrouter.Provided.Resume(call, body, memo, answer))
}

func document(payload bitrouter_provider_requests.Payload) *bitrouter.Document {
	if payload.Tag() != bitrouter_provider_requests.PayloadJson {
		return nil
	}
	return bitrouter.Lent(payload.Json())
}

func of(step bitrouter.Step, err error) result {
	if err != nil {
		return wit.Err[bitrouter_provider_types.Step](bitrouter.Failed(err).Wit())
	}
	return wit.Ok[bitrouter_provider_types.Step, bitrouter_provider_types.Failure](step)
}
