import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import { answerConformance } from "./answers.ts"
import { randomAnswerConformance } from "./answersAtRandom.ts"
import type { SocketTraits } from "./exchanges.ts"

const traits: SocketTraits = {
  layer: Http1Transport.layer,
  smallBodies: Http1Transport.layerOptions({ maxBodyBytes: 1_000 }),
  layerOptions: Http1Transport.layerOptions,
  connecting: "connect",
  abortsConnecting: true
}
answerConformance("Http1Transport", traits)
randomAnswerConformance("Http1Transport", traits)
