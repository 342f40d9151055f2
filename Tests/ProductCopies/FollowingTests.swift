import Core
import MainstayTesting
import ProductCopies
import Testing

/// A real partner service over sockets, and a follower.
@Suite(.timeLimit(.minutes(10))) struct FollowingTests {
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
        print("from the withdrawal to the copy: \(time)")
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
      print("from the withdrawal to the copy: \(time)")
    }
  }

  @Test func theFollowerGoesOnWhenThePartnerServiceIsBack() async throws {
    try await scene { site in
      try await site.whileFollowing {
        let product = try await site.create("WL-1")
        try await site.copy(of: "WL-1", becomes: .onSale)
        await site.stop()
        // Cut off it decides by what it knows; its pauses grow meanwhile.
        #expect(await site.failures(5))
        #expect(try await site.copies.state(of: "WL-1") == .onSale)
        let time = try await ContinuousClock().measure {
          try await site.start()
          try await site.withdraw(product)
          try await site.copy(of: "WL-1", becomes: .withdrawn)
        }
        print("from the withdrawal to the copy: \(time)")
        _ = try await site.create("WL-2")
        try await site.copy(of: "WL-2", becomes: .onSale)
      }
    }
  }

  @Test func aFailureIsToldOnceUntilItIsOver() async throws {
    try await scene { site in
      try await site.whileFollowing {
        _ = try await site.create("WL-1")
        try await site.copy(of: "WL-1", becomes: .onSale)
        #expect(site.told == [])
        await site.stop()
        #expect(await site.failures(4))
        // The stream that broke and the attempts after it fail alike.
        #expect(site.told == ["interrupted"])
        try await site.start()
        _ = try await site.create("WL-2")
        try await site.copy(of: "WL-2", becomes: .onSale)
        #expect(await eventually(within: .seconds(30)) { site.told == ["interrupted", "resumed"] })
      }
    }
  }

  @Test func anEventThatCannotBeReadIsKeptAndDoesNotStopTheOthers() async throws {
    try await scene { site in
      try await site.whileFollowing {
        let product = try await site.create("WL-1")
        try await site.damage()
        try await site.withdraw(product)
        try await site.copy(of: "WL-1", becomes: .withdrawn)
        let status = try await site.copies.status()
        #expect((status.unreadableEvents, status.connected) == (1, true))
        #expect(await eventually(within: .seconds(30)) { site.told == ["event"] })
      }
    }
  }

  @Test func whoStartsWaitsForTheNewsButNotForEver() async throws {
    try await scene { site in
      let product = try await site.create("WL-1")
      try await site.whileFollowing { try await site.copy(of: "WL-1", becomes: .onSale) }
      try await site.withdraw(product)
      await site.stop()
      try await site.whileFollowing {
        async let caughtUp: Void = site.firstCatchUp(within: .seconds(30))
        #expect(await site.failures(1))
        try await site.start()
        try await caughtUp
        #expect(try await site.copies.state(of: "WL-1") == .withdrawn)
      }
      await site.stop()
      try await site.whileFollowing {
        try await site.firstCatchUp(within: .milliseconds(300))
        #expect(try await site.copies.status().caughtUp == false)
        #expect(try await site.copies.state(of: "WL-1") == .withdrawn)
      }
    }
  }
}
