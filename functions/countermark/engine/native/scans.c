/* Marks painted on the coefficients of a progressive JPEG file, strip by strip.
 *
 * All scans are read side by side: of each as much as a row of units needs, so that the coefficients of one strip
 * alone are in memory. Its touched blocks are blended, and it is put into the same scans again: as symbols, which get
 * their codes when all have been counted. libjpeg, which goes over the whole picture once for each scan that it reads
 * and twice for each that it writes, takes several times as long. The blocks that no mark touches keep their
 * coefficients. Where most strips have no other blocks, the scans that refine coefficients, which are most of a file,
 * keep their tables, and the bits of such strips are copied.
 *
 * A file with restart markers, or whose scans do not make up whole coefficients, is left to libjpeg.
 */

#include <stddef.h>

#include "frame.h"
#include "tables.h"

#define MOST_SCANS 200 /* a file with more is an attack */
#define MARGIN 1024    /* zero bytes behind a scan: more than a block can read */
#define ROOM 2048      /* items that a block takes at most, with those that were put off before it */
#define MOST_PUT_OFF 937 /* correction bits that are put off, as libjpeg does: 1000 less those of a block */
#define LONGEST_RUN 0x7FFF /* of blocks that end at once */
#define DEPTH 4            /* lowest bits of coefficients that may come in scans of their own */

/* What is written is kept as items until all symbols have been counted: symbol << 23 | count of bits << 18 | bits,
 * which come behind its code. */
#define MOST_BITS 18  /* behind one code: a sign and the corrections that mostly follow it, or a value, or a run */
#define NO_SYMBOL 256 /* in the place of one: bits alone */
#define MEANS_OF 32   /* symbols of means, of which no table has more, are counted from its number times this */

enum kind { MEAN_FIRST, MEAN_NEXT, REST_FIRST, REST_NEXT };

struct part_of_scan {
  int number;     /* of the component */
  uint8_t tables; /* as its header numbers them */
  uint8_t table;  /* the one that this scan needs */
  struct codes *codes;
  int32_t mean_in, mean_out; /* of the block before */
};

struct scan {
  enum kind kind;
  int first, last, low; /* of its coefficients, and the bit that it ends with */
  int parts;
  struct part_of_scan part[MOST_COMPONENTS];
  struct input input;
  uint32_t run_in, run;      /* blocks to come that have nothing new, and how many its symbol stands for */
  size_t run_at, run_behind; /* where in the input that symbol begins and ends */
  uint32_t *items;           /* in the order of the file */
  size_t items_used, items_size;
  uint32_t times[256];           /* that a symbol comes */
  struct codes *best[4];         /* the tables made of that, or kept */
  uint32_t codes[NO_SYMBOL + 1]; /* of these tables, by the symbols of items: length << 16 | code */
  struct output output;          /* the scan's data */
  int keeps, copies;             /* whether it keeps its table, and whether this strip of it is copied */
  size_t copied;                 /* where in the input that began */
  int at_once;                   /* whether what is read of this strip is written at once: no mark touches it */
  uint32_t run_out, longest_run;
  uint32_t put_off[MOST_PUT_OFF + 64]; /* items: the correction bits of that run */
  int items_put_off, bits_put_off;
};

/* A block as its scans have it. In a mask coefficient 0 of the file's order is the highest bit, 63 the lowest. */
struct block {
  uint64_t there;          /* the coefficients, but the mean, that the first scan of each has as not zero */
  uint64_t refined[DEPTH]; /* the bits that later scans bring, by their weight */
  uint64_t negative;       /* of the coefficients that later scans make not zero, those below it */
  int16_t mean;
  int16_t first[64]; /* by the file's order: what the first scan has, without the bits below; where `there` says so */
};

struct file {
  const uint8_t *source;
  size_t size;
  struct frame frame;
  int count; /* of the scans */
  int8_t bit[MOST_COMPONENTS][64]; /* down to which each coefficient has been read, -1 for none */
  size_t header[64][2];            /* where the segments begin and end that the result has as they are */
  int headers;
  struct codes means[4], rest[4]; /* the tables as they are in force */
  int8_t first_bit[MOST_COMPONENTS][64]; /* down to which its first scan has a coefficient */
  struct block *strip[MOST_COMPONENTS];  /* of each component as many rows of blocks as a unit has */
  struct scan *scans;
};

/* ---- the header ---- */

static int takes_means(const struct scan *scan) { return scan->kind == MEAN_FIRST; }

/* Give a scan the tables that it is read with, as they are now; return 0 when there are none. */
static int take_tables(struct file *file, struct scan *scan) {
  for (int each = 0; each < scan->parts && scan->kind != MEAN_NEXT; each++) {
    struct part_of_scan *part = scan->part + each;
    part->table = takes_means(scan) ? part->tables >> 4 : part->tables & 15;
    const struct codes *codes = (takes_means(scan) ? file->means : file->rest) + part->table;
    part->codes = malloc(sizeof *codes);
    if (!codes->known || part->codes == NULL) return 0;
    memcpy(part->codes, codes, sizeof *codes);
  }
  return 1;
}

/* Note that a scan brings the coefficients of a component from bit `high` (0: nothing) to bit `scan->low`; return 0
 * when they are not there yet. */
static int follows(struct file *file, const struct scan *scan, int component, int high) {
  int8_t *bit = file->bit[component];
  if (scan->first > 0 && bit[0] < 0) return 0;
  for (int each = scan->first; each <= scan->last; each++) {
    if (bit[each] != (high ? high : -1)) return 0;
    if (high == 0) file->first_bit[component][each] = (int8_t)scan->low;
    bit[each] = (int8_t)scan->low;
  }
  return 1;
}

