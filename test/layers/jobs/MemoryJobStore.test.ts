import { Effect } from "effect"
import { make, makeMemory } from "../../../src/layers/jobs/MemoryJobStore.ts"
import { jobStoreSuite } from "./jobStoreSuite.ts"

jobStoreSuite("memory", {
  fresh: Effect.sync(() => {
    const memory = makeMemory()
    return (instance) => Effect.sync(() => make(instance, memory))
  }),
  runs: 300
})
