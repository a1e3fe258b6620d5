// What a provider in C is written with: short names for the contract's types, and what is written again and again.
//
// A provider defines the hooks at the end of this file that its wit/world.wit exports. What functions here return lives until the
// hook returns, and is never freed. A read or an edit of a document that fails makes the whole hook fail, as `fail` does: what
// follows does nothing, so no result needs to be looked at.
#ifndef BITROUTER_PROVIDER_H
#define BITROUTER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bitrouter.h"

typedef bitrouter_string_t str;
typedef bitrouter_list_u8_t bytes;
typedef bitrouter_list_string_t strings;
typedef bitrouter_option_string_t maybe_str;
typedef bitrouter_host_field_field_t field;
typedef bitrouter_provider_types_list_field_t fields;
typedef bitrouter_provider_types_call_t call;
typedef bitrouter_provider_types_blob_t blob;
typedef bitrouter_provider_types_request_t request;
typedef bitrouter_provider_types_step_t step;
typedef bitrouter_provider_types_head_t head;
typedef bitrouter_provider_types_answer_t answer;
typedef bitrouter_provider_types_trouble_t trouble;
typedef bitrouter_provider_types_failure_t failure;
typedef bitrouter_provider_types_window_t window;
typedef bitrouter_provider_types_event_t event;
typedef bitrouter_host_document_borrow_document_t document;
typedef bitrouter_host_document_kind_t json_kind;
typedef bitrouter_host_document_condition_t condition;
typedef bitrouter_host_document_edit_t edit;
typedef bitrouter_host_document_row_t row;
typedef bitrouter_host_document_list_row_t rows;

// ---- texts ----

// A literal as a text.
#define S(literal) ((str){(uint8_t *)(literal), sizeof(literal) - 1})
// Texts one behind the other: JOIN(S("/"), name).
#define JOIN(...) join(sizeof((str[]){__VA_ARGS__}) / sizeof(str), (str[]){__VA_ARGS__})
str join(size_t count, const str *texts);
// A text of C, which is not copied.
str of(const char *text);
bool same(str a, str b);
// A whole number as a text.
str number(uint64_t value);
// Memory until the hook returns; it is zero. What a rewriter keeps for its next `push` comes from malloc.
void *make(size_t size);

// ---- a few texts or edits that grow ----

void push_str(strings *list, str text);
typedef bitrouter_host_document_list_edit_t edits;
void push_edit(edits *list, edit one);
typedef struct {
  event *ptr;
  size_t len;
} events;
// An event without a name.
void push_event(events *list, str data);

// ---- JSON ----

// A text as a JSON string, with its quotes.
str quote(str text);
// The value at a JSON pointer, as JSON; empty where there is none or the text is broken before it.
str json_at(str json, const char *pointer);
// The string that a JSON text is, decoded; empty where it is none.
str json_text(str json);
// The whole number that a JSON text is.
bool json_whole(str json, uint64_t *value);
// json_text(json_at(json, pointer)).
str json_text_at(str json, const char *pointer);
// The JSON pointer of a member of the top.
str pointer_of(str name);

// ---- the document ----

enum { OBJECT, ARRAY, STRING, NUMBER, BOOLEAN, NIL, ABSENT };
// One of the above.
int doc_kind(document doc, str pointer);
// The value as JSON; empty where there is none.
str doc_get(document doc, str pointer, uint32_t max_bytes);
// The string there, decoded; empty where there is none.
str doc_text(document doc, str pointer, uint32_t max_bytes);
strings doc_keys(document doc, str pointer);

// Conditions on the value at a pointer below a match.
condition is(str at, str text);
condition is_one_of(str at, size_t count, const str *json);
condition is_a(str at, json_kind kind);
condition is_there(str at);
condition begins_with(str at, str text);
condition not(condition one);

// What a pattern names and the condition lets pass; `only` may be NULL. Cells are at `fields` below the match.
rows doc_find(document doc, str pattern, const condition *only, strings fields, uint32_t max_bytes, uint32_t limit);
// The cell's JSON; empty where it is absent or too long.
str cell(const row *match, size_t index);
void doc_patch(document doc, edits list);
// The same edits on every match; `only` may be NULL.
void doc_each(document doc, str pattern, const condition *only, size_t count, const edit *list);

edit add(str path, str json);
edit replace(str path, str json);
edit take_out(str path);
edit move(str source, str target);
edit copy(str source, str target);

// ---- requests and failures ----

// A request with the call's body, whose answer is one JSON document.
request request_of(const char *method, const char *origin, const char *path);
void push_field(fields *list, str name, str value);
bytes memo_of(str text);
step described(void);
step pass(request one);
step rewrite(request one, const char *framing);
step ask(request one, bytes memo, uint32_t wait_ms);
// An answer without asking anybody, as JSON in the call's dialect.
step reply(str json);

// Kinds and scopes are those of the contract, such as "rate-limited" and "account".
failure failure_of(const char *kind, const char *scope, str message);
// The hook fails with this; the first one counts.
void fail(failure why);
void fail_unsupported(str message);
// Whether the hook has failed.
bool failed(void);
// Forgets why the hook would fail, and answers it.
bool caught(failure *why);

str header(fields headers, const char *name);
window window_of(str name);
bitrouter_option_u64_t some(uint64_t value);
// What `interpret` answers of a plan.
str usage_json(size_t count, const window *windows, str plan);

enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
void say(int level, str message);
// Says why in the gateway's log, and traps.
_Noreturn void panic(str why);
// `assert` that tells the log.
#define ENSURE(truth) ((truth) ? (void)0 : panic(S(__FILE__ ": " #truth)))

// ---- the hooks ----

// `doc` is NULL where the body is no JSON.
step prepare(const call *call, const document *doc);
// Needed where `prepare` asks.
step resume(const call *call, const document *doc, bytes memo, const answer *answer);
// False where the description says what it means.
bool explain(const trouble *trouble, bytes memo, failure *meaning);
// Empty where the description reads it.
str interpret(str side, const answer *page);
// Adds windows; false where the description reads them. `event` is empty where a header matched.
bool quota(fields headers, str event, window *windows, size_t room, size_t *count);
void shape(const call *call, bytes memo, const head *head, document doc);
// A rewriter is what rewriter_new makes, by malloc.
void *rewriter_new(const call *call, bytes memo, const head *head);
void rewriter_push(void *rewriter, const event *list, size_t count, events *out);
void rewriter_finish(void *rewriter, events *out);

#endif