static int set_kind(struct scan *scan, int high) {
  if (scan->first > scan->last || scan->last > 63 || scan->low > 13 || (high && high != scan->low + 1)) return 0;
  if (scan->first == 0) {
    scan->kind = high ? MEAN_NEXT : MEAN_FIRST;
    return scan->last == 0;
  }
  scan->kind = high ? REST_NEXT : REST_FIRST;
  return scan->parts == 1 && scan->low < DEPTH + (high == 0);
}

static int read_scan_header(struct file *file, struct scan *scan, const uint8_t *at, const uint8_t *end) {
  if (end - at < 1 || at[0] < 1 || at[0] > file->frame.parts || end - at != 4 + 2 * at[0]) return 0;
  scan->parts = at[0];
  const uint8_t *range = at + 1 + 2 * scan->parts;
  scan->first = range[0], scan->last = range[1], scan->low = range[2] & 15;
  if (!set_kind(scan, range[2] >> 4)) return 0;
  int before = -1;
  for (int each = 0; each < scan->parts; each++) {
    const uint8_t *from = at + 1 + 2 * each;
    int number = before + 1;
    while (number < file->frame.parts && file->frame.part[number].id != from[0]) number++;
    if (number >= file->frame.parts || from[1] >> 4 > 3 || (from[1] & 15) > 3) return 0;
    scan->part[each].number = before = number;
    scan->part[each].tables = from[1];
    if (!follows(file, scan, number, range[2] >> 4)) return 0;
  }
  return take_tables(file, scan);
}

/* Read a scan whose header begins at `*at`; leave `*at` on the marker behind its data. */
static int read_scan(struct file *file, size_t *at, size_t behind) {
  if (file->count >= MOST_SCANS) return DAMAGED;
  struct scan *larger = realloc(file->scans, (size_t)(file->count + 1) * sizeof *larger);
  if (larger == NULL) return NO_MEMORY;
  file->scans = larger;
  struct scan *scan = file->scans + file->count++;
  memset(scan, 0, sizeof *scan);
  if (!read_scan_header(file, scan, file->source + *at, file->source + behind)) return NOT_FOR_US;
  const uint8_t *from = file->source + behind, *end = file->source + file->size, *data = from;
  const uint8_t *marker = data;
  do marker = memchr(marker, 0xFF, (size_t)(end - marker));
  while (marker && marker + 1 < end && marker[1] == 0 && (marker += 2) < end);
  if (marker == NULL || marker + 1 >= end) return DAMAGED;
  size_t size = (size_t)(marker - data);
  uint8_t *to = scan->input.bits = malloc(size + MARGIN);
  scan->items_size = size + 2 * ROOM;
  scan->items = malloc(scan->items_size * sizeof *scan->items);
  if (to == NULL || scan->items == NULL) return NO_MEMORY;
  if (unstuff(&from, end, &to) == 0) return DAMAGED;
  memset(to, 0, MARGIN);
  scan->input.end = 8 * (size_t)(to - scan->input.bits);
  *at = (size_t)(marker - file->source);
  return DONE;
}

/* Read one segment that is no scan; return 0 for a file that is not for us. */
static int read_segment(struct file *file, int marker, size_t at, size_t behind) {
  const uint8_t *data = file->source + at, *end = file->source + behind;
  if (marker == 0xC4) return read_codes(file->means, file->rest, data, end);
  if (marker == 0xDD) return end - data == 2 && data[0] == 0 && data[1] == 0;
  if (is_of_no_matter(marker)) return 1;
  if (file->count > 0 || file->headers >= 64) return 0; /* behind a scan nothing may change but the tables of codes */
  file->header[file->headers][0] = at - 4;
  file->header[file->headers++][1] = behind;
  if (marker == 0xDB) return read_quantisation(&file->frame, data, end);
  return marker == FRAME_PROGRESSIVE && read_frame(&file->frame, data, end);
}

static int read_file(struct file *file) {
  size_t at = 2, behind;
  memset(file->bit, -1, sizeof file->bit);
  for (int marker; (marker = next_segment(file->source, file->size, &at, &behind)) != 0xD9;) {
    if (marker == 0) return DAMAGED;
    if (marker == 0xDA) {
      int result = read_scan(file, &at, behind);
      if (result != DONE) return result;
    } else {
      if (!read_segment(file, marker, at, behind)) return NOT_FOR_US;
      at = behind;
    }
  }
  for (int part = 0; part < file->frame.parts; part++)
    for (int each = 0; each < 64; each++)
      if (file->bit[part][each] != 0) return NOT_FOR_US;
  return file->count ? DONE : NOT_FOR_US;
}

/* Tell whether a mark touches blocks of a component in a strip. */
static int is_touched(const struct component *component, const struct part *part, int32_t strip) {
  for (int32_t each = 0; each < component->places; each++) {
    const struct place *place = component->place + each;
    const struct stencil *stencil = component->stencils + place->stencil;
    for (int32_t line = 0; line < part->vertical; line++) {
      int32_t inside = strip * part->vertical + line - place->y;
      if (inside >= 0 && inside < stencil->rows && stencil->starts[inside] < stencil->starts[inside + 1]) return 1;
    }
  }
  return 0;
}

/* Tell whether the table of a scan that refines has all symbols that any blocks need, if no run is longer than it has
 * symbols for. */
static int has_all_symbols(struct scan *scan) {
  const uint32_t *code = scan->part->codes->code;
  int width = scan->last - scan->first + 1, sizes = 0;
  for (int run = 0; run < 16 && run < width; run++)
    if (code[run << 4 | 1] == 0) return 0;
  if (width > 16 && code[0xF0] == 0) return 0;
  while (sizes < 15 && code[sizes << 4]) sizes++;
  for (int size = sizes; size < 15; size++)
    if (code[size << 4]) return 0; /* part of a longer run may be of a size that is not there */
  scan->longest_run = (1u << sizes) - 1;
  return sizes > 0;
}

