import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import type { SocketTraits } from "./exchanges.ts"
import { ownAnswerConformance } from "./ownAnswers.ts"
import { requestConformance } from "./requests.ts"
import { reuseConformance } from "./reuse.ts"

const traits: SocketTraits = {
  layer: Http1Transport.layer,
  smallBodies: Http1Transport.layerOptions({ maxBodyBytes: 1_000 }),
  layerOptions: Http1Transport.layerOptions,
  connecting: "connect",
  abortsConnecting: true
}
requestConformance("Http1Transport", traits)
reuseConformance("Http1Transport", traits)
ownAnswerConformance("Http1Transport", traits)
