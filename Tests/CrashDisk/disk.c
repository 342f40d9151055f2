#include "crash_disk.h"
#include <stdlib.h>
#include <string.h>

// The file system: what SQLite calls.

typedef struct open_file {
  sqlite3_file base;
  crash_disk *disk;
  /// NULL for a temporary file, which nobody misses.
  crash_file *file;
  sqlite3_file *real;
} open_file;

static sqlite3_file *real_of(sqlite3_file *file) { return ((open_file *)file)->real; }

int crash_content_truncate(unsigned char **content, int64_t *size, int64_t length) {
  if (length > *size) {
    unsigned char *grown = realloc(*content, (size_t)length);
    if (grown == NULL) return 0;
    memset(grown + *size, 0, (size_t)(length - *size));
    *content = grown;
  }
  *size = length;
  return 1;
}

int crash_content_write(unsigned char **content, int64_t *size, int64_t offset, const unsigned char *bytes, int64_t count) {
  if (offset + count > *size && !crash_content_truncate(content, size, offset + count)) return 0;
  memcpy(*content + offset, bytes, (size_t)count);
  return 1;
}

/// Whether the operation that begins now goes through. The one that power goes off in is still noted.
static int goes_through(crash_disk *disk, int *is_last) {
  *is_last = 0;
  if (disk->is_off) return 0;
  if (disk->operations_left > 0 && --disk->operations_left == 0) {
    disk->is_off = 1;
    *is_last = 1;
    return 0;
  }
  return 1;
}

static int note_change(crash_file *file, int64_t offset, const void *bytes, int64_t count) {
  if (file->change_count == file->change_room) {
    int64_t room = file->change_room == 0 ? 64 : file->change_room * 2;
    change *grown = realloc(file->changes, (size_t)room * sizeof(change));
    if (grown == NULL) return 0;
    file->changes = grown;
    file->change_room = room;
  }
  unsigned char *copy = NULL;
  if (bytes != NULL) {
    copy = malloc((size_t)count + 1);
    if (copy == NULL) return 0;
    memcpy(copy, bytes, (size_t)count);
  }
  file->changes[file->change_count++] = (change){offset, count, copy};
  return 1;
}

static void forget_changes(crash_file *file) {
  for (int64_t index = 0; index < file->change_count; index++) free(file->changes[index].bytes);
  file->change_count = 0;
}

/// All files that were made or deleted are so on the disk too.
static void sync_folder(crash_disk *disk) {
  // A deleted one is kept, without a name: a handle may still be open on it.
  for (crash_file *file = disk->files; file != NULL; file = file->next) file->has_synced_name = !file->is_deleted;
}

static int64_t used_bytes(crash_disk *disk) {
  int64_t sum = 0;
  for (crash_file *file = disk->files; file != NULL; file = file->next) {
    if (!file->is_deleted) sum += file->size;
  }
  return sum;
}

// MARK: Methods of a file

static int close_file(sqlite3_file *base) {
  open_file *file = (open_file *)base;
  int code = file->real->pMethods->xClose(file->real);
  free(file->real);
  file->real = NULL;
  return code;
}

static int read_file(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
  open_file *file = (open_file *)base;
  int fails = 0;
  if (file->file != NULL && (file->file->flags & SQLITE_OPEN_MAIN_DB)) {
    pthread_mutex_lock(&file->disk->mutex);
    fails = file->disk->fails_reads;
    pthread_mutex_unlock(&file->disk->mutex);
  }
  return fails ? SQLITE_IOERR_READ : file->real->pMethods->xRead(file->real, bytes, count, offset);
}

static int write_locked(open_file *file, const void *bytes, int count, sqlite3_int64 offset) {
  crash_disk *disk = file->disk;
  int is_last;
  int goes = goes_through(disk, &is_last);
  if (!goes && !is_last) return SQLITE_IOERR_WRITE;
  if (goes && disk->writes_left == 0) return SQLITE_IOERR_WRITE;
  int64_t growth = offset + count - file->file->size;
  if (goes && growth > 0 && disk->byte_limit >= 0 && used_bytes(disk) + growth > disk->byte_limit) return SQLITE_FULL;
  if (!note_change(file->file, offset, bytes, count)) return SQLITE_IOERR_NOMEM;
  if (!goes) return SQLITE_IOERR_WRITE;
  if (disk->writes_left > 0) disk->writes_left--;
  if (growth > 0) file->file->size += growth;
  return file->real->pMethods->xWrite(file->real, bytes, count, offset);
}

