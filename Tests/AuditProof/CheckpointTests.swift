import AuditProof
import Core
import Glibc
import Signatures
import Testing

@Suite struct CheckpointTests {
  private let root = MerkleHasher().leaf([1, 2, 3])

  private func checkpoint(size: Int64 = 4_711, epoch: String = "5a1c-99e2") -> Checkpoint {
    Checkpoint(
      name: "mainstay/customer", epoch: epoch, size: size, root: root,
      time: Timestamp(microsecondsSinceEpoch: 1_795_249_800_000_000))
  }

  @Test func aNoteIsTakenWithTheKeyThatSignedItAndWithNoOther() throws {
    let key = try SigningKey(random: SystemRandom())
    let other = try SigningKey(random: SystemRandom())
    let own = LogKey(name: "mainstay/customer", publicKey: key.publicKey)
    let note = try checkpoint().note(signedBy: key)
    #expect(try Checkpoint(note: note, keys: [own]) == checkpoint())
    for keys in [
      [], [LogKey(name: "mainstay/customer", publicKey: other.publicKey)],
      [LogKey(name: "mainstay/agent", publicKey: key.publicKey)],
    ] {
      #expect(throws: Checkpoint.Refused.self) { try Checkpoint(note: note, keys: keys) }
    }
  }

  @Test func noByteOfANoteCanBeChanged() throws {
    let key = try SigningKey(random: SystemRandom())
    let own = LogKey(name: "mainstay/customer", publicKey: key.publicKey)
    let note = Array(try checkpoint().note(signedBy: key).utf8)
    // The line feed at the very end belongs to no line.
    for index in note.indices.dropLast() {
      var changed = note
      changed[index] ^= 1
      let taken = try? Checkpoint(note: String(decoding: changed, as: UTF8.self), keys: [own])
      #expect(taken == nil, "byte \(index)")
    }
  }

  @Test func aKeyIsKeptAsPEMForItsOwnerAlone() throws {
    let key = try SigningKey(random: SystemRandom())
    let path = "/tmp/mainstay-audit-key-\(getpid())-\(UInt64.random(in: 0 ... .max)).pem"
    defer { unlink(path) }
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    let pem = Array(try key.pem().utf8)
    #expect(write(file, pem, pem.count) == pem.count)
    close(file)
    let read = try SigningKey(path: path)
    #expect(read.publicKey == key.publicKey)
    #expect(try read.signature(of: [1]) == key.signature(of: [1]))
    chmod(path, 0o644)
    #expect(throws: KeyError.self) { try SigningKey(path: path) }
  }

  @Test func publicKeysAreWrittenAndReadInTheFormOfSignedNotes() throws {
    // From the documentation of golang.org/x/mod/sumdb/note: name, key id and key of an example.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    let key = try #require(LogKey(text))
    #expect(key.name == "PeterNeumann" && key.description == text)
    #expect(LogKey("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW") == nil)
    #expect(LogKey.list("# keys\n\(text)\n\n")?.count == 1)
    #expect(LogKey.list("\(text)\nrubbish") == nil)
  }

  @Test func aSignatureOfAnotherProgramIsVerified() throws {
    // The same documentation: a text, and its signature by that key.
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    let signature = try #require(
      Base64.decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="))
    let key = try #require(LogKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"))
    #expect(Array(signature.prefix(4)) == key.identifier)
    #expect(SignatureCheck.holds(Array(signature.dropFirst(4)), of: Array(text.utf8), key: key))
    #expect(!SignatureCheck.holds(Array(signature.dropFirst(4)), of: Array("x\(text)".utf8), key: key))
  }
}
