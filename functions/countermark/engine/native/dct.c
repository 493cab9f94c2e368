/* Marks painted on the DCT coefficients of a JPEG file.
 *
 * The file is decoded to coefficients and no further; the blocks under a mark are turned into pixels, blended and
 * turned back; everything is encoded again with the same tables. A block that no mark touches keeps its coefficients.
 *
 * libjpeg itself is not linked: its functions are handed in, so that the library that Pillow brings is used.
 */

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jpeglib.h"

#define MAX_SCANS 200 /* a progressive file with more is an attack */
#define LARGEST 1023  /* the largest coefficient that Huffman coding has a code for */
#define ROUNDER 12582912.0f /* 1.5 x 2^23: a float plus this has no room for fractions */

enum { DONE = 0, NOT_FOR_US = 1, DAMAGED = 2, TOOK_TOO_LONG = 3, NO_MEMORY = 4 };

/* The functions of libjpeg, in the order in which Python looks them up. */
struct library {
  struct jpeg_error_mgr *(*std_error)(struct jpeg_error_mgr *);
  void (*create_decompress)(j_decompress_ptr, int, size_t);
  void (*create_compress)(j_compress_ptr, int, size_t);
  int (*read_header)(j_decompress_ptr, boolean);
  jvirt_barray_ptr *(*read_coefficients)(j_decompress_ptr);
  boolean (*finish_decompress)(j_decompress_ptr);
  void (*destroy_decompress)(j_decompress_ptr);
  void (*copy_critical_parameters)(j_decompress_ptr, j_compress_ptr);
  void (*simple_progression)(j_compress_ptr);
  void (*write_coefficients)(j_compress_ptr, jvirt_barray_ptr *);
  void (*finish_compress)(j_compress_ptr);
  void (*destroy_compress)(j_compress_ptr);
  boolean (*resync_to_restart)(j_decompress_ptr, int);
};

/* The touched blocks of one mark in one component, row by row: row r holds blocks starts[r] to starts[r + 1]. */
struct stencil {
  int32_t rows;
  const int32_t *starts;
  const int32_t *columns; /* of each block, counted from the mark's first */
  const uint16_t *keep;   /* 64 a block, column by column: share of the sample that stays, 65535 is all of it */
  const int16_t *add;     /* 64 a block, the same: what the mark adds to it, in 1/128 of a sample, around mid grey */
};

struct place {
  int32_t stencil, x, y; /* which stencil, and where its first block lies, in blocks */
};

struct component {
  int32_t horizontal, vertical; /* expected sampling factors */
  int32_t places;
  const struct place *place;
  const struct stencil *stencils;
};

/* ---- libjpeg's errors, input, output and progress ---- */

struct errors {
  struct jpeg_error_mgr base;
  jmp_buf leave;
  int result;
};

static void on_error(j_common_ptr info) {
  struct errors *errors = (struct errors *)info->err;
  if (errors->result == DONE) errors->result = DAMAGED;
  longjmp(errors->leave, 1);
}

static void on_message(j_common_ptr info, int level) {
  if (level < 0) info->err->num_warnings++;
}

static void no_output(j_common_ptr info) { (void)info; }
static void nothing_to_do(j_decompress_ptr info) { (void)info; }

static boolean input_ends(j_decompress_ptr info) {
  on_error((j_common_ptr)info);
  return FALSE;
}

static void skip_input(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if ((size_t)count > info->src->bytes_in_buffer) on_error((j_common_ptr)info);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= (size_t)count;
}

struct output {
  struct jpeg_destination_mgr base;
  uint8_t *bytes;
  size_t size; /* that the buffer has */
};

static void start_output(j_compress_ptr info) { (void)info; }

static boolean grow_output(j_compress_ptr info) {
  struct output *output = (struct output *)info->dest;
  size_t used = output->size; /* libjpeg calls when the buffer is full, whatever free_in_buffer says */
  uint8_t *larger = realloc(output->bytes, output->size * 2);
  if (larger == NULL) {
    ((struct errors *)info->err)->result = NO_MEMORY;
    on_error((j_common_ptr)info);
  }
  output->bytes = larger;
  output->size *= 2;
  output->base.next_output_byte = output->bytes + used;
  output->base.free_in_buffer = output->size - used;
  return TRUE;
}

