import Core

/// How far something is, for a person who waits.
enum ProgressBar {
  private static let width = 20

  /// For example "[######--------------]  30 %"; the share is within 0 to 1.
  static func text(_ share: Double) -> String {
    let done = Int(share * Double(width))
    let bar = String(repeating: "#", count: done) + String(repeating: "-", count: width - done)
    let percent = String(Int(share * 100))
    return "[\(bar)] \(String(repeating: " ", count: max(0, 3 - percent.count)))\(percent) %"
  }

  /// For example "0:28 left", if the rest goes as fast as what took so many seconds.
  static func left(_ share: Double, seconds: Double) -> String {
    let left = share > 0 ? Int((seconds * (1 - share) / share).rounded()) : 0
    return "\(left / 60):\(decimal(left % 60, digits: 2)) left"
  }
}
