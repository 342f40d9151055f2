import API
import Core
import ReportingDomain
import UseCases

/// What a report is asked for, checked.
struct ReportParameters: Sendable {
  /// Latest month since issue.
  static let maximumMonth = 1_200
  /// Most months of one report.
  static let maximumMonths = 120

  let source: String
  let dimension: Dimension
  let months: [Int]
  let form: PersistencyForm
  let basis: ReportBasis
  let event: SurvivalEvent
  let issued: ClosedRange<CivilDate>
  /// The day at whose end things are looked at.
  let asOf: CivilDate
  /// Whether all customers can be counted: they are known as of today, and have neither month of issue nor dimension.
  let countsCustomers: Bool

  /// Reads a request; INVALID_ARGUMENT with every bad field.
  init(_ request: RunReportRequest, today: CivilDate) throws {
    var faults = ViolationList()
    if !request.source.isEmpty { SourceReference.check(source: request.source, "source", into: &faults) }
    func check(_ isKnown: Bool, _ path: String) {
      if !isKnown { faults.add(path, "is not known") }
    }
    check(Dimension.all.contains(request.by), "by")
    check(PersistencyForm.all.contains(request.form), "form")
    check(ReportBasis.all.contains(request.basis), "basis")
    check(SurvivalEvent.all.contains(request.event), "event")
    let months = request.months.map { Int($0) }
    if months.count > Self.maximumMonths || !months.allSatisfy({ (1...Self.maximumMonth).contains($0) })
      || zip(months, months.dropFirst()).contains(where: { $0 >= $1 })
    {
      faults.add("months", "must be at most \(Self.maximumMonths) numbers from 1 to \(Self.maximumMonth), ascending")
    }
    if request.form == .premium, !months.allSatisfy(PremiumPersistency.measures) {
      faults.add("months", "the premium form measures months 13, 25, 37 and so on")
    }
    if request.form == .premium, request.basis == .count {
      faults.add("basis", "the premium form counts premium")
    }
    let first = Self.month(request.fromIssueMonth, "from_issue_month", CivilDate(daysSinceEpoch: -.max / 2), &faults)
    let last = Self.month(request.toIssueMonth, "to_issue_month", CivilDate(daysSinceEpoch: .max / 2), &faults)
    let asOf = CivilDate.read(request.asOfDate, "as_of_date", faults: &faults) ?? today
    if asOf > today { faults.add("as_of_date", "lies in the future") }
    if first > last { faults.add("to_issue_month", "lies before from_issue_month") }
    try faults.throwIfAny()
    self.asOf = asOf
    countsCustomers =
      asOf == today && request.by == .unspecified && request.fromIssueMonth == nil && request.toIssueMonth == nil
    (source, dimension, self.months) = (request.source, request.by, months)
    form = request.form == .unspecified ? .survival : request.form
    basis = request.basis == .unspecified ? .count : request.basis
    event = request.event == .unspecified ? .surrender : request.event
    let lastDay = CivilDate(daysSinceEpoch: last.addingMonths(1).daysSinceEpoch - 1)
    issued = first...(request.toIssueMonth == nil ? last : max(last, lastDay))
  }

  /// The first day of a month; `open` if none is given.
  private static func month(
    _ month: CalendarDate?, _ path: String, _ open: CivilDate, _ faults: inout ViolationList
  ) -> CivilDate {
    guard let month else { return open }
    guard let first = CivilDate(year: Int(month.year), month: Int(month.month), day: 1) else {
      faults.add(path, "no such month")
      return open
    }
    return first
  }
}