/* Choose the scans that keep their tables. Where a mark touches much, a table made for it is shorter. */
static void choose_kept(struct file *file, const struct component *components) {
  int32_t touched[MOST_COMPONENTS] = {0};
  for (int each = 0; each < file->frame.parts; each++)
    for (int32_t strip = 0; strip < file->frame.units_down; strip++)
      touched[each] += is_touched(components + each, file->frame.part + each, strip);
  for (struct scan *scan = file->scans; scan < file->scans + file->count; scan++) {
    scan->keeps = scan->kind == REST_NEXT && 2 * touched[scan->part->number] <= file->frame.units_down &&
                  has_all_symbols(scan);
    if (scan->keeps) memcpy(scan->codes, scan->part->codes->code, sizeof scan->part->codes->code);
    else scan->longest_run = LONGEST_RUN;
  }
}

static int prepare(struct file *file, const struct component *components, int count) {
  if (!prepare_frame(&file->frame, components, count)) return NOT_FOR_US;
  for (int each = 0; each < count; each++) {
    const struct part *part = file->frame.part + each;
    size_t blocks = (size_t)part->line * part->vertical;
    file->strip[each] = malloc(blocks * sizeof *file->strip[each]);
    if (file->strip[each] == NULL) return NO_MEMORY;
  }
  return DONE;
}

/* ---- masks ---- */

#define FIRST_BIT ((uint64_t)1 << 63)

/* Return the coefficients that a scan has of a block. */
ALWAYS uint64_t band_of(const struct scan *scan) {
  return (~(uint64_t)0 << (63 - scan->last)) & (~(uint64_t)0 >> scan->first);
}

/* Put the lowest bits, in their order, where `mask` has ones: the processor's PDEP, where `quick` says that it has it. */
ALWAYS uint64_t spread(uint64_t bits, uint64_t mask, int quick) {
  uint64_t result = 0;
#if defined(__x86_64__)
  if (quick) {
    __asm__("pdepq %2, %1, %0" : "=r"(result) : "r"(bits), "r"(mask));
    return result;
  }
#endif
  for (; mask; mask &= mask - 1, bits >>= 1) result |= bits & 1 ? mask & -mask : 0;
  return result;
}

/* The opposite: PEXT. */
ALWAYS uint64_t gather(uint64_t bits, uint64_t mask, int quick) {
  uint64_t result = 0;
#if defined(__x86_64__)
  if (quick) {
    __asm__("pextq %2, %1, %0" : "=r"(result) : "r"(bits), "r"(mask));
    return result;
  }
#endif
  for (int at = 0; mask; mask &= mask - 1, at++) result |= (uint64_t)((bits & mask & -mask) != 0) << at;
  return result;
}

/* Return the coefficients that are not zero before the scan with the bits of weight `low`. */
ALWAYS uint64_t known_of(const struct block *block, int low) {
  uint64_t known = block->there;
  for (int bit = low + 1; bit < DEPTH; bit++) known |= block->refined[bit];
  return known;
}

/* ---- items ---- */

ALWAYS uint32_t item_of(uint32_t symbol, uint64_t bits, int count) {
  return symbol << 23 | (uint32_t)count << MOST_BITS | (uint32_t)bits;
}

/* Put the items of bits, at most 63, without a symbol to `to`; return where they end. */
ALWAYS uint32_t *put_bits(uint32_t *to, uint64_t bits, int count) {
  for (int some; count > 0; count -= some) {
    some = count < MOST_BITS ? count : MOST_BITS;
    *to++ = item_of(NO_SYMBOL, bits >> (count - some) & ((1u << some) - 1), some);
  }
  return to;
}

ALWAYS void put_item(struct scan *scan, uint32_t symbol, uint64_t bits, int count) {
  scan->items[scan->items_used++] = item_of(symbol, bits, count);
  scan->times[symbol]++;
}

/* Write a symbol for `value` behind other things that it stands for. */
ALWAYS void put_value_of(struct scan *scan, uint32_t before, int32_t value) {
  uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
  int size = magnitude ? 32 - __builtin_clz(magnitude) : 0;
  put_item(scan, before | (uint32_t)size, (uint32_t)(value + (value >> 31)) & ((1u << size) - 1), size);
}

/* Write what ends the blocks of a run, and the bits that were put off to there. */
ALWAYS void end_run(struct scan *scan) {
  if (scan->run_out == 0) return;
  int size = 31 - __builtin_clz(scan->run_out);
  put_item(scan, (uint32_t)size << 4, scan->run_out & ((1u << size) - 1), size);
  memcpy(scan->items + scan->items_used, scan->put_off, (size_t)scan->items_put_off * sizeof *scan->items);
  scan->items_used += (size_t)scan->items_put_off;
  scan->run_out = 0;
  scan->items_put_off = scan->bits_put_off = 0;
}

/* Write a block that has nothing more. */
ALWAYS void put_end_of_block(struct scan *scan) {
  if (++scan->run_out == scan->longest_run) end_run(scan);
}

/* Make room for the items of a block; return 0 when there is no memory. */
ALWAYS int make_room(struct scan *scan) {
  if (scan->items_used + ROOM <= scan->items_size) return 1;
  size_t larger = scan->items_size + scan->items_size / 2;
  uint32_t *items = realloc(scan->items, larger * sizeof *items);
  if (items == NULL) return 0;
  scan->items = items;
  scan->items_size = larger;
  return 1;
}

/* ---- blocks read ---- */

/* The next bits of a scan, while a strip is read. They are filled up before each symbol, whether that is needed or
 * not: nobody can predict when it is, and what is loaded does not have to be waited for. */
