// What Zig translates of the SDK of C.
#include "provider.h"

#include "memory.h"
