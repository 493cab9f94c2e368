/* Marks blended with the blocks of JPEG files: what the ways of reading and writing the blocks share. */

#ifndef COUNTERMARK_BLOCKS_H
#define COUNTERMARK_BLOCKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_COMPONENTS 3
#define LARGEST 1023        /* the largest coefficient that Huffman coding has a code for */
#define FAINT 64.0f         /* squared levels: by rounding alone, what is beyond an edge mostly differs less from the edge */
#define ROUNDER 12582912.0f /* 1.5 x 2^23: a float plus this has no room for fractions */

enum { DONE = 0, NOT_FOR_US = 1, DAMAGED = 2, TOOK_TOO_LONG = 3, NO_MEMORY = 4, STOPPED = 5 };

/* The touched blocks of one mark in one component, row by row: row r holds blocks starts[r] to starts[r + 1]. */
struct stencil {
  int32_t rows;
  const int32_t *starts;
  const int32_t *columns; /* of each block, counted from the mark's first */
  const uint16_t *keep;   /* 64 a block, column by column: share of the sample that stays, 65535 is all of it */
  const int16_t *add;     /* 64 a block, the same: what the mark adds to it, in 1/128 of a sample, around mid grey */
  float levels;           /* a sample shows the mark when it has changed by so much ... */
  int32_t most_kept;      /* ... which is looked for where no larger share of it stays */
  int32_t every, next;    /* of so many blocks one is looked at; how many are left until then */
  int64_t covered, shown; /* samples that were looked at, and those of them that show the mark */
};

struct place {
  int32_t stencil, x, y; /* which stencil, and where its first block lies, in blocks */
};

struct component {
  int32_t horizontal, vertical; /* expected sampling factors */
  int32_t places;
  const struct place *place;
  struct stencil *stencils;
};

/* Tell whether there is a mark at all: without one nothing of a file is to be changed. */
static inline int marks_something(const struct component *components, int count) {
  for (int each = 0; each < count; each++)
    if (components[each].places) return 1;
  return 0;
}

/* What the brightness of a picture, its first component, is like before it is marked: the mean of each block, 0 to 255,
 * row by row. */
struct ground {
  int32_t across, down;
  uint8_t *means;
};

/* Told the ground, it says how a picture is marked: it fills places and stencils of the components that the caller
 * knows. It returns 0 when nothing is to be done any more. */
typedef int decider(const struct ground *ground);

/* The processor time that this thread has had, in seconds. */
static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

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
 * true ones but for a factor for each frequency, which `struct scales` holds together with the quantisation. */
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

/* The quantisation of a component as the transforms need it. */
struct scales {
  vector table[8], inverse[8];
};

static inline void set_scales(struct scales *scales, const uint16_t quantisation[64]) {
  for (int i = 0; i < 64; i++) {
    float value = quantisation[i] ? (float)quantisation[i] : 1.0f;
    float factor = FACTORS[i / 8] * FACTORS[i % 8];
    scales->table[i / 8][i % 8] = value * factor / 8;
    scales->inverse[i / 8][i % 8] = 1.0f / (value * factor * 8);
  }
}

/* Turn the coefficients of a block into its samples, transposed. */
ALWAYS void decode(const int16_t *block, const struct scales *scales, vector rows[8]) {
  for (int i = 0; i < 8; i++) {
    shorts loaded;
    memcpy(&loaded, block + 8 * i, sizeof loaded);
    rows[i] = __builtin_convertvector(loaded, vector) * scales->table[i];
  }
  to_samples(rows);
  transpose(rows);
  to_samples(rows);
}

/* Turn samples, which stand transposed, into the coefficients of a block. */
ALWAYS void encode(int16_t *block, const struct scales *scales, vector rows[8]) {
  to_frequencies(rows);
  transpose(rows);
  to_frequencies(rows);
  for (int i = 0; i < 8; i++) {
    vector value = smaller(larger(rows[i] * scales->inverse[i], SPREAD((float)-LARGEST)), SPREAD((float)LARGEST));
    value = (value + SPREAD(ROUNDER)) - SPREAD(ROUNDER);
    shorts stored = __builtin_convertvector(__builtin_convertvector(value, integers), shorts);
    memcpy(block + 8 * i, &stored, sizeof stored);
  }
}

/* Blend one block. The samples stand transposed, as `keep` and `add` do: that spares two transpositions. */
ALWAYS void blend_here(int16_t *block, const struct scales *scales, const struct stencil *stencil, int32_t each) {
  const uint16_t *keep = stencil->keep + 64 * (size_t)each;
  const int16_t *add = stencil->add + 64 * (size_t)each;
  vector rows[8];
  decode(block, scales, rows);
  for (int i = 0; i < 8; i++) {
    shares share;
    shorts part;
    memcpy(&share, keep + 8 * i, sizeof share);
    memcpy(&part, add + 8 * i, sizeof part);
    vector sample = smaller(larger(rows[i], SPREAD(-128.0f)), SPREAD(127.0f)); /* as every decoder clamps */
    rows[i] = sample * (__builtin_convertvector(share, vector) * (1.0f / 65535.0f)) +
              __builtin_convertvector(part, vector) * (1.0f / 128.0f);
  }
  encode(block, scales, rows);
}

