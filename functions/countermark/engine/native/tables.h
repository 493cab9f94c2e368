/* The best Huffman table for symbols that have been counted, as the standard makes it. */

#ifndef COUNTERMARK_TABLES_H
#define COUNTERMARK_TABLES_H

#include "entropy.h"

#define LONGEST 16 /* bits of a code */
#define DEEPEST 64 /* of a tree whose weights add up to less than 2^32 */
#define RESERVED 256 /* the symbol that takes the code of ones alone, which no table may have */

/* Return the lengths of the codes of symbols with these weights, 0 being none: the algorithm of the standard's K.2. */
static inline void measure_codes(uint32_t weights[257], uint8_t lengths[257]) {
  int16_t others[257];
  memset(others, -1, sizeof others);
  memset(lengths, 0, 257);
  for (;;) {
    int least = -1, next = -1;
    for (int each = 0; each <= RESERVED; each++) {
      if (weights[each] == 0) continue;
      if (least < 0 || weights[each] <= weights[least]) next = least, least = each;
      else if (next < 0 || weights[each] <= weights[next]) next = each;
    }
    if (next < 0) return;
    weights[least] += weights[next];
    weights[next] = 0;
    for (lengths[least]++; others[least] >= 0; lengths[least]++) least = others[least];
    others[least] = (int16_t)next;
    for (lengths[next]++; others[next] >= 0; lengths[next]++) next = others[next];
  }
}

/* Shorten what is longer than a code may be, and take the reserved code out: the standard's K.3. */
static inline void limit_codes(int counts[DEEPEST + 1]) {
  for (int length = DEEPEST; length > LONGEST; length--)
    while (counts[length] > 0) {
      int shorter = length - 2;
      while (counts[shorter] == 0) shorter--;
      counts[length] -= 2;
      counts[length - 1]++;
      counts[shorter + 1] += 2;
      counts[shorter]--;
    }
  int last = LONGEST;
  while (counts[last] == 0) last--;
  counts[last]--;
}

/* Make the table of symbols that come so many times. Return 0 when that cannot be. */
static inline int make_best_codes(struct codes *codes, const uint32_t times[256], int of_means) {
  uint32_t weights[257];
  uint8_t lengths[257], shortest[16], symbols[256];
  int counts[DEEPEST + 1] = {0}, number = 0;
  memcpy(weights, times, 256 * sizeof *weights);
  weights[RESERVED] = 1;
  measure_codes(weights, lengths);
  if (lengths[RESERVED] == 0) return 0; /* there is no symbol at all */
  for (int symbol = 0; symbol <= RESERVED; symbol++)
    if (lengths[symbol]) counts[lengths[symbol]]++;
  limit_codes(counts);
  for (int length = 1; length <= LONGEST; length++) shortest[length - 1] = (uint8_t)counts[length];
  for (int length = 1; length <= DEEPEST; length++)
    for (int symbol = 0; symbol < 256; symbol++)
      if (lengths[symbol] == length) symbols[number++] = (uint8_t)symbol;
  return make_codes(codes, shortest, symbols, of_means);
}

#endif