struct bits {
  const uint8_t *at; /* the bytes behind them */
  uint64_t next;     /* from the highest bit on; below the `have` ones that count may be some of those behind */
  uint32_t have;
};

/* Make the next bits at least 56. */
ALWAYS void fill(struct bits *bits) {
  bits->next |= eight_bytes(bits->at) >> bits->have;
  bits->at += (63 - bits->have) >> 3;
  bits->have |= 56;
}

ALWAYS void drop(struct bits *bits, uint32_t count) {
  bits->next <<= count;
  bits->have -= count;
}

ALWAYS struct bits begin(const struct input *input) {
  struct bits bits = {.at = input->bits + (input->position >> 3)};
  fill(&bits);
  drop(&bits, input->position & 7);
  return bits;
}

ALWAYS size_t position_of(const struct bits *bits, const struct input *input) {
  return 8 * (size_t)(bits->at - input->bits) - bits->have;
}

/* Return so many bits, at most 63. */
ALWAYS uint64_t take(struct bits *bits, int count) {
  uint64_t value = 0;
  for (int some; count > 0; count -= some) {
    some = count < 32 ? count : 32;
    fill(bits);
    value = value << some | bits->next >> (64 - some);
    drop(bits, (uint32_t)some);
  }
  return value;
}

/* Return how many blocks a symbol ends, its own with them. */
ALWAYS uint32_t take_run(struct bits *bits, uint32_t size) {
  uint32_t run = (1u << size) + (uint32_t)(bits->next >> 1 >> (63 - size));
  drop(bits, size);
  return run;
}

/* Read the coefficients that come for the first time. */
ALWAYS int read_first(struct scan *scan, struct bits *bits, struct block *block) {
  if (scan->run_in) {
    scan->run_in--;
    if (scan->at_once) put_end_of_block(scan);
    return 1;
  }
  const struct codes *codes = scan->part->codes;
  uint64_t there = 0;
  int low = scan->low, last = scan->last;
  for (int coefficient = scan->first; coefficient <= last; coefficient++) {
    fill(bits);
    uint32_t found = find_code(codes, bits->next);
    if (found == 0) return 0;
    uint32_t size = found & 15, run = found >> 4 & 15;
    drop(bits, found >> 8);
    if (size == 0 && run != 15) {
      scan->run_in = take_run(bits, run) - 1;
      if (scan->at_once) put_end_of_block(scan);
      break;
    }
    if (scan->at_once) {
      end_run(scan);
      put_item(scan, found & 255, bits->next >> 1 >> (63 - size), (int)size);
    }
    coefficient += (int)run;
    if (size == 0) continue;
    if (coefficient > last || (int)size + low > 15) return 0;
    block->first[coefficient] = (int16_t)extended((uint32_t)(bits->next >> (64 - size)), (int)size);
    there |= FIRST_BIT >> coefficient;
    drop(bits, size);
  }
  block->there |= there;
  return 1;
}

/* Read one more bit of the coefficients: for those that are known what it is, for the others which become one. */
ALWAYS int read_next(struct scan *scan, struct bits *bits, struct block *block, int quick) {
  uint64_t left = band_of(scan), known = known_of(block, scan->low) & left; /* `left` to go over */
  uint64_t brought = 0, negative = 0;
  const struct codes *codes = scan->part->codes;
  while (scan->run_in == 0 && left) {
    fill(bits);
    uint32_t found = find_code(codes, bits->next);
    uint32_t size = found & 15, run = found >> 4 & 15;
    if (found == 0 || size > 1) return 0;
    drop(bits, found >> 8);
    if (size == 0 && run != 15) {
      scan->run_at = position_of(bits, &scan->input) - (found >> 8);
      scan->run_in = scan->run = take_run(bits, run);
      scan->run_behind = position_of(bits, &scan->input);
      break;
    }
    uint64_t zeros = left & ~known, stop = 0, passed = left;
    int many = __builtin_popcountll(zeros);
    if ((int)run < many) {
      stop = spread((uint64_t)1 << (many - 1 - (int)run), zeros, quick);
      passed = left & ~(stop | (stop - 1));
      left &= stop - 1;
    } else {
      if (size) return 0;
      left = 0;
    }
    brought |= stop & -(uint64_t)size;
    negative |= stop & -(uint64_t)(size & (bits->next >> 63 ^ 1)); /* no jump: its sign is anybody's guess */
    drop(bits, size);
    passed &= known;
    int corrected = __builtin_popcountll(passed);
    if (corrected <= 39) { /* they are there still: 56 less a code of 16 and a sign */
      brought |= spread(bits->next >> 1 >> (63 - corrected), passed, quick);
      drop(bits, (uint32_t)corrected);
    } else {
      brought |= spread(take(bits, corrected), passed, quick);
    }
  }
  if (scan->run_in) {
    left &= known;
    brought |= spread(take(bits, __builtin_popcountll(left)), left, quick);
    scan->run_in--;
  }
  block->refined[scan->low] |= brought;
  block->negative |= negative;
  return 1;
}

/* Read the difference of a mean to the one before. */
ALWAYS int read_first_mean(struct scan *scan, struct bits *bits, struct part_of_scan *part, struct block *block) {
  fill(bits);
  uint32_t found = find_code(part->codes, bits->next), size = found & 15; /* which its table has none above */
  if (found == 0) return 0;
  drop(bits, found >> 8);
  if (size) part->mean_in += extended((uint32_t)(bits->next >> (64 - size)), (int)size);
  drop(bits, size);
  if (part->mean_in > 32767 >> scan->low || part->mean_in < -(32767 >> scan->low)) return 0;
  block->mean = (int16_t)(part->mean_in * (1 << scan->low));
  return 1;
}

