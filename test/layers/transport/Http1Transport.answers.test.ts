import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import { answerConformance } from "./answers.ts"

answerConformance("Http1Transport", {
  layer: Http1Transport.layer,
  smallBodies: Http1Transport.layerOptions({ maxBodyBytes: 1_000 }),
  layerOptions: Http1Transport.layerOptions,
  connecting: "connect",
  abortsConnecting: true
})
