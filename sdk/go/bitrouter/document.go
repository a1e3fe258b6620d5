package bitrouter

import (
	"encoding/json"
	"fmt"

	"bitrouter/wit/bitrouter_host_document"
	wit "bitrouter/witgo/types"
)

// The kinds of JSON.
const (
	Object  = bitrouter_host_document.KindObject
	Array   = bitrouter_host_document.KindArray
	String  = bitrouter_host_document.KindString
	Number  = bitrouter_host_document.KindNumber
	Boolean = bitrouter_host_document.KindBoolean
	Null    = bitrouter_host_document.KindNull
	// Absent is said where there is no value.
	Absent Kind = 255
)

// All is no limit of a Find.
const All = 1<<32 - 1

// Document is the JSON body of a call, or a whole answer. It stays in the host; a read costs what it selects.
type Document struct {
	lent *bitrouter_host_document.Document
}

// Lent wraps what the host lends for one hook.
func Lent(lent *bitrouter_host_document.Document) *Document { return &Document{lent} }

// Return gives it back, which must be done before the hook ends.
func (d *Document) Return() {
	if d != nil {
		d.lent.Drop()
	}
}

// Kind says what the value is, or Absent.
func (d *Document) Kind(pointer string) (Kind, error) {
	kind, err := read(d.lent.Kind(pointer))
	return kind.SomeOr(Absent), err
}

// Get reads the value's JSON into a variable of Go; false where there is none.
func (d *Document) Get(pointer string, maxBytes uint32, into any) (bool, error) {
	text, err := read(d.lent.Get(pointer, maxBytes))
	if err != nil || text.Tag() == wit.OptionNone {
		return false, err
	}
	return Loads(text.Some(), into), nil
}

// Text is the string there, decoded; empty where there is none.
func (d *Document) Text(pointer string, maxBytes uint32) (string, error) {
	text, err := read(d.lent.Text(pointer, maxBytes))
	return text.SomeOr(""), err
}

// Keys are the names of an object's members.
func (d *Document) Keys(pointer string) ([]string, error) { return read(d.lent.Keys(pointer)) }

// Row is one match: its pointer, and the JSON of its cells; empty where one is absent or too long.
type Row struct {
	Pointer string
	Cells   []string
}

// Find is what a pattern names and all conditions let pass, with the values at fields below it.
func (d *Document) Find(pattern string, only []Condition, fields []string, maxBytes, limit uint32) ([]Row, error) {
	matches, err := read(d.lent.Find(pattern, only, fields, maxBytes, limit))
	rows := make([]Row, 0, len(matches.Rows))
	for _, match := range matches.Rows {
		row := Row{Pointer: match.Pointer, Cells: make([]string, len(match.Cells))}
		for index, cell := range match.Cells {
			if cell.Tag() == bitrouter_host_document.CellValue {
				row.Cells[index] = cell.Value()
			}
		}
		rows = append(rows, row)
	}
	return rows, err
}

// Patch applies all edits in their order, or none.
func (d *Document) Patch(edits ...Edit) error {
	if done := d.lent.Patch(edits); done.Tag() == wit.ResultErr {
		return Invalid(done.Err())
	}
	return nil
}

// Each makes the same edits on every match, or none; their paths are below it.
func (d *Document) Each(pattern string, only []Condition, edits ...Edit) error {
	if done := d.lent.PatchEach(pattern, only, edits, 0); done.Tag() == wit.ResultErr {
		return Invalid(done.Err())
	}
	return nil
}

func read[T any](result wit.Result[T, bitrouter_host_document.ReadError]) (T, error) {
	if result.Tag() == wit.ResultOk {
		return result.Ok(), nil
	}
	var none T
	why := result.Err()
	if why.Tag() == bitrouter_host_document.ReadErrorTooBig {
		return none, Invalid(fmt.Sprintf("a value of the body is too long: %d bytes", why.TooBig()))
	}
	return none, Invalid(why.Invalid())
}

// Condition is one on a match; On begins it.
type Condition = bitrouter_host_document.Condition

// On is the value at a pointer below a match.
type On string

func (at On) must(test bitrouter_host_document.Test) Condition {
	return Condition{At: string(at), Test: test}
}

// Is says that it is one of these scalars.
func (at On) Is(values ...any) Condition {
	texts := make([]string, len(values))
	for index, value := range values {
		texts[index] = Dumps(value)
	}
	return at.must(bitrouter_host_document.MakeTestOneOf(texts))
}

// IsA says that it is of one of these kinds.
func (at On) IsA(kinds ...Kind) Condition {
	return at.must(bitrouter_host_document.MakeTestOfKind(kinds))
}

// IsThere says that it is there.
func (at On) IsThere() Condition { return at.must(bitrouter_host_document.MakeTestPresent()) }

// BeginsWith says that it is a string that begins with one of these.
func (at On) BeginsWith(texts ...string) Condition {
	return at.must(bitrouter_host_document.MakeTestBeginsWith(texts))
}

// IsLongerThan says that its JSON has more bytes.
func (at On) IsLongerThan(bytes uint32) Condition {
	return at.must(bitrouter_host_document.MakeTestLongerThan(bytes))
}

// Not is the opposite.
func Not(condition Condition) Condition {
	condition.Negated = !condition.Negated
	return condition
}

// Only is a list of conditions.
func Only(conditions ...Condition) []Condition { return conditions }

// Add sets a member, or inserts into a list.
func Add(path string, value any) Edit {
	return bitrouter_host_document.MakeEditAdd(bitrouter_host_document.Assignment{Path: path, Value: Dumps(value)})
}

// Replace replaces what must be there.
func Replace(path string, value any) Edit {
	return bitrouter_host_document.MakeEditReplace(bitrouter_host_document.Assignment{Path: path, Value: Dumps(value)})
}

// Remove removes what must be there.
func Remove(path string) Edit { return bitrouter_host_document.MakeEditRemove(path) }

// Move takes a value from one place to another, in the host.
func Move(source, target string) Edit {
	return bitrouter_host_document.MakeEditMove(bitrouter_host_document.Relocation{Source: source, Target: target})
}

// Copy adds a value a second time, in the host.
func Copy(source, target string) Edit {
	return bitrouter_host_document.MakeEditCopy(bitrouter_host_document.Relocation{Source: source, Target: target})
}

// RawJSON is a JSON text that goes into a value as it is.
type RawJSON = json.RawMessage
