/** The dialects by kind. */
import * as Struct from "effect/Struct"
import type { EndpointKind } from "../config/DispatcherConfig.ts"
import * as Anthropic from "./Anthropic.ts"
import * as Azure from "./Azure.ts"
import * as Cloudflare from "./Cloudflare.ts"
import * as Gemini from "./Gemini.ts"
import * as OpenAi from "./OpenAi.ts"
import type { Provider, ProviderTarget } from "./Provider.ts"
import * as Raw from "./Raw.ts"
import * as Vertex from "./Vertex.ts"

const makers = {
  openai: OpenAi.make,
  azure: Azure.make,
  gemini: Gemini.make,
  vertex: Vertex.make,
  anthropic: Anthropic.make,
  cloudflare: Cloudflare.make,
  raw: Raw.make
} satisfies Record<EndpointKind, (target: ProviderTarget) => Provider>

/** The kinds that there are. */
export const kinds: ReadonlyArray<EndpointKind> = Struct.keys(makers)

/** Makes the dialect of one endpoint of this kind. */
export const make = (kind: EndpointKind, target: ProviderTarget): Provider => makers[kind](target)
