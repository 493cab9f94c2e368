/* Marks painted on the entropy-coded scan of a baseline JPEG file, without reading what they do not touch.
 *
 * The scan is walked symbol by symbol. A block that no mark touches is not decoded: its bits are copied as they are,
 * but for the code of its mean (DC) where the block before it has changed. A touched block is decoded, blended and
 * encoded with the file's own tables. What is not a plain file (several scans, restart markers, progressive) or
 * needs a code that its tables lack is left to libjpeg, in coefficients.c.
 */

#include <stdlib.h>

#include "blocks.h"

#define DIRECT 12    /* bits that a table is looked up by */
#define MARGIN 16384 /* zero bytes behind the scan: more than a unit of blocks can read */
#define GROWTH 256   /* bytes that a touched block takes at most, with the mean of the one behind it */
/* Of the 57 bits of a window, when so many are used, too few are left for the next symbol. */
#define REFILL 41
#define REFILL_WITH_VALUE 26

static const uint8_t NATURAL[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* ---- Huffman tables ---- */

struct codes {
  int known;
  uint16_t direct[1 << DIRECT]; /* by the next bits: length << 8 | symbol, 0 for a longer code */
  uint32_t skip[1 << DIRECT];   /* the same for several AC symbols at once: END | coefficients << 8 | bits */
  int32_t least[17], most[17], first[17]; /* by length: smallest and largest code, number of its first symbol */
  uint8_t symbols[256];
  uint32_t code[256]; /* by symbol: length << 16 | code, 0 for none */
};

#define END 0x10000u /* an entry of `skip` ends with the end of a block */

/* Return 0 for a table that libjpeg refuses too: codes of ones alone are reserved, and a mean has 15 bits at most. */
static int make_codes(struct codes *codes, const uint8_t *counts, const uint8_t *symbols, int of_means) {
  int32_t code = 0, number = 0;
  memset(codes, 0, sizeof *codes);
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

static void make_skips(struct codes *codes) {
  for (uint32_t next = 0; next < 1 << DIRECT; next++) {
    uint32_t bits = 0, coefficients = 0, end = 0;
    while (bits < DIRECT && !end) {
      uint16_t found = codes->direct[(next << bits) & ((1 << DIRECT) - 1)];
      if (found == 0 || bits + (found >> 8) > DIRECT) break;
      uint32_t run = (found >> 4) & 15, size = found & 15;
      bits += (found >> 8) + size;
      if (size == 0 && run != 15) end = END;
      else coefficients += run + 1;
    }
    codes->skip[next] = bits ? end | coefficients << 8 | bits : 0;
  }
}

/* Return length << 8 | symbol of the code at the head of `window`, 0 when there is none. */
static uint32_t long_code(const struct codes *codes, uint64_t window) {
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

/* ---- the header ---- */

struct part { /* a component */
  uint8_t id, horizontal, vertical, quantisation;
  const struct codes *means, *rest; /* Huffman tables of its DC and AC coefficients */
  int32_t width, height;            /* in samples */
  int32_t line;                     /* blocks of a row as the scan has them */
  struct scales scales;
  int32_t mean_in, mean_out; /* of the block before, in the source and in the result */
  int32_t *touched;          /* for the blocks of a row of units: number of the first link, 0 for none */
};

struct link { /* one mark on one block */
  int32_t next, each;
  const struct stencil *stencil;
};

struct scan {
  const uint8_t *source;
  size_t size, start; /* of the file, and where its entropy-coded data starts */
  int32_t width, height, parts, units_across, units_down;
  struct part part[MOST_COMPONENTS];
  uint16_t quantisation[4][64];
  struct codes means[4], rest[4];

  uint8_t *bits; /* the entropy-coded data without its stuffing */
  size_t end;    /* in bits, as the next two */
  size_t position, copied;

  uint8_t *output;
  size_t used;
  uint64_t held; /* the last `count` bits, not yet in `output` */
  int count;

  struct link *links;
  int32_t links_used, links_size;
};

static int read_quantisation(struct scan *scan, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    int wide = *at >> 4, number = *at & 15;
    at++;
    if (wide > 1 || number > 3 || end - at < 64 * (wide + 1)) return 0;
    for (int each = 0; each < 64; each++, at += wide + 1)
      scan->quantisation[number][NATURAL[each]] = (uint16_t)(wide ? at[0] << 8 | at[1] : at[0]);
  }
  return 1;
}

static int read_codes(struct scan *scan, const uint8_t *at, const uint8_t *end) {
  while (end - at >= 17) {
    int kind = *at >> 4, number = *at & 15, total = 0;
    for (int each = 1; each <= 16; each++) total += at[each];
    if (kind > 1 || number > 3 || total > 256 || end - at < 17 + total) return 0;
    if (!make_codes(kind ? &scan->rest[number] : &scan->means[number], at + 1, at + 17, !kind)) return 0;
    at += 17 + total;
  }
  return at == end;
}

static int read_frame(struct scan *scan, const uint8_t *at, const uint8_t *end) {
  if (end - at < 6 || at[0] != 8 || scan->parts) return 0;
  scan->height = at[1] << 8 | at[2];
  scan->width = at[3] << 8 | at[4];
  scan->parts = at[5];
  if (scan->width == 0 || scan->height == 0 || (scan->parts != 1 && scan->parts != 3)) return 0;
  if (end - at != 6 + 3 * scan->parts) return 0;
  for (int each = 0; each < scan->parts; each++) {
    const uint8_t *from = at + 6 + 3 * each;
    struct part *part = scan->part + each;
    part->id = from[0];
    part->horizontal = from[1] >> 4;
    part->vertical = from[1] & 15;
    part->quantisation = from[2];
    if (!part->horizontal || part->horizontal > 4 || !part->vertical || part->vertical > 4 || from[2] > 3) return 0;
  }
  return 1;
}

static int read_scan(struct scan *scan, const uint8_t *at, const uint8_t *end) {
  if (end - at < 1 || scan->parts == 0 || at[0] != scan->parts || end - at != 4 + 2 * at[0]) return 0;
  for (int each = 0; each < scan->parts; each++) {
    const uint8_t *from = at + 1 + 2 * each;
    struct part *part = scan->part + each;
    if (from[0] != part->id || from[1] >> 4 > 3 || (from[1] & 15) > 3) return 0;
    part->means = scan->means + (from[1] >> 4);
    part->rest = scan->rest + (from[1] & 15);
    if (!part->means->known || !part->rest->known) return 0;
  }
  const uint8_t *range = at + 1 + 2 * scan->parts;
  return range[0] == 0 && range[1] == 63 && range[2] == 0;
}

/* Read up to the entropy-coded data; return 0 for a file that is not for us. */
static int read_header(struct scan *scan) {
  size_t at = 2;
  if (scan->size < 4 || scan->source[0] != 0xFF || scan->source[1] != 0xD8) return 0;
  while (at + 4 <= scan->size && scan->source[at] == 0xFF) {
    int marker = scan->source[at + 1];
    if (marker == 0xFF) {
      at++;
      continue;
    }
    size_t length = (size_t)(scan->source[at + 2] << 8 | scan->source[at + 3]);
    if (length < 2 || at + 2 + length > scan->size) return 0;
    const uint8_t *data = scan->source + at + 4, *end = scan->source + at + 2 + length;
    int good = 1;
    if (marker == 0xDB) good = read_quantisation(scan, data, end);
    else if (marker == 0xC4) good = read_codes(scan, data, end);
    else if (marker == 0xC0 || marker == 0xC1) good = read_frame(scan, data, end);
    else if (marker == 0xDD) good = end - data == 2 && data[0] == 0 && data[1] == 0;
    else if (marker != 0xDA && marker != 0xFE && (marker & 0xF0) != 0xE0) good = 0;
    if (!good) return 0;
    at += 2 + length;
    if (marker == 0xDA) {
      scan->start = at;
      return read_scan(scan, data, end);
    }
  }
  return 0;
}

/* Work out the raster, check what the caller expects; return 0 when it is not so. */
static int prepare(struct scan *scan, const struct component *components, int count) {
  int across = 1, down = 1;
  if (scan->parts != count) return 0;
  for (int each = 0; each < count; each++) {
    struct part *part = scan->part + each;
    if (part->horizontal != components[each].horizontal || part->vertical != components[each].vertical) return 0;
    if (count == 1) part->horizontal = part->vertical = 1; /* a lone component is never subsampled */
    if (part->horizontal > across) across = part->horizontal;
    if (part->vertical > down) down = part->vertical;
  }
  scan->units_across = (scan->width + 8 * across - 1) / (8 * across);
  scan->units_down = (scan->height + 8 * down - 1) / (8 * down);
  for (int each = 0; each < count; each++) {
    struct part *part = scan->part + each;
    part->width = (scan->width * part->horizontal + across - 1) / across;
    part->height = (scan->height * part->vertical + down - 1) / down;
    part->line = scan->units_across * part->horizontal;
    for (int i = 0; i < 64; i++)
      if (scan->quantisation[part->quantisation][i] == 0) return 0;
    set_scales(&part->scales, scan->quantisation[part->quantisation]);
    part->touched = calloc((size_t)part->line * part->vertical, sizeof *part->touched);
    if (part->touched == NULL) return 0;
  }
  for (int each = 0; each < 4; each++)
    if (scan->rest[each].known) make_skips(scan->rest + each);
  return 1;
}

/* ---- bits ---- */

static int unstuff(struct scan *scan) {
  const uint8_t *from = scan->source + scan->start, *end = scan->source + scan->size;
  uint8_t *to = scan->bits = malloc((size_t)(end - from) + MARGIN);
  if (to == NULL) return NO_MEMORY;
  for (;;) {
    const uint8_t *marker = memchr(from, 0xFF, (size_t)(end - from));
    if (marker == NULL || marker + 1 >= end) return DAMAGED;
    size_t plain = (size_t)(marker - from);
    memcpy(to, from, plain);
    to += plain;
    from = marker + 2;
    if (marker[1] == 0) *to++ = 0xFF;
    else if (marker[1] == 0xD9) break;
    else return NOT_FOR_US;
  }
  scan->end = 8 * (size_t)(to - scan->bits);
  memset(to, 0, MARGIN);
  return DONE;
}

ALWAYS uint64_t window(const struct scan *scan, size_t position) {
  uint64_t value;
  memcpy(&value, scan->bits + (position >> 3), sizeof value);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value << (position & 7);
}

ALWAYS void put(struct scan *scan, uint32_t value, int bits) {
  scan->held = scan->held << bits | value;
  scan->count += bits;
  if (scan->count >= 32) {
    uint32_t word = (uint32_t)(scan->held >> (scan->count - 32));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    memcpy(scan->output + scan->used, &word, sizeof word);
    scan->used += 4;
    scan->count -= 32;
  }
}

/* Copy the source's bits up to `to`. */
static void copy_bits(struct scan *scan, size_t to) {
  size_t from = scan->copied;
  if ((from & 7) == 0 && (scan->count & 7) == 0 && to - from >= 512) {
    for (; scan->count > 0; scan->count -= 8) scan->output[scan->used++] = (uint8_t)(scan->held >> (scan->count - 8));
    memcpy(scan->output + scan->used, scan->bits + from / 8, (to - from) / 8);
    scan->used += (to - from) / 8;
    from += (to - from) / 8 * 8;
  }
  for (; to - from >= 32; from += 32) put(scan, (uint32_t)(window(scan, from) >> 32), 32);
  if (to > from) put(scan, (uint32_t)(window(scan, from) >> (64 - (to - from))), (int)(to - from));
  scan->copied = to;
}

static int32_t extended(uint32_t bits, int size) {
  return bits >> (size - 1) ? (int32_t)bits : (int32_t)bits - (1 << size) + 1;
}

/* ---- blocks ---- */

/* Read the mean of a block; return 0 when there is no such code. */
ALWAYS int read_mean(struct scan *scan, struct part *part) {
  uint64_t next = window(scan, scan->position);
  uint32_t found = find_code(part->means, next);
  int length = (int)(found >> 8), size = (int)(found & 255);
  if (length == 0 || size > 15) return 0;
  scan->position += (size_t)(length + size);
  if (size) part->mean_in += extended((uint32_t)((next << length) >> (64 - size)), size);
  return part->mean_in >= -32767 && part->mean_in <= 32767;
}

/* Go behind the other coefficients of a block. */
ALWAYS int skip_rest(struct scan *scan, const struct codes *codes) {
  uint64_t next = window(scan, scan->position);
  uint32_t used = 0, coefficient = 1;
  while (coefficient < 64) {
    if (used > REFILL) {
      scan->position += used;
      next = window(scan, scan->position);
      used = 0;
    }
    uint32_t several = codes->skip[next >> (64 - DIRECT)];
    uint32_t behind = coefficient + (several >> 8 & 255), bits = several & 255;
    if (bits == 0 || behind + (several >= END) > 64) { /* a long code, or more symbols than the block has */
      uint32_t found = find_code(codes, next);
      if (found == 0) return 0;
      uint32_t run = found >> 4 & 15, size = found & 15;
      bits = (found >> 8) + size;
      behind = size || run == 15 ? coefficient + run + 1 : 64;
      if (behind > 64) return 0;
    } else if (several >= END) {
      behind = 64;
    }
    next <<= bits;
    used += bits;
    coefficient = behind;
  }
  scan->position += used;
  return 1;
}

static int read_rest(struct scan *scan, const struct codes *codes, int16_t block[64]) {
  uint64_t next = window(scan, scan->position);
  uint32_t used = 0;
  for (uint32_t coefficient = 1; coefficient < 64; coefficient++) {
    if (used > REFILL_WITH_VALUE) {
      scan->position += used;
      next = window(scan, scan->position);
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
  scan->position += used;
  return 1;
}

/* Write a symbol for `value` behind `run` zeros; return 0 when the table has no code for it. */
ALWAYS int put_value(struct scan *scan, const struct codes *codes, uint32_t run, int32_t value) {
  uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
  int size = magnitude ? 32 - __builtin_clz(magnitude) : 0;
  uint32_t symbol = run << 4 | (uint32_t)size;
  uint32_t code = codes->code[symbol & 255];
  if (size > 15 || code == 0) return 0;
  uint32_t extra = (uint32_t)(value + (value >> 31)) & ((1u << size) - 1);
  put(scan, (code & 0xFFFF) << size | extra, (int)(code >> 16) + size);
  return 1;
}

static int put_rest(struct scan *scan, const struct codes *codes, const int16_t block[64]) {
  uint64_t there = 0;
  uint32_t before = 0;
  for (int each = 1; each < 64; each++) there |= (uint64_t)(block[NATURAL[each]] != 0) << each;
  while (there) {
    uint32_t coefficient = (uint32_t)__builtin_ctzll(there), run = coefficient - before - 1;
    for (; run > 15; run -= 16)
      if (!put_value(scan, codes, 15, 0)) return 0;
    if (!put_value(scan, codes, run, block[NATURAL[coefficient]])) return 0;
    before = coefficient;
    there &= there - 1;
  }
  return before == 63 || put_value(scan, codes, 0, 0);
}

static int mark_block(struct scan *scan, struct part *part, blender *blend, int32_t link, size_t began) {
  int16_t block[64] __attribute__((aligned(16))) = {0};
  copy_bits(scan, began);
  block[0] = (int16_t)part->mean_in;
  if (!read_rest(scan, part->rest, block)) return DAMAGED;
  for (; link; link = scan->links[link].next) blend(block, &part->scales, scan->links[link].stencil, scan->links[link].each);
  scan->copied = scan->position;
  if (!put_value(scan, part->means, 0, block[0] - part->mean_out)) return NOT_FOR_US;
  part->mean_out = block[0];
  return put_rest(scan, part->rest, block) ? DONE : NOT_FOR_US;
}

static int walk_block(struct scan *scan, struct part *part, blender *blend, int32_t link) {
  size_t began = scan->position;
  int32_t before = part->mean_in;
  if (!read_mean(scan, part)) return DAMAGED;
  if (link) return mark_block(scan, part, blend, link, began);
  size_t rest = scan->position;
  if (!skip_rest(scan, part->rest)) return DAMAGED;
  if (part->mean_out != before) {
    copy_bits(scan, began);
    scan->copied = rest;
    if (!put_value(scan, part->means, 0, part->mean_in - part->mean_out)) return NOT_FOR_US;
  }
  part->mean_out = part->mean_in;
  return DONE;
}

/* ---- rows of units ---- */

static int add_link(struct scan *scan, int32_t *first, const struct stencil *stencil, int32_t each) {
  if (scan->links_used >= scan->links_size) {
    int32_t larger = scan->links_size * 2 + 4096;
    struct link *links = realloc(scan->links, (size_t)larger * sizeof *links);
    if (links == NULL) return 0;
    scan->links = links;
    scan->links_size = larger;
  }
  scan->links[scan->links_used] = (struct link){.next = *first, .each = each, .stencil = stencil};
  *first = scan->links_used++;
  return 1;
}

/* Note which blocks of a row of units are touched, and by what. */
static int find_touched(struct scan *scan, const struct component *components, int32_t row) {
  scan->links_used = 1; /* number 0 is none */
  for (int each = 0; each < scan->parts; each++) {
    struct part *part = scan->part + each;
    memset(part->touched, 0, (size_t)part->line * part->vertical * sizeof *part->touched);
    for (int32_t number = components[each].places - 1; number >= 0; number--) { /* the first mark is linked last */
      const struct place *place = components[each].place + number;
      const struct stencil *stencil = components[each].stencils + place->stencil;
      for (int32_t line = 0; line < part->vertical; line++) {
        int32_t y = row * part->vertical + line, inside = y - place->y;
        if (inside < 0 || inside >= stencil->rows) continue;
        for (int32_t block = stencil->starts[inside]; block < stencil->starts[inside + 1]; block++) {
          int32_t x = place->x + stencil->columns[block];
          if (x < 0 || !is_seen(stencil, block, part->width - 8 * x, part->height - 8 * y)) continue;
          if (!add_link(scan, part->touched + (size_t)line * part->line + x, stencil, block)) return 0;
        }
      }
    }
  }
  return 1;
}

static int walk_row(struct scan *scan, blender *blend) {
  for (int32_t unit = 0; unit < scan->units_across; unit++) {
    if (scan->position > scan->end) return DAMAGED;
    for (int each = 0; each < scan->parts; each++) {
      struct part *part = scan->part + each;
      for (int32_t block = 0; block < part->horizontal * part->vertical; block++) {
        int32_t line = block / part->horizontal, x = unit * part->horizontal + block % part->horizontal;
        int result = walk_block(scan, part, blend, part->touched[(size_t)line * part->line + x]);
        if (result != DONE) return result;
      }
    }
  }
  return DONE;
}

/* ---- the whole file ---- */

static size_t most_output(const struct scan *scan, const struct component *components) {
  size_t size = scan->end / 8 + MARGIN;
  for (int each = 0; each < scan->parts; each++)
    for (int32_t number = 0; number < components[each].places; number++) {
      const struct stencil *stencil = components[each].stencils + components[each].place[number].stencil;
      size += GROWTH * (size_t)stencil->starts[stencil->rows];
    }
  return size;
}

static int walk(struct scan *scan, const struct component *components, double end) {
  blender *blend = best_blender();
  scan->output = malloc(most_output(scan, components));
  if (scan->output == NULL) return NO_MEMORY;
  for (int32_t row = 0; row < scan->units_down; row++) {
    if (now() > end) return TOOK_TOO_LONG;
    if (!find_touched(scan, components, row)) return NO_MEMORY;
    int result = walk_row(scan, blend);
    if (result != DONE) return result;
  }
  if (scan->position > scan->end || scan->end - scan->position >= 8) return DAMAGED;
  copy_bits(scan, scan->position);
  int padding = (8 - scan->count % 8) % 8;
  put(scan, (1u << padding) - 1, padding);
  for (; scan->count > 0; scan->count -= 8) scan->output[scan->used++] = (uint8_t)(scan->held >> (scan->count - 8));
  return DONE;
}

/* Return the file: its header as it was, the new scan stuffed, and the end. */
static uint8_t *finish(const struct scan *scan, size_t *size) {
  size_t stuffing = 0;
  for (size_t each = 0; each < scan->used; each++) stuffing += scan->output[each] == 0xFF;
  *size = scan->start + scan->used + stuffing + 2;
  uint8_t *file = malloc(*size), *to = file;
  if (file == NULL) return NULL;
  memcpy(to, scan->source, scan->start);
  to += scan->start;
  const uint8_t *from = scan->output, *end = scan->output + scan->used;
  while (from < end) {
    const uint8_t *found = memchr(from, 0xFF, (size_t)(end - from));
    size_t plain = found ? (size_t)(found - from) + 1 : (size_t)(end - from);
    memcpy(to, from, plain);
    to += plain;
    from += plain;
    if (found) *to++ = 0;
  }
  to[0] = 0xFF;
  to[1] = 0xD9;
  return file;
}

/* Mark the JPEG file `source`; the marked file, with the source's header, is put in `*marked` (to be given to
 * `release`) and its size in `*marked_size`. Returns one of the values in blocks.h. */
int mark_scan(const uint8_t *source, size_t size, const struct component *components, int count, double seconds,
              uint8_t **marked, size_t *marked_size) {
  double end = now() + seconds;
  struct scan *scan = calloc(1, sizeof *scan);
  if (scan == NULL) return NO_MEMORY;
  scan->source = source;
  scan->size = size;
  int result = read_header(scan) && prepare(scan, components, count) ? unstuff(scan) : NOT_FOR_US;
  if (result == DONE) result = walk(scan, components, end);
  if (result == DONE) {
    *marked = finish(scan, marked_size);
    if (*marked == NULL) result = NO_MEMORY;
  }
  for (int each = 0; each < MOST_COMPONENTS; each++) free(scan->part[each].touched);
  free(scan->bits);
  free(scan->output);
  free(scan->links);
  free(scan);
  return result;
}
