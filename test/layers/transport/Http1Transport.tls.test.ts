import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import { tlsConformance } from "./tls.ts"

tlsConformance("Http1Transport", {
  layer: Http1Transport.layer,
  module: new URL("../../../src/layers/transport/Http1Transport.ts", import.meta.url),
  smallBodies: Http1Transport.layerOptions({ maxBodyBytes: 1_000 }),
  incomplete: ["INCOMPLETE_ANSWER"]
})
