/// The reports of a book as `mainstay reports run … --format csv` must print them.
extension CrashBook {
  /// Arguments of each report, without the source, and what it must print.
  func figures() -> [(arguments: [String], csv: String)] {
    let issued = policies.filter { $0.outcome != .cancelled }
    let months = ["--months", "13,25"]
    return [
      (
        ["kpi"],
        "figure,unit,value\ncustomers,customers,\(holders)\n" + Self.keyFigures(issued).map { "\($0)\n" }.joined()
      ),
      (["kpi", "--by", "partner"], "partner,name,figure,unit,value\n" + byPartner(issued)),
      (["end-causes"], Self.endCauses(issued)),
      (["persistency", "--by", "channel"] + months, Self.persistency(issued)),
      (["persistency", "--basis", "premium"] + months, Self.persistencyOfPremium(issued)),
      (["persistency", "--form", "premium"] + months, Self.received(issued)),
    ]
  }

  private static func keyFigures(_ policies: [Policy]) -> [String] {
    var perHolder: [Int: Int] = [:]
    for policy in policies { perHolder[policy.holder, default: 0] += 1 }
    let premiums = policies.compactMap(\.premium)
    let (customers, premium) = (perHolder.count, premiums.reduce(0, +))
    let ofPremium = [
      "premium,minor units CNY,\(premium)",
      "premium_per_customer,minor units CNY,\(share(premium, customers, places: 2))",
    ]
    return [
      "customers_with_policy,customers,\(customers)", "policies,policies,\(policies.count)",
      "policies_without_premium,policies,\(policies.count - premiums.count)",
    ] + (premiums.isEmpty ? [] : ofPremium) + [
      "policies_per_customer,policies,\(share(policies.count, customers))",
      "add_on_rate,share,\(share(perHolder.values.count { $0 > 1 }, customers))",
    ]
  }

  /// The partner's name is its code in small letters, as the rounds create it.
  private func byPartner(_ policies: [Policy]) -> String {
    (partners.sorted() + [nil]).map { partner in
      let own = policies.filter { $0.partner == partner }
      let head = partner.map { "\($0),\($0.lowercased())" } ?? "unknown,"
      return own.isEmpty ? "" : Self.keyFigures(own).map { "\(head),\($0)\n" }.joined()
    }.joined()
  }

  private static func endCauses(_ policies: [Policy]) -> String {
    var counts: [String: Int] = [:]
    for policy in policies { counts[policy.outcome.rawValue, default: 0] += 1 }
    let rows = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
    return "cause,policies,share\n"
      + rows.map { "\($0.key),\($0.value),\(share($0.value, policies.count))\n" }.joined()
  }

  /// Whether month m of a policy can be judged: it has ended, or was seen until then.
  private static func isJudged(_ policy: Policy, _ month: Int) -> Bool { policy.hasEnded || policy.months >= month }

  private static func persistency(_ policies: [Policy]) -> String {
    var text = "channel,month,policies,kept,persistency\n"
    for channel in channels {
      let own = policies.filter { $0.channel == channel }
      for month in [13, 25] where !own.isEmpty {
        let (all, kept) = (own.count { isJudged($0, month) }, own.count { $0.months >= month })
        text += "\(word(channel)),\(month),\(all),\(kept),\(share(kept, all))\n"
      }
    }
    return text
  }

  private static func persistencyOfPremium(_ policies: [Policy]) -> String {
    let known = policies.filter { $0.premium != nil }
    var text = "currency,month,premium,kept,persistency\n"
    for month in [13, 25] where !known.isEmpty {
      let all = known.filter { isJudged($0, month) }.compactMap(\.premium).reduce(0, +)
      let kept = known.filter { $0.months >= month }.compactMap(\.premium).reduce(0, +)
      text += "CNY,\(month),\(all),\(kept),\(share(kept, all))\n"
    }
    return text
  }

  /// Premium of month m that came in time ÷ the first one, of policies whose grace for m was over as they were last seen and
  /// whose insured lived then.
  private static func received(_ policies: [Policy]) -> String {
    let cohort = policies.filter { !$0.instalments.isEmpty && !$0.isSingle }
    let anyPremiums = policies.contains { !$0.instalments.isEmpty }
    var text = "currency,month,policies,due,received,persistency\n"
    for month in [13, 25] where anyPremiums {
      let measured = cohort.filter { policy in
        switch policy.outcome {
        case .inForce, .death: policy.months > month
        case .surrender, .lapse, .cancelled: true
        }
      }
      let due = measured.reduce(0) { $0 + $1.instalments[0].due }
      let paid = measured.flatMap { $0.instalments }.filter { $0.year == month / 12 }.reduce(0) { $0 + $1.counted }
      text += "CNY,\(month),\(measured.count),\(due),\(paid),\(share(paid, due))\n"
    }
    return text
  }

  private static func word(_ channel: String) -> String {
    channel.lowercased().replacing("_", with: "-")
  }

  /// A quotient, rounded half to even; empty if there is none.
  static func share(_ part: Int, _ whole: Int, places: Int = 6) -> String {
    guard whole > 0 else { return "" }
    let unit = (0..<places).reduce(1) { product, _ in product * 10 }
    var (quotient, rest) = (part * unit).quotientAndRemainder(dividingBy: whole)
    if rest * 2 > whole || rest * 2 == whole && quotient % 2 == 1 { quotient += 1 }
    rest = quotient % unit
    let digits = "\(rest)"
    return "\(quotient / unit)." + String(repeating: "0", count: places - digits.count) + digits
  }
}
