#pragma once
#include "include/crash_disk.h"
#include <pthread.h>
#include <sqlite3.h>

// What the parts of the disk share.

/// Smallest part that a real disk writes as one.
enum { sector_bytes = 512 };

/// A write or a truncation (no bytes) since the file's last sync.
typedef struct change {
  int64_t offset;
  int64_t count;
  unsigned char *bytes;
} change;

/// A file from its creation to its deletion; a new one under the same name is another.
typedef struct crash_file {
  struct crash_file *next;
  char *path;
  int flags;
  /// Its name is in its folder, on the disk.
  int has_synced_name;
  /// The process has deleted it; the folder on the disk may not know.
  int is_deleted;
  int64_t size;
  unsigned char *synced;
  int64_t synced_size;
  change *changes;
  int64_t change_count;
  int64_t change_room;
} crash_file;

struct crash_disk {
  sqlite3_vfs vfs;
  sqlite3_vfs *real;
  char *name;
  pthread_mutex_t mutex;
  /// The newest first.
  crash_file *files;
  int is_off;
  /// Operations until power goes off; 0: it does not.
  uint64_t operations_left;
  uint64_t syncs;
  int64_t syncs_left;
  int64_t writes_left;
  int64_t byte_limit;
  int fails_reads;
};

/// Sets a part of a content that grows as needed; 0 if there is no memory.
int crash_content_write(unsigned char **content, int64_t *size, int64_t offset, const unsigned char *bytes, int64_t count);

/// Cuts a content, or makes it longer with zeros; 0 if there is no memory.
int crash_content_truncate(unsigned char **content, int64_t *size, int64_t length);
