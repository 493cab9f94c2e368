/* Rows of a PNG picture, each filtered in the way that leaves least to the compressor: of the filters of RFC 2083, 6,
 * the one whose bytes, taken as signed numbers, have the smallest sum of absolute values (section 9.6; libpng's too).
 */

#include <stddef.h>
#include <stdint.h>

enum { NONE, SUB, UP, AVERAGE, PAETH };

static inline uint8_t magnitude(uint8_t value) {
  uint8_t negative = (uint8_t)-value;
  return value < negative ? value : negative;
}

static inline int16_t distance(int16_t one, int16_t other) { return one > other ? one - other : other - one; }

/* Which of left (a), above (b) and above left (c) is nearest to a + b - c; the first of them where two are. */
static inline uint8_t nearest(int16_t a, int16_t b, int16_t c) {
  int16_t to_a = distance(b, c), to_b = distance(a, c), to_c = distance(a + b, 2 * c);
  int16_t found = to_a <= to_b ? a : b, least = to_a <= to_b ? to_a : to_b;
  return (uint8_t)(least <= to_c ? found : c);
}

/* A loop for each filter, short enough that the compiler has it work on many bytes at once. */
#define EACH(FROM, TO, PREDICTED)               \
  for (size_t at = FROM; at < TO; at++) {       \
    out[at] = (uint8_t)(row[at] - (PREDICTED)); \
    sum += magnitude(out[at]);                  \
  }                                             \
  break

/* Filter the first pixel, which has none to its left. */
static uint32_t filter_first(int filter, const uint8_t *row, const uint8_t *above, size_t step, uint8_t *out) {
  uint32_t sum = 0;
  switch (filter) {
    case NONE:
    case SUB: EACH(0, step, 0);
    case AVERAGE: EACH(0, step, above[at] >> 1);
    default: EACH(0, step, above[at]);
  }
  return sum;
}

/* Filter a row; return the sum, modulo 2**32, which only a row of more than 33 million bytes goes beyond. */
static uint32_t filter_row(int filter, const uint8_t *restrict row, const uint8_t *restrict above, size_t size,
                           size_t step, uint8_t *restrict out) {
  uint32_t sum = filter_first(filter, row, above, step, out);
  switch (filter) {
    case NONE: EACH(step, size, 0);
    case SUB: EACH(step, size, row[at - step]);
    case UP: EACH(step, size, above[at]);
    case AVERAGE: EACH(step, size, (row[at - step] & above[at]) + ((row[at - step] ^ above[at]) >> 1));
    default: EACH(step, size, nearest(row[at - step], above[at], above[at - step]));
  }
  return sum;
}

/* Write `count` rows to `out`, each behind the number of its filter, which takes count * (size + 1) bytes. `rows` are
 * these rows of `size` bytes and the one above them; a pixel has `step` bytes. The first `filters` filters are tried.
 */
void filter_rows(const uint8_t *rows, size_t count, size_t size, size_t step, int filters, uint8_t *out) {
  for (; count; count--, rows += size, out += size + 1) {
    uint32_t least = UINT32_MAX;
    for (int filter = NONE; filter < filters; filter++) {
      uint32_t sum = filter_row(filter, rows + size, rows, size, step, out + 1);
      if (filter == NONE || sum < least) {
        least = sum;
        out[0] = (uint8_t)filter;
      }
    }
    if (out[0] != filters - 1) filter_row(out[0], rows + size, rows, size, step, out + 1);
  }
}
