import Core
import Foundation
import ProtobufProperties
import Testing

/// Bytes that a stranger could send: the corpus that the fuzzer found, and seeded mutations of it and of random messages.
/// MAINSTAY_FUZZ_ROUNDS sets how many; scripts/fuzz.sh looks for new ones.
@Suite struct FuzzTests {
  let types: KnownTypes
  let corpus: [[UInt8]]

  init() throws {
    types = try KnownTypes()
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    corpus = try files.sorted { $0.path() < $1.path() }.map { Array(try Data(contentsOf: $0)) }
  }

  private func check(_ input: [UInt8]) throws {
    guard let first = input.first else { return }
    try checkAnyBytes(Array(input.dropFirst()), as: types.names[Int(first) % types.names.count], types: types)
  }

  @Test func theCorpusHolds() throws {
    #expect(corpus.count > 50)
    for input in corpus { try check(input) }
  }

  @Test func mutationsHold() throws {
    let rounds = ProcessInfo.processInfo.environment["MAINSTAY_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 3_000
    var generator = SeededGenerator(seed: 42)
    for _ in 0..<rounds {
      var input = corpus.randomElement(using: &generator) ?? []
      for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&input, &generator) }
      try check(input)
    }
  }

  @Test func damagedMessagesHold() throws {
    var generator = SeededGenerator(seed: 43)
    var accepted = 0
    for name in types.names {
      let pool = try types.pool(of: name)
      let message = try #require(pool.message(named: name))
      var random = RandomMessage(pool: pool, seed: 44)
      for _ in 0..<10 {
        var wire = random.wire(of: message)
        #expect(try checkAnyBytes(wire, as: name, types: types))
        mutate(&wire, &generator)
        if try checkAnyBytes(wire, as: name, types: types) { accepted += 1 }
      }
    }
    // Otherwise the damage is so great that nothing behind the first check is reached.
    #expect(accepted > types.names.count)
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return bytes.append(UInt8.random(in: 0...255, using: &generator)) }
    let index = Int.random(in: 0..<bytes.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
    case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
    case 3: bytes.removeSubrange(index..<min(index + 3, bytes.count))
    default: bytes.append(contentsOf: bytes[index...])
    }
  }
}
