import Foundation
import MainstayTesting
import Protobuf
import ProtobufProperties
import Testing

/// The JSON mapping beside json_format of PyPI protobuf, on random messages of every type and on JSON that was spoiled in one place.
@Suite(
  .enabled("python3 with the packages of Tests/requirements.txt is needed") {
    try await Python.interpreter(with: protobufModules) != nil
  })
struct JSONPeerTests {
  private static let script = "json_peer.py"
  private let types: KnownTypes
  private let folder: TemporaryFolder
  private let sets: String

  init() throws {
    types = try KnownTypes()
    folder = try TemporaryFolder()
    var paths: [String] = []
    for bytes in types.descriptorSets {
      paths.append(folder.file("set\(paths.count)"))
      try Data(bytes).write(to: URL(fileURLWithPath: paths[paths.count - 1]))
    }
    sets = paths.joined(separator: ",")
  }

  @Test(arguments: [1, 2, 3]) func messagesAndJSONAreTheSameBothWays(seed: Int) async throws {
    try await runPeer("make", sets, "\(seed)", "20", folder.file("made"), script: Self.script)
    var answers = Records()
    var count = 0
    for record in try Records.read(folder.file("made"), count: 3) {
      let (name, wire) = (String(decoding: record[0], as: UTF8.self), record[1])
      let transcoder = JSONTranscoder(try types.pool(of: name))
      let json = Array(try transcoder.decode(wire, as: name, pretty: count % 2 == 0).utf8)
      answers.append([
        record[0], wire, json, try transcoder.encode(json: record[2], as: name), Array("same".utf8), [], [],
      ])
      count += 1
    }
    #expect(count >= types.names.count * 20)
    try answers.write(folder.file("answers"))
    try await runPeer("judge", sets, folder.file("answers"), script: Self.script)
  }

  @Test(arguments: [1, 2, 3]) func whatIsRefusedIsTheSameAndThePathSaysWhere(seed: Int) async throws {
    try await runPeer("spoil", sets, "\(seed)", "60", folder.file("spoiled"), script: Self.script)
    var answers = Records()
    var refused = 0
    let records = try Records.read(folder.file("spoiled"), count: 4)
    for record in records {
      let (name, text) = (String(decoding: record[0], as: UTF8.self), record[2])
      let transcoder = JSONTranscoder(try types.pool(of: name))
      let (answer, failure) = encoded(text, as: name, by: transcoder)
      if answer == nil { refused += 1 }
      answers.append([
        record[0], record[1], text, answer ?? Array("refused".utf8), record[3], Array((failure?.path ?? "").utf8),
        Array((failure?.reason ?? "").utf8),
      ])
    }
    // Both kinds come up often, else the comparison says little.
    #expect(refused > records.count / 5 && refused < records.count * 4 / 5)
    try answers.write(folder.file("answers"))
    try await runPeer("judge", sets, folder.file("answers"), script: Self.script)
  }

  private func encoded(
    _ json: [UInt8], as name: String, by transcoder: JSONTranscoder
  ) -> (wire: [UInt8]?, failure: JSONFailure?) {
    do throws(JSONFailure) { return (try transcoder.encode(json: json, as: name), nil) } catch { return (nil, error) }
  }
}
