// Tells the thread sanitizer of Synchronization.Mutex: scripts/sanitize.sh preloads it.
//
// A Mutex that nobody else wants is taken and given back with an atomic operation, which the compiler puts into our code and
// the sanitizer sees. One that is contended goes through libswiftSynchronization, which is not instrumented, and a futex,
// where the kernel changes the word: the sanitizer sees no order between the two threads, and reports a race in what the
// mutex guards and in all that is handed over behind it. So these two take the place of the library's functions, call them,
// and say what they order. To suppress the reports instead would hide the real races of the same code.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(UInt32) and ._unlockSlow(); the mutex itself is Swift's `self`.
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

// There are none in a program that was built without the sanitizer.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

SWIFT void lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK);
SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t thread, SELF void *mutex) {
  ((SWIFT void (*)(uint32_t, SELF void *))dlsym(RTLD_NEXT, LOCK))(thread, mutex);
  if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT void unlock_slow(SELF void *mutex) {
  if (__tsan_release) __tsan_release(mutex);
  ((SWIFT void (*)(SELF void *))dlsym(RTLD_NEXT, UNLOCK))(mutex);
}
