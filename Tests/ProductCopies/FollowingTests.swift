import Core
import ProductCopies
import Testing

/// A real partner service over sockets, and a follower.
@Suite(.timeLimit(.minutes(1))) struct FollowingTests {
  /// How late a withdrawal may be.
  private static let limit = Duration.seconds(2)

  private func scene(_ body: (PartnerSite) async throws -> Void) async throws {
    let site = try await PartnerSite()
    do {
      try await site.start()
      try await body(site)
    } catch {
      await site.end()
      throw error
    }
    await site.end()
  }

  @Test func aWithdrawalReachesTheCopyInTime() async throws {
    try await scene { site in
      try await site.whileFollowing {
        let product = try await site.create("WL-1")
        try await site.copy(of: "WL-1", becomes: .onSale)
        let clock = ContinuousClock()
        let time = try await clock.measure {
          try await site.withdraw(product)
          try await site.copy(of: "WL-1", becomes: .withdrawn)
        }
        #expect(time < Self.limit)
      }
    }
  }

  @Test func aFollowerThatWasDownSeesTheWithdrawalFromItsStart() async throws {
    try await scene { site in
      let product = try await site.create("WL-1")
      try await site.whileFollowing { try await site.copy(of: "WL-1", becomes: .onSale) }
      try await site.withdraw(product)
      #expect(try await site.copies.state(of: "WL-1") == .onSale)
      let time = try await ContinuousClock().measure {
        try await site.whileFollowing { try await site.copy(of: "WL-1", becomes: .withdrawn) }
      }
      #expect(time < Self.limit)
    }
  }

  @Test func theFollowerGoesOnWhenThePartnerServiceIsBack() async throws {
    try await scene { site in
      try await site.whileFollowing {
        let product = try await site.create("WL-1")
        try await site.copy(of: "WL-1", becomes: .onSale)
        await site.stop()
        // Cut off it decides by what it knows; its pauses grow meanwhile.
        try await site.failures(5)
        #expect(try await site.copies.state(of: "WL-1") == .onSale)
        let time = try await ContinuousClock().measure {
          try await site.start()
          try await site.withdraw(product)
          try await site.copy(of: "WL-1", becomes: .withdrawn)
        }
        #expect(time < Self.limit)
        _ = try await site.create("WL-2")
        try await site.copy(of: "WL-2", becomes: .onSale)
      }
    }
  }
}
