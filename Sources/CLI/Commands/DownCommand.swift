import ArgumentParser

/// mainstay down.
struct DownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Stops what \"mainstay up\" has started; running calls may end first.",
    discussion: """
      The data, the certificates and the configuration stay in the state folder.

      Example:
        mainstay down
      """)

  @OptionGroup var home: HomeOptions

  func run() throws {
    let folder = home.folder
    let stopped = try MainLoop.run { loop in await RunningSystem(folder: folder, loop: loop).stop() }
    printLine(stopped ? "Mainstay is down." : "Mainstay is not running in \(folder.path).")
  }
}
