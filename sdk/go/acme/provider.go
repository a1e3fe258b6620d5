// acme, a provider of an API that is like none of the dialects: sdk/acme/README.md says what it is and what becomes of it.
package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitrouter"
	_ "bitrouter/wit/wit_exports"
)

//go:embed description.json
var description string

func init() {
	bitrouter.Provide(description, bitrouter.Hooks{
		Prepare: prepare, Explain: explain, Interpret: interpret, Quota: quota, Shape: shape, Rewriter: rewriter,
	})
}

func main() {}

var speakers = [][2]string{{"system", "rules"}, {"developer", "rules"}, {"user", "guest"}, {"assistant", "acme"}}

var faults = map[string][2]string{
	"E_SLOW":   {bitrouter.RateLimited, bitrouter.OfAccount},
	"E_SPENT":  {bitrouter.NoCredit, bitrouter.OfAccount},
	"E_TOKEN":  {bitrouter.Unauthorized, bitrouter.OfAccount},
	"E_ENGINE": {bitrouter.ModelNotFound, bitrouter.OfModel},
	"E_LONG":   {bitrouter.ContextExceeded, bitrouter.OfRequest},
	"E_BUSY":   {bitrouter.Overloaded, bitrouter.OfModel},
}

func prepare(call bitrouter.Call, body *bitrouter.Document) (bitrouter.Step, error) {
	switch {
	case body != nil && call.Operation == "generate":
		return converse(call, body)
	case body != nil && call.Operation == "embeddings":
		return embed(body)
	}
	return bitrouter.Described(), nil
}

func turns(document *bitrouter.Document) error {
	unknown := bitrouter.Not(bitrouter.On("/role").Is("system", "developer", "user", "assistant"))
	rows, err := document.Find("/messages/*", bitrouter.Only(unknown), nil, 0, 1)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return bitrouter.CannotDo(fmt.Sprintf("acme knows no message of the role at %s/role", rows[0].Pointer))
	}
	isList := bitrouter.Only(bitrouter.On("/content").IsA(bitrouter.Array))
	rows, err = document.Find("/messages/*", isList, nil, 0, bitrouter.All)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := join(document, row.Pointer+"/content"); err != nil {
			return err
		}
	}
	for _, names := range speakers {
		only := bitrouter.Only(bitrouter.On("/role").Is(names[0]))
		if err := document.Each("/messages/*", only, bitrouter.Replace("/role", names[1])); err != nil {
			return err
		}
	}
	for _, names := range [][2]string{{"/role", "/speaker"}, {"/content", "/words"}} {
		only := bitrouter.Only(bitrouter.On(names[0]).IsThere())
		if err := document.Each("/messages/*", only, bitrouter.Move(names[0], names[1])); err != nil {
			return err
		}
	}
	return nil
}

// join makes a list of texts one text.
func join(document *bitrouter.Document, content string) error {
	rows, err := document.Find(content+"/*", nil, []string{"/type", "/text"}, 1<<20, bitrouter.All)
	if err != nil {
		return err
	}
	texts := make([]string, len(rows))
	for index, row := range rows {
		if row.Cells[0] != `"text"` || !bitrouter.Loads(row.Cells[1], &texts[index]) {
			return bitrouter.CannotDo("acme takes texts only, not what is at " + row.Pointer)
		}
	}
	return document.Patch(bitrouter.Replace(content, strings.Join(texts, "\n")))
}

func converse(call bitrouter.Call, document *bitrouter.Document) (step bitrouter.Step, err error) {
	if err = turns(document); err != nil {
		return
	}
	wantsUsage := false
	if _, err = document.Get("/stream_options/include_usage", 8, &wantsUsage); err != nil {
		return
	}
	names, err := document.Keys("")
	edits := []bitrouter.Edit{bitrouter.Add("/options", struct{}{})}
	var dropped []string
	for _, name := range names {
		place := bitrouter.PointerOf(name)
		switch name {
		case "model":
			edits = append(edits, bitrouter.Move(place, "/engine"))
		case "messages":
			edits = append(edits, bitrouter.Move(place, "/turns"))
		case "max_tokens", "max_completion_tokens":
			edits = append(edits, bitrouter.Move(place, "/options/limit"))
		case "temperature":
			edits = append(edits, bitrouter.Move(place, "/options/heat"))
		default:
			edits = append(edits, bitrouter.Remove(place))
			if name != "stream" && name != "stream_options" {
				dropped = append(dropped, place)
			}
		}
	}
	if err == nil {
		err = document.Patch(append(edits, bitrouter.Add("/live", call.Streaming))...)
	}
	request := bitrouter.Request{Method: "POST", Origin: "api", Path: "/engines/{model}/converse", Dropped: dropped}
	if call.Streaming {
		request.Framing = "ndjson"
	}
	if wantsUsage {
		request.Memo = []byte("usage")
	}
	return request.Rewrite(), err
}