/* Tell whether block `each` of a stencil, whose first sample has the given distance to the picture's right and lower
 * edge, changes a sample that is seen. */
static inline int is_seen(const struct stencil *stencil, int32_t each, int32_t columns, int32_t rows) {
  if (columns >= 8 && rows >= 8) return 1;
  const uint16_t *keep = stencil->keep + 64 * (size_t)each;
  for (int32_t column = 0; column < columns && column < 8; column++)
    for (int32_t row = 0; row < rows && row < 8; row++)
      if (keep[8 * column + row] != 65535) return 1;
  return 0;
}

/* Return the mean of a block as a level, from its coefficient and the quantisation of that. */
ALWAYS uint8_t level_of(int32_t mean, int32_t quantisation) {
  int32_t level = 128 + mean * quantisation / 8;
  return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

/* Make room for the means of so many samples; return 0 when there is no memory. */
static inline int make_ground(struct ground *ground, int32_t width, int32_t height) {
  ground->across = (width + 7) / 8;
  ground->down = (height + 7) / 8;
  ground->means = malloc((size_t)ground->across * (size_t)ground->down);
  return ground->means != NULL;
}

/* Blend block `each` of a stencil with the coefficients of a block. */
typedef void blender(int16_t *block, const struct scales *scales, const struct stencil *stencil, int32_t each);

static void blend_anywhere(int16_t *block, const struct scales *scales, const struct stencil *stencil, int32_t each) {
  blend_here(block, scales, stencil, each);
}

/* Turn the coefficients of a block into samples around mid grey, column by column, as a decoder clamps them. */
static inline void decode_block(const int16_t block[64], const struct scales *scales, float samples[64]) {
  vector rows[8];
  decode(block, scales, rows);
  for (int i = 0; i < 8; i++) {
    vector sample = smaller(larger(rows[i], SPREAD(-128.0f)), SPREAD(127.0f));
    memcpy(samples + 8 * i, &sample, sizeof sample);
  }
}

/* Blend, and of some blocks count the samples that show it, those beyond the picture's right and lower edge, which are
 * so many columns and rows away, aside. What the quantisation leaves is what counts. */
static inline void mark_block_of(blender *blend, int16_t *block, const struct scales *scales, struct stencil *stencil,
                                 int32_t each, int32_t columns, int32_t rows) {
  if (--stencil->next > 0) {
    blend(block, scales, stencil, each);
    return;
  }
  stencil->next = stencil->every;
  const uint16_t *keep = stencil->keep + 64 * (size_t)each;
  float before[64], after[64];
  decode_block(block, scales, before);
  blend(block, scales, stencil, each);
  decode_block(block, scales, after);
  for (int32_t column = 0; column < columns && column < 8; column++)
    for (int32_t row = 0; row < rows && row < 8; row++) {
      int32_t at = 8 * column + row;
      float change = after[at] - before[at];
      int covered = keep[at] <= stencil->most_kept;
      stencil->covered += covered;
      stencil->shown += covered && (change >= stencil->levels || -change >= stencil->levels);
    }
}

/* Take away what lies beyond the picture's right and lower edge, which are so many columns and rows away: nobody sees it,
 * and no mark is on it. The last samples are repeated there, unless what is there is nearly the same; a block of which
 * nothing is seen keeps its mean alone. Return whether the block has changed. */
static __attribute__((noinline)) int hide_beyond(int16_t *block, const struct scales *scales, int32_t columns,
                                                 int32_t rows) {
  if (columns >= 8 && rows >= 8) return 0;
  if (columns <= 0 || rows <= 0) {
    int changed = 0;
    for (int each = 1; each < 64; each++) changed |= block[each], block[each] = 0;
    return changed != 0;
  }
  float samples[64], rest = 0;
  int hidden = 0;
  decode_block(block, scales, samples);
  for (int32_t column = 0; column < 8; column++)
    for (int32_t row = 0; row < 8; row++) {
      if (column < columns && row < rows) continue;
      int32_t last_column = column < columns ? column : columns - 1, last_row = row < rows ? row : rows - 1;
      float *sample = samples + 8 * column + row, change = samples[8 * last_column + last_row] - *sample;
      *sample += change;
      rest += change * change;
      hidden++;
    }
  if (rest <= FAINT * (float)hidden) return 0;
  vector columns_of[8];
  for (int i = 0; i < 8; i++) memcpy(columns_of + i, samples + 8 * i, sizeof *columns_of);
  encode(block, scales, columns_of);
  return 1;
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void blend_avx2(int16_t *block, const struct scales *scales,
                                                           const struct stencil *stencil, int32_t each) {
  blend_here(block, scales, stencil, each);
}

static inline blender *best_blender(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? blend_avx2 : blend_anywhere;
}
#else
static inline blender *best_blender(void) { return blend_anywhere; }
#endif

#endif