ALWAYS int read_block(struct scan *scan, struct bits *bits, struct part_of_scan *part, struct block *block, int quick) {
  switch (scan->kind) {
    case REST_FIRST: return read_first(scan, bits, block);
    case REST_NEXT: return read_next(scan, bits, block, quick);
    case MEAN_NEXT: block->mean = (int16_t)(block->mean | take(bits, 1) << scan->low); return 1;
    default: return read_first_mean(scan, bits, part, block);
  }
}

/* ---- blocks written ---- */

ALWAYS void write_first(struct scan *scan, const struct block *block) {
  int before = scan->first - 1;
  uint64_t left = block->there & band_of(scan);
  if (left) end_run(scan);
  while (left) {
    int coefficient = __builtin_clzll(left), value = block->first[coefficient];
    uint32_t run = (uint32_t)(coefficient - before - 1);
    for (; run > 15; run -= 16) put_item(scan, 0xF0, 0, 0);
    put_value_of(scan, run << 4, value);
    before = coefficient;
    left &= ~(FIRST_BIT >> coefficient);
  }
  if (before != scan->last) put_end_of_block(scan);
}

/* Write a symbol, bits of its own, and those that later scans bring of the coefficients `which`. */
ALWAYS void put_corrected(struct scan *scan, uint32_t symbol, uint64_t own, int owned, uint64_t bits, uint64_t which,
                          int quick) {
  int count = __builtin_popcountll(which);
  bits = gather(bits, which, quick);
  if (owned + count <= MOST_BITS) {
    put_item(scan, symbol, own << count | bits, owned + count);
  } else {
    put_item(scan, symbol, own, owned);
    scan->items_used = (size_t)(put_bits(scan->items + scan->items_used, bits, count) - scan->items);
  }
}

ALWAYS void write_next(struct scan *scan, const struct block *block, int quick) {
  uint64_t left = band_of(scan), known = known_of(block, scan->low) & left, bits = block->refined[scan->low];
  uint64_t fresh = bits & left & ~known;
  if (fresh) end_run(scan);
  while (fresh) {
    uint64_t stop = FIRST_BIT >> __builtin_clzll(fresh), zeros = left & ~known & ~(stop | (stop - 1));
    int run = __builtin_popcountll(zeros);
    for (; run > 15; run -= 16) { /* up to the sixteenth zero, which a code of its own stands for */
      uint64_t sixteenth = spread((uint64_t)1 << (run - 16), zeros, quick);
      put_corrected(scan, 0xF0, 0, 0, bits, left & known & ~(sixteenth - 1), quick);
      left &= sixteenth - 1;
      zeros &= sixteenth - 1;
    }
    uint64_t positive = (block->negative & stop) == 0;
    put_corrected(scan, (uint32_t)run << 4 | 1, positive, 1, bits, left & known & ~(stop - 1), quick);
    left &= stop - 1;
    fresh &= stop - 1;
  }
  if (left == 0) return;
  uint64_t corrected = left & known;
  int count = __builtin_popcountll(corrected);
  uint32_t *to = scan->put_off + scan->items_put_off;
  scan->items_put_off = (int)(put_bits(to, gather(bits, corrected, quick), count) - scan->put_off);
  scan->bits_put_off += count;
  if (++scan->run_out == scan->longest_run || scan->bits_put_off > MOST_PUT_OFF) end_run(scan);
}

ALWAYS void write_block(struct scan *scan, struct part_of_scan *part, const struct block *block, int quick) {
  int32_t mean = block->mean >> scan->low;
  switch (scan->kind) {
    case REST_FIRST: write_first(scan, block); break;
    case REST_NEXT: write_next(scan, block, quick); break;
    case MEAN_NEXT: scan->items[scan->items_used++] = item_of(NO_SYMBOL, mean & 1, 1); break;
    default: put_value_of(scan, part->table * MEANS_OF, mean - part->mean_out), part->mean_out = mean;
  }
}

/* Make room for so many bits of data; return 0 when there is no memory. */
static int make_output_room(struct output *output, size_t bits) {
  size_t size = output->used + bits / 8 + 16;
  if (size <= output->size) return 1;
  uint8_t *bytes = realloc(output->bytes, size);
  if (bytes == NULL) return 0;
  output->bytes = bytes;
  output->size = size;
  return 1;
}

/* ---- strips ---- */

enum way { READ, WRITE };

ALWAYS int pass_block(struct scan *scan, struct bits *bits, int each, struct block *block, enum way way, int quick) {
  struct part_of_scan *part = scan->part + each;
  if ((way == WRITE || scan->at_once) && !make_room(scan)) return NO_MEMORY;
  if (way == WRITE) write_block(scan, part, block, quick);
  else if (!read_block(scan, bits, part, block, quick)) return DAMAGED;
  return position_of(bits, &scan->input) <= scan->input.end ? DONE : DAMAGED;
}

/* Read or write what a scan of one component has of a strip: blocks that only fill the last unit are not in it. */
ALWAYS int pass_rows(struct file *file, struct scan *scan, struct bits *bits, int32_t strip, enum way way, int quick) {
  const struct part *part = file->frame.part + scan->part->number;
  int32_t across = (part->width + 7) / 8, down = (part->height + 7) / 8;
  for (int32_t line = 0; line < part->vertical && strip * part->vertical + line < down; line++) {
    struct block *blocks = file->strip[scan->part->number] + (size_t)line * part->line;
    for (int32_t column = 0; column < across; column++) {
      int result = pass_block(scan, bits, 0, blocks + column, way, quick);
      if (result != DONE) return result;
    }
  }
  return DONE;
}

