/** The command line tool: its commands, its help, its last words. */

import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Line from "../../domain/report/Line.ts"
import { ExitCode, ExitStatus } from "./ExitStatus.ts"
import { errorLine, present } from "./Failures.ts"
import { help } from "./Help.ts"
import { keyCommand } from "./KeyCommand.ts"
import { Output } from "./Output.ts"
import { NAME } from "./Program.ts"
import { runCommand } from "./RunCommand.ts"
import { sandboxCommand } from "./SandboxCommand.ts"
import { serveCommand } from "./ServeCommand.ts"
import { usageText } from "./UsageText.ts"

export interface CliOptions {
  /** What follows the program's name. */
  readonly args: ReadonlyArray<string>
  readonly version: string
  /** How the user starts this tool, word by word, for the commands that it recommends. */
  readonly program: ReadonlyArray<string>
}

/** Runs the command that `args` name. Fails with the exit code when that is not 0; all there is to say has been said. */
export const cli = (options: CliOptions) => {
  const root = Command.make(NAME).pipe(
    Command.withDescription("Send requests through LLM endpoints as fast as their limits allow, and lose none."),
    Command.withSubcommands([runCommand(options.program), serveCommand(options.version), keyCommand, sandboxCommand])
  )
  return Command.runWith(root, { version: options.version })(options.args).pipe(
    Effect.catchTag("ShowHelp", () => new ExitStatus({ code: ExitCode.usage })),
    present,
    Effect.provide(environment)
  )
}

/** Help goes to standard output when it was asked for; what is wrong goes to standard error, without a page of help. */
const presenter = Layer.effect(
  CliOutput.Presenter,
  Effect.map(Output, ({ err, out }) => ({
    present: Effect.fnUntraced(function* (event: CliOutput.Presenter.Event) {
      switch (event._tag) {
        case "Version":
          return yield* out.write(`${event.name} ${event.version}\n`)
        case "Help": {
          const stream = event.reason === "Requested" ? out : err
          const width = Math.min((yield* stream.size).width, 100)
          const lines = help(event.helpDoc, width).map((line) => Line.render(line, { colors: stream.colors }))
          return yield* stream.write(`${lines.join("\n")}\n`)
        }
        case "InvalidInvocation": {
          const sentences = new Set(event.errors.map((error) => usageText(error, event.helpDoc)))
          const command = event.commandPath.join(" ")
          yield* err.write(
            `${[...sentences].map((sentence) => `${errorLine(err, sentence)}\n`).join("")}See ${command} --help\n`
          )
        }
      }
    })
  }))
)

/** Logs go to standard error, whatever the engine logs: standard output may carry results. */
const environment = Layer.mergeAll(
  NodeServices.layer,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  presenter,
  Layer.succeed(Logger.LogToStderr, true)
)
