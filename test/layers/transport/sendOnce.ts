/** Sends one request, says the answer, and leaves all else to the end of the process. */
import { Effect, ManagedRuntime } from "effect"
import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import { Transport } from "../../../src/services/Transport.ts"
import { request } from "./conformance.ts"

const runtime = ManagedRuntime.make(Http1Transport.layerOptions({ keepAliveMs: 300_000 }))
const answer = await runtime.runPromise(Effect.flatMap(Transport, ({ send }) => send(request(process.argv[2] ?? ""))))
console.log(answer.body)
