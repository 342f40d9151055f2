import API
import Testing

@testable import mainstay

/// The party of a row, or the reason why there is none.
private func party(_ mapping: String, _ header: [String], _ row: [String]) throws -> Result<Party, RowFault> {
  let bound = try MappingFile.parse(mapping, name: "m.yaml").bind(header: header, file: "f.csv")
  let record = CSVRecord(line: 2, fields: row.map { Array($0.utf8) }, problem: nil)
  return Result { () throws(RowFault) in try PartyRow.make(try MappedRow(record, bound)) }
}

private func policy(_ mapping: String, _ header: [String], _ row: [String]) throws -> Result<Policy, RowFault> {
  let bound = try MappingFile.parse(mapping, name: "m.yaml").bind(header: header, file: "f.csv")
  let record = CSVRecord(line: 2, fields: row.map { Array($0.utf8) }, problem: nil)
  return Result { () throws(RowFault) in try PolicyRow.make(try MappedRow(record, bound)) }
}

/// The line that a mapping is refused with.
private func refusal(_ mapping: String, header: [String] = ["id", "a"]) -> String? {
  do {
    _ = try MappingFile.parse(mapping, name: "m.yaml").bind(header: header, file: "f.csv")
    return nil
  } catch let failure as CommandFailure {
    #expect(failure.code == 2)
    #expect(!failure.message.contains("\n"), "one line")
    return failure.message
  } catch { return "\(error)" }
}

struct MappingTests {
  @Test func columnsOfOneLineAreJoinedAndBlankOnesLeftOut() throws {
    let mapping = """
      kind: person
      key: id
      columns: {number: "addresses[0].lines[0]", street: "addresses[0].lines[0]", place: "addresses[0].district"}
      constants: {"addresses[0].country_code": AU}
      """
    let header = ["id", "number", "street", "place"]
    let full = try party(mapping, header, ["k", " 6", "main street ", "x"]).get()
    #expect(full.addresses == [Address(lines: ["6 main street"], district: "x", countryCode: "AU")])
    #expect(try party(mapping, header, ["k", "", "main", ""]).get().addresses.first?.lines == ["main"])
    // No part of it is known, so there is no address that the constant could stand in.
    #expect(try party(mapping, header, ["k", " ", "", "\u{3000}"]).get().addresses.isEmpty)
  }

  @Test func aDateThatIsNoDayIsKeptOrRejectedAsTheMappingSays() throws {
    func mapping(_ invalid: String) -> String {
      "kind: person\nkey: id\ncolumns: {born: {field: person.birth_date, format: yyyyMMdd, invalid: \(invalid)}}"
    }
    let kept = try party(mapping("keep"), ["id", "born"], ["k", "19801331"]).get()
    #expect(kept.sourceAttributes == [SourceAttribute(name: "born", value: "19801331")])
    #expect(kept.kind == .person(Person()))
    let good = try party(mapping("reject"), ["id", "born"], ["k", "19801231"]).get()
    #expect(good.kind == .person(Person(birthDate: CalendarDate(year: 1980, month: 12, day: 31))))
    let fault = RowFault(reason: "born: is no day in the mapping's format")
    #expect(throws: fault) { try party(mapping("reject"), ["id", "born"], ["k", "19801331"]).get() }
  }

  @Test func identifiersTakeTypeAndIssuerFromTheMapping() throws {
    let made = try party(
      "kind: person\nkey: id\ncolumns: {n: {field: identifiers, type: national-number, issuer: AU}}", ["id", "n"],
      ["k", "123"]
    ).get()
    #expect(made.identifiers == [Identifier(type: .nationalNumber, issuer: "AU", value: "123")])
  }

