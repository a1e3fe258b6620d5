// acme, a provider of an API that is like none of the dialects: sdk/acme/README.md says what it is and what becomes of it.

#include "provider.h"

#include <stdlib.h>
#include <string.h>

static const char *const SPEAKERS[][2] = {{"system", "rules"}, {"developer", "rules"}, {"user", "guest"}, {"assistant", "acme"}};
static const char *const FAULTS[][3] = {
    {"E_SLOW", "rate-limited", "account"}, {"E_SPENT", "no-credit", "account"},     {"E_TOKEN", "unauthorized", "account"},
    {"E_ENGINE", "model-not-found", "model"}, {"E_LONG", "context-exceeded", "request"}, {"E_BUSY", "overloaded", "model"},
};
enum { ALL = UINT32_MAX, MEGABYTE = 1 << 20 };

// Makes a list of texts one text.
static void join_parts(document doc, str content) {
  strings places = {0};
  push_str(&places, S("/type"));
  push_str(&places, S("/text"));
  rows parts = doc_find(doc, JOIN(content, S("/*")), NULL, places, MEGABYTE, ALL);
  str all = S("");
  for (size_t i = 0; i < parts.len; i++) {
    str text = cell(&parts.ptr[i], 1);
    if (!same(json_text(cell(&parts.ptr[i], 0)), S("text")) || !text.len || text.ptr[0] != '"')
      return fail_unsupported(JOIN(S("acme takes texts only, not what is at "), parts.ptr[i].pointer));
    all = JOIN(all, i ? S("\n") : S(""), json_text(text));
  }
  edits list = {0};
  push_edit(&list, replace(content, quote(all)));
  doc_patch(doc, list);
}

static void turns(document doc) {
  str known[4];
  for (int i = 0; i < 4; i++) known[i] = quote(of(SPEAKERS[i][0]));
  condition unknown = not(is_one_of(S("/role"), 4, known));
  rows found = doc_find(doc, S("/messages/*"), &unknown, (strings){0}, 0, 1);
  if (found.len) return fail_unsupported(JOIN(S("acme knows no message of the role at "), found.ptr[0].pointer, S("/role")));
  condition is_list = is_a(S("/content"), ARRAY);
  found = doc_find(doc, S("/messages/*"), &is_list, (strings){0}, 0, ALL);
  for (size_t i = 0; i < found.len; i++) join_parts(doc, JOIN(found.ptr[i].pointer, S("/content")));
  for (int i = 0; i < 4; i++) {
    condition of_role = is(S("/role"), of(SPEAKERS[i][0]));
    edit speaker = replace(S("/role"), quote(of(SPEAKERS[i][1])));
    doc_each(doc, S("/messages/*"), &of_role, 1, &speaker);
  }
  str names[][2] = {{S("/role"), S("/speaker")}, {S("/content"), S("/words")}};
  for (int i = 0; i < 2; i++) {
    condition has = is_there(names[i][0]);
    edit named = move(names[i][0], names[i][1]);
    doc_each(doc, S("/messages/*"), &has, 1, &named);
  }
}

static step converse(const call *call, document doc) {
  turns(doc);
  bool wants_usage = same(doc_get(doc, S("/stream_options/include_usage"), 8), S("true"));
  edits list = {0};
  strings dropped = {0}, names = doc_keys(doc, S(""));
  push_edit(&list, add(S("/options"), S("{}")));
  for (size_t i = 0; i < names.len; i++) {
    str name = names.ptr[i], place = pointer_of(name);
    bool is_limit = same(name, S("max_tokens")) || same(name, S("max_completion_tokens"));
    if (same(name, S("model"))) {
      push_edit(&list, move(place, S("/engine")));
    } else if (same(name, S("messages"))) {
      push_edit(&list, move(place, S("/turns")));
    } else if (is_limit || same(name, S("temperature"))) {
      push_edit(&list, move(place, is_limit ? S("/options/limit") : S("/options/heat")));
    } else {
      push_edit(&list, take_out(place));
      if (!same(name, S("stream")) && !same(name, S("stream_options"))) push_str(&dropped, place);
    }
  }
  push_edit(&list, add(S("/live"), call->streaming ? S("true") : S("false")));
  doc_patch(doc, list);
  request one = request_of("POST", "api", "/engines/{model}/converse");
  one.framing = call->streaming ? S("ndjson") : S("json");
  one.dropped = dropped;
  if (wants_usage) one.memo = memo_of(S("usage"));
  return rewrite(one, "sse");
}

