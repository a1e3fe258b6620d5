// Package bitrouter is what a provider in Go is written with.
//
// A provider gives its hooks to Provide from an init function; wit/world.wit exports the interfaces that they belong to. A hook that
// returns a *Failure returns it to the gateway; any other error, and a panic, is written to the gateway's log and ends the call.
package bitrouter

import (
	"bitrouter/wit/bitrouter_host_document"
	"bitrouter/wit/bitrouter_host_field"
	"bitrouter/wit/bitrouter_host_log"
	"bitrouter/wit/bitrouter_provider_types"
	wit "bitrouter/witgo/types"
)

// The contract's types; wit/deps says what each member is.
type (
	Call    = bitrouter_provider_types.Call
	Account = bitrouter_provider_types.Account
	Answer  = bitrouter_provider_types.Answer
	Head    = bitrouter_provider_types.Head
	Event   = bitrouter_provider_types.Event
	Step    = bitrouter_provider_types.Step
	Body    = bitrouter_provider_types.Body
	Part    = bitrouter_provider_types.Part
	Content = bitrouter_provider_types.Content
	Field   = bitrouter_host_field.Field
	Kind    = bitrouter_host_document.Kind
	Edit    = bitrouter_host_document.Edit
	Level   = bitrouter_host_log.Level
)

// Hooks are what a provider does; those that are nil must not be exported.
type Hooks struct {
	// Prepare makes a call into a request; the document is nil where the body is no JSON.
	Prepare func(call Call, body *Document) (Step, error)
	// Resume goes on after an Ask.
	Resume func(call Call, body *Document, memo []byte, answer Answer) (Step, error)
	// Explain says what a failure means, an answer or an error event; nil is what the description says.
	Explain func(answer *Answer, event *Event, memo []byte) *Failure
	// Interpret reads a side request's answer; the empty text is what the description reads.
	Interpret func(side string, page Answer) (string, error)
	// Quota reads limits out of headers, or of an event; nil is what the description reads.
	Quota func(headers []Field, event string) []Window
	// Shape edits a whole answer.
	Shape func(call Call, memo []byte, head Head, body *Document) error
	// Rewriter starts to rewrite a stream.
	Rewriter func(call Call, memo []byte, head Head) Rewriter
}

// Rewriter rewrites one stream.
type Rewriter interface {
	Push(events []Event) ([]Event, error)
	Finish() ([]Event, error)
}

// Provided is what the exported functions call.
var Provided Hooks

// Description is what describe answers.
var Description string

// Provide says what the provider is and does, once, from an init function.
func Provide(description string, hooks Hooks) {
	Description, Provided = description, hooks
}

// Kinds of failures: the host decides by them, and by the scope, what is tried next.
const (
	RateLimited     = "rate-limited"
	UsageLimit      = "usage-limit"
	NoCredit        = "no-credit"
	Overloaded      = "overloaded"
	Unavailable     = "unavailable"
	Unauthorized    = "unauthorized"
	Forbidden       = "forbidden"
	ModelNotFound   = "model-not-found"
	ContextExceeded = "context-exceeded"
	ContentFiltered = "content-filtered"
	InvalidRequest  = "invalid-request"
	Unsupported     = "unsupported"
	Other           = "other"
)

// What a failure concerns.
const (
	OfRequest  = "request"
	OfAccount  = "account"
	OfModel    = "model"
	OfProvider = "provider"
)

// Failure is what went wrong. Members that are zero are not there.
type Failure struct {
	Kind, Scope, Message, Code string
	RetryAfterMs, ResetsAt     uint64
	Status                     uint16
}

func (f *Failure) Error() string { return f.Message }

// Wit is the failure as the contract has it.
func (f *Failure) Wit() bitrouter_provider_types.Failure {
	return bitrouter_provider_types.Failure{
		Kind: f.Kind, Scope: f.Scope, Message: f.Message, Code: maybe(f.Code), RetryAfterMs: maybe(f.RetryAfterMs),
		ResetsAt: maybe(f.ResetsAt), Status: maybe(f.Status),
	}
}

// Invalid is a call that is wrong, whoever is asked.
func Invalid(message string) *Failure {
	return &Failure{Kind: InvalidRequest, Scope: OfRequest, Message: message}
}

// CannotDo is what the provider has no way to do; others may.
func CannotDo(message string) *Failure {
	return &Failure{Kind: Unsupported, Scope: OfProvider, Message: message}
}

