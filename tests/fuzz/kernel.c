/* The kernel on any bytes, under AddressSanitizer and UndefinedBehaviorSanitizer: make fuzz-kernel.
 *
 * The last bytes of an input say how a picture is marked: its components and their sampling, and for each component a
 * stencil and its places, which may lie anywhere. What stands before them is the JPEG file. What one of the ways has
 * written must be a file that it reads again.
 */

#include <assert.h>
#include <stdio.h>

#include "jpeglib.h"

#include "blocks.h"

struct library;
int mark_scan(const uint8_t *, size_t, const struct component *, int, decider *, double, uint8_t **, size_t *);
int mark_scans(const uint8_t *, size_t, const struct component *, int, decider *, double, uint8_t **, size_t *);
int mark_coefficients(const struct library *, const uint8_t *, size_t, const struct component *, int, decider *, double,
                      uint8_t **, size_t *);
void release(uint8_t *);
void filter_rows(const uint8_t *, size_t, size_t, size_t, int, uint8_t *);

#define PLAN 48 /* bytes at an input's end */
#define MOST_ROWS 4
#define MOST_PLACES 3
#define SECONDS 20.0

static const void *const LIBJPEG[] = {
    jpeg_std_error,         jpeg_CreateDecompress,         jpeg_CreateCompress,     jpeg_read_header,
    jpeg_read_coefficients, jpeg_finish_decompress,        jpeg_destroy_decompress, jpeg_copy_critical_parameters,
    jpeg_simple_progression, jpeg_write_coefficients,      jpeg_finish_compress,    jpeg_destroy_compress,
    jpeg_resync_to_restart,
};

/* What the last bytes say, in the way of the kernel. */
static struct {
  const uint8_t *bytes;
  int count;
  struct component component[MOST_COMPONENTS];
  struct stencil stencil[MOST_COMPONENTS];
  struct place place[MOST_COMPONENTS][MOST_PLACES];
  int32_t starts[MOST_ROWS + 1];
  int32_t *columns;
  uint16_t *keep;
  int16_t *add;
} plan;

static uint8_t taken(void) { return *plan.bytes++; }

/* Stencils of one shape for all components, as those of one mark are. */
static void make_plan(const uint8_t *bytes) {
  plan.bytes = bytes;
  uint8_t kind = taken();
  plan.count = kind & 1 ? 3 : 1;
  int32_t rows = 1 + taken() % MOST_ROWS, wide = 1 + taken() % 6, strength = taken();
  for (int32_t row = 0; row <= rows; row++) plan.starts[row] = row * wide;
  size_t blocks = (size_t)rows * (size_t)wide;
  plan.columns = malloc(blocks * sizeof *plan.columns);
  plan.keep = malloc(blocks * 64 * sizeof *plan.keep);
  plan.add = malloc(blocks * 64 * sizeof *plan.add);
  assert(plan.columns && plan.keep && plan.add);
  for (size_t block = 0; block < blocks; block++) plan.columns[block] = (int32_t)(block % (size_t)wide);
  for (size_t each = 0; each < blocks * 64; each++) {
    plan.keep[each] = (uint16_t)(65535 - each * 37 % 256 * strength);
    plan.add[each] = (int16_t)((int32_t)(each * 91 % 32768) - 16384);
  }
  static const int32_t FACTORS[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}};
  for (int each = 0; each < plan.count; each++) {
    struct component *component = plan.component + each;
    const int32_t *factors = FACTORS[each || plan.count == 1 ? 0 : kind / 2 % 6];
    *component = (struct component){.horizontal = factors[0], .vertical = factors[1]};
    plan.stencil[each] = (struct stencil){.rows = rows, .starts = plan.starts, .columns = plan.columns,
                                          .keep = plan.keep, .add = plan.add, .levels = 4, .most_kept = 60000};
  }
}

/* What the kernel asks before it marks, and nothing before it: places are told then. */
static int decide(const struct ground *ground) {
  uint32_t sum = 0; /* every mean is read */
  for (int64_t each = 0; each < (int64_t)ground->across * ground->down; each++) sum += ground->means[each];
  const uint8_t *begin = plan.bytes;
  for (int each = 0; each < plan.count; each++) {
    struct component *component = plan.component + each;
    component->places = taken() % (MOST_PLACES + 1);
    component->place = plan.place[each];
    component->stencils = plan.stencil + each;
    plan.stencil[each].every = plan.stencil[each].next = 1 + taken() % 3;
    plan.stencil[each].covered = plan.stencil[each].shown = 0;
    for (int place = 0; place < component->places; place++)
      plan.place[each][place] = (struct place){0, (int8_t)taken(), (int8_t)taken()};
  }
  plan.bytes = begin;
  return sum != UINT32_MAX;
}

/* Nothing is marked: a second mark may need codes that the file's tables have not. */
static int decide_nothing(const struct ground *ground) {
  for (int each = 0; each < plan.count; each++) plan.component[each].places = 0;
  return ground != NULL;
}

typedef int way(const uint8_t *, size_t, const struct component *, int, decider *, double, uint8_t **, size_t *);

static int in_coefficients(const uint8_t *source, size_t size, const struct component *components, int count,
                           decider *decider, double seconds, uint8_t **marked, size_t *marked_size) {
  const struct library *library = (const struct library *)LIBJPEG;
  return mark_coefficients(library, source, size, components, count, decider, seconds, marked, marked_size);
}

static void mark(way *in, const uint8_t *source, size_t size, int again) {
  uint8_t *marked = NULL;
  size_t marked_size = 0;
  int result = in(source, size, plan.component, plan.count, decide, SECONDS, &marked, &marked_size);
  if (result != DONE) return;
  assert(marked != NULL && marked_size > 0);
  for (int each = 0; each < plan.count; each++) assert(plan.stencil[each].shown <= plan.stencil[each].covered);
  if (again) {
    uint8_t *twice = NULL;
    size_t twice_size = 0;
    int second = in(marked, marked_size, plan.component, plan.count, decide_nothing, SECONDS, &twice, &twice_size);
    assert(second == DONE || second == TOOK_TOO_LONG);
    if (second == DONE) release(twice);
  }
  release(marked);
}

static void filter(const uint8_t *data, size_t size, uint8_t shape) {
  size_t step = 1 + shape % 8, width = step * (1 + shape / 8);
  size_t count = size / width;
  if (count < 2) return;
  uint8_t *out = malloc((count - 1) * (width + 1));
  assert(out != NULL);
  filter_rows(data, count - 1, width, step, shape & 1 ? 5 : 1, out);
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size <= PLAN) return 0;
  size -= PLAN;
  /* A copy of its own size, so that no byte behind it can be read unseen. */
  uint8_t *source = malloc(size);
  assert(source != NULL);
  memcpy(source, data, size);
  make_plan(data + size);
  mark(mark_scan, source, size, 1);
  mark(mark_scans, source, size, 1);
  mark(in_coefficients, source, size, 0);
  filter(source, size < 4096 ? size : 4096, data[size]);
  free(source);
  free(plan.columns);
  free(plan.keep);
  free(plan.add);
  return 0;
}
