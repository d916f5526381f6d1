/**
 * A run in a process of its own, to be killed or cut off from its streams: `node child.ts <options as JSON>`.
 *
 * Answers after a few milliseconds and fails every fifth row. Ends with one line of JSON on standard error: the report,
 * or the error.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { GenAiError, Overloaded } from "../../../src/domain/genai/GenAiError.ts"
import * as FileBatchRunner from "../../../src/layers/batch/FileBatchRunner.ts"
import type { BatchOptions } from "../../../src/services/BatchRunner.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { answerTo, clientOf, question, runToEnd } from "./Harness.ts"

const client = clientOf((request) => {
  const index = Number(question(request).split(" ")[1])
  return Effect.delay(
    index % 5 === 0
      ? Effect.fail(new GenAiError({ message: "Busy.", reason: new Overloaded({ status: 503 }), attempts: 1 }))
      : Effect.succeed(answerTo(request)),
    1 + (index % 7)
  )
})

const options: BatchOptions = JSON.parse(process.argv[2] ?? "{}")

runToEnd(options)
  .pipe(
    Effect.match({
      onSuccess: (report) => ({ report }),
      onFailure: ({ message, reason }) => ({ error: { message, reason } })
    }),
    Effect.provide(
      Layer.provide(FileBatchRunner.layer, Layer.merge(NodeServices.layer, Layer.succeed(GenAiClient, client)))
    ),
    Effect.runPromise
  )
  .then((end) => process.stderr.write(`${JSON.stringify(end)}\n`))