func embed(document *bitrouter.Document) (bitrouter.Step, error) {
	var edits []bitrouter.Edit
	var dropped []string
	names, err := document.Keys("")
	for _, name := range names {
		place := bitrouter.PointerOf(name)
		switch kind, _ := document.Kind(place); {
		case name == "model":
			edits = append(edits, bitrouter.Move(place, "/engine"))
		case name == "input" && kind == bitrouter.Array:
			edits = append(edits, bitrouter.Move(place, "/texts"))
		case name == "input":
			edits = append(edits, bitrouter.Add("/texts", []string{}), bitrouter.Move(place, "/texts/-"))
		default:
			edits = append(edits, bitrouter.Remove(place))
			dropped = append(dropped, place)
		}
	}
	if err == nil {
		err = document.Patch(edits...)
	}
	request := bitrouter.Request{Method: "POST", Origin: "api", Path: "/engines/{model}/embed", Dropped: dropped}
	return request.Rewrite(), err
}

// fault is what acme says went wrong.
type fault struct {
	Code string  `json:"code"`
	Why  string  `json:"why"`
	Wait *uint64 `json:"wait"`
}

// failure is what a fault means; nil where its code is new.
func (f fault) failure() *bitrouter.Failure {
	known, ok := faults[f.Code]
	if !ok {
		return nil
	}
	failure := &bitrouter.Failure{Kind: known[0], Scope: known[1], Message: f.Why, Code: f.Code}
	if f.Wait != nil {
		failure.RetryAfterMs = *f.Wait * 1000
	}
	return failure
}

// mustBe is what a fault means where there is nobody else to say it.
func (f fault) mustBe() error {
	if failure := f.failure(); failure != nil {
		return failure
	}
	return &bitrouter.Failure{Kind: bitrouter.Unavailable, Scope: bitrouter.OfProvider, Message: f.Why}
}

func explain(answer *bitrouter.Answer, event *bitrouter.Event, _ []byte) *bitrouter.Failure {
	var body struct{ Fault fault }
	text := ""
	if answer != nil {
		text = answer.Body
	} else {
		text = event.Data
	}
	if !bitrouter.Loads(text, &body) {
		return nil
	}
	return body.Fault.failure()
}

var room = regexp.MustCompile(`^(\w+)=(\d+)/(\d+) in (\d+)$`)

func quota(headers []bitrouter.Field, event string) []bitrouter.Window {
	windows := []bitrouter.Window{}
	if found := room.FindStringSubmatch(bitrouter.Header(headers, "x-acme-room")); found != nil {
		number := func(text string) *uint64 { value, _ := strconv.ParseUint(text, 10, 64); return &value }
		windows = append(windows, bitrouter.Window{
			Name: found[1], Remaining: number(found[2]), Limit: number(found[3]), ResetsInSeconds: number(found[4]),
		})
	}
	var quota struct {
		Type, Of   string
		Most, Left *uint64
		BackIn     *uint64 `json:"back_in"`
	}
	if bitrouter.Loads(event, &quota) && quota.Type == "quota" {
		windows = append(windows, bitrouter.Window{
			Name: quota.Of, Limit: quota.Most, Remaining: quota.Left, ResetsInSeconds: quota.BackIn,
		})
	}
	return windows
}

func interpret(side string, page bitrouter.Answer) (string, error) {
	var plan struct {
		Plan      string
		Spent, Of *uint64
	}
	if side != "plan" || page.Status != 200 || !bitrouter.Loads(page.Body, &plan) {
		return "", nil
	}
	if plan.Spent == nil || plan.Of == nil || *plan.Of == 0 {
		return "", nil
	}
	used := float64(*plan.Spent) * 100 / float64(*plan.Of)
	month := bitrouter.Window{Name: "month", UsedPercent: &used, Limit: plan.Of}
	month.Remaining = bitrouter.Known(*plan.Of - min(*plan.Spent, *plan.Of))
	return bitrouter.Usage(plan.Plan, month), nil
}

// spent is what acme counted.
type spent struct {
	Read uint64 `json:"read"`
	Said uint64 `json:"said"`
}

// usage is what Chat Completions counts.
type usage struct {
	Prompt     uint64 `json:"prompt_tokens"`
	Completion uint64 `json:"completion_tokens"`
	Total      uint64 `json:"total_tokens"`
}

func (s spent) usage() *usage { return &usage{s.Read, s.Said, s.Read + s.Said} }

func reason(why string) string {
	if why == "limit" {
		return "length"
	}
	return "stop"
}

