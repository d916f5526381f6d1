/** `genai-dispatcher key`: makes API keys for the HTTP service. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { EndpointName } from "../../domain/config/Fields.ts"
import { hashKey, makeKey } from "../../domain/server/KeyRing.ts"
import { toggle } from "./CommonFlags.ts"
import { Output } from "./Output.ts"
import { UsageError } from "./RunPlan.ts"

/** What follows is no key. */
const MOST_BYTES = 4096

/** Whoever has the hash of a shorter one can find it by trying. */
const LEAST_LETTERS = 20

const flags = {
  name: Flag.String("name").pipe(
    Flag.withMetavar("NAME"),
    Flag.filter(Schema.is(EndpointName), () => "at most 64 letters on one line"),
    Flag.withDescription("Whose key it is; stands in logs and metrics. Default: my-app"),
    Flag.withDefault("my-app")
  ),
  stdin: toggle("stdin", "Hash a key that you have, read from standard input. Default: make a new one")
}

/** Prints a new key, once, and the line for the config: only its hash is kept there. */
export const keyCommand = Command.make("key", flags, ({ name, stdin }) =>
  Effect.gen(function* () {
    const { out } = yield* Output
    const key = stdin ? yield* readKey : makeKey()
    const entry = `    - { name: ${yamlText(name)}, sha256: ${hashKey(key)} }`
    const first = stdin
      ? []
      : ["The key, shown this once; clients send it as they would a provider's:", "", `  ${key}`, ""]
    const lines = [...first, "For the config, which needs only its hash:", "", "server:", "  apiKeys:", entry]
    yield* out.write(`${lines.join("\n")}\n`)
  })
).pipe(
  Command.withDescription(
    "Make an API key for the clients of the HTTP service, with the lines for its config. The key itself is stored nowhere."
  ),
  Command.withShortDescription("Make an API key for clients of the HTTP service"),
  Command.withExamples([
    { command: "genai-dispatcher key --name team-a", description: "A new key" },
    { command: "genai-dispatcher key --name team-a --stdin < key.txt", description: "The hash of one that there is" }
  ])
)

/** One line from standard input: arguments can be seen by every user of the machine. */
const readKey = Effect.gen(function* () {
  const { stdin } = yield* Stdio.Stdio
  const text = yield* stdin.pipe(
    Stream.decodeText(),
    Stream.scan(
      () => "",
      (all, piece) => all + piece
    ),
    Stream.takeUntil((all) => all.length > MOST_BYTES),
    Stream.runLast,
    Effect.mapError(() => new UsageError({ message: "Standard input cannot be read." }))
  )
  const key = Option.getOrElse(text, () => "").trim()
  const complaint = complaintOf(key)
  return complaint === undefined ? key : yield* new UsageError({ message: complaint })
})

const complaintOf = (key: string): string | undefined => {
  if (key === "") return "There is no key on standard input: pipe one in, or leave --stdin out to have one made."
  if (key.length > MOST_BYTES) return "What comes from standard input is too long for a key."
  if (!/^[\x21-\x7e]+$/.test(key)) return "A key must be plain letters without spaces, on one line."
  return key.length < LEAST_LETTERS
    ? `A key needs at least ${LEAST_LETTERS} letters, so that its hash does not give it away; leave --stdin out to have one made.`
    : undefined
}

/** Quoted unless it is surely a text as it is. */
const yamlText = (text: string): string =>
  /^[A-Za-z][\w-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off)$/i.test(text) ? text : JSON.stringify(text)
