import Glibc

/// Reads a whole file.
func readFile(_ path: String) throws -> [UInt8] {
  guard let file = fopen(path, "rb") else { throw GeneratorFailure("\(path): \(String(cString: strerror(errno)))") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = fread(&part, 1, part.count, file)
    if count == 0 { return bytes }
    bytes += part[..<count]
  }
}

/// Writes a whole file, making the folders it lies in.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
  for index in path.indices where path[index] == "/" && index != path.startIndex {
    mkdir(String(path[..<index]), 0o777)
  }
  guard let file = fopen(path, "wb") else { throw GeneratorFailure("\(path): \(String(cString: strerror(errno)))") }
  let written = fwrite(bytes, 1, bytes.count, file)
  guard fclose(file) == 0, written == bytes.count else { throw GeneratorFailure("\(path): could not be written") }
}
