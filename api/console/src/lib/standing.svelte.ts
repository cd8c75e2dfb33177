// What the whole is doing, in a sentence, and what it expects of the operator; from the newest state alone.

import type { Row } from './api'
import { live } from './live.svelte'
import { say, t, titleOf } from './words.svelte'

export const STRICTNESS = ['NORMAL', 'CAUTION', 'PAUSED', 'REDUCE_ONLY', 'HALTED']
export const stricter = (a: string, b: string): string => (STRICTNESS.indexOf(a) >= STRICTNESS.indexOf(b) ? a : b)

export function worstState(): string {
  if (!live.state) return 'UNKNOWN'
  return ((live.state?.engines ?? []) as Row[]).map((one) => one.risk_state as string).reduce(stricter, 'NORMAL')
}

/** Engines whose machines are in a position, as words: "TREND-1 BTC". */
function holding(): string[] {
  return ((live.state?.engines ?? []) as Row[]).flatMap((engine) => {
    const assets = (engine.machines as Row[]).filter((one) => ['IN_POSITION', 'FUNDING_COLLECTION'].includes(one.state)).map((one) => one.key as string)
    return assets.length ? [`${titleOf(engine.name)} ${assets.join(', ')}`] : []
  })
}

/** What was so when something was last heard, said as such. */
export const lastKnown = (what: string): string => (live.isStale ? t('The state is not known now. Last known: {what}', { what }) : what)

export function sentence(): string {
  const state = live.state
  if (!state) return t('The state is being read.')
  // The server answers and knows why it does not know the rest: that is so now.
  if (live.isStale && !live.isSilent && !state.health.ok) return t('The state is not known now: {why}', { why: say(state.health.reasons[0] as string) })
  return lastKnown(standing(state))
}

function standing(state: Row): string {
  const worst = worstState()
  const engines = state.engines as Row[]
  const down = (state.components as Row[]).filter((one) => one.state !== 'RUNNING')
  if (worst === 'HALTED' || worst === 'REDUCE_ONLY' || worst === 'PAUSED') {
    const names = engines.filter((one) => one.risk_state === worst).map((one) => titleOf(one.name))
    return t('{names}: {state}. New risk is not taken; stops at the exchange keep working.', { names: names.length === engines.length ? t('All engines') : names.join(', '), state: worst.replaceAll('_', ' ') })
  }
  if (down.length) return t('{names} not running; the supervisor is restarting it. Stops at the exchange keep working.', { names: down.map((one) => one.name).join(', ') })
  if (!state.health.ok) return say(state.health.reasons[0] as string)
  const held = holding()
  const positions = held.length ? t('In position: {list}.', { list: held.join('; ') }) : t('No derivative position is open.')
  return `${worst === 'CAUTION' ? t('Trading with caution: entries are halved.') : t('Trading normally.')} ${positions}`
}
