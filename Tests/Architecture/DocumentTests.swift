import Foundation
import Testing

@Suite struct DocumentTests {
  @Test func documentsNameOnlyTargetsOfTheMakefile() throws {
    let makefile = try Repository.text("Makefile")
    for document in try Repository.documents() {
      let unknown = DocumentRules.unknownTargets(in: document.text, makefile: makefile)
      #expect(unknown.isEmpty, "\(document.path) names make targets that do not exist: \(unknown)")
    }
  }

  @Test func documentsNameOnlyCommandsThatExist() throws {
    let sources = try Repository.files(in: "Sources/CLI", suffix: ".swift").map(Repository.text)
    let known = DocumentRules.declaredCommands(in: sources)
    for document in try Repository.documents() {
      let unknown = DocumentRules.unknownCommands(in: document.text, known: known)
      #expect(unknown.isEmpty, "\(document.path) names commands of mainstay that do not exist: \(unknown)")
    }
  }

  @Test func linksBetweenDocumentsLeadSomewhere() throws {
    for document in try Repository.documents() {
      let folder = Repository.root.appending(path: document.path).deletingLastPathComponent()
      let dead = DocumentRules.links(in: document.text).filter {
        !FileManager.default.fileExists(atPath: folder.appending(path: $0).path)
      }
      #expect(dead.isEmpty, "\(document.path) has dead links: \(dead)")
    }
  }

  @Test(arguments: [
    "Run `make everything`.", "```\nmake up && make everything\n```", "    make everything   # at once",
    "```sh\nCI=true make everything\n```",
  ])
  func plantedTargetIsFound(text: String) {
    #expect(DocumentRules.unknownTargets(in: text, makefile: "up: ## Start\n\techo\n") == ["everything"])
  }

  @Test func proseIsNotTakenForACommand() {
    #expect(DocumentRules.unknownTargets(in: "They make everything, and `make up` works.", makefile: "up:\n") == [])
    #expect(DocumentRules.unknownCommands(in: "Why mainstay works", known: []) == [])
  }

  @Test(arguments: ["Try `mainstay fly`.", "    .build/release/mainstay fly --now"])
  func plantedCommandIsFound(text: String) {
    let known = DocumentRules.declaredCommands(in: ["CommandConfiguration(commandName: \"up\", abstract: \"Start\")"])
    #expect(DocumentRules.unknownCommands(in: text, known: known) == ["fly"])
    #expect(DocumentRules.unknownCommands(in: "`mainstay up`", known: known) == [])
  }

  @Test func plantedLinkIsSeen() {
    let text = "[a](docs/a.md#part), [b](https://example.org) and [c](./c.md \"title\")"
    #expect(DocumentRules.links(in: text) == ["docs/a.md", "./c.md"])
  }
}