static void end_output(j_compress_ptr info) { (void)info; }

struct progress {
  struct jpeg_progress_mgr base;
  double end; /* on the monotonic clock, in seconds */
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void on_progress(j_common_ptr info) {
  struct progress *progress = (struct progress *)info->progress;
  struct errors *errors = (struct errors *)info->err;
  if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > MAX_SCANS) on_error(info);
  if (now() > progress->end) {
    errors->result = TOOK_TOO_LONG;
    on_error(info);
  }
}

/* ---- one block ---- */

typedef float vector __attribute__((vector_size(32)));
typedef int32_t integers __attribute__((vector_size(32)));
typedef int16_t shorts __attribute__((vector_size(16)));
typedef uint16_t shares __attribute__((vector_size(16)));

#define SPREAD(value) ((vector){} + (value))
#define ALWAYS static inline __attribute__((always_inline))

ALWAYS vector chosen(integers first, vector a, vector b) {
  return (vector)(((integers)a & first) | ((integers)b & ~first));
}
ALWAYS vector smaller(vector a, vector b) { return chosen(a < b, a, b); }
ALWAYS vector larger(vector a, vector b) { return chosen(a > b, a, b); }

/* The transforms are those of Arai, Agui and Nakajima, on the columns of eight rows at once. Their results are the
 * true ones but for a factor for each frequency, which the tables of `mark_component` hold together with the
 * quantisation. */
static const float FACTORS[8] = {1.0f,         1.387039845f, 1.306562965f, 1.175875602f,
                                 1.0f,         0.785694958f, 0.541196100f, 0.275899379f};

ALWAYS void to_samples(vector row[8]) {
  vector sum04 = row[0] + row[4], difference04 = row[0] - row[4];
  vector sum26 = row[2] + row[6], rest26 = (row[2] - row[6]) * 1.414213562f - sum26;
  vector even0 = sum04 + sum26, even3 = sum04 - sum26;
  vector even1 = difference04 + rest26, even2 = difference04 - rest26;

  vector sum53 = row[5] + row[3], difference53 = row[5] - row[3];
  vector sum17 = row[1] + row[7], difference17 = row[1] - row[7];
  vector both = (difference53 + difference17) * 1.847759065f;
  vector odd0 = sum17 + sum53;
  vector odd1 = both - difference53 * 2.613125930f - odd0;
  vector odd2 = (sum17 - sum53) * 1.414213562f - odd1;
  vector odd3 = both - difference17 * 1.082392200f - odd2;

  row[0] = even0 + odd0, row[7] = even0 - odd0;
  row[1] = even1 + odd1, row[6] = even1 - odd1;
  row[2] = even2 + odd2, row[5] = even2 - odd2;
  row[3] = even3 + odd3, row[4] = even3 - odd3;
}

ALWAYS void to_frequencies(vector row[8]) {
  vector sum07 = row[0] + row[7], difference07 = row[0] - row[7];
  vector sum16 = row[1] + row[6], difference16 = row[1] - row[6];
  vector sum25 = row[2] + row[5], difference25 = row[2] - row[5];
  vector sum34 = row[3] + row[4], difference34 = row[3] - row[4];

  vector outer = sum07 + sum34, outer_rest = sum07 - sum34;
  vector inner = sum16 + sum25, inner_rest = sum16 - sum25;
  vector turned = (inner_rest + outer_rest) * 0.707106781f;
  row[0] = outer + inner, row[4] = outer - inner;
  row[2] = outer_rest + turned, row[6] = outer_rest - turned;

  vector low = difference34 + difference25, middle = (difference25 + difference16) * 0.707106781f;
  vector high = difference16 + difference07;
  vector both = (low - high) * 0.382683433f;
  vector low_turned = low * 0.541196100f + both, high_turned = high * 1.306562965f + both;
  vector above = difference07 + middle, below = difference07 - middle;
  row[5] = below + low_turned, row[3] = below - low_turned;
  row[1] = above + high_turned, row[7] = above - high_turned;
}

#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define FIRST_PAIRS(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define LAST_PAIRS(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define FIRST_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define LAST_HALVES(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

