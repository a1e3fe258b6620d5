// JSON as far as a provider needs it: a value at a pointer, texts and whole numbers. Nothing is parsed that is not asked for.

#include <string.h>

#include "memory.h"
#include "provider.h"

str quote(str text) {
  static const char hex[] = "0123456789abcdef";
  str json = {memory_new(6 * text.len + 2), 0};
  json.ptr[json.len++] = '"';
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i], escape = 0;
    if (c == '"' || c == '\\') escape = c;
    if (c == '\n') escape = 'n';
    if (c == '\r') escape = 'r';
    if (c == '\t') escape = 't';
    if (escape) {
      json.ptr[json.len++] = '\\';
      json.ptr[json.len++] = escape;
    } else if (c < 0x20) {
      memcpy(json.ptr + json.len, "\\u00", 4);
      json.ptr[json.len + 4] = (uint8_t)hex[c >> 4];
      json.ptr[json.len + 5] = (uint8_t)hex[c & 15];
      json.len += 6;
    } else {
      json.ptr[json.len++] = c;
    }
  }
  json.ptr[json.len++] = '"';
  return json;
}

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static size_t space(str json, size_t at) {
  while (at < json.len && is_space(json.ptr[at])) at++;
  return at;
}

// Behind the value that begins here; 0 where it is broken.
static size_t behind(str json, size_t at) {
  size_t depth = 0;
  while (at < json.len) {
    uint8_t c = json.ptr[at++];
    if (c == '"') {
      while (at < json.len && json.ptr[at] != '"') at += json.ptr[at] == '\\' ? 2 : 1;
      if (at >= json.len) return 0;
      at++;
    } else if (c == '{' || c == '[') {
      depth++;
      continue;
    } else if (c == '}' || c == ']') {
      if (depth-- == 0) return 0;
    } else if (is_space(c) || c == ',' || c == ':') {
      continue;
    } else {
      while (at < json.len && !strchr(",:]} \t\r\n", json.ptr[at])) at++;
    }
    if (depth == 0) return at;
  }
  return 0;
}

// The value of a member or item; empty where there is none.
static str below(str json, str token) {
  size_t at = space(json, 0);
  if (at >= json.len || (json.ptr[at] != '{' && json.ptr[at] != '[')) return S("");
  bool is_object = json.ptr[at++] == '{';
  for (uint64_t index = 0;; index++) {
    at = space(json, at);
    if (at >= json.len || json.ptr[at] == '}' || json.ptr[at] == ']') return S("");
    bool is_it = !is_object && same(number(index), token);
    if (is_object) {
      size_t end = behind(json, at);
      if (!end) return S("");
      is_it = same(json_text((str){json.ptr + at, end - at}), token);
      at = space(json, end);
      if (at >= json.len || json.ptr[at++] != ':') return S("");
      at = space(json, at);
    }
    size_t end = behind(json, at);
    if (!end) return S("");
    if (is_it) return (str){json.ptr + at, end - at};
    at = space(json, end);
    if (at < json.len && json.ptr[at] == ',') at++;
  }
}

str json_at(str json, const char *pointer) {
  while (*pointer == '/') {
    size_t len = strcspn(++pointer, "/");
    str token = {memory_new(len), 0};
    for (size_t i = 0; i < len; i++) {
      bool is_escape = pointer[i] == '~' && i + 1 < len;
      token.ptr[token.len++] = (uint8_t)(is_escape ? (pointer[++i] == '1' ? '/' : '~') : pointer[i]);
    }
    json = below(json, token);
    pointer += len;
  }
  return json;
}

static unsigned hex4(const uint8_t *at) {
  unsigned value = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = at[i] | 0x20;
    value = value << 4 | (c <= '9' ? (c & 15u) : (unsigned)(c - 'a' + 10) & 15u);
  }
  return value;
}

static size_t utf8(uint8_t *to, unsigned c) {
  if (c < 0x80) return to[0] = (uint8_t)c, 1;
  if (c < 0x800) return to[0] = (uint8_t)(0xc0 | c >> 6), to[1] = (uint8_t)(0x80 | (c & 63)), 2;
  if (c < 0x10000) {
    to[0] = (uint8_t)(0xe0 | c >> 12), to[1] = (uint8_t)(0x80 | (c >> 6 & 63)), to[2] = (uint8_t)(0x80 | (c & 63));
    return 3;
  }
  to[0] = (uint8_t)(0xf0 | c >> 18), to[1] = (uint8_t)(0x80 | (c >> 12 & 63));
  to[2] = (uint8_t)(0x80 | (c >> 6 & 63)), to[3] = (uint8_t)(0x80 | (c & 63));
  return 4;
}

str json_text(str json) {
  if (json.len < 2 || json.ptr[0] != '"' || json.ptr[json.len - 1] != '"') return S("");
  str text = {memory_new(json.len), 0};
  size_t end = json.len - 1;
  for (size_t i = 1; i < end; i++) {
    uint8_t c = json.ptr[i];
    if (c != '\\' || i + 1 >= end) {
      text.ptr[text.len++] = c;
      continue;
    }
    c = json.ptr[++i];
    const char *from = "bfnrt", *found = strchr(from, c);
    if (c == 'u' && i + 4 < end) {
      unsigned code = hex4(json.ptr + i + 1);
      i += 4;
      bool is_pair = code >= 0xd800 && code < 0xdc00 && i + 6 < end && json.ptr[i + 1] == '\\' && json.ptr[i + 2] == 'u';
      if (is_pair) {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(json.ptr + i + 3) - 0xdc00);
        i += 6;
      }
      // Half of a pair is no character.
      bool is_half = code >= 0xd800 && code < 0xe000;
      text.len += utf8(text.ptr + text.len, is_half || code > 0x10ffff ? 0xfffd : code);
    } else {
      text.ptr[text.len++] = found && c ? (uint8_t)"\b\f\n\r\t"[found - from] : c;
    }
  }
  return text;
}

bool json_whole(str json, uint64_t *value) {
  uint64_t sum = 0;
  if (!json.len || json.len > 19) return false;
  for (size_t i = 0; i < json.len; i++) {
    if (json.ptr[i] < '0' || json.ptr[i] > '9') return false;
    sum = 10 * sum + (json.ptr[i] - '0');
  }
  *value = sum;
  return true;
}

str json_text_at(str json, const char *pointer) { return json_text(json_at(json, pointer)); }

str pointer_of(str name) {
  str pointer = {memory_new(2 * name.len + 1), 0};
  pointer.ptr[pointer.len++] = '/';
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.ptr[i];
    pointer.ptr[pointer.len++] = c == '/' ? '~' : c;
    if (c == '~' || c == '/') pointer.ptr[pointer.len++] = c == '~' ? '0' : '1';
  }
  return pointer;
}