static int write_file(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
  open_file *file = (open_file *)base;
  if (file->file == NULL) return file->real->pMethods->xWrite(file->real, bytes, count, offset);
  pthread_mutex_lock(&file->disk->mutex);
  int code = write_locked(file, bytes, count, offset);
  pthread_mutex_unlock(&file->disk->mutex);
  return code;
}

static int truncate_file(sqlite3_file *base, sqlite3_int64 size) {
  open_file *file = (open_file *)base;
  if (file->file == NULL) return file->real->pMethods->xTruncate(file->real, size);
  pthread_mutex_lock(&file->disk->mutex);
  int is_last, code = SQLITE_IOERR_TRUNCATE;
  int goes = goes_through(file->disk, &is_last);
  if ((goes || is_last) && !note_change(file->file, size, NULL, 0)) goes = 0;
  if (goes) {
    file->file->size = size;
    code = file->real->pMethods->xTruncate(file->real, size);
  }
  pthread_mutex_unlock(&file->disk->mutex);
  return code;
}

static int sync_locked(open_file *file) {
  crash_disk *disk = file->disk;
  crash_file *content = file->file;
  int is_last;
  if (!goes_through(disk, &is_last) || disk->syncs_left == 0) return SQLITE_IOERR_FSYNC;
  for (int64_t index = 0; index < content->change_count; index++) {
    change *change = &content->changes[index];
    int is_done = change->bytes == NULL
      ? crash_content_truncate(&content->synced, &content->synced_size, change->offset)
      : crash_content_write(&content->synced, &content->synced_size, change->offset, change->bytes, change->count);
    if (!is_done) return SQLITE_IOERR_NOMEM;
  }
  forget_changes(content);
  // SQLite's own file system syncs the folder with the first sync of a journal or WAL that it has made.
  if (!content->has_synced_name && !content->is_deleted) sync_folder(disk);
  if (disk->syncs_left > 0) disk->syncs_left--;
  disk->syncs++;
  return SQLITE_OK;
}

static int sync_file(sqlite3_file *base, int flags) {
  open_file *file = (open_file *)base;
  if (file->file == NULL) return SQLITE_OK;
  (void)flags;
  pthread_mutex_lock(&file->disk->mutex);
  int code = sync_locked(file);
  pthread_mutex_unlock(&file->disk->mutex);
  return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
static int lock(sqlite3_file *file, int level) { return real_of(file)->pMethods->xLock(real_of(file), level); }
static int unlock(sqlite3_file *file, int level) { return real_of(file)->pMethods->xUnlock(real_of(file), level); }
static int check_reserved(sqlite3_file *file, int *out) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}
static int control(sqlite3_file *file, int what, void *argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}
static int sector_size(sqlite3_file *file) { return real_of(file)->pMethods->xSectorSize(real_of(file)); }
static int characteristics(sqlite3_file *file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
static int shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
  return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, memory);
}
static int shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}
static void shm_barrier(sqlite3_file *file) { real_of(file)->pMethods->xShmBarrier(real_of(file)); }
static int shm_unmap(sqlite3_file *file, int delete_it) {
  return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_it);
}

/// Version 2: no memory maps of the file, which would be written behind our back.
static const sqlite3_io_methods methods = {
  .iVersion = 2, .xClose = close_file, .xRead = read_file, .xWrite = write_file, .xTruncate = truncate_file,
  .xSync = sync_file, .xFileSize = file_size, .xLock = lock, .xUnlock = unlock, .xCheckReservedLock = check_reserved,
  .xFileControl = control, .xSectorSize = sector_size, .xDeviceCharacteristics = characteristics, .xShmMap = shm_map,
  .xShmLock = shm_lock, .xShmBarrier = shm_barrier, .xShmUnmap = shm_unmap,
};

// MARK: Methods of the file system

/// The record of a file that is being opened; one that the disk has not seen yet holds what it holds, synced.
static crash_file *record(crash_disk *disk, const char *path, int flags, int was_there, sqlite3_file *real) {
  for (crash_file *file = disk->files; file != NULL; file = file->next) {
    if (!file->is_deleted && strcmp(file->path, path) == 0) return file;
  }
  crash_file *file = calloc(1, sizeof(crash_file));
  if (file == NULL) return NULL;
  file->path = strdup(path);
  file->flags = flags;
  // The main file is made, and its folder synced, before SQLite opens it.
  file->has_synced_name = was_there;
  sqlite3_int64 size = 0;
  if (was_there && real->pMethods->xFileSize(real, &size) == SQLITE_OK && size > 0) {
    file->synced = malloc((size_t)size);
    if (file->synced != NULL && real->pMethods->xRead(real, file->synced, (int)size, 0) == SQLITE_OK) {
      file->synced_size = size;
    }
  }
  file->size = size;
  file->next = disk->files;
  disk->files = file;
  return file;
}

