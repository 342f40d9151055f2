/// First in, first out, in an array whose front is given back now and then. Whoever appends watches the limit. For the
/// drivers.
package struct WaitingLine<Element: Sendable>: Sendable {
  private var elements: [Element?] = []
  private var front = 0

  package init() {}

  package var count: Int { elements.count - front }
  package var isEmpty: Bool { count == 0 }

  package mutating func append(_ element: Element) { elements.append(element) }

  package mutating func popFirst() -> Element? {
    guard front < elements.count else { return nil }
    let first = elements[front]
    elements[front] = nil
    front += 1
    if front == elements.count {
      elements.removeAll(keepingCapacity: true)
      front = 0
    } else if front >= 1_024 {
      elements.removeFirst(front)
      front = 0
    }
    return first
  }

  /// Takes out the first one that matches, wherever it stands.
  package mutating func remove(where matches: (Element) -> Bool) -> Element? {
    guard let index = elements[front...].firstIndex(where: { $0.map(matches) ?? false }) else { return nil }
    return elements.remove(at: index)
  }
}
