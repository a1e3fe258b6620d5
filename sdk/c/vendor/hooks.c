// Joins the hooks of provider.h to the contract. `bitrouter plugin build` says by EXPORTS_… which interfaces wit/world.wit exports.

#include <stdlib.h>

#include "memory.h"
#include "provider.h"

#ifdef EXPORTS_REQUESTS
typedef exports_bitrouter_provider_requests_payload_t payload;
typedef exports_bitrouter_provider_requests_result_step_failure_t stepped;

static const document *json_of(const payload *body) {
  return body->tag == EXPORTS_BITROUTER_PROVIDER_REQUESTS_PAYLOAD_JSON ? &body->val.json : NULL;
}

static void step_on(stepped *ret, step next) {
  ret->is_err = caught(&ret->val.err);
  if (!ret->is_err) ret->val.ok = next;
}

void exports_bitrouter_provider_requests_prepare(call *call, payload *body, stepped *ret) {
  step_on(ret, prepare(call, json_of(body)));
}

__attribute__((weak)) step resume(const call *call, const document *doc, bytes memo, const answer *answer) {
  (void)call, (void)doc, (void)memo, (void)answer;
  fail_unsupported(S("the provider asked for an exchange and has no `resume`"));
  return described();
}

void exports_bitrouter_provider_requests_resume(call *call, payload *body, bytes *memo, answer *answer, stepped *ret) {
  step_on(ret, resume(call, json_of(body), *memo, answer));
}
#endif

#ifdef EXPORTS_FAILURES
void exports_bitrouter_provider_failures_explain(trouble *trouble, bytes *memo,
                                                 exports_bitrouter_provider_failures_option_failure_t *ret) {
  ret->is_some = explain(trouble, *memo, &ret->val);
}
#endif

#ifdef EXPORTS_QUERIES
void exports_bitrouter_provider_queries_interpret(str *side, answer *page,
                                                  exports_bitrouter_provider_queries_result_option_string_failure_t *ret) {
  str json = interpret(*side, page);
  ret->is_err = caught(&ret->val.err);
  if (!ret->is_err) ret->val.ok = (maybe_str){json.len > 0, json};
}
#endif

#ifdef EXPORTS_LIMITS
enum { MOST_WINDOWS = 16 };

void exports_bitrouter_provider_limits_quota(exports_bitrouter_provider_limits_list_field_t *headers, maybe_str *event,
                                             exports_bitrouter_provider_limits_option_list_window_t *ret) {
  window *windows = make(MOST_WINDOWS * sizeof(window));
  size_t count = 0;
  ret->is_some = quota((fields){headers->ptr, headers->len}, event->is_some ? event->val : S(""), windows, MOST_WINDOWS, &count);
  ret->val.ptr = windows;
  ret->val.len = count;
}
#endif

#ifdef EXPORTS_ANSWERS
void exports_bitrouter_provider_answers_shape(call *call, bytes *memo, head *head, document doc,
                                              exports_bitrouter_provider_answers_result_void_failure_t *ret) {
  shape(call, *memo, head, doc);
  ret->is_err = caught(&ret->val.err);
}
#endif

#ifdef EXPORTS_STREAMS
typedef exports_bitrouter_provider_streams_result_list_event_failure_t pushed;
typedef exports_bitrouter_provider_streams_list_event_t list;

struct exports_bitrouter_provider_streams_rewriter_t {
  void *own;
};

exports_bitrouter_provider_streams_own_rewriter_t exports_bitrouter_provider_streams_constructor_rewriter(call *call, bytes *memo,
                                                                                                            head *head) {
  exports_bitrouter_provider_streams_rewriter_t *rewriter = malloc(sizeof *rewriter);
  if (!rewriter) panic(S("there is no memory left"));
  rewriter->own = rewriter_new(call, *memo, head);
  return exports_bitrouter_provider_streams_rewriter_new(rewriter);
}

void exports_bitrouter_provider_streams_rewriter_destructor(exports_bitrouter_provider_streams_rewriter_t *rewriter) {
  free(rewriter);
}

static void push_out(pushed *ret, events out) {
  ret->is_err = caught(&ret->val.err);
  if (!ret->is_err) ret->val.ok = (list){out.ptr, out.len};
  // What came and what goes lies before the seal, and is read before the next push.
  memory_seal();
}

void exports_bitrouter_provider_streams_method_rewriter_push(exports_bitrouter_provider_streams_borrow_rewriter_t self, list *in,
                                                             pushed *ret) {
  events out = {0};
  memory_free_sealed();
  rewriter_push(self->own, in->ptr, in->len, &out);
  push_out(ret, out);
}

__attribute__((weak)) void rewriter_finish(void *rewriter, events *out) { (void)rewriter, (void)out; }

void exports_bitrouter_provider_streams_method_rewriter_finish(exports_bitrouter_provider_streams_borrow_rewriter_t self, pushed *ret) {
  events out = {0};
  memory_free_sealed();
  rewriter_finish(self->own, &out);
  push_out(ret, out);
}
#endif