static int open_method(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags) {
  crash_disk *disk = vfs->pAppData;
  open_file *file = (open_file *)base;
  *file = (open_file){.disk = disk};
  file->real = calloc(1, (size_t)disk->real->szOsFile);
  if (file->real == NULL) return SQLITE_NOMEM;
  pthread_mutex_lock(&disk->mutex);
  int was_there = 0;
  if (path != NULL) disk->real->xAccess(disk->real, path, SQLITE_ACCESS_EXISTS, &was_there);
  int code = disk->is_off && !was_there ? SQLITE_CANTOPEN : disk->real->xOpen(disk->real, path, file->real, flags, out_flags);
  int kept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
  if (code == SQLITE_OK && path != NULL && (flags & kept)) {
    file->file = record(disk, path, flags, was_there, file->real);
    if (file->file == NULL) code = SQLITE_NOMEM;
  }
  pthread_mutex_unlock(&disk->mutex);
  if (code == SQLITE_OK) {
    file->base.pMethods = &methods;
  } else {
    if (file->real->pMethods != NULL) file->real->pMethods->xClose(file->real);
    free(file->real);
  }
  return code;
}

static int delete_method(sqlite3_vfs *vfs, const char *path, int sync) {
  crash_disk *disk = vfs->pAppData;
  pthread_mutex_lock(&disk->mutex);
  int is_last, code = SQLITE_IOERR_DELETE;
  if (goes_through(disk, &is_last)) {
    code = disk->real->xDelete(disk->real, path, 0);
    for (crash_file *file = disk->files; file != NULL; file = file->next) {
      if (code == SQLITE_OK && strcmp(file->path, path) == 0) file->is_deleted = 1;
    }
    if (code == SQLITE_OK && sync) sync_folder(disk);
  }
  pthread_mutex_unlock(&disk->mutex);
  return code;
}

crash_disk *crash_disk_create(const char *name) {
  crash_disk *disk = calloc(1, sizeof(crash_disk));
  if (disk == NULL) return NULL;
  sqlite3_initialize();
  disk->real = sqlite3_vfs_find(NULL);
  disk->vfs = *disk->real;
  disk->name = strdup(name);
  disk->vfs.zName = disk->name;
  disk->vfs.pNext = NULL;
  disk->vfs.pAppData = disk;
  disk->vfs.szOsFile = sizeof(open_file);
  disk->vfs.xOpen = open_method;
  disk->vfs.xDelete = delete_method;
  disk->syncs_left = disk->writes_left = disk->byte_limit = -1;
  pthread_mutex_init(&disk->mutex, NULL);
  sqlite3_vfs_register(&disk->vfs, 0);
  return disk;
}

void crash_disk_destroy(crash_disk *disk) {
  sqlite3_vfs_unregister(&disk->vfs);
  while (disk->files != NULL) {
    crash_file *file = disk->files;
    disk->files = file->next;
    forget_changes(file);
    free(file->changes);
    free(file->synced);
    free(file->path);
    free(file);
  }
  pthread_mutex_destroy(&disk->mutex);
  free(disk->name);
  free(disk);
}

// MARK: What tests set and ask

#define LOCKED(disk, statement)         \
  pthread_mutex_lock(&(disk)->mutex);   \
  statement;                            \
  pthread_mutex_unlock(&(disk)->mutex)

void crash_disk_lose_power_after(crash_disk *disk, uint64_t operations) { LOCKED(disk, disk->operations_left = operations); }
void crash_disk_fail_syncs_after(crash_disk *disk, int64_t syncs) { LOCKED(disk, disk->syncs_left = syncs); }
void crash_disk_fail_writes_after(crash_disk *disk, int64_t writes) { LOCKED(disk, disk->writes_left = writes); }
void crash_disk_limit_bytes(crash_disk *disk, int64_t bytes) { LOCKED(disk, disk->byte_limit = bytes); }
void crash_disk_fail_reads(crash_disk *disk, int fails) { LOCKED(disk, disk->fails_reads = fails); }

int crash_disk_has_lost_power(crash_disk *disk) {
  LOCKED(disk, int is_off = disk->is_off);
  return is_off;
}

uint64_t crash_disk_syncs(crash_disk *disk) {
  LOCKED(disk, uint64_t syncs = disk->syncs);
  return syncs;
}

int64_t crash_disk_used_bytes(crash_disk *disk) {
  LOCKED(disk, int64_t bytes = used_bytes(disk));
  return bytes;
}