ALWAYS int pass_units(struct file *file, struct scan *scan, struct bits *bits, enum way way, int quick) {
  for (int32_t unit = 0; unit < file->frame.units_across; unit++)
    for (int each = 0; each < scan->parts; each++) {
      const struct part *part = file->frame.part + scan->part[each].number;
      struct block *blocks = file->strip[scan->part[each].number] + unit * part->horizontal;
      for (int32_t line = 0; line < part->vertical; line++, blocks += part->line)
        for (int32_t column = 0; column < part->horizontal; column++) {
          int result = pass_block(scan, bits, each, blocks + column, way, quick);
          if (result != DONE) return result;
        }
    }
  return DONE;
}

/* Read or write what all scans have of a strip. */
ALWAYS int pass_strip(struct file *file, int32_t strip, enum way way, int quick) {
  int result = DONE;
  for (int each = 0; each < file->count && result == DONE; each++) {
    struct scan *scan = file->scans + each;
    if (way == WRITE && (scan->copies || scan->at_once)) continue;
    struct bits bits = begin(&scan->input); /* of our own, and so in registers */
    if (scan->parts > 1) result = pass_units(file, scan, &bits, way, quick);
    else result = pass_rows(file, scan, &bits, strip, way, quick);
    if (way == READ) scan->input.position = position_of(&bits, &scan->input);
  }
  return result;
}

typedef int passing(struct file *file, int32_t strip, enum way way);

static int pass_anywhere(struct file *file, int32_t strip, enum way way) {
  return way == READ ? pass_strip(file, strip, READ, 0) : pass_strip(file, strip, WRITE, 0);
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2,popcnt,lzcnt"))) static int pass_bmi(struct file *file, int32_t strip, enum way way) {
  return way == READ ? pass_strip(file, strip, READ, 1) : pass_strip(file, strip, WRITE, 1);
}

static passing *best_passing(void) { return __builtin_cpu_supports("bmi2") ? pass_bmi : pass_anywhere; }
#else
static passing *best_passing(void) { return pass_anywhere; }
#endif

/* ---- marks ---- */

/* Bits of coefficients are put where they belong without asking what they are, which nobody can predict. */
static void to_coefficients(const struct block *block, int16_t coefficients[64], const int8_t first_bit[64]) {
  uint64_t negative = block->negative;
  memset(coefficients, 0, 64 * sizeof *coefficients);
  coefficients[0] = block->mean;
  for (uint64_t left = block->there; left;) {
    int each = __builtin_clzll(left);
    coefficients[NATURAL[each]] = (int16_t)(block->first[each] * (1 << first_bit[each]));
    negative |= (uint64_t)(block->first[each] < 0) << (63 - each);
    left &= ~(FIRST_BIT >> each);
  }
  for (int weight = 0; weight < DEPTH; weight++)
    for (uint64_t left = block->refined[weight]; left;) {
      int each = __builtin_clzll(left), sign = 1 - 2 * (int)(negative >> (63 - each) & 1);
      coefficients[NATURAL[each]] = (int16_t)(coefficients[NATURAL[each]] + sign * (1 << weight));
      left &= ~(FIRST_BIT >> each);
    }
}

static void from_coefficients(struct block *block, const int16_t coefficients[64], const int8_t first_bit[64]) {
  uint64_t left = 0;
  memset(block, 0, offsetof(struct block, first));
  block->mean = coefficients[0];
  for (int each = 1; each < 64; each++) left |= (uint64_t)(coefficients[NATURAL[each]] != 0) << (63 - each);
  while (left) {
    int each = __builtin_clzll(left), low = first_bit[each], place = 63 - each;
    int value = coefficients[NATURAL[each]], magnitude = value < 0 ? -value : value, first = magnitude >> low;
    block->there |= (uint64_t)(first != 0) << place;
    block->first[each] = (int16_t)(value < 0 ? -first : first);
    for (int weight = 0; weight < low; weight++) block->refined[weight] |= (uint64_t)(magnitude >> weight & 1) << place;
    block->negative |= (uint64_t)(value < 0 && first == 0) << place;
    left &= ~(FIRST_BIT >> each);
  }
}

/* Blend the marks of a component with the blocks of a strip. */
static void mark_strip(struct file *file, int number, const struct component *component, int32_t strip, blender *blend) {
  const struct part *part = file->frame.part + number;
  for (int32_t each = 0; each < component->places; each++) {
    const struct place *place = component->place + each;
    struct stencil *stencil = component->stencils + place->stencil;
    for (int32_t line = 0; line < part->vertical; line++) {
      int32_t y = strip * part->vertical + line, inside = y - place->y;
      if (inside < 0 || inside >= stencil->rows) continue;
      for (int32_t touched = stencil->starts[inside]; touched < stencil->starts[inside + 1]; touched++) {
        int32_t x = place->x + stencil->columns[touched], columns = part->width - 8 * x, rows = part->height - 8 * y;
        if (x < 0 || !is_seen(stencil, touched, columns, rows)) continue;
        int16_t coefficients[64] __attribute__((aligned(16)));
        struct block *block = file->strip[number] + (size_t)line * part->line + x;
        to_coefficients(block, coefficients, file->first_bit[number]);
        mark_block_of(blend, coefficients, &part->scales, stencil, touched, columns, rows);
        from_coefficients(block, coefficients, file->first_bit[number]);
      }
    }
  }
}

/* Tell whether the blocks of a strip hold something beyond the picture's edges. Not all of them are written anew here. */
static int hides_something(const struct file *file, int32_t strip) {
  for (int number = 0; number < file->frame.parts; number++) {
    const struct part *part = file->frame.part + number;
    for (int32_t line = 0; line < part->vertical; line++) {
      int32_t rows = part->height - 8 * (strip * part->vertical + line);
      for (int32_t x = rows < 8 ? 0 : part->width / 8; x < part->line; x++) {
        int16_t coefficients[64] __attribute__((aligned(16)));
        to_coefficients(file->strip[number] + (size_t)line * part->line + x, coefficients, file->first_bit[number]);
        if (hide_beyond(coefficients, &part->scales, part->width - 8 * x, rows)) return 1;
      }
    }
  }
  return 0;
}

