#include "crash_disk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What is left after power was lost.

/// SplitMix64.
static uint64_t draw(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t bound) { return bound == 0 ? 0 : draw(state) % bound; }

/// How a disk treats what was not synced: drawn for each file.
typedef struct treatment {
  /// Of 1,000 pieces so many are lost.
  uint64_t lost;
  /// Of 1,000 pieces so many are torn.
  uint64_t torn;
  int is_shuffled;
} treatment;

static treatment draw_treatment(uint64_t *state) {
  switch (below(state, 6)) {
    case 0: return (treatment){1000, 0, 0};                                  // nothing had got there
    case 1: return (treatment){0, 0, 0};                                     // all had
    case 2: return (treatment){below(state, 1001), 0, 0};                    // pieces are missing
    case 3: return (treatment){20, 20, 0};                                   // a few are
    case 4: return (treatment){below(state, 1001), 100, 1};                  // and the order is another
    default: return (treatment){below(state, 300), below(state, 300), 1};
  }
}

/// A sector of a write, or a truncation.
typedef struct piece {
  int64_t offset;
  int64_t count;
  const unsigned char *bytes;
} piece;

static piece *cut(const crash_file *file, int64_t *count) {
  int64_t room = 0;
  for (int64_t index = 0; index < file->change_count; index++) room += file->changes[index].count / sector_bytes + 2;
  piece *pieces = malloc((size_t)(room + 1) * sizeof(piece));
  *count = 0;
  if (pieces == NULL) return NULL;
  for (int64_t index = 0; index < file->change_count; index++) {
    const change *change = &file->changes[index];
    if (change->bytes == NULL) pieces[(*count)++] = (piece){change->offset, 0, NULL};
    for (int64_t done = 0; change->bytes != NULL && done < change->count;) {
      int64_t left = sector_bytes - (change->offset + done) % sector_bytes;
      if (left > change->count - done) left = change->count - done;
      pieces[(*count)++] = (piece){change->offset + done, left, change->bytes + done};
      done += left;
    }
  }
  return pieces;
}

static void shuffle(piece *pieces, int64_t count, uint64_t *state) {
  for (int64_t index = count - 1; index > 0; index--) {
    int64_t other = (int64_t)below(state, (uint64_t)index + 1);
    piece kept = pieces[index];
    pieces[index] = pieces[other];
    pieces[other] = kept;
  }
}

/// A part of the sector is as it was, or all of what was being written is nonsense.
static int apply_torn(unsigned char **content, int64_t *size, const piece *piece, uint64_t *state) {
  unsigned char bytes[sector_bytes];
  if (below(state, 2) == 0) {
    int64_t count = (int64_t)below(state, (uint64_t)piece->count);
    int64_t skipped = below(state, 2) == 0 ? 0 : piece->count - count;
    return crash_content_write(content, size, piece->offset + skipped, piece->bytes + skipped, count);
  }
  for (int64_t index = 0; index < piece->count; index++) bytes[index] = (unsigned char)draw(state);
  return crash_content_write(content, size, piece->offset, bytes, piece->count);
}

static int write_whole(const char *path, const unsigned char *bytes, int64_t count) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0) return errno;
  for (int64_t done = 0; done < count;) {
    ssize_t written = write(file, bytes + done, (size_t)(count - done));
    if (written < 0) {
      int code = errno;
      close(file);
      return code;
    }
    done += written;
  }
  return close(file) == 0 ? 0 : errno;
}

static int salvage_file(const crash_file *file, const char *folder, treatment treatment, uint64_t *state) {
  int64_t size = 0, count = 0;
  unsigned char *content = NULL;
  piece *pieces = cut(file, &count);
  if (pieces == NULL) return ENOMEM;
  int is_done = crash_content_write(&content, &size, 0, file->synced, file->synced_size);
  if (treatment.is_shuffled) shuffle(pieces, count, state);
  for (int64_t index = 0; index < count && is_done; index++) {
    const piece *piece = &pieces[index];
    if (below(state, 1000) < treatment.lost) continue;
    if (piece->bytes == NULL) {
      is_done = crash_content_truncate(&content, &size, piece->offset);
    } else if (below(state, 1000) < treatment.torn) {
      is_done = apply_torn(&content, &size, piece, state);
    } else {
      is_done = crash_content_write(&content, &size, piece->offset, piece->bytes, piece->count);
    }
  }
  free(pieces);
  char path[4096];
  const char *name = strrchr(file->path, '/');
  snprintf(path, sizeof path, "%s/%s", folder, name == NULL ? file->path : name + 1);
  int code = is_done ? write_whole(path, content, size) : ENOMEM;
  free(content);
  if (code == 0 && (file->flags & SQLITE_OPEN_MAIN_DB)) {
    // The index of the WAL is of no use after a start; what stands in it must not matter.
    unsigned char nonsense[32768];
    for (size_t index = 0; index < sizeof nonsense; index++) nonsense[index] = (unsigned char)draw(state);
    if (strlen(path) + 5 <= sizeof path) strcat(path, "-shm");
    code = write_whole(path, nonsense, sizeof nonsense);
  }
  return code;
}

/// Whether the folder on the disk names this file, or may name it.
static int is_named(const crash_file *file, uint64_t *state) {
  if (!file->is_deleted) return file->has_synced_name || below(state, 2) == 0;
  return file->has_synced_name && below(state, 2) == 0;
}

int crash_disk_salvage(crash_disk *disk, const char *folder, uint64_t seed) {
  uint64_t state = seed;
  int code = 0;
  pthread_mutex_lock(&disk->mutex);
  // From the oldest: a file that took over a name replaces the one that had it.
  int64_t count = 0;
  for (crash_file *file = disk->files; file != NULL; file = file->next) count++;
  for (int64_t index = count - 1; index >= 0 && code == 0; index--) {
    crash_file *file = disk->files;
    for (int64_t step = 0; step < index; step++) file = file->next;
    if (is_named(file, &state)) code = salvage_file(file, folder, draw_treatment(&state), &state);
  }
  pthread_mutex_unlock(&disk->mutex);
  return code;
}