ALWAYS void transpose(vector row[8]) {
  vector half[8];
  for (int i = 0; i < 8; i += 4) {
    vector a = LOW(row[i], row[i + 1]), b = LOW(row[i + 2], row[i + 3]);
    vector c = HIGH(row[i], row[i + 1]), d = HIGH(row[i + 2], row[i + 3]);
    half[i] = FIRST_PAIRS(a, b), half[i + 1] = LAST_PAIRS(a, b);
    half[i + 2] = FIRST_PAIRS(c, d), half[i + 3] = LAST_PAIRS(c, d);
  }
  for (int i = 0; i < 4; i++) {
    row[i] = FIRST_HALVES(half[i], half[i + 4]);
    row[i + 4] = LAST_HALVES(half[i], half[i + 4]);
  }
}

/* Blend one block. The samples stand transposed, as `keep` and `add` do: that spares two transpositions. */
ALWAYS void blend(int16_t *block, const vector table[8], const vector inverse[8], const uint16_t *keep, const int16_t *add) {
  vector rows[8];
  for (int i = 0; i < 8; i++) {
    shorts loaded;
    memcpy(&loaded, block + 8 * i, sizeof loaded);
    rows[i] = __builtin_convertvector(loaded, vector) * table[i];
  }
  to_samples(rows);
  transpose(rows);
  to_samples(rows);
  for (int i = 0; i < 8; i++) {
    shares share;
    shorts part;
    memcpy(&share, keep + 8 * i, sizeof share);
    memcpy(&part, add + 8 * i, sizeof part);
    vector sample = smaller(larger(rows[i], SPREAD(-128.0f)), SPREAD(127.0f)); /* as every decoder clamps */
    rows[i] = sample * (__builtin_convertvector(share, vector) * (1.0f / 65535.0f)) +
              __builtin_convertvector(part, vector) * (1.0f / 128.0f);
  }
  to_frequencies(rows);
  transpose(rows);
  to_frequencies(rows);
  for (int i = 0; i < 8; i++) {
    vector value = smaller(larger(rows[i] * inverse[i], SPREAD((float)-LARGEST)), SPREAD((float)LARGEST));
    value = (value + SPREAD(ROUNDER)) - SPREAD(ROUNDER);
    shorts stored = __builtin_convertvector(__builtin_convertvector(value, integers), shorts);
    memcpy(block + 8 * i, &stored, sizeof stored);
  }
}

/* ---- the blocks of a component ---- */

ALWAYS void blend_row(JBLOCKROW row, int32_t width, int32_t x, const struct stencil *stencil, int32_t from, int32_t to,
                      const vector table[8], const vector inverse[8]) {
  for (int32_t each = from; each < to; each++) {
    int32_t column = x + stencil->columns[each];
    if (column < 0 || column >= width) continue;
    blend(row[column], table, inverse, stencil->keep + 64 * (size_t)each, stencil->add + 64 * (size_t)each);
  }
}

typedef void row_blender(JBLOCKROW, int32_t, int32_t, const struct stencil *, int32_t, int32_t, const vector *, const vector *);

