/** What every transport promises of endpoints that speak TLS, tried against real ones with certificates made for the run. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import * as Tls from "node:tls"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { Transport } from "../../../src/services/Transport.ts"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"
import { type Authority, authority } from "./certificates.ts"
import { request } from "./conformance.ts"
import { tlsAnswers } from "./tlsAnswers.ts"
import { tlsCertificates } from "./tlsCertificates.ts"
import { tlsEndings } from "./tlsEndings.ts"
import { tlsHandshakes } from "./tlsHandshakes.ts"
import { httpsServer } from "./tlsServers.ts"

export interface TlsTraits {
  readonly layer: Layer.Layer<Transport>
  /** The module that exports this layer as `layer`, for a process of its own. */
  readonly module: URL
  /** The same transport with a limit of 1,000 bytes for bodies. */
  readonly smallBodies: Layer.Layer<Transport>
  /** The codes for an answer that ended before it was whole. */
  readonly incomplete: ReadonlyArray<string>
}

/** What the parts of the suite share. */
export interface TlsSuite extends TlsTraits {
  /** An authority that this process trusts while the tests run. */
  readonly trusted: Authority
  /** A transport whose scope the test closes. */
  readonly ownTransport: (scope: Scope.Scope) => Effect.Effect<Transport["Service"]>
  readonly live: (sentence: string, test: Effect.Effect<void, unknown, Transport | Scope.Scope>) => void
}

export const tlsConformance = (name: string, traits: TlsTraits) => {
  const trusted = authority("trusted")

  describe(`${name} over TLS`, () => {
    const before = Tls.getCACertificates("default")
    beforeAll(() => Tls.setDefaultCACertificates([...before, trusted.cert]))
    afterAll(() => Tls.setDefaultCACertificates(before))

    const suite: TlsSuite = {
      ...traits,
      trusted,
      // Fresh: what a test has already has another scope.
      ownTransport: (scope) =>
        Effect.map(Layer.buildWithScope(Layer.fresh(traits.layer), scope), (context) =>
          Context.get(context, Transport)
        ),
      live: (sentence, test) => it.live(sentence, () => Effect.provide(test, traits.layer))
    }
    tlsCertificates(suite)
    tlsHandshakes(suite)
    tlsAnswers(suite)
    tlsEndings(suite)

    it.live("trusts an authority in NODE_EXTRA_CA_CERTS, and does not without", () =>
      Effect.gen(function* () {
        const inFolder = yield* temporaryFolder
        const extra = authority("extra")
        yield* Effect.promise(() => writeFile(inFolder("extra.pem"), extra.cert))
        const server = yield* httpsServer(extra.issue({ hosts: ["localhost"] }), (_, response) => {
          response.end("trusted")
        })
        const wire = request(server.origin)
        const outcomes = yield* Effect.all(
          [
            outcomesIn({ NODE_EXTRA_CA_CERTS: inFolder("extra.pem") }, traits.module, wire),
            outcomesIn({}, traits.module, wire)
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(outcomes, [
          ["trusted", "trusted"],
          ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]
        ])
      })
    )
  })
}

/** How a request ends, whole and streamed, in a process of its own: the body or the code of the failure. */
const outcomesIn = (env: NodeJS.ProcessEnv, module: URL, wire: WireRequest): Effect.Effect<unknown> =>
  Effect.promise(async (signal) => {
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env
    const child = fork(new URL("./tlsClient.ts", import.meta.url), [module.href, JSON.stringify(wire)], {
      env: { ...inherited, ...env },
      signal
    })
    const exited = once(child, "exit")
    const [outcomes] = await Promise.race([once(child, "message"), exited])
    await exited
    return outcomes
  })
