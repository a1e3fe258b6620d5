// Memory for one hook, which is never given back in parts: an instance lives as long as a hook. That of a rewriter lives as long as its
// stream; there, what the push before the last one took is free for use again.
#ifndef BITROUTER_MEMORY_H
#define BITROUTER_MEMORY_H

#include <stddef.h>

// Never NULL; aligned to 8 bytes.
void *memory_new(size_t size);
// From here on memory is of the next push.
void memory_seal(void);
// What was taken before the seal is given back.
void memory_free_sealed(void);

// What the bindings call in the place of malloc and its relatives.
void *memory_realloc(void *old, size_t size);
void memory_keep(void *unused);

#endif
