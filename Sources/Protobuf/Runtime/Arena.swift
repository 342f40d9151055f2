internal import Glibc

/// Memory for the C structures of one message: handed out by moving a pointer, given back all at once.
///
/// Each thread keeps one arena with its first chunk, so that decoding and encoding take no memory from the system in the
/// steady state. An arena is valid within one synchronous call only and never crosses threads.
@frozen public struct Arena {
  /// Size of the chunk that a thread keeps, in bytes. Most messages fit.
  static let retainedChunkBytes = 128 * 1024
  /// Every piece starts at a multiple of this, as with malloc; protobuf-c needs 8.
  @usableFromInline static let alignment = 16

  @usableFromInline let state: UnsafeMutablePointer<ArenaState>

  @inlinable
  init(state: UnsafeMutablePointer<ArenaState>) { self.state = state }

  /// Uninitialized memory for so many values. Traps like any Swift allocation if the machine has no more memory.
  @inlinable
  public func allocate<T>(_ type: T.Type, count: Int = 1) -> UnsafeMutablePointer<T> {
    state.pointee.allocateUnbounded(count * MemoryLayout<T>.stride)
      .bindMemory(to: T.self, capacity: count)
  }

  /// A NUL-terminated copy. Refuses a text with a NUL in it, since C would cut it there.
  public func cString(_ text: String, field: @autoclosure () -> String) throws(EncodingFailure)
    -> UnsafeMutablePointer<CChar>
  {
    var text = text
    let copy = text.withUTF8 { source -> UnsafeMutablePointer<CChar>? in
      let target = state.pointee.allocateUnbounded(source.count + 1)
      target.storeBytes(of: 0, toByteOffset: source.count, as: UInt8.self)
      guard let start = source.baseAddress, source.count > 0 else { return target.assumingMemoryBound(to: CChar.self) }
      if memchr(start, 0, source.count) != nil { return nil }
      target.copyMemory(from: start, byteCount: source.count)
      return target.assumingMemoryBound(to: CChar.self)
    }
    guard let copy else { throw EncodingFailure(field: field(), reason: "holds a NUL character") }
    return copy
  }

  /// Bytes fields from this size on are packed from where they are.
  static let copiedBytes = 4_096

  /// The bytes for as long as the arena is in use: a copy of few, the array's own storage, which is kept that long, of many. Nil
  /// if there are none. C reads them only.
  public func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<UInt8>? {
    guard !bytes.isEmpty else { return nil }
    if bytes.count >= Arena.copiedBytes {
      state.pointee.keep(bytes)
      return bytes.withUnsafeBufferPointer { UnsafeMutablePointer(mutating: $0.baseAddress) }
    }
    let target = allocate(UInt8.self, count: bytes.count)
    bytes.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { target.initialize(from: start, count: source.count) }
    }
    return target
  }

  /// A copy of the numbers.
  @inlinable
  public func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let target = allocate(T.self, count: values.count)
    for index in values.indices { (target + index).initialize(to: values[index]) }
    return target
  }
}

/// The moving part of an arena, at a fixed address because protobuf-c's allocator points to it.
@usableFromInline
struct ArenaState {
  private struct Chunk {
    let start: UnsafeMutableRawPointer
    let size: Int
  }

  @usableFromInline var cursor: UnsafeMutableRawPointer?
  @usableFromInline var available = 0
  private var chunks: [Chunk] = []
  /// Arrays whose storage the message points to.
  private var kept: [[UInt8]] = []
  @usableFromInline var usedBytes = 0
  private var maximumBytes = 0

  /// Begins a message: everything handed out before is gone, the first chunk stays if it is not large.
  mutating func reset(maximumBytes: Int) {
    self.maximumBytes = maximumBytes
    usedBytes = 0
    if chunks.count > 1 || (chunks.first?.size ?? 0) > Arena.retainedChunkBytes { freeChunks() }
    cursor = chunks.first?.start
    available = chunks.first?.size ?? 0
  }

  /// Holds an array until `letGo`: its storage stays where it is for so long.
  mutating func keep(_ bytes: [UInt8]) { kept.append(bytes) }

  /// The message is packed.
  mutating func letGo() {
    if !kept.isEmpty { kept.removeAll() }
  }

  mutating func freeChunks() {
    for chunk in chunks { chunk.start.deallocate() }
    chunks.removeAll(keepingCapacity: true)
    cursor = nil
    available = 0
  }

  /// Memory, or nil if the arena's maximum would be passed.
  @inline(__always)
  mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    let rounded = (max(size, 1) + Arena.alignment - 1) & ~(Arena.alignment - 1)
    guard rounded >= size, rounded <= maximumBytes - usedBytes else { return nil }
    return take(rounded)
  }

  /// Memory without regard to the maximum: for what this process itself wants to send.
  @inlinable @inline(__always)
  mutating func allocateUnbounded(_ size: Int) -> UnsafeMutableRawPointer {
    take((max(size, 1) + Arena.alignment - 1) & ~(Arena.alignment - 1))
  }

  @inlinable @inline(__always)
  mutating func take(_ rounded: Int) -> UnsafeMutableRawPointer {
    usedBytes += rounded
    guard rounded <= available, let start = cursor else { return takeFromNewChunk(rounded) }
    cursor = start + rounded
    available -= rounded
    return start
  }

  @usableFromInline @inline(never)
  mutating func takeFromNewChunk(_ rounded: Int) -> UnsafeMutableRawPointer {
    let size = max(rounded, chunks.isEmpty ? Arena.retainedChunkBytes : min(usedBytes, 16 * 1024 * 1024))
    let start = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Arena.alignment)
    chunks.append(Chunk(start: start, size: size))
    cursor = start + rounded
    available = size - rounded
    return start
  }
}

extension Arena {
  /// Runs the body with this thread's arena, emptied. A call within a call gets an arena of its own.
  static func withThreadArena<Result, Failure: Error>(
    maximumBytes: Int, _ body: (Arena) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let slot = threadArenaSlot
    let state: UnsafeMutablePointer<ArenaState>
    if let held = pthread_getspecific(slot) {
      state = held.assumingMemoryBound(to: ArenaState.self)
      // The slot is empty while its arena is in use.
      pthread_setspecific(slot, nil)
    } else {
      state = .allocate(capacity: 1)
      state.initialize(to: ArenaState())
    }
    state.pointee.reset(maximumBytes: maximumBytes)
    defer {
      state.pointee.letGo()
      if pthread_getspecific(slot) == nil { pthread_setspecific(slot, state) } else { destroyArena(state) }
    }
    return try body(Arena(state: state))
  }
}

private func destroyArena(_ state: UnsafeMutableRawPointer) {
  let state = state.assumingMemoryBound(to: ArenaState.self)
  state.pointee.freeChunks()
  state.deinitialize(count: 1)
  state.deallocate()
}

/// Where each thread keeps its arena; freed when the thread ends.
private let threadArenaSlot: pthread_key_t = {
  var key = pthread_key_t()
  // Fails only when a process has used up its 1,024 keys; key 0 would then belong to somebody else.
  guard pthread_key_create(&key, { held in if let held { destroyArena(held) } }) == 0 else {
    fatalError("no thread-specific key left for the message arena")
  }
  return key
}()
