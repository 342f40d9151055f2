import Glibc
import RPCProperties

// libFuzzer's entry: what a stranger sends to a server, or answers to a client. scripts/fuzz.sh builds and runs it.

private let peers: FuzzedPeers = {
  do { return try FuzzedPeers() } catch { fatalError("\(error)") }
}()

/// Aborts, and so tells libFuzzer, when a property does not hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: data, count: count))
  var done = sem_t()
  sem_init(&done, 0, 0)
  withUnsafeMutablePointer(to: &done) { done in
    let signal = Signal(pointer: done)
    peers.loop.spawn {
      do { try await peers.check(input) } catch { fatalError("\(error)") }
      sem_post(signal.pointer)
    }
    while sem_wait(done) != 0 {}
  }
  sem_destroy(&done)
  return 0
}

/// Unchecked Sendable: a semaphore may be used from any thread, and this one lives until it is signalled.
private struct Signal: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<sem_t>
}