func maybe[T comparable](value T) wit.Option[T] {
	var zero T
	if value == zero {
		return wit.None[T]()
	}
	return wit.Some(value)
}

// Window is one window of a limit or of a plan. Members that are nil are not there: Known makes one that is.
type Window struct {
	Name                                                       string
	UsedPercent                                                *float64
	Limit, Remaining, LengthSeconds, ResetsAt, ResetsInSeconds *uint64
}

// Known is a number that is there, 0 included.
func Known[T any](value T) *T { return &value }

// Wit is the window as the contract has it.
func (w Window) Wit() bitrouter_provider_types.Window {
	return bitrouter_provider_types.Window{
		Name: w.Name, UsedPercent: there(w.UsedPercent), Limit: there(w.Limit), Remaining: there(w.Remaining),
		LengthSeconds: there(w.LengthSeconds), ResetsAt: there(w.ResetsAt), ResetsInSeconds: there(w.ResetsInSeconds),
	}
}

func there[T any](value *T) wit.Option[T] {
	if value == nil {
		return wit.None[T]()
	}
	return wit.Some(*value)
}

// Request is an HTTP request, described. {model} in a path is the call's model, encoded; Values fills other holes.
type Request struct {
	Method, Origin, Path   string
	Values, Query, Headers []Field
	// Body is the call's own where it is nil.
	Body *Body
	// Framing is json where nothing is said.
	Framing string
	Memo    []byte
	Dropped []string
}

func (r Request) wit(delivery bitrouter_provider_types.Delivery) bitrouter_provider_types.Request {
	body := bitrouter_provider_types.MakeBodyForward()
	if r.Body != nil {
		body = *r.Body
	}
	if r.Framing == "" {
		r.Framing = "json"
	}
	return bitrouter_provider_types.Request{
		Method: r.Method, Origin: r.Origin, Path: r.Path, Values: r.Values, Query: r.Query, Headers: r.Headers, Body: body,
		Framing: r.Framing, Delivery: delivery, Memo: r.Memo, Dropped: r.Dropped,
	}
}

// Pass sends it, and the answer goes to the client as it comes.
func (r Request) Pass() Step {
	return bitrouter_provider_types.MakeStepSend(r.wit(bitrouter_provider_types.MakeDeliveryPass()))
}

// Rewrite sends it, and the answer goes through the Rewriter, or through Shape where it is one document.
func (r Request) Rewrite() Step {
	return bitrouter_provider_types.MakeStepSend(r.wit(bitrouter_provider_types.MakeDeliveryRewrite("sse")))
}

// Ask sends it, and the answer goes to Resume with this memo.
func (r Request) Ask(memo []byte, waitMs uint32) Step {
	request := r.wit(bitrouter_provider_types.MakeDeliveryPass())
	return bitrouter_provider_types.MakeStepAsk(bitrouter_provider_types.Exchange{Request: request, Memo: memo, WaitMs: waitMs})
}

// Described leaves the request to the description, with the body as it was edited.
func Described() Step { return bitrouter_provider_types.MakeStepDescribed() }

// Reply answers without asking anybody, with JSON in the call's dialect.
func Reply(body any) Step {
	reply := bitrouter_provider_types.Reply{Status: 200, Framing: "json", Body: Dumps(body)}
	return bitrouter_provider_types.MakeStepReply(reply)
}

// JSONBody is a body of the provider's own.
func JSONBody(value any) *Body { return Known(bitrouter_provider_types.MakeBodyJson(Dumps(value))) }

// NoBody is that of a GET.
func NoBody() *Body { return Known(bitrouter_provider_types.MakeBodyEmpty()) }

// Header is the value of the first field of this name; names of headers are lower case.
func Header(fields []Field, name string) string {
	for _, field := range fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// NewEvent is an event of a stream without a name.
func NewEvent(data string) Event { return Event{Name: wit.None[string](), Data: data} }

// Log writes a line to the gateway's log, of at most 1 KiB.
func Log(level Level, message string) { bitrouter_host_log.Log(level, message) }

// How loud a line is.
const (
	LevelError = bitrouter_host_log.LevelError
	LevelWarn  = bitrouter_host_log.LevelWarn
	LevelInfo  = bitrouter_host_log.LevelInfo
	LevelDebug = bitrouter_host_log.LevelDebug
)
