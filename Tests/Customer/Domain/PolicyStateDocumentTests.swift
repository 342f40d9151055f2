import CustomerDomain
import Foundation
import Testing

@Test func thePageOfPolicyStatesHasTheTableOfTheCode() throws {
  let root = URL(filePath: #filePath).appending(path: "../../../..").standardized
  let page = try String(contentsOf: root.appending(path: "docs/policy-states.md"), encoding: .utf8)
  let code = PolicyState.allCases.map { state in
    let successors = state.successors.map(\.name).joined(separator: ", ")
    return "| \(state.name) | \(successors.isEmpty ? "–" : successors) |"
  }
  let rows = page.split(separator: "\n").map(String.init).filter { $0.hasPrefix("| ") && !$0.hasPrefix("| From") }
  #expect(rows == code)
}
