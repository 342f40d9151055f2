import ProtobufProperties

// libFuzzer's entry: the first byte chooses the type, the rest is the message. scripts/fuzz.sh builds and runs it.

private let types: KnownTypes = {
  do { return try KnownTypes() } catch { fatalError("\(error)") }
}()

/// Aborts, and so tells libFuzzer, when a property does not hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let name = types.names[Int(data[0]) % types.names.count]
  let bytes = Array(UnsafeBufferPointer(start: data + 1, count: count - 1))
  do { try checkAnyBytes(bytes, as: name, types: types) } catch { fatalError("\(error)") }
  return 0
}
