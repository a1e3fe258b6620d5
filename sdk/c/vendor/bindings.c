// What wit-bindgen made of the contract, with the memory of memory.h in the place of malloc's.

#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define malloc memory_new
#define realloc memory_realloc
#define free memory_keep

#include "bitrouter.c"
