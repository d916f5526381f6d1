/** Begins at each millisecond what is due by then, each in a place that is free; nothing begins while all are taken. */
export const paced = async <Place>(
  free: Array<Place>,
  count: number,
  perSecond: number,
  answer: (place: Place, number: number) => Promise<unknown>
): Promise<void> => {
  const answers: Array<Promise<void>> = []
  const startedAt = performance.now()
  while (answers.length < count) {
    const due = Math.min(count, ((performance.now() - startedAt) * perSecond) / 1_000)
    while (answers.length < due) {
      const place = free.pop()
      if (place === undefined) break
      answers.push(answer(place, answers.length).then(() => void free.push(place)))
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(answers)
}
