import Core
import Foundation
import RPCProperties
import Testing

/// What a stranger could send to a server or answer to a client: the corpus that the fuzzer found, and seeded mutations of it.
/// MAINSTAY_FUZZ_ROUNDS sets how many; scripts/fuzz.sh looks for new ones.
@Suite("Bytes of strangers", .timeLimit(.minutes(30)))
struct RPCFuzzTests {
  private let corpus: [[UInt8]]
  private let peers: FuzzedPeers

  init() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
      path: "Corpus")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    corpus = try files.sorted { $0.path() < $1.path() }.map { Array(try Data(contentsOf: $0)) }
    peers = try FuzzedPeers()
  }

  @Test("Each input of the corpus ends at most its call or connection")
  func theCorpusHolds() async throws {
    #expect(corpus.count > 20)
    for input in corpus { try await peers.check(input) }
    peers.loop.stop()
  }

  @Test("So does each mutation")
  func mutationsHold() async throws {
    let rounds = ProcessInfo.processInfo.environment["MAINSTAY_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 2_000
    var generator = SeededGenerator(seed: 45)
    for round in 0..<rounds {
      var input = corpus.randomElement(using: &generator) ?? []
      for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&input, &generator) }
      do { try await peers.check(input) } catch { Issue.record("round \(round): \(error)") }
    }
    peers.loop.stop()
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return bytes.append(UInt8.random(in: 0...255, using: &generator)) }
    let index = Int.random(in: 0..<bytes.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[index] = [0, 1, 0x0A, 0x25, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
    case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
    case 3: bytes.removeSubrange(index..<min(index + 3, bytes.count))
    default: bytes.append(contentsOf: bytes[index...].prefix(64))
    }
  }
}
