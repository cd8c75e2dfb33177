// Which regime is in force, and how far the one that would follow it has come (O1).

import { get, type Row } from './api'
import { t } from './words.svelte'

/** Closes running at which a regime must win before it rules; null where the policy cannot be read. */
export async function dwellCloses(): Promise<number | null> {
  const found = (await get<Row[]>('policies/settings')).find((one) => one.setting.endsWith('.dwell_closes'))
  return found ? Number(found.value) : null
}

/** The close's own sentence names who won that day; this one, who rules. */
export function regimeText(regime: Row, dwell: number | null): string {
  const name = regime.regime.replaceAll('_', ' ') as string
  if (!regime.candidate) return t('In force: {name}. No other regime is a candidate.', { name })
  return t('In force: {name}. Candidate: {candidate}, close {n} of {of} running (O1).', { name, candidate: regime.candidate.replaceAll('_', ' '), n: regime.candidate_closes, of: dwell ?? '–' })
}
