/* Marks painted on the entropy-coded scan of a baseline JPEG file, without reading what they do not touch.
 *
 * The scan is walked symbol by symbol, which tells where each block begins and what its mean (DC) is. By the means it
 * is decided how the picture is marked. Then a block that no mark touches is not decoded: its bits are copied as they
 * are, but for the code of its mean where the block before it has changed. A touched block is decoded, blended and
 * encoded with the file's own tables. A progressive file is for scans.c; what else is not plain (several scans, restart
 * markers) or needs a code that its tables lack is left to libjpeg, in coefficients.c.
 */

#include "frame.h"

#define MARGIN 16384 /* zero bytes behind the scan: more than a unit of blocks can read */
#define GROWTH 256   /* bytes that a touched block takes at most, with the mean of the one behind it */
#define REFILL 41    /* of the 57 bits of a window, when so many are used, too few are left for the next symbol */

#define END 0x10000u /* an entry of `skips` ends with the end of a block */

/* By the next bits: several AC symbols at once, END | coefficients << 8 | bits, 0 for a longer one. */
struct skips {
  uint32_t skip[1 << DIRECT];
};

static void make_skips(struct skips *skips, const struct codes *codes) {
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
    skips->skip[next] = bits ? end | coefficients << 8 | bits : 0;
  }
}

/* ---- the header ---- */

struct lane { /* what the walk knows of a component */
  struct part *part;
  const struct codes *means_codes, *rest; /* Huffman tables of its DC and AC coefficients */
  const struct skips *skips;
  int16_t *means;   /* of all blocks, row by row */
  uint32_t *begins; /* where in the input they begin, in bits */
  int32_t moved;    /* by how much the mark has changed the mean of the block before */
  int32_t *touched; /* for the blocks of a row of units: number of the first link, 0 for none */
};

struct link { /* one mark on one block */
  int32_t next, each;
  struct stencil *stencil;
};

struct scan {
  const uint8_t *source;
  size_t size, start; /* of the file, and where its entropy-coded data starts */
  struct frame frame;
  struct lane lane[MOST_COMPONENTS];
  struct codes means[4], rest[4];
  struct skips skips[4];
  struct input input;
  size_t copied; /* bits of the input that are in the output, or not wanted there */
  struct output output;
  struct link *links;
  int32_t links_used, links_size;
  int marks;     /* whether there is a mark at all */
  uint8_t *busy; /* for the units of a row: whether a mark touches one of its blocks */
};

static int read_scan(struct scan *scan, const uint8_t *at, const uint8_t *end) {
  int parts = scan->frame.parts;
  if (end - at < 1 || parts == 0 || at[0] != parts || end - at != 4 + 2 * at[0]) return 0;
  for (int each = 0; each < parts; each++) {
    const uint8_t *from = at + 1 + 2 * each;
    struct lane *lane = scan->lane + each;
    lane->part = scan->frame.part + each;
    if (from[0] != lane->part->id || from[1] >> 4 > 3 || (from[1] & 15) > 3) return 0;
    lane->means_codes = scan->means + (from[1] >> 4);
    lane->rest = scan->rest + (from[1] & 15);
    lane->skips = scan->skips + (from[1] & 15);
    if (!lane->means_codes->known || !lane->rest->known) return 0;
  }
  const uint8_t *range = at + 1 + 2 * parts;
  return range[0] == 0 && range[1] == 63 && range[2] == 0;
}

/* Read up to the entropy-coded data; return 0 for a file that is not for us. */
static int read_header(struct scan *scan) {
  size_t at = 2, behind;
  for (int marker; (marker = next_segment(scan->source, scan->size, &at, &behind)) != 0; at = behind) {
    const uint8_t *data = scan->source + at, *end = scan->source + behind;
    int good = 1;
    if (marker == 0xDB) good = read_quantisation(&scan->frame, data, end);
    else if (marker == 0xC4) good = read_codes(scan->means, scan->rest, data, end);
    else if (marker == FRAME_BASELINE || marker == FRAME_EXTENDED) good = read_frame(&scan->frame, data, end);
    else if (marker == 0xDD) good = end - data == 2 && data[0] == 0 && data[1] == 0;
    else if (marker != 0xDA) good = is_of_no_matter(marker);
    if (!good) return 0;
    scan->start = behind;
    if (marker == 0xDA) return read_scan(scan, data, end);
  }
  return 0;
}