  @Test func valuesAreTranslated() throws {
    let mapping = "kind: person\nkey: id\ncolumns: {g: {field: person.sex, values: {男: male, 女: female, 未知: ''}}}"
    #expect(try party(mapping, ["id", "g"], ["k", "女"]).get().kind == .person(Person(sex: .female)))
    #expect(try party(mapping, ["id", "g"], ["k", "未知"]).get().kind == .person(Person()))
    #expect(throws: RowFault(reason: "g: is none of the mapping's values")) {
      try party(mapping, ["id", "g"], ["k", "x"]).get()
    }
  }

  @Test func rowsThatCannotBeTakenSayWhy() throws {
    let mapping = "kind: company\nkey: id\ncolumns: {a: company.name}"
    func reason(_ fields: [[UInt8]]) throws -> String? {
      let bound = try MappingFile.parse(mapping, name: "m").bind(header: ["id", "a"], file: "f")
      do throws(RowFault) {
        _ = try MappedRow(CSVRecord(line: 2, fields: fields, problem: nil), bound)
        return nil
      } catch { return error.reason }
    }
    #expect(try reason([Array("k".utf8)]) == "1 values where the header has 2")
    #expect(try reason([Array(" ".utf8), []]) == "id: the key is empty")
    #expect(try reason([Array("k".utf8), [0x4A, 0xE9]]) == "a: is not UTF-8")
    #expect(try reason([Array("k".utf8), [0x4A, 0]]) == "a: holds a NUL character")
    #expect(try reason([Array("k".utf8), Array("x".utf8)]) == nil)
  }

  @Test func policiesTakeMoneyDatesAndConstants() throws {
    let mapping = """
      kind: policy
      key: no
      columns:
        start: {field: issue_date, format: dd.MM.yyyy}
        prem: {field: annual_premium, currency: USD, scale: 526.58, offset: 560.88}
        state: {field: state, values: {live: in-force}}
      constants: {product_code: LIFE, channel: individual agent}
      """
    let made = try policy(mapping, ["no", "start", "prem", "state"], ["7", "29.06.1995", "2.3", "live"]).get()
    #expect(made.sourceKey == "7")
    #expect(made.issueDate == CalendarDate(year: 1995, month: 6, day: 29))
    #expect(made.annualPremium == API.Money(currencyCode: "USD", minorUnits: 177_201))
    #expect(made.state == .inForce)
    #expect(made.productCode == "LIFE")
    #expect(made.channel == .individualAgent)
  }

  @Test func aColumnThatTheMappingDoesNotNameIsNamed() {
    let line = refusal("kind: person\nkey: id\ncolumns: {}")
    #expect(line == "mainstay: f.csv has a column \"a\" that m.yaml does not name; map it, or list it under ignore")
    #expect(refusal("kind: person\nkey: id\nignore: [a, other]") == nil)
  }

  @Test func aColumnThatTheFileLacksIsNamed() {
    let line = refusal("kind: person\nkey: id\ncolumns: {a: person.given_name, b: phones}")
    #expect(line == "mainstay: m.yaml names a column \"b\" that f.csv does not have")
    #expect(refusal("kind: person\nkey: nr", header: ["id"])?.contains("\"id\"") == true)
  }

  @Test func aRepairedRejectFileIsReadLikeTheOriginal() {
    #expect(refusal("kind: person\nkey: id\nignore: [a]", header: ["line", "reason", "id", "a"]) == nil)
    #expect(refusal("kind: person\nkey: id\nignore: [a]", header: ["id", "a", "line"])?.contains("\"line\"") == true)
  }

  @Test(arguments: [
    ("kind: person\nkey: id\nignore: [a, a]", nil),
    ("kind: person\nkey: id\ncolumns: {a: person.givenname}", "m.yaml:3"),
    ("kind: person\nkey: id\ncolumns: {a: company.name}", "m.yaml:3"),
    ("kind: persons\nkey: id", "m.yaml:1"),
    ("kind: person\nkey: id\nkolumns: {}", "m.yaml:3"),
    ("kind: person\nkey: id\ncolumns: {a: {field: person.birth_date, format: yyyy}}", "format"),
    ("kind: person\nkey: id\ncolumns: {a: {field: person.birth_date, invalid: drop}}", "invalid"),
    ("kind: person\nkey: id\ncolumns: {a: {field: identifiers}}", "RESIDENT_ID"),
    ("kind: policy\nkey: id\ncolumns: {a: annual_premium}", "currency"),
    ("kind: person\nkey: id\ncolumns: {id: person.sex, a: person.sex}", "same field"),
    ("kind: person\nkey: id\ncolumns: {a: phones}\nignore: [a]", "both"),
    ("kind: person\ncolumns: [", "no YAML"),
    ("just text", "KEY: VALUE"),
  ])
  func aMappingThatCannotWorkIsRefusedAtItsPlace(mapping: String, part: String?) {
    let line = refusal(mapping)
    if let part { #expect(line?.contains(part) == true, "\(line ?? "accepted")") } else { #expect(line == nil) }
  }

  @Test func twoColumnsOfOneNameAreRefused() {
    #expect(refusal("kind: person\nkey: id", header: ["id", "id"])?.contains("two columns named \"id\"") == true)
  }

  @Test func theShippedMappingFitsFebrl() throws {
    let header = [
      "rec_id", "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state",
      "date_of_birth", "soc_sec_id",
    ]
    let mapping = try MappingFile.read("services/customer/mappings/febrl.yaml")
    let bound = try mapping.bind(header: header, file: "febrl1.csv")
    let row = [
      "rec-1-org", "kayla", "harrington", "6", "maltby circuit", "", "coolaroo", "3465", "nsw", "19801331", "9004242",
    ]
    let made = try PartyRow.make(
      try MappedRow(CSVRecord(line: 2, fields: row.map { Array($0.utf8) }, problem: nil), bound))
    #expect(made.addresses.first?.lines == ["6 maltby circuit"])
    #expect(made.sourceAttributes.map(\.name) == ["date_of_birth"])
  }
}
