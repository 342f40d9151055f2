import Foundation
import MainstayTesting
import Protobuf
import ProtobufProperties
import Testing

/// Messages pass between this runtime and PyPI protobuf, both ways, in the wire format and in JSON.
@Suite(
  .enabled("python3 with the packages of Tests/requirements.txt is needed") {
    try await Python.interpreter(with: protobufModules) != nil
  })
struct PeerTests {
  let types: KnownTypes
  let folder: URL
  let sets: String

  init() throws {
    types = try KnownTypes()
    folder = URL(filePath: NSTemporaryDirectory()).appending(path: "mainstay-protobuf-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var paths: [String] = []
    for bytes in types.descriptorSets {
      let path = folder.appending(path: "set\(paths.count)")
      try Data(bytes).write(to: path)
      paths.append(path.path())
    }
    sets = paths.joined(separator: ",")
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path() }

  @Test(arguments: [1, 2, 3]) func messagesOfPythonAreUnderstood(seed: Int) async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try await runPeer("make", sets, "\(seed)", "10", path("made"))
    var answers = Records()
    var count = 0
    for record in try Records.read(path("made"), count: 3) {
      let (name, wire) = (String(decoding: record[0], as: UTF8.self), record[1])
      let transcoder = JSONTranscoder(try types.pool(of: name))
      answers.append([
        record[0], wire, try types.reencode(wire, as: name), try transcoder.encode(json: record[2], as: name),
        Array(try transcoder.decode(wire, as: name, pretty: count % 2 == 0).utf8),
      ])
      count += 1
    }
    #expect(count >= types.names.count * 10)
    try answers.write(path("answers"))
    try await runPeer("compare", sets, path("answers"), path("again"))
  }

  @Test(arguments: [1, 2, 3]) func messagesOfSwiftAreUnderstoodAndComeBack(seed: UInt64) async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var made = Records()
    var originals: [[UInt8]] = []
    for name in types.names {
      let pool = try types.pool(of: name)
      let message = try #require(pool.message(named: name))
      var random = RandomMessage(pool: pool, seed: seed &* 1_000 &+ UInt64(originals.count))
      for _ in 0..<10 {
        let wire = random.wire(of: message)
        let json = try JSONTranscoder(pool).decode(wire, as: name)
        made.append([
          Array(name.utf8), wire, try types.reencode(wire, as: name), Array("absent".utf8), Array(json.utf8),
        ])
        originals.append(wire)
      }
    }
    try made.write(path("made"))
    try await runPeer("compare", sets, path("made"), path("again"))
    let answers = try Records.read(path("again"), count: 2)
    #expect(answers.count == originals.count)
    for (original, answer) in zip(originals, answers) {
      #expect(try types.areEqual(original, answer[1], as: String(decoding: answer[0], as: UTF8.self)))
    }
  }
}

/// Byte strings behind their lengths, as peer.py has them.
struct Records {
  private var bytes: [UInt8] = []

  mutating func append(_ parts: [[UInt8]]) {
    for part in parts {
      withUnsafeBytes(of: UInt32(part.count).littleEndian) { bytes += $0 }
      bytes += part
    }
  }

  func write(_ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

  static func read(_ path: String, count: Int) throws -> [[[UInt8]]] {
    let bytes = Array(try Data(contentsOf: URL(filePath: path)))
    var records: [[[UInt8]]] = []
    var index = 0
    while index < bytes.count {
      var parts: [[UInt8]] = []
      for _ in 0..<count {
        let length = (0..<4).reduce(0) { $0 | Int(bytes[index + $1]) << (8 * $1) }
        parts.append(Array(bytes[index + 4..<index + 4 + length]))
        index += 4 + length
      }
      records.append(parts)
    }
    return records
  }
}

/// Runs peer.py, or another; nothing may fail.
func runPeer(_ arguments: String..., script: String = "peer.py") async throws {
  let result = try #require(
    try await Python.run(script: "Tests/Protobuf/\(script)", arguments: arguments, modules: protobufModules))
  try #require(result.code == 0, "\(script) \(arguments[0]) failed:\n\(result.errors.suffix(4_000))")
}

let protobufModules = ["google.protobuf.json_format"]