static int prepare(struct scan *scan, const struct component *components, int count) {
  if (!prepare_frame(&scan->frame, components, count)) return 0;
  for (int each = 0; each < count; each++) {
    struct lane *lane = scan->lane + each;
    size_t row = (size_t)lane->part->line * lane->part->vertical, all = row * (size_t)scan->frame.units_down;
    lane->touched = calloc(row, sizeof *lane->touched);
    lane->means = malloc(all * sizeof *lane->means);
    lane->begins = malloc(all * sizeof *lane->begins);
    if (lane->touched == NULL || lane->means == NULL || lane->begins == NULL) return 0;
  }
  scan->busy = malloc((size_t)scan->frame.units_across);
  if (scan->busy == NULL) return 0;
  for (int each = 0; each < 4; each++)
    if (scan->rest[each].known) make_skips(scan->skips + each, scan->rest + each);
  return 1;
}

/* ---- bits ---- */

static int read_input(struct scan *scan) {
  const uint8_t *from = scan->source + scan->start, *end = scan->source + scan->size;
  uint8_t *to = scan->input.bits = malloc((size_t)(end - from) + MARGIN);
  if (to == NULL) return NO_MEMORY;
  int marker = unstuff(&from, end, &to);
  scan->input.end = 8 * (size_t)(to - scan->input.bits);
  memset(to, 0, MARGIN);
  if (scan->input.end > UINT32_MAX) return NOT_FOR_US;
  return marker == 0xD9 ? DONE : marker ? NOT_FOR_US : DAMAGED;
}

/* Copy the source's bits up to `to`. */
static void copy_up_to(struct scan *scan, size_t to) {
  copy_bits(&scan->output, &scan->input, scan->copied, to);
  scan->copied = to;
}

/* ---- blocks ---- */

