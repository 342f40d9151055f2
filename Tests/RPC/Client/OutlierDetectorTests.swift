import Core
import Testing

@testable import RPCTransport

/// gRFC A50's algorithms in numbers.
@Suite struct OutlierDetectorTests {
  private struct Fixed: RandomSource {
    let value: UInt64
    func next() -> UInt64 { value }
  }

  private final class Name {}

  private let names = (0..<10).map { _ in Name() }

  private func id(_ index: Int) -> ObjectIdentifier { ObjectIdentifier(names[index]) }

  /// A look at replicas of which so many in a hundred calls succeed.
  private func look(
    _ detector: inout OutlierDetector, _ succeeded: [Int], atSecond second: UInt64 = 0, of calls: Int = 100,
    chance: UInt64 = 0
  ) -> [Int] {
    let replicas = succeeded.enumerated().map { index, count in
      (id(index), Replica.Outcomes(succeeded: count, failed: calls - count))
    }
    detector.look(replicas, at: second * 1_000_000_000, Fixed(value: chance))
    return succeeded.indices.filter { detector.isEjected(id($0)) }
  }

  private func detector(_ change: (inout OutlierPolicy) -> Void = { _ in }) -> OutlierDetector {
    var policy = OutlierPolicy()
    change(&policy)
    return OutlierDetector(policy)
  }

  @Test func `More failures than the threshold leave a replica out, as many do not`() {
    var detector = detector()
    #expect(look(&detector, [100, 15]) == [])
    #expect(look(&detector, [100, 14]) == [1])
  }

  @Test func `With too few calls or replicas none is judged`() {
    var detector = detector()
    #expect(look(&detector, [49, 0], of: 49) == [])
    var one = self.detector { $0.maximumPercent = 100 }
    #expect(look(&one, [0]) == [])
  }

  @Test(arguments: [(50, [0]), (49, []), (100, [0, 1])])
  func `No more replicas are left out than the most in a hundred`(percent: Int, expected: [Int]) {
    var detector = detector { $0.maximumPercent = percent }
    #expect(look(&detector, [0, 0]) == expected)
  }

  @Test func `The only replica is never left out below a hundred in a hundred`() {
    var detector = detector {
      $0.failurePercentage.minimumReplicas = 1
      $0.maximumPercent = 99
    }
    #expect(look(&detector, [0]) == [])
  }

  /// Four rates of 1 and one of 0.8: mean 0.96, deviation 0.08, and 0.96 - 1.9 x 0.08 = 0.808.
  @Test func `A success rate far below the others leaves a replica out`() {
    var detector = detector()
    #expect(look(&detector, [100, 100, 100, 100, 80]) == [4])
    // With a factor of 2.1 the least is 0.792.
    var patient = self.detector { $0.successRate.threshold = 2_100 }
    #expect(look(&patient, [100, 100, 100, 100, 80]) == [])
    var few = self.detector()
    #expect(look(&few, [100, 100, 100, 80]) == [])
  }

  @Test func `Chance decides where not each is to be left out`() {
    var detector = detector { $0.failurePercentage.enforcementPercent = 30 }
    #expect(look(&detector, [100, 0], chance: 30) == [])
    #expect(look(&detector, [100, 0], chance: 129) == [1])
  }

  @Test
  func `Each time in a row is longer by the base time, up to the most, and shorter again after looks without one`() {
    var detector = detector {
      $0.baseEjectionTime = .seconds(30)
      $0.maximumEjectionTime = .seconds(70)
    }
    /// Ejects the second replica at a second, and says after how many it is back.
    func time(from second: UInt64) -> UInt64 {
      #expect(look(&detector, [100, 0], atSecond: second) == [1])
      for later in 1..<1_000 where look(&detector, [100, 100], atSecond: second + UInt64(later)).isEmpty {
        return UInt64(later)
      }
      return 0
    }
    #expect(time(from: 0) == 30)
    #expect(time(from: 30) == 60)
    #expect(time(from: 90) == 70)
    // Three times in a row: as many looks without one, and it begins anew.
    for second in 161...163 { #expect(look(&detector, [100, 100], atSecond: UInt64(second)) == []) }
    #expect(time(from: 164) == 30)
  }

  @Test func `A replica that has gone is forgotten`() {
    var detector = detector()
    #expect(look(&detector, [100, 0]) == [1])
    #expect(look(&detector, [100]) == [])
    #expect(look(&detector, [100, 100]) == [])
  }
}

@Suite struct HealthMessageTests {
  // Bytes as protoc --encode=grpc.health.v1.HealthCheckRequest and …Response give them.
  @Test func `The request is what protoc makes of it`() {
    #expect(HealthMessages.request("") == [0, 0, 0, 0, 0])
    #expect(HealthMessages.request("a.B") == [0, 0, 0, 0, 5, 0x0a, 3, 0x61, 0x2e, 0x42])
  }

  @Test(
    arguments: [
      ([0x08, 0x01], true), ([0x08, 0x02], false), ([], false), ([0x08, 0x03], false),
      ([0x08, 0x02, 0x08, 0x01], true),
      ([0x12, 0x01, 0x58, 0x08, 0x01], true), ([0x0d, 0, 0, 0, 0, 0x08, 0x01], true),
    ] as [([UInt8], Bool)])
  func `SERVING is read from a reply, whatever other fields it has`(bytes: [UInt8], expected: Bool) {
    #expect(HealthMessages.isServing(bytes) == expected)
  }

  @Test(
    arguments: [
      [0x08], [0x12, 0x05, 0x01], [0x0b], [0x09, 1, 2],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ] as [[UInt8]])
  func `What is no message says nothing`(bytes: [UInt8]) {
    #expect(HealthMessages.isServing(bytes) == nil)
  }
}
