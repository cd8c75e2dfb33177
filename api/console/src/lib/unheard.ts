// When the last that was heard is no more what is so. An open stream gives a sign of life every ten seconds; a broken one
// is asked past, every second, and its page is old as soon as that fails too.

export const STALE_MS = 10_000
export const BROKEN_MS = 2_000

/** Instants in milliseconds; 0 stands for never. */
export function isUnheard(now: number, heardAt: number, startedAt: number, brokenAt: number): boolean {
  if (!startedAt) return false
  const last = Math.max(heardAt, startedAt)
  return now - last > STALE_MS || (brokenAt !== 0 && now - Math.max(last, brokenAt) > BROKEN_MS)
}
