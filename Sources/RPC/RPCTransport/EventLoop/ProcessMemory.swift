import COpenSSL

/// How this process deals with memory that it has freed.
public enum ProcessMemory {
  /// Freed memory that is kept for the next message, at most, in bytes.
  private static let keptBytes: Int32 = 67_108_864
  /// Pieces from this size on come from the system and go back to it; the most that glibc takes.
  private static let mappedBytes: Int32 = 33_554_432

  /// For programs that carry messages of megabytes: glibc gives such pieces back at once, and the kernel clears each page anew
  /// for the next message, which costs more than all else that is done with it. To be called once, at the start.
  public static func keepForMessages() {
    mainstay_keep_freed_memory(keptBytes, mappedBytes)
  }
}
