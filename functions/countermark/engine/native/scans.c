/* Marks painted on the coefficients of a progressive JPEG file, strip by strip.
 *
 * All scans are read side by side: of each as much as a row of units needs, so that the coefficients of one strip
 * alone are in memory. Its touched blocks are blended, and it is put into the same scans again: as symbols, which get
 * their codes when all have been counted. libjpeg, which goes over the whole picture once for each scan that it reads
 * and twice for each that it writes, takes several times as long. The blocks that no mark touches keep their
 * coefficients.
 *
 * A file with restart markers, or whose scans do not make up whole coefficients, is left to libjpeg.
 */

#include <stddef.h>

#include "frame.h"
#include "tables.h"

#define MOST_SCANS 200 /* a file with more is an attack */
#define MARGIN 1024    /* zero bytes behind a scan: more than a block can read */
#define ROOM 1024      /* bytes that a block takes at most, with what was put off before it */
#define MOST_PUT_OFF 937 /* correction bits that are put off, as libjpeg does: 1000 less those of a block */
#define LONGEST_RUN 0x7FFF /* of blocks that end at once */
#define COPY 256           /* plus a number: in the place of a symbol, so many bits without one */
#define DEPTH 4            /* lowest bits of coefficients that may come in scans of their own */

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
  uint32_t run_in; /* blocks to come that have nothing new */
  struct output output;       /* the bits behind the symbols; in the end the scan's data */
  uint16_t *symbols;          /* in the order of the file */
  size_t symbols_used, symbols_size;
  uint32_t times[4][256];     /* that a symbol of a table comes */
  struct codes *best[4];      /* the tables made of that */
  uint32_t run_out;
  uint32_t put_off[MOST_PUT_OFF / 32 + 4]; /* correction bits of that run */
  int bits_put_off;
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
  scan->output.size = scan->symbols_size = size + 2 * ROOM;
  scan->output.bytes = malloc(scan->output.size);
  scan->symbols = malloc(scan->symbols_size * sizeof *scan->symbols);
  if (to == NULL || scan->output.bytes == NULL || scan->symbols == NULL) return NO_MEMORY;
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

/* ---- blocks read ---- */

/* Return so many bits, at most 64, of the scan. */
ALWAYS uint64_t take(struct input *input, int bits) {
  uint64_t value = 0;
  if (bits > 57) {
    value = window(input, input->position) >> 32;
    input->position += 32;
    bits -= 32;
  }
  value = value << bits | window(input, input->position) >> 1 >> (63 - bits);
  input->position += (size_t)bits;
  return value;
}

/* Read the coefficients that come for the first time. */
ALWAYS int read_first(struct scan *scan, const struct codes *codes, struct block *block) {
  if (scan->run_in) return scan->run_in--, 1;
  struct input *input = &scan->input;
  size_t position = input->position;
  uint64_t next = window(input, position), there = 0;
  uint32_t used = 0;
  int low = scan->low, last = scan->last;
  for (int coefficient = scan->first; coefficient <= last; coefficient++) {
    if (used > REFILL_WITH_VALUE) {
      position += used;
      next = window(input, position);
      used = 0;
    }
    uint32_t found = find_code(codes, next);
    if (found == 0) return 0;
    uint32_t length = found >> 8, size = found & 15, run = found >> 4 & 15;
    next <<= length;
    used += length;
    if (size == 0 && run != 15) {
      if (run) scan->run_in = (1u << run) - 1 + (uint32_t)(next >> (64 - run));
      used += run;
      break;
    }
    coefficient += (int)run;
    if (size == 0) continue;
    if (coefficient > last || (int)size + low > 15) return 0;
    block->first[coefficient] = (int16_t)extended((uint32_t)(next >> (64 - size)), (int)size);
    there |= FIRST_BIT >> coefficient;
    next <<= size;
    used += size;
  }
  input->position = position + used;
  block->there |= there;
  return 1;
}