/* ---- the ground ---- */

/* Read the means that a scan has first of the first component, and leave it as it was. */
static int survey(const struct file *file, struct scan *scan, struct ground *ground) {
  struct bits bits = begin(&scan->input);
  int32_t across = file->frame.units_across, down = file->frame.units_down;
  const struct part *first = file->frame.part;
  if (scan->parts == 1) across = ground->across, down = ground->down;
  for (int32_t unit = 0; unit < across * down; unit++)
    for (int each = 0; each < scan->parts; each++) {
      const struct part *part = file->frame.part + scan->part[each].number;
      int32_t columns = scan->parts == 1 ? 1 : part->horizontal, rows = scan->parts == 1 ? 1 : part->vertical;
      for (int32_t block = 0; block < columns * rows; block++) {
        struct block read;
        if (!read_first_mean(scan, &bits, scan->part + each, &read)) return DAMAGED;
        int32_t x = unit % across * columns + block % columns, y = unit / across * rows + block / columns;
        if (part == first && x < ground->across && y < ground->down)
          ground->means[(size_t)y * ground->across + x] =
              level_of(read.mean, file->frame.quantisation[first->quantisation][0]);
      }
      if (position_of(&bits, &scan->input) > scan->input.end) return DAMAGED;
    }
  for (int each = 0; each < scan->parts; each++) scan->part[each].mean_in = 0;
  return DONE;
}

/* Tell the means and hear how the picture is marked. */
static int ask(const struct file *file, decider *decide) {
  struct ground ground;
  int result = DONE;
  if (!make_ground(&ground, file->frame.part->width, file->frame.part->height)) return NO_MEMORY;
  for (struct scan *scan = file->scans; scan < file->scans + file->count && result == DONE; scan++)
    if (takes_means(scan) && scan->part->number == 0) result = survey(file, scan, &ground);
  if (result == DONE && !decide(&ground)) result = STOPPED;
  free(ground.means);
  return result;
}

/* ---- codes for the symbols ---- */

/* Write the items that a scan has, with the codes of their symbols; return 0 when there is no memory. */
static int put_items(struct scan *scan) {
  const uint32_t *item = scan->items, *end = item + scan->items_used;
  if (!make_output_room(&scan->output, scan->items_used * (LONGEST + MOST_BITS))) return 0;
  struct output output = scan->output; /* a copy of our own stays in registers */
  for (; item < end; item++) {
    uint32_t code = scan->codes[*item >> 23];
    int count = *item >> MOST_BITS & 31;
    uint64_t behind = *item & ((1u << MOST_BITS) - 1);
    put(&output, (uint64_t)(code & 0xFFFF) << count | behind, (int)(code >> 16) + count);
  }
  scan->output = output;
  scan->items_used = 0;
  return 1;
}

/* The same, with what was put off. */
static int put_all(struct scan *scan) {
  if (!make_room(scan)) return 0;
  if (scan->kind >= REST_FIRST) end_run(scan);
  return put_items(scan);
}

/* Make the tables of a scan and gather their codes by the symbols of its items; return 0 when there is no table. */
static int make_tables(struct scan *scan) {
  int most = takes_means(scan) ? MEANS_OF : 256;
  for (int each = 0; each < scan->parts; each++) {
    int table = scan->part[each].table, from = takes_means(scan) ? table * MEANS_OF : 0;
    if (scan->best[table]) continue;
    uint32_t times[256] = {0};
    memcpy(times, scan->times + from, (size_t)most * sizeof *times);
    struct codes *best = scan->best[table] = malloc(sizeof *best);
    if (best == NULL || !make_best_codes(best, times, takes_means(scan))) return 0;
    memcpy(scan->codes + from, best->code, (size_t)most * sizeof *best->code);
  }
  return 1;
}

/* Begin to copy a scan, before a strip and between the runs of its input. */
static int begin_copy(struct scan *scan) {
  scan->copies = 1;
  scan->copied = scan->input.position;
  return put_all(scan);
}

/* Copy a scan up to here. A run that goes on is cut: its bits so far come behind a symbol for its blocks so far. */
static int end_copy(struct scan *scan) {
  size_t position = scan->input.position;
  scan->copies = 0;
  if (!make_output_room(&scan->output, position - scan->copied)) return 0;
  copy_bits(&scan->output, &scan->input, scan->copied, scan->run_in ? scan->run_at : position);
  if (scan->run_in == 0) return 1;
  scan->run_out = scan->run - scan->run_in;
  if (!put_all(scan) || !make_output_room(&scan->output, position - scan->run_behind)) return 0;
  copy_bits(&scan->output, &scan->input, scan->run_behind, position);
  return 1;
}

/* Turn what is left of a scan into its data. */
static int end_scan(struct scan *scan) {
  if (scan->input.end - scan->input.position >= 8 || scan->run_in) return DAMAGED;
  if (scan->copies && !end_copy(scan)) return NO_MEMORY;
  if (!make_room(scan)) return NO_MEMORY;
  if (scan->kind >= REST_FIRST) end_run(scan);
  if (scan->keeps) {
    scan->best[scan->part->table] = scan->part->codes;
    scan->part->codes = NULL;
  } else if (scan->kind != MEAN_NEXT && !make_tables(scan)) {
    return NO_MEMORY;
  }
  if (!put_items(scan)) return NO_MEMORY;
  put_end(&scan->output);
  free(scan->items);
  scan->items = NULL;
  return DONE;
}