static step embed(document doc) {
  edits list = {0};
  strings dropped = {0}, names = doc_keys(doc, S(""));
  for (size_t i = 0; i < names.len; i++) {
    str place = pointer_of(names.ptr[i]);
    if (same(names.ptr[i], S("model"))) {
      push_edit(&list, move(place, S("/engine")));
    } else if (same(names.ptr[i], S("input")) && doc_kind(doc, place) == ARRAY) {
      push_edit(&list, move(place, S("/texts")));
    } else if (same(names.ptr[i], S("input"))) {
      push_edit(&list, add(S("/texts"), S("[]")));
      push_edit(&list, move(place, S("/texts/-")));
    } else {
      push_edit(&list, take_out(place));
      push_str(&dropped, place);
    }
  }
  doc_patch(doc, list);
  request one = request_of("POST", "api", "/engines/{model}/embed");
  one.dropped = dropped;
  return rewrite(one, "sse");
}

step prepare(const call *call, const document *doc) {
  if (doc && same(call->operation, S("generate"))) return converse(call, *doc);
  return doc && same(call->operation, S("embeddings")) ? embed(*doc) : described();
}

// What a fault means; false where its code is new.
static bool fault(str json, failure *meaning) {
  str code = json_text_at(json, "/code");
  for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) {
    if (!same(code, of(FAULTS[i][0]))) continue;
    *meaning = failure_of(FAULTS[i][1], FAULTS[i][2], json_text_at(json, "/why"));
    meaning->code = (maybe_str){true, code};
    meaning->retry_after_ms.is_some = json_whole(json_at(json, "/wait"), &meaning->retry_after_ms.val);
    meaning->retry_after_ms.val *= 1000;
    return true;
  }
  return false;
}

// Fails with a fault where there is nobody else to say what it means.
static void fail_by(str json) {
  failure why;
  fail(fault(json, &why) ? why : failure_of("unavailable", "provider", json_text_at(json, "/why")));
}

bool explain(const trouble *trouble, bytes memo, failure *meaning) {
  bool is_answer = trouble->tag == BITROUTER_PROVIDER_TYPES_TROUBLE_ANSWER;
  return fault(json_at(is_answer ? trouble->val.answer.body : trouble->val.event.data, "/fault"), meaning);
}

// What stands before this mark, and behind it in `rest`; false where it is not there.
static bool cut(str *rest, const char *mark, str *before) {
  size_t len = strlen(mark);
  for (size_t i = 0; i + len <= rest->len; i++) {
    if (memcmp(rest->ptr + i, mark, len)) continue;
    *before = (str){rest->ptr, i};
    *rest = (str){rest->ptr + i + len, rest->len - i - len};
    return true;
  }
  return false;
}

bool quota(fields headers, str event, window *windows, size_t room, size_t *count) {
  str wait = header(headers, "x-acme-room"), name, left, most;
  if (cut(&wait, "=", &name) && cut(&wait, "/", &left) && cut(&wait, " in ", &most)) {
    window *one = &windows[(*count)++];
    *one = window_of(name);
    one->limit.is_some = json_whole(most, &one->limit.val);
    one->remaining.is_some = json_whole(left, &one->remaining.val);
    one->resets_in_seconds.is_some = json_whole(wait, &one->resets_in_seconds.val);
  }
  if (same(json_text_at(event, "/type"), S("quota"))) {
    window *one = &windows[(*count)++];
    *one = window_of(json_text_at(event, "/of"));
    one->limit.is_some = json_whole(json_at(event, "/most"), &one->limit.val);
    one->remaining.is_some = json_whole(json_at(event, "/left"), &one->remaining.val);
    one->resets_in_seconds.is_some = json_whole(json_at(event, "/back_in"), &one->resets_in_seconds.val);
  }
  return true;
}

str interpret(str side, const answer *page) {
  uint64_t spent, most;
  if (!same(side, S("plan")) || page->status != 200) return S("");
  if (!json_whole(json_at(page->body, "/spent"), &spent) || !json_whole(json_at(page->body, "/of"), &most) || !most) return S("");
  window month = window_of(S("month"));
  month.used_percent.is_some = true;
  month.used_percent.val = (double)spent * 100 / (double)most;
  month.limit = some(most);
  month.remaining = some(most > spent ? most - spent : 0);
  return usage_json(1, &month, json_text_at(page->body, "/plan"));
}

static str reason(str why) { return same(why, S("limit")) ? S("\"length\"") : S("\"stop\""); }

static str usage_of(str spent) {
  uint64_t read = 0, said = 0;
  json_whole(json_at(spent, "/read"), &read);
  json_whole(json_at(spent, "/said"), &said);
  return JOIN(S("{\"prompt_tokens\":"), number(read), S(",\"completion_tokens\":"), number(said), S(",\"total_tokens\":"),
              number(read + said), S("}"));
}

