#pragma once
#include <stdint.h>

// A disk that can lose power, as a file system (VFS) of SQLite: for tests only.
//
// Files lie in the system's file system, where the process sees all that it has written. Beside that the disk keeps, for each
// file, what is surely on it (the content at the last successful sync) and each write and truncation since. When power is
// lost, crash_disk_salvage makes the files that the next start might find: the synced content, and of what came after it any
// part, in any order, in pieces of a sector, some of them torn. Files made or deleted since the last sync of their folder may be
// there or not.

typedef struct crash_disk crash_disk;

/// A disk that SQLite knows by this name; NULL if there is no memory. Names are not used twice at a time.
crash_disk *crash_disk_create(const char *name);

/// Takes the name back and frees all. No connection may be open on it.
void crash_disk_destroy(crash_disk *disk);

/// Power goes off in the middle of the operation with this number, counted from now: writes, truncations, syncs, deletions.
/// From then on each of them fails and changes nothing.
void crash_disk_lose_power_after(crash_disk *disk, uint64_t operations);

/// Whether power is off.
int crash_disk_has_lost_power(crash_disk *disk);

/// Syncs that have succeeded.
uint64_t crash_disk_syncs(crash_disk *disk);

/// Lets this many more syncs succeed, then each fails with EIO's code; a negative number: none fails.
void crash_disk_fail_syncs_after(crash_disk *disk, int64_t syncs);

/// Lets this many more writes succeed, then each fails with EIO's code; a negative number: none fails.
void crash_disk_fail_writes_after(crash_disk *disk, int64_t writes);

/// The disk has room for so many bytes in all files together; a negative number: for any.
void crash_disk_limit_bytes(crash_disk *disk, int64_t bytes);

/// Bytes in all files.
int64_t crash_disk_used_bytes(crash_disk *disk);

/// Whether reading from the main file fails with EIO's code.
void crash_disk_fail_reads(crash_disk *disk, int fails);

/// Puts the files into a folder, as the next start might find them; the seed decides. 0, or a system error.
int crash_disk_salvage(crash_disk *disk, const char *folder, uint64_t seed);