static void blend_row_anywhere(JBLOCKROW row, int32_t width, int32_t x, const struct stencil *stencil, int32_t from,
                               int32_t to, const vector *table, const vector *inverse) {
  blend_row(row, width, x, stencil, from, to, table, inverse);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void blend_row_avx2(JBLOCKROW row, int32_t width, int32_t x,
                                                               const struct stencil *stencil, int32_t from, int32_t to,
                                                               const vector *table, const vector *inverse) {
  blend_row(row, width, x, stencil, from, to, table, inverse);
}

static row_blender *best_blender(void) {
  int fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return fast ? blend_row_avx2 : blend_row_anywhere;
}
#else
static row_blender *best_blender(void) { return blend_row_anywhere; }
#endif

static void mark_component(j_decompress_ptr info, jvirt_barray_ptr blocks, const jpeg_component_info *shape,
                           const struct component *component) {
  vector table[8], inverse[8];
  row_blender *blend_it = best_blender();
  for (int i = 0; i < 64; i++) {
    float value = shape->quant_table->quantval[i] ? (float)shape->quant_table->quantval[i] : 1.0f;
    float factor = FACTORS[i / 8] * FACTORS[i % 8];
    table[i / 8][i % 8] = value * factor / 8;
    inverse[i / 8][i % 8] = 1.0f / (value * factor * 8);
  }
  int32_t width = (int32_t)shape->width_in_blocks, height = (int32_t)shape->height_in_blocks;
  for (int32_t each = 0; each < component->places; each++) {
    const struct place *place = component->place + each;
    const struct stencil *stencil = component->stencils + place->stencil;
    for (int32_t row = place->y < 0 ? -place->y : 0; row < stencil->rows && place->y + row < height; row++) {
      int32_t from = stencil->starts[row], to = stencil->starts[row + 1];
      if (from == to) continue;
      JBLOCKARRAY found = info->mem->access_virt_barray((j_common_ptr)info, blocks, (JDIMENSION)(place->y + row), 1, TRUE);
      blend_it(found[0], width, place->x, stencil, from, to, table, inverse);
    }
  }
}

/* ---- the whole file ---- */

static int suits(j_decompress_ptr info, const struct component *components, int count) {
  if (info->num_components != count || info->data_precision != 8 || info->arith_code) return 0;
  if (info->jpeg_color_space != (count == 1 ? JCS_GRAYSCALE : JCS_YCbCr)) return 0;
  for (int each = 0; each < count; each++) {
    if (info->comp_info[each].h_samp_factor != components[each].horizontal) return 0;
    if (info->comp_info[each].v_samp_factor != components[each].vertical) return 0;
  }
  return 1;
}

/* Mark the JPEG file `source`; the marked file is put in `*marked` (to be given to `release`) and its size in
 * `*marked_size`. Only image data is written, no metadata. Returns one of the values at the top. */
int mark_jpeg(const struct library *library, const uint8_t *source, size_t size, const struct component *components,
              int count, double seconds, uint8_t **marked, size_t *marked_size) {
  struct jpeg_decompress_struct reader = {0};
  struct jpeg_compress_struct writer = {0};
  struct errors errors = {.result = DONE};
  struct output output = {.size = size + size / 4 + 65536};
  struct progress progress = {.base.progress_monitor = on_progress, .end = now() + seconds};
  struct jpeg_source_mgr input = {.next_input_byte = source,
                                  .bytes_in_buffer = size,
                                  .init_source = nothing_to_do,
                                  .fill_input_buffer = input_ends,
                                  .skip_input_data = skip_input,
                                  .resync_to_restart = library->resync_to_restart,
                                  .term_source = nothing_to_do};

  reader.err = writer.err = library->std_error(&errors.base);
  errors.base.error_exit = on_error;
  errors.base.emit_message = on_message;
  errors.base.output_message = no_output;
  if (setjmp(errors.leave)) goto leave;

  library->create_decompress(&reader, JPEG_LIB_VERSION, sizeof reader);
  library->create_compress(&writer, JPEG_LIB_VERSION, sizeof writer);
  reader.src = &input;
  reader.progress = writer.progress = &progress.base;
  library->read_header(&reader, TRUE);
  errors.result = NOT_FOR_US;
  if (!suits(&reader, components, count)) goto leave;
  errors.result = DONE;
  jvirt_barray_ptr *blocks = library->read_coefficients(&reader);
  if (errors.base.num_warnings > 0) on_error((j_common_ptr)&reader);
  for (int each = 0; each < count; each++)
    mark_component(&reader, blocks[each], reader.comp_info + each, components + each);

  output.bytes = malloc(output.size);
  errors.result = NO_MEMORY;
  if (output.bytes == NULL) goto leave;
  errors.result = DONE;
  output.base.init_destination = start_output;
  output.base.empty_output_buffer = grow_output;
  output.base.term_destination = end_output;
  output.base.next_output_byte = output.bytes;
  output.base.free_in_buffer = output.size;
  library->copy_critical_parameters(&reader, &writer);
  writer.dest = &output.base;
  if (reader.progressive_mode) library->simple_progression(&writer);
  library->write_coefficients(&writer, blocks);
  library->finish_compress(&writer);
  library->finish_decompress(&reader);

leave:
  library->destroy_compress(&writer);
  library->destroy_decompress(&reader);
  if (errors.result == DONE) {
    *marked = output.bytes;
    *marked_size = output.size - output.base.free_in_buffer;
  } else {
    free(output.bytes);
  }
  return errors.result;
}

void release(uint8_t *marked) { free(marked); }