/* Before a strip, tell each scan what need not be written by blocks; return 0 when there is no memory. */
static int begin_strip(struct file *file, const struct component *components, int32_t strip) {
  for (struct scan *scan = file->scans; scan < file->scans + file->count; scan++) {
    int number = scan->part->number, touched = is_touched(components + number, file->frame.part + number, strip);
    scan->at_once = scan->kind == REST_FIRST && !touched;
    if (!scan->keeps) continue;
    if (scan->copies && touched && !end_copy(scan)) return 0;
    if (!scan->copies && !touched && scan->run_in == 0 && !begin_copy(scan)) return 0;
  }
  return 1;
}

static int walk(struct file *file, const struct component *components, double end) {
  blender *blend = best_blender();
  passing *pass = best_passing();
  int marks = marks_something(components, file->frame.parts);
  choose_kept(file, components);
  for (int32_t strip = 0; strip < file->frame.units_down; strip++) {
    if (now() > end) return TOOK_TOO_LONG;
    for (int each = 0; each < file->frame.parts; each++) {
      int32_t blocks = file->frame.part[each].line * file->frame.part[each].vertical;
      for (int32_t block = 0; block < blocks; block++) memset(file->strip[each] + block, 0, offsetof(struct block, first));
    }
    if (!begin_strip(file, components, strip)) return NO_MEMORY;
    int result = pass(file, strip, READ);
    if (result != DONE) return result;
    if (marks && hides_something(file, strip)) return NOT_FOR_US; /* but for libjpeg */
    for (int each = 0; each < file->frame.parts; each++) mark_strip(file, each, components + each, strip, blend);
    result = pass(file, strip, WRITE);
    if (result != DONE) return result;
  }
  int result = DONE;
  for (int each = 0; each < file->count && result == DONE; each++) result = end_scan(file->scans + each);
  return result;
}

/* ---- the whole file ---- */

static uint8_t *put_table(uint8_t *to, const struct codes *codes, int number) {
  int symbols = 0;
  for (int each = 0; each < 16; each++) symbols += codes->counts[each];
  uint8_t head[5] = {0xFF, 0xC4, (uint8_t)((19 + symbols) >> 8), (uint8_t)(19 + symbols), (uint8_t)number};
  memcpy(to, head, 5);
  memcpy(to + 5, codes->counts, 16);
  memcpy(to + 21, codes->symbols, (size_t)symbols);
  return to + 21 + symbols;
}

/* Write the tables of a scan, its header and its data. */
static uint8_t *put_scan(uint8_t *to, const struct file *file, const struct scan *scan) {
  for (int table = 0; table < 4; table++)
    if (scan->best[table]) to = put_table(to, scan->best[table], (takes_means(scan) ? 0 : 16) | table);
  int length = 6 + 2 * scan->parts;
  uint8_t head[5] = {0xFF, 0xDA, 0, (uint8_t)length, (uint8_t)scan->parts};
  memcpy(to, head, 5);
  to += 5;
  for (int each = 0; each < scan->parts; each++) {
    *to++ = file->frame.part[scan->part[each].number].id;
    *to++ = scan->part[each].tables;
  }
  int refines = scan->kind == MEAN_NEXT || scan->kind == REST_NEXT;
  *to++ = (uint8_t)scan->first;
  *to++ = (uint8_t)scan->last;
  *to++ = (uint8_t)((refines ? scan->low + 1 : 0) << 4 | scan->low);
  return stuff(&scan->output, to);
}

static uint8_t *finish(const struct file *file, size_t *size) {
  size_t most = 4;
  for (int each = 0; each < file->headers; each++) most += file->header[each][1] - file->header[each][0];
  for (int each = 0; each < file->count; each++)
    most += stuffed_size(&file->scans[each].output) + MOST_COMPONENTS * 280 + 16;
  uint8_t *whole = malloc(most), *to = whole;
  if (whole == NULL) return NULL;
  *to++ = 0xFF;
  *to++ = 0xD8;
  for (int each = 0; each < file->headers; each++) {
    size_t length = file->header[each][1] - file->header[each][0];
    memcpy(to, file->source + file->header[each][0], length);
    to += length;
  }
  for (int each = 0; each < file->count; each++) to = put_scan(to, file, file->scans + each);
  *to++ = 0xFF;
  *to++ = 0xD9;
  *size = (size_t)(to - whole);
  return whole;
}

static void release_scan(struct scan *scan) {
  for (int each = 0; each < scan->parts; each++) free(scan->part[each].codes);
  for (int each = 0; each < 4; each++) free(scan->best[each]);
  free(scan->items);
  free(scan->input.bits);
  free(scan->output.bytes);
}

/* Mark the JPEG file `source` as `decide` says, which fills `components`; the marked file, without metadata, is put in
 * `*marked` (to be given to `release`) and its size in `*marked_size`. Returns one of the values in blocks.h. */
int mark_scans(const uint8_t *source, size_t size, const struct component *components, int count, decider *decide,
               double seconds, uint8_t **marked, size_t *marked_size) {
  double end = now() + seconds;
  struct file *file = calloc(1, sizeof *file);
  if (file == NULL) return NO_MEMORY;
  file->source = source;
  file->size = size;
  int result = read_file(file);
  if (result == DONE) result = prepare(file, components, count);
  if (result == DONE) result = ask(file, decide);
  if (result == DONE) result = walk(file, components, end);
  if (result == DONE) {
    *marked = finish(file, marked_size);
    if (*marked == NULL) result = NO_MEMORY;
  }
  for (int each = 0; each < file->count; each++) release_scan(file->scans + each);
  for (int each = 0; each < MOST_COMPONENTS; each++) free(file->strip[each]);
  free(file->scans);
  free(file);
  return result;
}