/* Go behind the other coefficients of a block. */
ALWAYS int skip_rest(struct input *input, const struct codes *codes, const struct skips *skips) {
  uint64_t next = window(input, input->position);
  uint32_t used = 0, coefficient = 1;
  while (coefficient < 64) {
    if (used > REFILL) {
      input->position += used;
      next = window(input, input->position);
      used = 0;
    }
    uint32_t several = skips->skip[next >> (64 - DIRECT)];
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
  input->position += used;
  return 1;
}

/* Find where each block of a row of units begins, and its mean. */
static int survey_row(struct scan *scan, int32_t row, int32_t before[MOST_COMPONENTS]) {
  struct input input = scan->input; /* a copy of our own stays in registers */
  for (int32_t unit = 0; unit < scan->frame.units_across; unit++) {
    if (input.position > input.end) return DAMAGED;
    for (int each = 0; each < scan->frame.parts; each++) {
      struct lane *lane = scan->lane + each;
      const struct part *part = lane->part;
      for (int32_t line = 0; line < part->vertical; line++) {
        size_t at = (size_t)(row * part->vertical + line) * part->line + (size_t)(unit * part->horizontal);
        for (size_t block = at; block < at + part->horizontal; block++) {
          lane->begins[block] = (uint32_t)input.position;
          if (!read_mean(&input, lane->means_codes, before + each)) return DAMAGED;
          lane->means[block] = (int16_t)before[each];
          if (!skip_rest(&input, lane->rest, lane->skips)) return DAMAGED;
        }
      }
    }
  }
  scan->input.position = input.position;
  return DONE;
}

static int survey(struct scan *scan, double end) {
  int32_t before[MOST_COMPONENTS] = {0};
  for (int32_t row = 0; row < scan->frame.units_down; row++) {
    if (now() > end) return TOOK_TOO_LONG;
    int result = survey_row(scan, row, before);
    if (result != DONE) return result;
  }
  struct input *input = &scan->input;
  if (input->position > input->end || input->end - input->position >= 8) return DAMAGED;
  input->end = input->position;
  return DONE;
}

/* Tell the means and hear how the picture is marked. */
static int ask(const struct scan *scan, decider *decide) {
  const struct part *part = scan->frame.part;
  struct ground ground;
  int32_t quantisation = scan->frame.quantisation[part->quantisation][0];
  if (!make_ground(&ground, part->width, part->height)) return NO_MEMORY;
  for (int32_t y = 0; y < ground.down; y++)
    for (int32_t x = 0; x < ground.across; x++)
      ground.means[(size_t)y * ground.across + x] = level_of(scan->lane->means[(size_t)y * part->line + x], quantisation);
  int result = decide(&ground) ? DONE : STOPPED;
  free(ground.means);
  return result;
}

/* Go to a block, up to which the source is copied; return how much its mean differs from the one before, by `*result`
 * what became of it. */
static int32_t go_to(struct scan *scan, const struct lane *lane, size_t block, int *result) {
  int32_t difference = 0;
  scan->input.position = lane->begins[block];
  copy_up_to(scan, scan->input.position);
  *result = read_mean(&scan->input, lane->means_codes, &difference) ? DONE : DAMAGED;
  return difference;
}

/* Write the mean of a block anew that the one before has moved. */
static int correct_mean(struct scan *scan, struct lane *lane, size_t block) {
  int result;
  int32_t difference = go_to(scan, lane, block, &result);
  scan->copied = scan->input.position;
  if (result == DONE && !put_value(&scan->output, lane->means_codes, 0, difference - lane->moved)) result = NOT_FOR_US;
  lane->moved = 0;
  return result;
}

/* Blend the marks of a block, which has the given distances to the picture's right and lower edge, and take away what it
 * holds beyond them. A block that stays as it was is copied. */
static int mark_block(struct scan *scan, struct lane *lane, blender *blend, int32_t link, size_t at, int32_t columns,
                      int32_t rows) {
  int16_t block[64] __attribute__((aligned(16))) = {0};
  int result, changed = link;
  int32_t difference = go_to(scan, lane, at, &result), mean = lane->means[at];
  if (result != DONE || !read_rest(&scan->input, lane->rest, block)) return DAMAGED;
  block[0] = (int16_t)mean;
  changed |= hide_beyond(block, &lane->part->scales, columns, rows);
  for (; link; link = scan->links[link].next)
    mark_block_of(blend, block, &lane->part->scales, scan->links[link].stencil, scan->links[link].each, columns, rows);
  if (!changed) return lane->moved ? correct_mean(scan, lane, at) : DONE;
  scan->copied = scan->input.position;
  if (!put_value(&scan->output, lane->means_codes, 0, difference + block[0] - mean - lane->moved)) return NOT_FOR_US;
  lane->moved = block[0] - mean;
  return put_rest(&scan->output, lane->rest, block) ? DONE : NOT_FOR_US;
}

/* ---- rows of units ---- */

static int add_link(struct scan *scan, int32_t *first, struct stencil *stencil, int32_t each) {
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
  memset(scan->busy, row + 1 == scan->frame.units_down, (size_t)scan->frame.units_across);
  scan->busy[scan->frame.units_across - 1] = 1; /* what lies beyond the edges is in the last ones */
  for (int each = 0; each < scan->frame.parts; each++) {
    const struct part *part = scan->frame.part + each;
    int32_t *touched = scan->lane[each].touched;
    memset(touched, 0, (size_t)part->line * part->vertical * sizeof *touched);
    for (int32_t number = components[each].places - 1; number >= 0; number--) { /* the first mark is linked last */
      const struct place *place = components[each].place + number;
      struct stencil *stencil = components[each].stencils + place->stencil;
      for (int32_t line = 0; line < part->vertical; line++) {
        int32_t y = row * part->vertical + line, inside = y - place->y;
        if (inside < 0 || inside >= stencil->rows) continue;
        for (int32_t block = stencil->starts[inside]; block < stencil->starts[inside + 1]; block++) {
          int32_t x = place->x + stencil->columns[block];
          if (x < 0 || !is_seen(stencil, block, part->width - 8 * x, part->height - 8 * y)) continue;
          if (!add_link(scan, touched + (size_t)line * part->line + x, stencil, block)) return 0;
          scan->busy[x / part->horizontal] = 1;
        }
      }
    }
  }
  return 1;
}

static int walk_unit(struct scan *scan, blender *blend, int32_t row, int32_t unit) {
  for (int each = 0; each < scan->frame.parts; each++) {
    struct lane *lane = scan->lane + each;
    const struct part *part = lane->part;
    for (int32_t line = 0; line < part->vertical; line++)
      for (int32_t column = 0; column < part->horizontal; column++) {
        int32_t x = unit * part->horizontal + column, y = row * part->vertical + line, result = DONE;
        int32_t link = lane->touched[(size_t)line * part->line + x];
        int32_t columns = part->width - 8 * x, rows = part->height - 8 * y;
        size_t block = (size_t)y * part->line + x;
        int reaches_over = scan->marks && (columns < 8 || rows < 8);
        if (link || reaches_over) result = mark_block(scan, lane, blend, link, block, columns, rows);
        else if (lane->moved) result = correct_mean(scan, lane, block);
        if (result != DONE) return result;
      }
  }
  return DONE;
}

static int walk_row(struct scan *scan, blender *blend, int32_t row) {
  const struct lane *lane = scan->lane;
  for (int32_t unit = 0; unit < scan->frame.units_across; unit++) {
    if (!scan->busy[unit] && !(lane[0].moved | lane[1].moved | lane[2].moved)) continue;
    int result = walk_unit(scan, blend, row, unit);
    if (result != DONE) return result;
  }
  return DONE;
}

/* ---- the whole file ---- */

static size_t most_output(const struct scan *scan, const struct component *components) {
  size_t size = scan->input.end / 8 + MARGIN;
  for (int each = 0; each < scan->frame.parts; each++) {
    const struct part *part = scan->frame.part + each;
    size += GROWTH * (size_t)(part->line * part->vertical + part->horizontal * part->vertical * scan->frame.units_down);
    for (int32_t number = 0; number < components[each].places; number++) {
      const struct stencil *stencil = components[each].stencils + components[each].place[number].stencil;
      size += GROWTH * (size_t)stencil->starts[stencil->rows];
    }
  }
  return size;
}

static int walk(struct scan *scan, const struct component *components, double end) {
  blender *blend = best_blender();
  scan->marks = marks_something(components, scan->frame.parts);
  scan->output.bytes = malloc(most_output(scan, components));
  if (scan->output.bytes == NULL) return NO_MEMORY;
  for (int32_t row = 0; row < scan->frame.units_down; row++) {
    if (now() > end) return TOOK_TOO_LONG;
    if (!find_touched(scan, components, row)) return NO_MEMORY;
    int result = walk_row(scan, blend, row);
    if (result != DONE) return result;
  }
  copy_up_to(scan, scan->input.end);
  put_end(&scan->output);
  return DONE;
}

/* Return the file: its header as it was, the new scan stuffed, and the end. */
static uint8_t *finish(const struct scan *scan, size_t *size) {
  *size = scan->start + stuffed_size(&scan->output) + 2;
  uint8_t *file = malloc(*size);
  if (file == NULL) return NULL;
  memcpy(file, scan->source, scan->start);
  uint8_t *to = stuff(&scan->output, file + scan->start);
  to[0] = 0xFF;
  to[1] = 0xD9;
  return file;
}

/* Mark the JPEG file `source` as `decide` says, which fills `components`; the marked file, with the source's header, is
 * put in `*marked` (to be given to `release`) and its size in `*marked_size`. Returns one of the values in blocks.h. */
int mark_scan(const uint8_t *source, size_t size, const struct component *components, int count, decider *decide,
              double seconds, uint8_t **marked, size_t *marked_size) {
  double end = now() + seconds;
  struct scan *scan = calloc(1, sizeof *scan);
  if (scan == NULL) return NO_MEMORY;
  scan->source = source;
  scan->size = size;
  int result = read_header(scan) && prepare(scan, components, count) ? read_input(scan) : NOT_FOR_US;
  if (result == DONE) result = survey(scan, end);
  if (result == DONE) result = ask(scan, decide);
  if (result == DONE) result = walk(scan, components, end);
  if (result == DONE) {
    *marked = finish(scan, marked_size);
    if (*marked == NULL) result = NO_MEMORY;
  }
  for (int each = 0; each < MOST_COMPONENTS; each++) {
    free(scan->lane[each].touched);
    free(scan->lane[each].means);
    free(scan->lane[each].begins);
  }
  free(scan->input.bits);
  free(scan->output.bytes);
  free(scan->links);
  free(scan->busy);
  free(scan);
  return result;
}