/* Read one more bit of the coefficients: for those that are known what it is, for the others which become one. */
ALWAYS int read_next(struct scan *scan, struct block *block, int quick) {
  uint64_t left = band_of(scan), known = known_of(block, scan->low) & left, brought = 0; /* `left` to go over */
  struct input *input = &scan->input;
  while (scan->run_in == 0 && left) {
    uint64_t next = window(input, input->position);
    uint32_t found = find_code(scan->part->codes, next);
    uint32_t length = found >> 8, size = found & 15, run = found >> 4 & 15;
    if (found == 0 || size > 1) return 0;
    next <<= length;
    if (size == 0 && run != 15) {
      scan->run_in = (1u << run) + (run ? (uint32_t)(next >> (64 - run)) : 0);
      input->position += length + run;
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
    input->position += length + size;
    passed &= known;
    int corrected = __builtin_popcountll(passed);
    if (corrected <= 40) { /* they are in the window still: 57 less a code of 16 and a sign */
      brought |= spread(next << size >> 1 >> (63 - corrected), passed, quick);
      input->position += (size_t)corrected;
    } else {
      brought |= spread(take(input, corrected), passed, quick);
    }
    if (size == 0) continue;
    brought |= stop;
    if (next >> 63 == 0) block->negative |= stop;
  }
  if (scan->run_in) {
    left &= known;
    brought |= spread(take(input, __builtin_popcountll(left)), left, quick);
    scan->run_in--;
  }
  block->refined[scan->low] |= brought;
  return 1;
}

ALWAYS int read_block(struct scan *scan, struct part_of_scan *part, struct block *block, int quick) {
  switch (scan->kind) {
    case REST_FIRST: return read_first(scan, part->codes, block);
    case REST_NEXT: return read_next(scan, block, quick);
    case MEAN_NEXT: block->mean = (int16_t)(block->mean | (int16_t)(take(&scan->input, 1) << scan->low)); return 1;
    default:
      if (!read_mean(&scan->input, part->codes, &part->mean_in)) return 0;
      if (part->mean_in > 32767 >> scan->low || part->mean_in < -(32767 >> scan->low)) return 0;
      block->mean = (int16_t)(part->mean_in * (1 << scan->low));
      return 1;
  }
}

/* ---- blocks written ---- */

ALWAYS void put_symbol_of(struct scan *scan, int table, uint32_t symbol, uint32_t extra, int size) {
  scan->symbols[scan->symbols_used++] = (uint16_t)symbol;
  scan->times[table][symbol]++;
  put(&scan->output, extra, size);
}

/* Write a symbol for `value` behind `run` zeros. */
ALWAYS void put_value_of(struct scan *scan, int table, uint32_t run, int32_t value) {
  uint32_t magnitude = (uint32_t)(value < 0 ? -value : value);
  int size = magnitude ? 32 - __builtin_clz(magnitude) : 0;
  put_symbol_of(scan, table, run << 4 | (uint32_t)size, (uint32_t)(value + (value >> 31)) & ((1u << size) - 1), size);
}

/* Write bits, at most 32, without a symbol. */
ALWAYS void put_bits(struct scan *scan, uint32_t bits, int count) {
  scan->symbols[scan->symbols_used] = (uint16_t)(COPY + count);
  scan->symbols_used += count > 0;
  put(&scan->output, bits, count);
}

/* Write what ends the blocks of a run, and the bits that were put off to there. */
ALWAYS void end_run(struct scan *scan, int table) {
  if (scan->run_out == 0) return;
  int size = 31 - __builtin_clz(scan->run_out);
  put_symbol_of(scan, table, (uint32_t)size << 4, scan->run_out & ((1u << size) - 1), size);
  scan->run_out = 0;
  for (int each = 0; 32 * each < scan->bits_put_off; each++) {
    int bits = scan->bits_put_off - 32 * each;
    put_bits(scan, scan->put_off[each] >> (bits < 32 ? 32 - bits : 0), bits < 32 ? bits : 32);
    scan->put_off[each] = 0;
  }
  scan->bits_put_off = 0;
}

ALWAYS void write_first(struct scan *scan, int table, const struct block *block) {
  int before = scan->first - 1;
  uint64_t left = block->there & band_of(scan);
  if (left) end_run(scan, table);
  while (left) {
    int coefficient = __builtin_clzll(left), value = block->first[coefficient];
    uint32_t run = (uint32_t)(coefficient - before - 1);
    for (; run > 15; run -= 16) put_symbol_of(scan, table, 0xF0, 0, 0);
    put_value_of(scan, table, run, value);
    before = coefficient;
    left &= ~(FIRST_BIT >> coefficient);
  }
  if (before != scan->last && ++scan->run_out == LONGEST_RUN) end_run(scan, table);
}

/* Put the correction bits of a block, at most 63, off to the end of the run. */
ALWAYS void put_off(struct scan *scan, uint64_t bits, int count) {
  while (count > 0) {
    uint32_t *word = scan->put_off + scan->bits_put_off / 32;
    int room = 32 - scan->bits_put_off % 32, some = count < room ? count : room;
    *word |= (uint32_t)(bits >> (count - some) & (((uint64_t)1 << some) - 1)) << (room - some);
    scan->bits_put_off += some;
    count -= some;
  }
}

/* Write the bits that later scans bring of the coefficients `which`. */
ALWAYS void put_corrections(struct scan *scan, uint64_t bits, uint64_t which, int quick) {
  int count = __builtin_popcountll(which);
  bits = gather(bits, which, quick);
  if (count > 32) put_bits(scan, (uint32_t)(bits >> 32), count - 32);
  put_bits(scan, (uint32_t)bits, count < 32 ? count : 32);
}

ALWAYS void write_next(struct scan *scan, int table, const struct block *block, int quick) {
  uint64_t left = band_of(scan), known = known_of(block, scan->low) & left, bits = block->refined[scan->low];
  uint64_t fresh = bits & left & ~known;
  if (fresh) end_run(scan, table);
  while (fresh) {
    uint64_t stop = FIRST_BIT >> __builtin_clzll(fresh), zeros = left & ~known & ~(stop | (stop - 1));
    int run = __builtin_popcountll(zeros);
    for (; run > 15; run -= 16) { /* up to the sixteenth zero, which a code of its own stands for */
      uint64_t sixteenth = spread((uint64_t)1 << (run - 16), zeros, quick);
      put_symbol_of(scan, table, 0xF0, 0, 0);
      put_corrections(scan, bits, left & known & ~(sixteenth - 1), quick);
      left &= sixteenth - 1;
      zeros &= sixteenth - 1;
    }
    put_symbol_of(scan, table, (uint32_t)run << 4 | 1, (block->negative & stop) == 0, 1);
    put_corrections(scan, bits, left & known & ~(stop - 1), quick);
    left &= stop - 1;
    fresh &= stop - 1;
  }
  if (left == 0) return;
  uint64_t corrected = left & known;
  put_off(scan, gather(bits, corrected, quick), __builtin_popcountll(corrected));
  if (++scan->run_out == LONGEST_RUN || scan->bits_put_off > MOST_PUT_OFF) end_run(scan, table);
}

ALWAYS void write_block(struct scan *scan, struct part_of_scan *part, const struct block *block, int quick) {
  int32_t mean = block->mean >> scan->low;
  switch (scan->kind) {
    case REST_FIRST: write_first(scan, part->table, block); break;
    case REST_NEXT: write_next(scan, part->table, block, quick); break;
    case MEAN_NEXT: put(&scan->output, mean & 1, 1); break;
    default: put_value_of(scan, part->table, 0, mean - part->mean_out), part->mean_out = mean;
  }
}

/* Return a larger buffer of items of a width when a block may have no room in it, else the same. */
static void *with_room(void *buffer, size_t width, size_t used, size_t *size) {
  if (used + ROOM <= *size) return buffer;
  void *larger = realloc(buffer, (*size + *size / 2) * width);
  if (larger) *size += *size / 2;
  return larger;
}

ALWAYS int make_room(struct scan *scan) {
  struct output *output = &scan->output;
  if (output->used + ROOM <= output->size && scan->symbols_used + ROOM <= scan->symbols_size) return 1;
  void *bytes = with_room(output->bytes, 1, output->used, &output->size);
  if (bytes) output->bytes = bytes;
  void *symbols = with_room(scan->symbols, sizeof *scan->symbols, scan->symbols_used, &scan->symbols_size);
  if (symbols) scan->symbols = symbols;
  return bytes && symbols;
}

/* ---- strips ---- */

enum way { READ, WRITE };

ALWAYS int pass_block(struct scan *scan, int each, struct block *block, enum way way, int quick) {
  struct part_of_scan *part = scan->part + each;
  if (way == READ)
    return read_block(scan, part, block, quick) && scan->input.position <= scan->input.end ? DONE : DAMAGED;
  if (!make_room(scan)) return NO_MEMORY;
  write_block(scan, part, block, quick);
  return DONE;
}

/* Read or write what a scan of one component has of a strip: blocks that only fill the last unit are not in it. */
ALWAYS int pass_rows(struct file *file, struct scan *scan, int32_t strip, enum way way, int quick) {
  const struct part *part = file->frame.part + scan->part->number;
  int32_t across = (part->width + 7) / 8, down = (part->height + 7) / 8;
  for (int32_t line = 0; line < part->vertical && strip * part->vertical + line < down; line++) {
    struct block *blocks = file->strip[scan->part->number] + (size_t)line * part->line;
    for (int32_t column = 0; column < across; column++) {
      int result = pass_block(scan, 0, blocks + column, way, quick);
      if (result != DONE) return result;
    }
  }
  return DONE;
}

ALWAYS int pass_units(struct file *file, struct scan *scan, enum way way, int quick) {
  for (int32_t unit = 0; unit < file->frame.units_across; unit++)
    for (int each = 0; each < scan->parts; each++) {
      const struct part *part = file->frame.part + scan->part[each].number;
      struct block *blocks = file->strip[scan->part[each].number] + unit * part->horizontal;
      for (int32_t line = 0; line < part->vertical; line++, blocks += part->line)
        for (int32_t column = 0; column < part->horizontal; column++) {
          int result = pass_block(scan, each, blocks + column, way, quick);
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
    result = scan->parts > 1 ? pass_units(file, scan, way, quick) : pass_rows(file, scan, strip, way, quick);
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

static void to_coefficients(const struct block *block, int16_t coefficients[64], const int8_t first_bit[64]) {
  memset(coefficients, 0, 64 * sizeof *coefficients);
  coefficients[0] = block->mean;
  for (uint64_t left = known_of(block, -1); left;) {
    int each = __builtin_clzll(left);
    uint64_t bit = FIRST_BIT >> each;
    int16_t value = block->there & bit ? (int16_t)(block->first[each] * (1 << first_bit[each])) : 0;
    int below = 0, negative = block->there & bit ? value < 0 : (block->negative & bit) != 0;
    for (int weight = 0; weight < DEPTH; weight++) below |= (block->refined[weight] & bit ? 1 : 0) << weight;
    coefficients[NATURAL[each]] = (int16_t)(negative ? value - below : value + below);
    left &= ~bit;
  }
}

static void from_coefficients(struct block *block, const int16_t coefficients[64], const int8_t first_bit[64]) {
  uint64_t left = 0;
  memset(block, 0, offsetof(struct block, first));
  block->mean = coefficients[0];
  for (int each = 1; each < 64; each++) left |= (uint64_t)(coefficients[NATURAL[each]] != 0) << (63 - each);
  while (left) {
    int each = __builtin_clzll(left), low = first_bit[each];
    int value = coefficients[NATURAL[each]], magnitude = value < 0 ? -value : value, first = magnitude >> low;
    uint64_t bit = FIRST_BIT >> each;
    if (first) block->there |= bit;
    block->first[each] = (int16_t)(value < 0 ? -first : first);
    for (int weight = 0; weight < low; weight++)
      if (magnitude >> weight & 1) block->refined[weight] |= bit;
    if (value < 0 && first == 0) block->negative |= bit;
    left &= ~bit;
  }
}

/* Blend the marks of a component with the blocks of a strip. */
static void mark_strip(struct file *file, int number, const struct component *component, int32_t strip, blender *blend) {
  const struct part *part = file->frame.part + number;
  for (int32_t each = 0; each < component->places; each++) {
    const struct place *place = component->place + each;
    const struct stencil *stencil = component->stencils + place->stencil;
    for (int32_t line = 0; line < part->vertical; line++) {
      int32_t y = strip * part->vertical + line, inside = y - place->y;
      if (inside < 0 || inside >= stencil->rows) continue;
      for (int32_t touched = stencil->starts[inside]; touched < stencil->starts[inside + 1]; touched++) {
        int32_t x = place->x + stencil->columns[touched];
        if (x < 0 || !is_seen(stencil, touched, part->width - 8 * x, part->height - 8 * y)) continue;
        int16_t coefficients[64] __attribute__((aligned(16)));
        struct block *block = file->strip[number] + (size_t)line * part->line + x;
        to_coefficients(block, coefficients, file->first_bit[number]);
        blend(coefficients, &part->scales, stencil, touched);
        from_coefficients(block, coefficients, file->first_bit[number]);
      }
    }
  }
}

/* ---- codes for the symbols ---- */

struct written { /* how a symbol, or COPY, is written */
  uint32_t code;
  uint8_t length, behind; /* bits of the code, and behind it */
};

/* Work out how the symbols of a table are written. */
static void make_written(struct written written[COPY + 33], const struct codes *codes, enum kind kind) {
  memset(written, 0, (COPY + 33) * sizeof *written);
  for (int symbol = 0; symbol < COPY; symbol++) {
    int low = symbol & 15, high = symbol >> 4;
    written[symbol].code = codes->code[symbol] & 0xFFFF;
    written[symbol].length = (uint8_t)(codes->code[symbol] >> 16);
    written[symbol].behind = (uint8_t)(low || kind == MEAN_FIRST ? low : high == 15 ? 0 : high);
  }
  for (int bits = 1; bits <= 32; bits++) written[COPY + bits].behind = (uint8_t)bits;
}

ALWAYS void put_written(struct output *output, struct input *behind, const struct written *written) {
  uint64_t extra = window(behind, behind->position) >> 1 >> (63 - written->behind);
  behind->position += written->behind;
  put(output, (uint32_t)((uint64_t)written->code << written->behind | extra), written->length + written->behind);
}

/* Write the symbols of a scan, each with its code and the bits behind it. */
static void put_codes(const struct scan *scan, const struct frame *frame, struct output *result) {
  struct written written[MOST_COMPONENTS][COPY + 33];
  struct input behind = {.bits = scan->output.bytes};
  struct output output = *result; /* a copy of our own stays in registers */
  for (int each = 0; each < scan->parts; each++)
    make_written(written[each], scan->best[scan->part[each].table], scan->kind);
  const uint16_t *symbol = scan->symbols, *end = symbol + scan->symbols_used;
  if (scan->parts == 1)
    for (; symbol < end; symbol++) put_written(&output, &behind, written[0] + *symbol);
  while (symbol < end)
    for (int each = 0; each < scan->parts; each++) {
      const struct part *part = frame->part + scan->part[each].number;
      for (int count = part->horizontal * part->vertical; count > 0; count--)
        put_written(&output, &behind, written[each] + *symbol++);
    }
  put_end(&output);
  *result = output;
}

/* Make the tables of a scan; return the bits that its codes take, 0 when there is no table. */
static size_t make_tables(struct scan *scan) {
  size_t bits = 0;
  for (int each = 0; each < scan->parts; each++) {
    int table = scan->part[each].table;
    if (scan->best[table]) continue;
    struct codes *codes = scan->best[table] = malloc(sizeof *codes);
    if (codes == NULL || !make_best_codes(codes, scan->times[table], takes_means(scan))) return 0;
    for (int symbol = 0; symbol < 256; symbol++) bits += (size_t)scan->times[table][symbol] * (codes->code[symbol] >> 16);
  }
  return bits;
}

/* Turn the symbols of a scan into its data. */
static int end_scan(const struct file *file, struct scan *scan) {
  if (scan->input.end - scan->input.position >= 8 || scan->run_in) return DAMAGED;
  if (!make_room(scan)) return NO_MEMORY;
  if (scan->kind >= REST_FIRST) end_run(scan, scan->part->table);
  put_end(&scan->output);
  if (scan->kind == MEAN_NEXT) return DONE;
  if (!make_room(scan)) return NO_MEMORY; /* for what a window reads behind the last bits */
  size_t bits = make_tables(scan);
  struct output output = {.size = bits / 8 + scan->output.used + 16};
  output.bytes = bits ? malloc(output.size) : NULL;
  if (output.bytes == NULL) return NO_MEMORY;
  put_codes(scan, &file->frame, &output);
  free(scan->output.bytes);
  free(scan->symbols);
  scan->symbols = NULL;
  scan->output = output;
  return DONE;
}

static int walk(struct file *file, const struct component *components, double end) {
  blender *blend = best_blender();
  passing *pass = best_passing();
  for (int32_t strip = 0; strip < file->frame.units_down; strip++) {
    if (now() > end) return TOOK_TOO_LONG;
    for (int each = 0; each < file->frame.parts; each++) {
      int32_t blocks = file->frame.part[each].line * file->frame.part[each].vertical;
      for (int32_t block = 0; block < blocks; block++) memset(file->strip[each] + block, 0, offsetof(struct block, first));
    }
    int result = pass(file, strip, READ);
    if (result != DONE) return result;
    for (int each = 0; each < file->frame.parts; each++) mark_strip(file, each, components + each, strip, blend);
    result = pass(file, strip, WRITE);
    if (result != DONE) return result;
  }
  int result = DONE;
  for (int each = 0; each < file->count && result == DONE; each++) result = end_scan(file, file->scans + each);
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
  free(scan->symbols);
  free(scan->input.bits);
  free(scan->output.bytes);
}

/* Mark the JPEG file `source`; the marked file, without metadata, is put in `*marked` (to be given to `release`) and
 * its size in `*marked_size`. Returns one of the values in blocks.h. */
int mark_scans(const uint8_t *source, size_t size, const struct component *components, int count, double seconds,
               uint8_t **marked, size_t *marked_size) {
  double end = now() + seconds;
  struct file *file = calloc(1, sizeof *file);
  if (file == NULL) return NO_MEMORY;
  file->source = source;
  file->size = size;
  int result = read_file(file);
  if (result == DONE) result = prepare(file, components, count);
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
