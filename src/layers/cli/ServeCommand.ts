/** `genai-dispatcher serve`. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { atLeastOne, configFlags, dispatcherFlags, graceFlag, text, toggle } from "./CommonFlags.ts"
import { FlagGroups } from "./Help.ts"

const serveFlags = {
  host: text("host", "ADDRESS", "Address to listen on. Default: 127.0.0.1, this machine only"),
  port: Flag.Int("port").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("Port to listen on, 0 for any free one. Default: 8080"),
    Flag.optional
  ),
  noAuth: toggle(
    "no-auth",
    "Ask nobody for an API key. Default: ask for one of the config's; none are needed on this machine only"
  ),
  requestLog: Flag.Literals("request-log", ["json", "text", "none"]).pipe(
    Flag.withMetavar("FORMAT"),
    Flag.withDescription("A line for each request on standard error: json, text or none. Default: json"),
    Flag.optional
  ),
  processes: atLeastOne(
    "processes",
    "Serve with N processes of this machine, for more than one core can do; they share all limits. Default: 1"
  ),
  grace: graceFlag("How long SIGTERM and Ctrl-C wait for requests in flight").pipe(Flag.optional),
  ...dispatcherFlags
}

/**
 * Serves the endpoints over HTTP until a signal comes.
 *
 * What does the work is loaded only when there is work: the other commands need not wait for it.
 */
export const serveCommand = (version: string) =>
  Command.make("serve", serveFlags, (flags) =>
    Effect.gen(function* () {
      const { execute } = yield* Effect.promise(() => import("./ServeLayers.ts"))
      yield* execute({
        version,
        configFlags: configFlags(flags),
        serverFlags: {
          host: Option.getOrUndefined(flags.host),
          port: Option.getOrUndefined(flags.port),
          grace: Option.getOrUndefined(flags.grace)?.written,
          requestLog: Option.getOrUndefined(flags.requestLog)
        },
        withoutKeys: flags.noAuth,
        processes: Option.getOrElse(flags.processes, () => 1)
      })
    })
  ).pipe(
    Command.withDescription(
      "Put the endpoints behind one HTTP service that knows their limits. Clients speak the APIs of OpenAI, Gemini or " +
        "Anthropic, or hand in jobs and fetch the answers later; jobs survive a crash. The service describes itself at /docs."
    ),
    Command.withShortDescription("Serve the endpoints over HTTP, in the APIs of OpenAI, Gemini and Anthropic"),
    Command.annotate(FlagGroups, {
      Service: ["host", "port", "no-auth", "request-log", "processes", "grace"],
      Endpoints: ["config", "endpoint", "model", "api-key-env", "concurrency", "policy"],
      "Pace and patience": ["max-requests-per-second", "max-attempts", "deadline"]
    }),
    Command.withExamples([
      { command: "genai-dispatcher serve --config dispatcher.yaml", description: "On this machine, port 8080" },
      {
        command: "genai-dispatcher serve --config dispatcher.yaml --host 0.0.0.0",
        description: "For others too: they need a key of the config (see genai-dispatcher key)"
      }
    ])
  )
