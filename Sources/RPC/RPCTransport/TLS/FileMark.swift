import Glibc

/// What tells one state of a file from another (stat(2)); a file that is not there has one as well.
public struct FileMark: Equatable, Sendable {
  private var inode: UInt64 = 0
  private var size: Int = 0
  private var seconds: Int = 0
  private var nanoseconds: Int = 0

  /// The file's state now; a path of nil is that of no file.
  public init(_ path: String?) {
    var status = stat()
    guard let path, stat(path, &status) == 0 else { return }
    inode = UInt64(status.st_ino)
    size = Int(status.st_size)
    seconds = Int(status.st_mtim.tv_sec)
    nanoseconds = Int(status.st_mtim.tv_nsec)
  }
}
