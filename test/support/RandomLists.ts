/**
 * For the options of a property (`arbitrary`): lists of up to so many elements, as far as their schemas allow.
 *
 * By default a random list has no more than 10, however many its schema allows, and most have one or two: too few steps
 * to fill a window, trip a breaker or go round a ring.
 */
export const listsUpTo = (size: number): { readonly size: number } => ({ size })
