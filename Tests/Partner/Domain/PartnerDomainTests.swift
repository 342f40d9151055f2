import Core
import Foundation
import MainstayTesting
import PartnerDomain
import Testing

@Suite struct PartnerDomainTests {
  private func faults(_ body: (inout ViolationList) -> Void) -> [String] {
    var list = ViolationList()
    body(&list)
    return list.violations.map(\.path)
  }

  private func day(_ text: String) throws -> CivilDate { try #require(CivilDate(text)) }

  static let codes = "\(Python.repository)/../shared/data/cn_uscc.csv"

  @Test(.enabled(if: FileManager.default.fileExists(atPath: codes), "../shared/data is not here"))
  func companyCodesAreJudgedAsThePublicListDoes() throws {
    let lines = try String(contentsOfFile: Self.codes, encoding: .utf8).split(separator: "\n").dropFirst()
    #expect(lines.count == 71)
    for line in lines {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      let isValid = ["true", "True", "1"].contains(cells[2])
      #expect(CompanyCode.canonical(cells[0]) == (isValid ? cells[1] : nil), "\(line)")
    }
  }

  @Test func aPartnerWithFaultsNamesAllOfThem() throws {
    let facts = PartnerFacts(
      code: "no spaces", name: "", companyCode: "91350100M000100Y42", contractFrom: try day("2026-02-01"),
      contractUntil: try day("2026-01-31"))
    #expect(faults { facts.validate(into: &$0) } == ["code", "name", "uscc", "contract_until"])
  }

  @Test func eachVersionBeginsAfterTheOneBefore() throws {
    let days = [try day("2026-01-01"), try day("2026-03-01"), try day("2026-03-01")]
    let facts = ProductFacts(code: "WL-1", name: "Whole life", versionDays: days, windows: [])
    #expect(faults { facts.validate(into: &$0) } == ["versions[2].from"])
  }

  @Test func windowsOfOneChannelDoNotOverlap() throws {
    let open = SaleWindow(channel: .online, from: try day("2026-01-01"))
    let later = SaleWindow(channel: .online, from: try day("2026-06-01"), until: try day("2026-07-01"))
    let other = SaleWindow(channel: .group, from: try day("2026-06-01"))
    #expect(faults { ProductFacts.check([open, later, other], into: &$0) } == ["sale_windows[1]"])
    let closed = SaleWindow(channel: .online, from: try day("2026-01-01"), until: try day("2026-05-31"))
    #expect(faults { ProductFacts.check([closed, later, other], into: &$0) } == [])
  }

  @Test func aProductIsSoldWithinItsWindowsFromItsFirstVersionUntilItIsWithdrawn() throws {
    var facts = ProductFacts(
      code: "WL-1", name: "Whole life", versionDays: [try day("2026-02-01")],
      windows: [SaleWindow(channel: .online, from: try day("2026-01-01"), until: try day("2026-03-31"))])
    #expect(!facts.mayBeSold(through: .online, on: try day("2026-01-31")))
    #expect(facts.mayBeSold(through: .online, on: try day("2026-02-01")))
    #expect(facts.mayBeSold(through: .online, on: try day("2026-03-31")))
    #expect(!facts.mayBeSold(through: .online, on: try day("2026-04-01")))
    #expect(!facts.mayBeSold(through: .group, on: try day("2026-02-01")))
    facts.isWithdrawn = true
    #expect(!facts.mayBeSold(through: .online, on: try day("2026-02-01")))
    #expect(throws: WithdrawnProduct(code: "WL-1")) { try facts.requireOnSale() }
  }
}
