/* The entropy coder of JPEG: Huffman tables, and bits read from memory and written to it. */

#ifndef COUNTERMARK_ENTROPY_H
#define COUNTERMARK_ENTROPY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

#define DIRECT 12 /* bits that a table is looked up by */
/* Of the 57 bits of a window, when so many are used, too few are left for the next symbol and its value. */
#define REFILL_WITH_VALUE 26

static const uint8_t NATURAL[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* ---- Huffman tables ---- */

struct codes {
  int known;
  uint16_t direct[1 << DIRECT];           /* by the next bits: length << 8 | symbol, 0 for a longer code */
  int32_t least[17], most[17], first[17]; /* by length: smallest and largest code, number of its first symbol */
  uint8_t counts[16], symbols[256];       /* as a file has them */
  uint32_t code[256];                     /* by symbol: length << 16 | code, 0 for none */
};

/* Return 0 for a table that libjpeg refuses too: codes of ones alone are reserved, and a mean has 15 bits at most. */
static inline int make_codes(struct codes *codes, const uint8_t *counts, const uint8_t *symbols, int of_means) {
  int32_t code = 0, number = 0;
  memset(codes, 0, sizeof *codes);
  memcpy(codes->counts, counts, sizeof codes->counts);
  for (int length = 1; length <= 16; length++) {
    codes->least[length] = code;
    codes->first[length] = number;
    for (int each = 0; each < counts[length - 1]; each++, code++, number++) {
      if (number >= 256 || code + 1 >= 1 << length || (of_means && symbols[number] > 15)) return 0;
      uint8_t symbol = codes->symbols[number] = symbols[number];
      codes->code[symbol] = (uint32_t)length << 16 | (uint32_t)code;
      for (int rest = 0; length <= DIRECT && rest < 1 << (DIRECT - length); rest++)
        codes->direct[(code << (DIRECT - length)) + rest] = (uint16_t)(length << 8 | symbol);
    }
    codes->most[length] = code - 1;
    code <<= 1;
  }
  codes->known = 1;
  return 1;
}

/* Return length << 8 | symbol of the code at the head of `window`, 0 when there is none. */
static inline uint32_t long_code(const struct codes *codes, uint64_t window) {
  for (int length = DIRECT + 1; length <= 16; length++) {
    int32_t code = (int32_t)(window >> (64 - length));
    if (code <= codes->most[length] && code >= codes->least[length])
      return (uint32_t)length << 8 | codes->symbols[codes->first[length] + code - codes->least[length]];
  }
  return 0;
}

ALWAYS uint32_t find_code(const struct codes *codes, uint64_t window) {
  uint32_t found = codes->direct[window >> (64 - DIRECT)];
  return found ? found : long_code(codes, window);
}

/* ---- bits ---- */

struct input { /* a scan's data without its stuffing, zeros behind it */
  uint8_t *bits;
  size_t end, position; /* in bits */
};

struct output {
  uint8_t *bytes;
  size_t used, size;
  uint64_t held; /* its last `count` bits, at most 7, are not yet in `bytes` */
  int count;
};

ALWAYS uint64_t eight_bytes(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

/* The next bits, at least 57 of them. */
ALWAYS uint64_t window(const struct input *input, size_t position) {
  return eight_bytes(input->bits + (position >> 3)) << (position & 7);
}

typedef uint64_t __attribute__((aligned(1))) unaligned; /* unlike bytes, it is known not to be a counter of ours */

/* Write the lowest `bits`, at most 56, of `value`, which has no others. Eight bytes are stored each time, of which
 * the whole ones count: that spares a jump that nobody can predict. */
ALWAYS void put(struct output *output, uint64_t value, int bits) {
  output->held = output->held << bits | value;
  output->count += bits;
  uint64_t word = output->held << 1 << (63 - output->count);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  *(unaligned *)(output->bytes + output->used) = word;
  output->used += (size_t)output->count >> 3;
  output->count &= 7;
}

/* Fill the last byte with ones, as the format wants it. */
static inline void put_end(struct output *output) {
  int padding = (8 - output->count) % 8;
  put(output, (1u << padding) - 1, padding);
}

/* Copy the bits from `from` up to `to`. */
static inline void copy_bits(struct output *output, const struct input *input, size_t from, size_t to) {
  if ((from & 7) == 0 && output->count == 0 && to - from >= 512) {
    memcpy(output->bytes + output->used, input->bits + from / 8, (to - from) / 8);
    output->used += (to - from) / 8;
    from += (to - from) / 8 * 8;
  }
  for (; to - from >= 32; from += 32) put(output, window(input, from) >> 32, 32);
  if (to > from) put(output, window(input, from) >> (64 - (to - from)), (int)(to - from));
}

static inline int32_t extended(uint32_t bits, int size) {
  return bits >> (size - 1) ? (int32_t)bits : (int32_t)bits - (1 << size) + 1;
}

/* Copy a scan without its stuffing behind `to`; `*from` then stands behind the marker that ends it, which is returned:
 * 0 when there is none. */
static inline int unstuff(const uint8_t **from, const uint8_t *end, uint8_t **to) {
  for (;;) {
    const uint8_t *marker = memchr(*from, 0xFF, (size_t)(end - *from));
    if (marker == NULL || marker + 1 >= end) return 0;
    size_t plain = (size_t)(marker - *from);
    memcpy(*to, *from, plain);
    *to += plain;
    *from = marker + 2;
    if (marker[1]) return marker[1];
    *(*to)++ = 0xFF;
  }
}

static inline size_t stuffed_size(const struct output *output) {
  size_t size = output->used;
  for (size_t each = 0; each < output->used; each++) size += output->bytes[each] == 0xFF;
  return size;
}

/* Copy what was written to `to`, with its stuffing; return where it ends. */
static inline uint8_t *stuff(const struct output *output, uint8_t *to) {
  const uint8_t *from = output->bytes, *end = output->bytes + output->used;
  while (from < end) {
    const uint8_t *found = memchr(from, 0xFF, (size_t)(end - from));
    size_t plain = found ? (size_t)(found - from) + 1 : (size_t)(end - from);
    memcpy(to, from, plain);
    to += plain;
    from += plain;
    if (found) *to++ = 0;
  }
  return to;
}

/* ---- blocks ---- */

/* Read the difference of a mean to the one before into `*mean`; return 0 when there is no such code. */
ALWAYS int read_mean(struct input *input, const struct codes *codes, int32_t *mean) {
  uint64_t next = window(input, input->position);
  uint32_t found = find_code(codes, next);
  int length = (int)(found >> 8), size = (int)(found & 255);
  if (length == 0 || size > 15) return 0;
  input->position += (size_t)(length + size);
  if (size) *mean += extended((uint32_t)((next << length) >> (64 - size)), size);
  return *mean >= -32767 && *mean <= 32767;
}

static inline int read_rest(struct input *input, const struct codes *codes, int16_t block[64]) {
  uint64_t next = window(input, input->position);
  uint32_t used = 0;
  for (uint32_t coefficient = 1; coefficient < 64; coefficient++) {
    if (used > REFILL_WITH_VALUE) {
      input->position += used;
      next = window(input, input->position);
      used = 0;
    }
    uint32_t found = find_code(codes, next);
    if (found == 0) return 0;
    uint32_t length = found >> 8, size = found & 15, run = found >> 4 & 15;
    used += length + size;
    if (size == 0 && run != 15) break;
    coefficient += run;
    if (coefficient > 63) return 0;
    next <<= length;
    if (size) block[NATURAL[coefficient]] = (int16_t)extended((uint32_t)(next >> (64 - size)), (int)size);
    next <<= size;
  }
  input->position += used;
  return 1;
}

/* Write a symbol and `size` bits behind it; return 0 when the table has no code for it. */
ALWAYS int put_symbol(struct output *output, const struct codes *codes, uint32_t symbol, uint32_t extra, int size) {
  uint32_t code = codes->code[symbol & 255];
  put(output, (code & 0xFFFF) << size | extra, (int)(code >> 16) + size);
  return code != 0;
}

/* Write a symbol for `value` behind `run` zeros; return 0 when the table has no code for it. */
ALWAYS int put_value(struct output *output, const struct codes *codes, uint32_t run, int32_t value) {
  uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
  int size = magnitude ? 32 - __builtin_clz(magnitude) : 0;
  if (size > 15) return 0;
  uint32_t extra = (uint32_t)(value + (value >> 31)) & ((1u << size) - 1);
  return put_symbol(output, codes, run << 4 | (uint32_t)size, extra, size);
}

static inline int put_rest(struct output *output, const struct codes *codes, const int16_t block[64]) {
  uint64_t there = 0;
  uint32_t before = 0;
  for (int each = 1; each < 64; each++) there |= (uint64_t)(block[NATURAL[each]] != 0) << each;
  while (there) {
    uint32_t coefficient = (uint32_t)__builtin_ctzll(there), run = coefficient - before - 1;
    for (; run > 15; run -= 16)
      if (!put_symbol(output, codes, 0xF0, 0, 0)) return 0;
    if (!put_value(output, codes, run, block[NATURAL[coefficient]])) return 0;
    before = coefficient;
    there &= there - 1;
  }
  return before == 63 || put_symbol(output, codes, 0, 0, 0);
}

#endif
