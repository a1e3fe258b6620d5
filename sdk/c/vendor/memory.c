// memory.h, on top of malloc: chunks in which a pointer moves on.

#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (32u << 10)

typedef struct chunk {
  struct chunk *next;
  size_t used, room;
} chunk;

static chunk *now, *sealed;

// Before what is taken stands its size.
void *memory_new(size_t size) {
  size_t need = ((size + 7) & ~(size_t)7) + 8;
  if (!now || now->room - now->used < need) {
    size_t room = need > CHUNK ? need : CHUNK;
    chunk *one = malloc(sizeof(chunk) + 8 + room);
    if (!one) __builtin_trap();
    *one = (chunk){now, 0, room};
    now = one;
  }
  uint8_t *at = (uint8_t *)(now + 1);
  at += -(uintptr_t)at & 7;
  at += now->used;
  now->used += need;
  *(size_t *)at = size;
  return at + 8;
}

void *memory_realloc(void *old, size_t size) {
  void *new = memory_new(size);
  if (old) {
    size_t had = *(size_t *)((uint8_t *)old - 8);
    memcpy(new, old, had < size ? had : size);
  }
  return new;
}

void memory_keep(void *unused) { (void)unused; }

void memory_seal(void) {
  sealed = now;
  now = NULL;
}

void memory_free_sealed(void) {
  while (sealed) {
    chunk *next = sealed->next;
    free(sealed);
    sealed = next;
  }
}