func shape(call bitrouter.Call, _ []byte, _ bitrouter.Head, body *bitrouter.Document) error {
	var wrong fault
	if is, err := body.Get("/fault", 4096, &wrong); is || err != nil {
		if err == nil {
			err = wrong.mustBe()
		}
		return err
	}
	var used spent
	if _, err := body.Get("/spent", 256, &used); err != nil {
		return err
	}
	edits, err := answer(body)
	if call.Operation == "embeddings" {
		edits, err = vectors(call, body)
	}
	if err != nil {
		return err
	}
	edits = append(edits, bitrouter.Add("/usage", used.usage()), bitrouter.Remove("/spent"))
	if err := body.Patch(edits...); err != nil {
		why := "acme answered otherwise than it should: " + err.Error()
		return &bitrouter.Failure{Kind: bitrouter.Unavailable, Scope: bitrouter.OfProvider, Message: why}
	}
	return nil
}

func answer(body *bitrouter.Document) ([]bitrouter.Edit, error) {
	why, err := body.Text("/why", 64)
	choice := map[string]any{"index": 0, "message": map[string]string{"role": "assistant"}, "finish_reason": reason(why)}
	return []bitrouter.Edit{
		bitrouter.Add("/choices", []any{choice}),
		bitrouter.Move("/words", "/choices/0/message/content"),
		bitrouter.Move("/engine", "/model"),
		bitrouter.Move("/at", "/created"),
		bitrouter.Add("/object", "chat.completion"),
		bitrouter.Remove("/why"),
	}, err
}

func vectors(call bitrouter.Call, body *bitrouter.Document) ([]bitrouter.Edit, error) {
	rows, err := body.Find("/vectors/*", nil, nil, 0, bitrouter.All)
	var edits []bitrouter.Edit
	for index, row := range rows {
		edits = append(edits,
			bitrouter.Move(row.Pointer+"/values", row.Pointer+"/embedding"),
			bitrouter.Add(row.Pointer+"/index", index),
			bitrouter.Add(row.Pointer+"/object", "embedding"))
	}
	list := []bitrouter.Edit{
		bitrouter.Move("/vectors", "/data"), bitrouter.Add("/object", "list"), bitrouter.Add("/model", call.Model),
	}
	return slices.Concat(edits, list), err
}

// chunk is one of Chat Completions; its members stand in the order in which they are written.
type chunk struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created uint64   `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index  int     `json:"index"`
	Delta  delta   `json:"delta"`
	Reason *string `json:"finish_reason"`
}

type delta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// lines is a stream that is rewritten: a line in, a chunk out.
type lines struct {
	wantsUsage bool
	head       chunk
}

func rewriter(_ bitrouter.Call, memo []byte, _ bitrouter.Head) bitrouter.Rewriter {
	return &lines{wantsUsage: string(memo) == "usage"}
}

func (l *lines) Push(events []bitrouter.Event) ([]bitrouter.Event, error) {
	var chunks []bitrouter.Event
	for _, event := range events {
		var line struct {
			Type, ID, Engine, Words, Why string
			At                           uint64
			Spent                        spent
			Fault                        fault
		}
		bitrouter.Loads(event.Data, &line)
		switch line.Type {
		case "begin":
			// What is kept beyond this push must be copied: the texts of an event are the host's.
			l.head = chunk{strings.Clone(line.ID), "chat.completion.chunk", line.At, strings.Clone(line.Engine), []choice{}, nil}
			chunks = append(chunks, l.chunk(delta{"assistant", new(string)}, nil, nil))
		case "words":
			chunks = append(chunks, l.chunk(delta{"", &line.Words}, nil, nil))
		case "end":
			chunks = append(chunks, l.end(line.Why, line.Spent.usage())...)
		case "fault":
			return nil, line.Fault.mustBe()
		}
	}
	return chunks, nil
}

func (l *lines) Finish() ([]bitrouter.Event, error) { return nil, nil }

func (l *lines) end(why string, used *usage) []bitrouter.Event {
	reason, done := reason(why), bitrouter.NewEvent("[DONE]")
	if !l.wantsUsage {
		return []bitrouter.Event{l.chunk(delta{}, &reason, used), done}
	}
	own := l.head
	own.Usage = used
	return []bitrouter.Event{l.chunk(delta{}, &reason, nil), bitrouter.NewEvent(bitrouter.Dumps(own)), done}
}

func (l *lines) chunk(delta delta, reason *string, used *usage) bitrouter.Event {
	whole := l.head
	whole.Choices = []choice{{0, delta, reason}}
	whole.Usage = used
	return bitrouter.NewEvent(bitrouter.Dumps(whole))
}
