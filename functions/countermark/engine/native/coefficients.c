/* Marks painted on the DCT coefficients of a JPEG file.
 *
 * The file is decoded to coefficients and no further; the blocks under a mark are turned into pixels, blended and
 * turned back; everything is encoded again with the same tables. A block that no mark touches keeps its coefficients.
 *
 * libjpeg itself is not linked: its functions are handed in, so that the library that Pillow brings is used.
 */

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "blocks.h"
#include "jpeglib.h"

#define MAX_SCANS 200 /* a progressive file with more is an attack */

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
  double end; /* of this thread's processor time, in seconds */
};

static void on_progress(j_common_ptr info) {
  struct progress *progress = (struct progress *)info->progress;
  struct errors *errors = (struct errors *)info->err;
  if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > MAX_SCANS) on_error(info);
  if (now() > progress->end) {
    errors->result = TOOK_TOO_LONG;
    on_error(info);
  }
}

static void mark_component(j_decompress_ptr info, jvirt_barray_ptr blocks, const jpeg_component_info *shape,
                           const struct component *component) {
  struct scales scales;
  blender *blend = best_blender();
  set_scales(&scales, shape->quant_table->quantval);
  int32_t width = (int32_t)shape->downsampled_width, height = (int32_t)shape->downsampled_height;
  for (int32_t number = 0; number < component->places; number++) {
    const struct place *place = component->place + number;
    struct stencil *stencil = component->stencils + place->stencil;
    for (int32_t row = place->y < 0 ? -place->y : 0; row < stencil->rows && 8 * (place->y + row) < height; row++) {
      int32_t from = stencil->starts[row], to = stencil->starts[row + 1];
      if (from == to) continue;
      JBLOCKARRAY found = info->mem->access_virt_barray((j_common_ptr)info, blocks, (JDIMENSION)(place->y + row), 1, TRUE);
      for (int32_t each = from; each < to; each++) {
        int32_t column = place->x + stencil->columns[each];
        int32_t columns = width - 8 * column, rows = height - 8 * (place->y + row);
        if (column >= 0 && is_seen(stencil, each, columns, rows))
          mark_block_of(blend, found[0][column], &scales, stencil, each, columns, rows);
      }
    }
  }
}

static int32_t whole_units(int32_t blocks, int32_t of_unit) { return (blocks + of_unit - 1) / of_unit * of_unit; }

/* Take away what the blocks at the picture's right and lower edge hold beyond it. */
static void hide_edges(j_decompress_ptr info, jvirt_barray_ptr blocks, const jpeg_component_info *shape) {
  struct scales scales;
  set_scales(&scales, shape->quant_table->quantval);
  int32_t width = (int32_t)shape->downsampled_width, height = (int32_t)shape->downsampled_height;
  int32_t across = whole_units((int32_t)shape->width_in_blocks, shape->h_samp_factor);
  int32_t down = whole_units((int32_t)shape->height_in_blocks, shape->v_samp_factor);
  for (int32_t y = 0; y < down; y++) {
    int32_t rows = height - 8 * y, x = rows < 8 ? 0 : width / 8;
    if (x == across) continue;
    JBLOCKARRAY found = info->mem->access_virt_barray((j_common_ptr)info, blocks, (JDIMENSION)y, 1, TRUE);
    for (; x < across; x++) hide_beyond(found[0][x], &scales, width - 8 * x, rows);
  }
}

/* Read the means of the first component; return 0 when there is no memory. */
static int read_ground(j_decompress_ptr info, jvirt_barray_ptr blocks, const jpeg_component_info *shape,
                       struct ground *ground) {
  if (!make_ground(ground, (int32_t)shape->downsampled_width, (int32_t)shape->downsampled_height)) return 0;
  for (int32_t y = 0; y < ground->down; y++) {
    JBLOCKARRAY found = info->mem->access_virt_barray((j_common_ptr)info, blocks, (JDIMENSION)y, 1, FALSE);
    for (int32_t x = 0; x < ground->across; x++)
      ground->means[(size_t)y * ground->across + x] = level_of(found[0][x][0], shape->quant_table->quantval[0]);
  }
  return 1;
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

/* Mark the JPEG file `source` as `decide` says, which fills `components`; the marked file is put in `*marked` (to be given to `release`) and its size in
 * `*marked_size`. Only image data is written, no metadata. Returns one of the values at the top. */
int mark_coefficients(const struct library *library, const uint8_t *source, size_t size,
                      const struct component *components, int count, decider *decide, double seconds, uint8_t **marked,
                      size_t *marked_size) {
  struct jpeg_decompress_struct reader = {0};
  struct jpeg_compress_struct writer = {0};
  struct errors errors = {.result = DONE};
  struct output output = {.size = size + size / 4 + 65536};
  struct ground ground = {0};
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
  errors.result = NO_MEMORY;
  if (!read_ground(&reader, blocks[0], reader.comp_info, &ground)) goto leave;
  errors.result = STOPPED;
  if (!decide(&ground)) goto leave;
  errors.result = DONE;
  int marks = marks_something(components, count);
  for (int each = 0; each < count; each++) {
    if (marks) hide_edges(&reader, blocks[each], reader.comp_info + each);
    mark_component(&reader, blocks[each], reader.comp_info + each, components + each);
  }

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
  free(ground.means);
  if (errors.result == DONE) {
    *marked = output.bytes;
    *marked_size = output.size - output.base.free_in_buffer;
  } else {
    free(output.bytes);
  }
  return errors.result;
}

void release(uint8_t *marked) { free(marked); }
