// Generates Swift from a descriptor set, and compares two descriptor sets. scripts/generate.sh calls it.
import Glibc

func run(_ arguments: [String]) throws {
  switch arguments.first {
  case "generate" where arguments.count == 5:
    let generation = try Generation(
      descriptorSet: try readFile(arguments[1]), cModule: arguments[3], module: arguments[4])
    for file in generation.files() { try writeFile("\(arguments[2])/\(file.path)", Array(file.text.utf8)) }
    try writeFile("\(arguments[2])/stripped.binpb", generation.stripped.bytes)
    for name in generation.stripped.fileNames { print(name) }
  case "breaking" where arguments.count == 3:
    let changes = try breakingChanges(from: try readFile(arguments[1]), to: try readFile(arguments[2]))
    for change in changes { print(change) }
    if !changes.isEmpty { exit(1) }
  default:
    throw GeneratorFailure(
      """
      usage: mainstay-protogen generate DESCRIPTOR-SET OUTPUT-FOLDER C-MODULE SWIFT-MODULE
             mainstay-protogen breaking OLD-DESCRIPTOR-SET NEW-DESCRIPTOR-SET
      """)
  }
}

do {
  try run(Array(CommandLine.arguments.dropFirst()))
} catch {
  let line = Array("mainstay-protogen: \(error)\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
  exit(2)
}
