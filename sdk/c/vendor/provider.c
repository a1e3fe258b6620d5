// What provider.h says: texts, JSON, and the document. hooks.c joins the hooks to the contract.

#include "provider.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void *make(size_t size) { return memset(memory_new(size), 0, size); }

str join(size_t count, const str *texts) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++) len += texts[i].len;
  str all = {memory_new(len), 0};
  for (size_t i = 0; i < count; i++) {
    if (texts[i].len) memcpy(all.ptr + all.len, texts[i].ptr, texts[i].len);
    all.len += texts[i].len;
  }
  return all;
}

str of(const char *text) { return (str){(uint8_t *)text, strlen(text)}; }

bool same(str a, str b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

str number(uint64_t value) {
  uint8_t *end = (uint8_t *)memory_new(20) + 20, *at = end;
  do *--at = (uint8_t)('0' + value % 10);
  while (value /= 10);
  return (str){at, (size_t)(end - at)};
}

// Lists double when they are full, which is when their length is a power of two.
static void *grown(void *old, size_t len, size_t size) {
  if (len & (len - 1)) return old;
  void *larger = memory_new((len ? 2 * len : 1) * size);
  if (len) memcpy(larger, old, len * size);
  return larger;
}

void push_str(strings *list, str text) {
  list->ptr = grown(list->ptr, list->len, sizeof text);
  list->ptr[list->len++] = text;
}

void push_edit(edits *list, edit one) {
  list->ptr = grown(list->ptr, list->len, sizeof one);
  list->ptr[list->len++] = one;
}

void push_field(fields *list, str name, str value) {
  list->ptr = grown(list->ptr, list->len, sizeof(field));
  list->ptr[list->len++] = (field){name, value};
}

void push_event(events *list, str data) {
  list->ptr = grown(list->ptr, list->len, sizeof(event));
  list->ptr[list->len++] = (event){.data = data};
}

// ---- failures ----

static bool has_failed;
static failure why_failed;

void fail(failure why) {
  if (!has_failed) why_failed = why;
  has_failed = true;
}

bool failed(void) { return has_failed; }

bool caught(failure *why) {
  bool was = has_failed;
  if (was) *why = why_failed;
  has_failed = false;
  return was;
}

failure failure_of(const char *kind, const char *scope, str message) {
  return (failure){.kind = of(kind), .scope = of(scope), .message = message};
}

void fail_unsupported(str message) { fail(failure_of("unsupported", "provider", message)); }

static void invalid(str message) { fail(failure_of("invalid-request", "request", message)); }

static void unread(bitrouter_host_document_read_error_t why) {
  if (why.tag == BITROUTER_HOST_DOCUMENT_READ_ERROR_TOO_BIG)
    invalid(JOIN(S("a value of the body is too long: "), number(why.val.too_big), S(" bytes")));
  else
    invalid(why.val.invalid);
}

// ---- the document ----

int doc_kind(document doc, str pointer) {
  bitrouter_host_document_result_option_kind_read_error_t read;
  if (has_failed) return ABSENT;
  bitrouter_host_document_method_document_kind(doc, &pointer, &read);
  if (read.is_err) return unread(read.val.err), ABSENT;
  return read.val.ok.is_some ? read.val.ok.val : ABSENT;
}

str doc_get(document doc, str pointer, uint32_t max_bytes) {
  bitrouter_host_document_result_option_string_read_error_t read;
  if (has_failed) return S("");
  bitrouter_host_document_method_document_get(doc, &pointer, max_bytes, &read);
  if (read.is_err) return unread(read.val.err), S("");
  return read.val.ok.is_some ? read.val.ok.val : S("");
}

str doc_text(document doc, str pointer, uint32_t max_bytes) {
  bitrouter_host_document_result_option_string_read_error_t read;
  if (has_failed) return S("");
  bitrouter_host_document_method_document_text(doc, &pointer, max_bytes, &read);
  if (read.is_err) return unread(read.val.err), S("");
  return read.val.ok.is_some ? read.val.ok.val : S("");
}

strings doc_keys(document doc, str pointer) {
  bitrouter_host_document_result_list_string_read_error_t read;
  if (has_failed) return (strings){0};
  bitrouter_host_document_method_document_keys(doc, &pointer, &read);
  if (read.is_err) return unread(read.val.err), (strings){0};
  return read.val.ok;
}

static condition on(str at, uint8_t tag) { return (condition){.at = at, .test = {.tag = tag}}; }

condition is_one_of(str at, size_t count, const str *json) {
  condition one = on(at, BITROUTER_HOST_DOCUMENT_TEST_ONE_OF);
  for (size_t i = 0; i < count; i++) push_str(&one.test.val.one_of, json[i]);
  return one;
}

condition is(str at, str text) {
  str json = quote(text);
  return is_one_of(at, 1, &json);
}

condition is_a(str at, json_kind kind) {
  condition one = on(at, BITROUTER_HOST_DOCUMENT_TEST_OF_KIND);
  json_kind *kinds = make(sizeof kind);
  *kinds = kind;
  one.test.val.of_kind.ptr = kinds;
  one.test.val.of_kind.len = 1;
  return one;
}

condition is_there(str at) { return on(at, BITROUTER_HOST_DOCUMENT_TEST_PRESENT); }

condition begins_with(str at, str text) {
  condition one = on(at, BITROUTER_HOST_DOCUMENT_TEST_BEGINS_WITH);
  push_str(&one.test.val.begins_with, text);
  return one;
}

condition not(condition one) {
  one.negated = !one.negated;
  return one;
}

static bitrouter_host_document_list_condition_t list_of(const condition *only) {
  return (bitrouter_host_document_list_condition_t){(condition *)only, only ? 1 : 0};
}

rows doc_find(document doc, str pattern, const condition *only, strings fields, uint32_t max_bytes, uint32_t limit) {
  bitrouter_host_document_result_matches_read_error_t read;
  bitrouter_host_document_list_condition_t conditions = list_of(only);
  if (has_failed) return (rows){0};
  bitrouter_host_document_method_document_find(doc, &pattern, &conditions, &fields, max_bytes, limit, &read);
  if (read.is_err) return unread(read.val.err), (rows){0};
  return read.val.ok.rows;
}

str cell(const row *match, size_t index) {
  if (index >= match->cells.len) return S("");
  bitrouter_host_document_cell_t one = match->cells.ptr[index];
  return one.tag == BITROUTER_HOST_DOCUMENT_CELL_VALUE ? one.val.value : S("");
}

void doc_patch(document doc, edits list) {
  bitrouter_host_document_result_void_string_t done;
  if (has_failed) return;
  bitrouter_host_document_method_document_patch(doc, &list, &done);
  if (done.is_err) invalid(done.val.err);
}

void doc_each(document doc, str pattern, const condition *only, size_t count, const edit *list) {
  bitrouter_host_document_result_patched_string_t done;
  bitrouter_host_document_list_condition_t conditions = list_of(only);
  edits all = {(edit *)list, count};
  if (has_failed) return;
  bitrouter_host_document_method_document_patch_each(doc, &pattern, &conditions, &all, 0, &done);
  if (done.is_err) invalid(done.val.err);
}

edit add(str path, str json) { return (edit){BITROUTER_HOST_DOCUMENT_EDIT_ADD, {.add = {path, json}}}; }
edit replace(str path, str json) { return (edit){BITROUTER_HOST_DOCUMENT_EDIT_REPLACE, {.replace = {path, json}}}; }
edit take_out(str path) { return (edit){BITROUTER_HOST_DOCUMENT_EDIT_REMOVE, {.remove = path}}; }
edit move(str source, str target) { return (edit){BITROUTER_HOST_DOCUMENT_EDIT_MOVE, {.move = {source, target}}}; }
edit copy(str source, str target) { return (edit){BITROUTER_HOST_DOCUMENT_EDIT_COPY, {.copy = {source, target}}}; }

// ---- requests ----

request request_of(const char *method, const char *origin, const char *path) {
  return (request){.method = of(method), .origin = of(origin), .path = of(path), .framing = S("json")};
}

bytes memo_of(str text) { return (bytes){text.ptr, text.len}; }

step described(void) { return (step){.tag = BITROUTER_PROVIDER_TYPES_STEP_DESCRIBED}; }

step pass(request one) {
  one.delivery.tag = BITROUTER_PROVIDER_TYPES_DELIVERY_PASS;
  return (step){BITROUTER_PROVIDER_TYPES_STEP_SEND, {.send = one}};
}

step rewrite(request one, const char *framing) {
  one.delivery.tag = BITROUTER_PROVIDER_TYPES_DELIVERY_REWRITE;
  one.delivery.val.rewrite = of(framing);
  return (step){BITROUTER_PROVIDER_TYPES_STEP_SEND, {.send = one}};
}

step ask(request one, bytes memo, uint32_t wait_ms) {
  return (step){BITROUTER_PROVIDER_TYPES_STEP_ASK, {.ask = {pass(one).val.send, memo, wait_ms}}};
}

step reply(str json) {
  return (step){BITROUTER_PROVIDER_TYPES_STEP_REPLY, {.reply = {.status = 200, .framing = S("json"), .body = json}}};
}

str header(fields headers, const char *name) {
  for (size_t i = 0; i < headers.len; i++)
    if (same(headers.ptr[i].name, of(name))) return headers.ptr[i].value;
  return S("");
}

window window_of(str name) { return (window){.name = name}; }

bitrouter_option_u64_t some(uint64_t value) { return (bitrouter_option_u64_t){true, value}; }

static str member(const char *name, bitrouter_option_u64_t value) {
  return value.is_some ? JOIN(S(",\""), of(name), S("\":"), number(value.val)) : S("");
}

str usage_json(size_t count, const window *windows, str plan) {
  str all = S("");
  for (size_t i = 0; i < count; i++) {
    const window *one = windows + i;
    uint64_t hundredths = one->used_percent.is_some ? (uint64_t)(one->used_percent.val * 100 + 0.5) : 0;
    str rest = JOIN(number(hundredths / 10 % 10), number(hundredths % 10));
    str used = one->used_percent.is_some ? JOIN(S(",\"used_percent\":"), number(hundredths / 100), S("."), rest) : S("");
    str members = JOIN(used, member("limit", one->limit), member("remaining", one->remaining),
                       member("length_seconds", one->length_seconds), member("resets_at", one->resets_at));
    all = JOIN(all, i ? S(",") : S(""), S("{\"name\":"), quote(one->name), members, S("}"));
  }
  return JOIN(S("{\"windows\":["), all, S("],\"plan\":"), quote(plan), S("}"));
}

void say(int level, str message) { bitrouter_host_log_log((bitrouter_host_log_level_t)level, &message); }

_Noreturn void panic(str why) {
  say(LOG_ERROR, JOIN(S("panic: "), why));
  __builtin_trap();
}
