// {{Name}} for BitRouter. Most of a provider is description.json; what it cannot say is code, and stands here.
//
// Each hook that wit/world.wit exports is a function of this file, as vendor/provider.h has it at its end.

#include "provider.h"

// Takes a member out that the API refuses; all else of the request is as described.
step prepare(const call *call, const document *doc) {
  if (doc && doc_kind(*doc, S("/user")) != ABSENT) {
    edits list = {0};
    push_edit(&list, take_out(S("/user")));
    doc_patch(*doc, list);
  }
  return described();
}
