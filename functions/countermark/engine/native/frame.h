/* The header of a JPEG file: what its frame and its tables say. */

#ifndef COUNTERMARK_FRAME_H
#define COUNTERMARK_FRAME_H

#include "entropy.h"

enum { FRAME_BASELINE = 0xC0, FRAME_EXTENDED = 0xC1, FRAME_PROGRESSIVE = 0xC2 };

struct part { /* a component */
  uint8_t id, horizontal, vertical, quantisation;
  int32_t width, height; /* in samples */
  int32_t line;          /* blocks of a row as a scan of all components has them */
  struct scales scales;
};

struct frame {
  int32_t width, height, parts, units_across, units_down;
  struct part part[MOST_COMPONENTS];
  uint16_t quantisation[4][64];
};

static inline int read_quantisation(struct frame *frame, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    int wide = *at >> 4, number = *at & 15;
    at++;
    if (wide > 1 || number > 3 || end - at < 64 * (wide + 1)) return 0;
    for (int each = 0; each < 64; each++, at += wide + 1)
      frame->quantisation[number][NATURAL[each]] = (uint16_t)(wide ? at[0] << 8 | at[1] : at[0]);
  }
  return 1;
}

/* Read Huffman tables into 4 of means and 4 of the rest, as a file numbers them; return 0 for broken ones. */
static inline int read_codes(struct codes means[4], struct codes rest[4], const uint8_t *at, const uint8_t *end) {
  while (end - at >= 17) {
    int kind = *at >> 4, number = *at & 15, total = 0;
    for (int each = 1; each <= 16; each++) total += at[each];
    if (kind > 1 || number > 3 || total > 256 || end - at < 17 + total) return 0;
    if (!make_codes(kind ? rest + number : means + number, at + 1, at + 17, !kind)) return 0;
    at += 17 + total;
  }
  return at == end;
}

static inline int read_frame(struct frame *frame, const uint8_t *at, const uint8_t *end) {
  if (end - at < 6 || at[0] != 8 || frame->parts) return 0;
  frame->height = at[1] << 8 | at[2];
  frame->width = at[3] << 8 | at[4];
  frame->parts = at[5];
  if (frame->width == 0 || frame->height == 0 || (frame->parts != 1 && frame->parts != 3)) return 0;
  if (end - at != 6 + 3 * frame->parts) return 0;
  for (int each = 0; each < frame->parts; each++) {
    const uint8_t *from = at + 6 + 3 * each;
    struct part *part = frame->part + each;
    part->id = from[0];
    part->horizontal = from[1] >> 4;
    part->vertical = from[1] & 15;
    part->quantisation = from[2];
    if (!part->horizontal || part->horizontal > 4 || !part->vertical || part->vertical > 4 || from[2] > 3) return 0;
  }
  return 1;
}

/* Work out the raster, check what the caller expects; return 0 when it is not so. */
static inline int prepare_frame(struct frame *frame, const struct component *components, int count) {
  int across = 1, down = 1;
  if (frame->parts != count) return 0;
  for (int each = 0; each < count; each++) {
    struct part *part = frame->part + each;
    if (part->horizontal != components[each].horizontal || part->vertical != components[each].vertical) return 0;
    if (count == 1) part->horizontal = part->vertical = 1; /* a lone component is never subsampled */
    if (part->horizontal > across) across = part->horizontal;
    if (part->vertical > down) down = part->vertical;
  }
  frame->units_across = (frame->width + 8 * across - 1) / (8 * across);
  frame->units_down = (frame->height + 8 * down - 1) / (8 * down);
  for (int each = 0; each < count; each++) {
    struct part *part = frame->part + each;
    part->width = (frame->width * part->horizontal + across - 1) / across;
    part->height = (frame->height * part->vertical + down - 1) / down;
    part->line = frame->units_across * part->horizontal;
    for (int i = 0; i < 64; i++)
      if (frame->quantisation[part->quantisation][i] == 0) return 0;
    set_scales(&part->scales, frame->quantisation[part->quantisation]);
  }
  return 1;
}

/* Go to the next segment of the `size` bytes of `source`, from `*at`; return its marker and where its data ends, and
 * leave `*at` on its data. 0 when the file is damaged there. A marker without data has its end at its data. */
static inline int next_segment(const uint8_t *source, size_t size, size_t *at, size_t *end) {
  while (*at + 4 <= size && source[*at] == 0xFF && source[*at + 1] == 0xFF) ++*at;
  if (*at + 2 > size || source[*at] != 0xFF) return 0;
  int marker = source[*at + 1];
  *at += 2;
  *end = *at;
  if (marker == 0xD9) return marker;
  if (*at + 2 > size) return 0;
  size_t length = (size_t)(source[*at] << 8 | source[*at + 1]);
  *end = *at + length;
  *at += 2;
  return length < 2 || *end > size ? 0 : marker;
}

/* Tell whether a segment holds nothing that decoding needs. */
static inline int is_of_no_matter(int marker) { return marker == 0xFE || (marker & 0xF0) == 0xE0; }

#endif
