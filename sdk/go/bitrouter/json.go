package bitrouter

import (
	"encoding/json"
	"strings"
)

// Dumps is a value as JSON, without white space; `<`, `>` and `&` stay as they are.
func Dumps(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("it is no JSON: " + err.Error())
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// Loads reads a JSON text into a variable of Go; false where it is none, or of another shape.
func Loads(text string, into any) bool { return json.Unmarshal([]byte(text), into) == nil }

// PointerOf is the JSON pointer of a member of the top.
func PointerOf(name string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// Usage is what Interpret answers of a plan.
func Usage(plan string, windows ...Window) string {
	type member struct {
		Name          string   `json:"name"`
		UsedPercent   *float64 `json:"used_percent,omitempty"`
		Limit         *uint64  `json:"limit,omitempty"`
		Remaining     *uint64  `json:"remaining,omitempty"`
		LengthSeconds *uint64  `json:"length_seconds,omitempty"`
		ResetsAt      *uint64  `json:"resets_at,omitempty"`
	}
	members := make([]member, len(windows))
	for index, w := range windows {
		members[index] = member{w.Name, w.UsedPercent, w.Limit, w.Remaining, w.LengthSeconds, w.ResetsAt}
	}
	return Dumps(map[string]any{"windows": members, "plan": plan})
}