static void shape_vectors(const call *call, document doc, edits *list) {
  rows found = doc_find(doc, S("/vectors/*"), NULL, (strings){0}, 0, ALL);
  for (size_t i = 0; i < found.len; i++) {
    str place = found.ptr[i].pointer;
    push_edit(list, move(JOIN(place, S("/values")), JOIN(place, S("/embedding"))));
    push_edit(list, add(JOIN(place, S("/index")), number(i)));
    push_edit(list, add(JOIN(place, S("/object")), S("\"embedding\"")));
  }
  push_edit(list, move(S("/vectors"), S("/data")));
  push_edit(list, add(S("/object"), S("\"list\"")));
  push_edit(list, add(S("/model"), quote(call->model)));
}

static void shape_answer(document doc, edits *list) {
  str why = reason(doc_text(doc, S("/why"), 64));
  push_edit(list, add(S("/choices"), JOIN(S("[{\"index\":0,\"message\":{\"role\":\"assistant\"},\"finish_reason\":"), why, S("}]"))));
  push_edit(list, move(S("/words"), S("/choices/0/message/content")));
  push_edit(list, move(S("/engine"), S("/model")));
  push_edit(list, move(S("/at"), S("/created")));
  push_edit(list, add(S("/object"), S("\"chat.completion\"")));
  push_edit(list, take_out(S("/why")));
}

void shape(const call *call, bytes memo, const head *head, document doc) {
  str json = doc_get(doc, S("/fault"), 4096);
  if (json.len) return fail_by(json);
  edits list = {0};
  if (same(call->operation, S("embeddings"))) shape_vectors(call, doc, &list);
  else shape_answer(doc, &list);
  push_edit(&list, add(S("/usage"), usage_of(doc_get(doc, S("/spent"), 256))));
  push_edit(&list, take_out(S("/spent")));
  doc_patch(doc, list);
  failure why;
  if (caught(&why)) fail(failure_of("unavailable", "provider", JOIN(S("acme answered otherwise than it should: "), why.message)));
}

// A stream that is rewritten: a line in, a chunk of Chat Completions out.
struct lines {
  bool wants_usage;
  // The members with which every chunk begins.
  str head;
};

void *rewriter_new(const call *call, bytes memo, const head *head) {
  struct lines *lines = calloc(1, sizeof *lines);
  ENSURE(lines);
  lines->wants_usage = same((str){memo.ptr, memo.len}, S("usage"));
  return lines;
}

static void begin(struct lines *lines, str line) {
  str at = json_at(line, "/at");
  str head = JOIN(S("{\"id\":"), quote(json_text_at(line, "/id")), S(",\"object\":\"chat.completion.chunk\",\"created\":"), at,
                  S(",\"model\":"), quote(json_text_at(line, "/engine")), S(","));
  free(lines->head.ptr);
  // It is kept beyond this push.
  lines->head = (str){malloc(head.len), head.len};
  ENSURE(lines->head.ptr);
  memcpy(lines->head.ptr, head.ptr, head.len);
}

static str chunk(const struct lines *lines, str delta, str why, str usage) {
  return JOIN(lines->head, S("\"choices\":[{\"index\":0,\"delta\":{"), delta, S("},\"finish_reason\":"), why, S("}]"), usage, S("}"));
}

static void end(const struct lines *lines, str line, events *out) {
  str why = reason(json_text_at(line, "/why"));
  str usage = JOIN(S("\"usage\":"), usage_of(json_at(line, "/spent")));
  push_event(out, chunk(lines, S(""), why, lines->wants_usage ? S("") : JOIN(S(","), usage)));
  if (lines->wants_usage) push_event(out, JOIN(lines->head, S("\"choices\":[],"), usage, S("}")));
  push_event(out, S("[DONE]"));
}

void rewriter_push(void *rewriter, const event *list, size_t count, events *out) {
  struct lines *lines = rewriter;
  for (size_t i = 0; i < count; i++) {
    str line = list[i].data, type = json_text_at(line, "/type");
    if (same(type, S("begin"))) {
      begin(lines, line);
      push_event(out, chunk(lines, S("\"role\":\"assistant\",\"content\":\"\""), S("null"), S("")));
    } else if (same(type, S("words"))) {
      str words = JOIN(S("\"content\":"), quote(json_text_at(line, "/words")));
      push_event(out, chunk(lines, words, S("null"), S("")));
    } else if (same(type, S("end"))) {
      end(lines, line, out);
    } else if (same(type, S("fault"))) {
      return fail_by(json_at(line, "/fault"));
    }
  }
}
