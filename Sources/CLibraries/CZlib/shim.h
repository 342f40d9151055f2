#include <zlib.h>

// zlib's own are macros. 16 on top of the window asks for gzip's frame.
static inline int mainstay_inflate_begin(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

static inline int mainstay_deflate_begin(z_stream *stream, int level, int window_bits, int memory_level) {
  return deflateInit2(stream, level, Z_DEFLATED, window_bits + 16, memory_level, Z_DEFAULT_STRATEGY);
}
