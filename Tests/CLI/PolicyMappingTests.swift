import API
import Core
import Testing

@testable import mainstay

private func row(_ mapping: String, _ header: [String], _ row: [String]) throws -> Result<MappedRow, RowFault> {
  let bound = try MappingFile.parse(mapping, name: "m.yaml").bind(header: header, file: "f.csv")
  let record = CSVRecord(line: 2, fields: row.map { Array($0.utf8) }, problem: nil)
  return Result { () throws(RowFault) in try MappedRow(record, bound) }
}

struct DurationUnitTests {
  @Test func quartersAndMonthsAreExactAndDaysAreRounded() {
    #expect(DurationUnit.quarters.micromonths("0.01") == 30_000)
    #expect(DurationUnit.quarters.micromonths("4.33") == 12_990_000)
    #expect(DurationUnit.months.micromonths("13") == 13_000_000)
    #expect(DurationUnit.days.micromonths("30.436875") == 1_000_000)
    #expect(DurationUnit.days.micromonths("1") == 32_855)
    #expect(DurationUnit.months.micromonths("-1") == nil && DurationUnit.months.micromonths("long") == nil)
  }

  @Test func aDayFollowsFromWholeMonthsAndThePartOfTheNext() throws {
    let start = try #require(CivilDate("2024-01-31"))
    #expect(DurationUnit.day(0, after: start) == start)
    #expect(DurationUnit.day(1_000_000, after: start).description == "2024-02-29")
    #expect(DurationUnit.day(1_500_000, after: start).description == "2024-03-16")
    #expect(DurationUnit.day(30_000, after: start).description == "2024-02-01")
  }
}

struct PolicyMappingTests {
  private let mapping = """
    kind: policy
    key: id
    columns:
      from: issue_date
      quarters: {field: observed_duration, unit: quarters}
      x: {field: annual_premium, currency: USD, scale: 526.58, offset: 560.88, non_positive: missing}
      how:
        - {field: state, values: {open: in-force, gone: surrendered}}
        - {field: end_cause, values: {open: '', gone: surrender}}
    constants: {product_code: WL}
    derive: [end_date, observed_until_date]
    """
  private let header = ["id", "from", "quarters", "x", "how"]

  @Test func theEndOrTheEndOfObservationFollowsFromTheDuration() throws {
    let gone = try PolicyRow.make(row(mapping, header, ["1", "2020-01-15", "4", "2.3", "gone"]).get())
    #expect(gone.endDate == CalendarDate(year: 2021, month: 1, day: 15) && gone.observedUntilDate == nil)
    #expect((gone.state, gone.endCause) == (.surrendered, .surrender))
    #expect(gone.observedDurationMicromonths == 12_000_000)
    #expect(gone.annualPremium == Money(currencyCode: "USD", minorUnits: 177_201))
    let open = try PolicyRow.make(row(mapping, header, ["2", "2020-01-15", "4", "2.3", "open"]).get())
    #expect(open.observedUntilDate == CalendarDate(year: 2021, month: 1, day: 15) && open.endDate == nil)
    #expect((open.state, open.endCause) == (.inForce, .unspecified))
  }

  @Test func anAmountThatIsNotPositiveIsMissingAndCounted() throws {
    let made = try row(mapping, header, ["1", "2020-01-15", "4", "-1.07", "gone"]).get()
    #expect(made.missingAmounts == 1)
    #expect(try PolicyRow.make(made).annualPremium == nil)
    #expect(try row(mapping, header, ["1", "2020-01-15", "4", "-1.06", "gone"]).get().missingAmounts == 0)
  }

  @Test func optionsStandOnlyWhereTheyMeanSomething() {
    func refused(_ columns: String, _ more: String = "") -> String? {
      do {
        _ = try MappingFile.parse("kind: policy\nkey: id\ncolumns: {a: \(columns)}\n\(more)", name: "m.yaml")
        return nil
      } catch { return "\(error)" }
    }
    #expect(refused("{field: observed_duration}")?.contains("needs a unit") == true)
    #expect(refused("{field: observed_duration, unit: fortnights}")?.contains("quarters, months or days") == true)
    #expect(refused("{field: state, non_positive: missing}")?.contains("non_positive is for money") == true)
    #expect(refused("state", "derive: [issue_date]")?.contains("can be derived") == true)
    #expect(refused("{field: observed_duration, unit: days}") == nil)
  }

  @Test func instalmentsComeFromAMappingOfTheirOwn() throws {
    let mapping = """
      kind: premium
      key: policy
      columns: {on: due_date, due: {field: due, currency: CNY}, came: received_date, sum: {field: received, currency: CNY}}
      constants: {method: cash}
      """
    let header = ["policy", "on", "due", "came", "sum"]
    let paid = try PremiumRow.make(row(mapping, header, ["P1", "2025-01-15", "100.50", "2025-01-20", "100.50"]).get())
    #expect(paid.policySourceKey == "P1")
    #expect(paid.premium?.due == Money(currencyCode: "CNY", minorUnits: 10_050))
    #expect((paid.premium?.method, paid.premium?.receivedDate?.day) == (.cash, 20))
    let open = try PremiumRow.make(row(mapping, header, ["P1", "2025-01-15", "100.50", "", ""]).get())
    #expect(open.premium?.method == .unspecified && open.premium?.received == nil)
  }
}
