import Core
import RPCCore
import Testing

@testable import mainstay

struct ExactDecimalTests {
  @Test(arguments: [
    ("1234.5", 123_450), ("-0.005", 0), ("-0.015", -2), ("0.025", 2), ("+7", 700), (".5", 50), ("1.", 100),
    ("0.0251", 3),
  ])
  func amountsAreRoundedHalfToEven(text: String, minorUnits: Int64) {
    #expect(ExactDecimal(text)?.minorUnits(decimals: 2) == minorUnits)
  }

  @Test(arguments: ["", "-", ".", "1,5", "1e3", "1.2.3", " 1", "1234567890123456789"])
  func otherTextIsNoNumber(text: String) { #expect(ExactDecimal(text) == nil) }

  @Test func whatDoesNotFitIsNoAmount() {
    #expect(ExactDecimal("999999999999999999")?.minorUnits(decimals: 2) == nil)
  }
}

struct DateFormatTests {
  @Test func patternsAreFollowed() {
    #expect(DateFormat("yyyyMMdd")?.day("20240229") == CivilDate(year: 2024, month: 2, day: 29))
    #expect(DateFormat("dd/MM/yyyy")?.day("01/02/2003") == CivilDate(year: 2003, month: 2, day: 1))
    #expect(DateFormat("yyyy年MM月dd日")?.day("2003年02月01日") == CivilDate(year: 2003, month: 2, day: 1))
  }

  @Test(arguments: ["20230229", "2023022", "202302280", "2023-02-28", "２０２３０２２８", ""])
  func whatIsNoSuchDayIsNone(text: String) { #expect(DateFormat("yyyyMMdd")?.day(text) == nil) }

  @Test(arguments: ["", "yyyy", "yyyyMMddHH", "yyMMdd", "yyyyMMddMM"])
  func otherPatternsAreRefused(pattern: String) { #expect(DateFormat(pattern) == nil) }
}

struct EncodingTests {
  private func foreign(_ bytes: [UInt8]) -> String? { TextEncoding.foreign(bytes[...]) }

  @Test func filesInOtherEncodingsAreFound() {
    #expect(foreign([0xFF, 0xFE, 0x61, 0]) == "UTF-16")
    #expect(foreign([0x61, 0, 0x62, 0]) == "binary or UTF-16")
    let name: [UInt8] = [0xCD, 0xF5, 0x0A]
    #expect(foreign(Array("id\n".utf8) + name + name + name) == "in another encoding")
    #expect(foreign(name + Array("a\nb\nc\n".utf8)) == "in another encoding", "a header")
  }

  @Test func aFewBadRowsAreLeftToTheRejectFile() {
    let bad: [UInt8] = [0xCD, 0xF5, 0x0A]
    #expect(foreign(Array("id\n".utf8) + bad + bad) == nil)
    #expect(foreign(Array("id\né\n".utf8) + bad + bad + bad) == nil)
    #expect(foreign(Array("id\na\nb\nc\nd\n".utf8) + bad + bad + bad) == nil)
  }
}

struct OutputTests {
  @Test func wideCharactersTakeTwoColumns() {
    #expect(TableText.width("王a") == 3)
    #expect(TableText.width("é") == 1)
    #expect(TableText.width("e\u{301}") == 1)
  }

  @Test func noValueSteersTheTerminal() {
    #expect(TableText.printable("a\u{1B}[31m\nb\u{202E}") == "a\u{FFFD}[31m\u{FFFD}b\u{FFFD}")
    #expect(TableText.printable("王 é") == "王 é")
  }

  @Test func valuesAreQuotedWhereTheyMust() {
    #expect(CSV.line(["a", "b,c", "d\"e", "f\ng", ""]) == "a,\"b,c\",\"d\"\"e\",\"f\ng\",\n")
    #expect(JSONText.object([("a", jsonString("\"\\\n\u{1}é"))]) == "{\"a\": \"\\\"\\\\\\n\\u0001é\"}")
  }

  @Test func progressShowsRateAndTimeLeft() {
    let line = ImportProgress.line(rows: 300_000, bytes: 30, of: 100, seconds: 12)
    #expect(line == "[######--------------]  30 %  300,000 rows  25,000 rows/s  0:28 left")
    #expect(ImportProgress.line(rows: 0, bytes: 0, of: nil, seconds: 0) == "0 rows  0 rows/s")
  }

  @Test func aStatusIsShownWithEachBadField() {
    let error = RPCError.badRequest([
      FieldViolation("party.source", "is empty"), FieldViolation("page_size", "is below 0"),
    ])
    let failure = CommandFailure(error)
    #expect(
      failure.message == "INVALID_ARGUMENT: 2 fields are wrong\n  party.source: is empty\n  page_size: is below 0")
    #expect(failure.code == 1)
    #expect(CommandFailure(RPCError(.notFound, "no customer x")).message == "NOT_FOUND: no customer x")
  }
}

struct SettingTests {
  @Test func addressesAreRead() {
    #expect(ServerAddress("127.0.0.1:7443") == ServerAddress(host: "127.0.0.1", port: 7_443))
    #expect(ServerAddress("[::1]:7443")?.host == "::1")
    #expect(ServerAddress("[::]:7443")?.callable.description == "[::1]:7443")
    for wrong in ["", "7443", "host:", "host:0", "host:65536", ":7443"] { #expect(ServerAddress(wrong) == nil) }
  }

  @Test func timesAreRead() {
    #expect(CallDuration(argument: "200ms")?.duration == .milliseconds(200))
    #expect(CallDuration(argument: "2")?.duration == .seconds(2))
    #expect(CallDuration(argument: "3m")?.duration == .seconds(180))
    for wrong in ["", "0s", "s", "-1s", "5 s", "1.5s", "5d"] { #expect(CallDuration(argument: wrong) == nil) }
  }

  @Test func restartsComeLessAndLessOftenUntilAProcessWasWell() {
    var delay = RestartDelay()
    let waits = (0..<8).map { _ in delay.next(afterRunning: .seconds(1)) }
    #expect(waits.first == .milliseconds(200))
    #expect(waits.last == .seconds(10))
    #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(delay.next(afterRunning: .seconds(31)) == .milliseconds(200))
  }

  @Test func theFirstConfigurationNamesThePortsThatWereAskedFor() {
    let text = ServiceDefinition.gateway.configuration(ports: ["gateway": 1_111, "customer": 2_222])
    #expect(text.contains("listen: 127.0.0.1:1111\n"))
    #expect(text.contains("  customer: 127.0.0.1:2222\n"))
    #expect(!text.contains("database"))
    #expect(ServiceDefinition.customer.configuration(ports: [:]).contains("listen: 127.0.0.1:7451\n"))
  }
}
